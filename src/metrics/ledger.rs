use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a finished span did not leave the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropCause {
    /// The memory for finished spans was used up; the newest is dropped.
    QueueFull,
    /// Finished after the tracer was closed.
    AfterShutdown,
    /// Larger than a packet, even made smaller.
    TooLarge,
    /// The agent's host said that nobody listens there.
    Refused,
    /// The kernel had no room for the datagram after several tries.
    NetBuffer,
    /// The datagram or request could not be sent for another reason.
    SendFailed,
    /// The agent's name has no address, or none yet.
    NoAddress,
    /// No thread could be started to send it, or a forked child has no reporter.
    NoWorker,
    /// A part of the tracer or of the reporter panicked.
    InternalError,
    /// Inherited by a forked child: finished or open at the fork, so the parent sends it.
    Forked,
    /// The sampler never decided, or memory for undecided spans was used up.
    Delayed,
    /// The collector took the batch and refused the span.
    Rejected,
    /// The collector gave no final answer.
    Unknown,
    /// The kernel of this host took the datagram and dropped it at the agent's socket, whose receive buffer was full.
    AgentKernelDrops,
}

impl DropCause {
    /// Every cause. A later version may have more.
    pub const ALL: &'static [Self] = &[
        Self::QueueFull,
        Self::AfterShutdown,
        Self::TooLarge,
        Self::Refused,
        Self::NetBuffer,
        Self::SendFailed,
        Self::NoAddress,
        Self::NoWorker,
        Self::InternalError,
        Self::Forked,
        Self::Delayed,
        Self::Rejected,
        Self::Unknown,
        Self::AgentKernelDrops,
    ];

    /// A short name, such as `queue_full`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::AfterShutdown => "after_shutdown",
            Self::TooLarge => "too_large",
            Self::Refused => "refused",
            Self::NetBuffer => "net_buffer",
            Self::SendFailed => "send_failed",
            Self::NoAddress => "no_address",
            Self::NoWorker => "no_worker",
            Self::InternalError => "internal_error",
            Self::Forked => "forked",
            Self::Delayed => "delayed",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::AgentKernelDrops => "agent_kernel_drops",
        }
    }
}

impl fmt::Display for DropCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Lost spans, counted by cause.
///
/// ```
/// use tracehound::metrics::{DropCause, DropCounts};
///
/// let mut dropped = DropCounts::default();
/// dropped.add(DropCause::Refused, 3);
/// assert_eq!(dropped.get(DropCause::Refused), 3);
/// assert_eq!(dropped.total(), 3);
/// assert_eq!(dropped.to_string(), "refused 3");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct DropCounts([u64; DropCause::ALL.len()]);

impl DropCounts {
    /// Adds `n` losses of that cause.
    pub fn add(&mut self, cause: DropCause, n: u64) {
        self.0[cause as usize] += n;
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for &cause in DropCause::ALL {
            self.add(cause, other.get(cause));
        }
    }

    /// Losses of one cause.
    pub fn get(&self, cause: DropCause) -> u64 {
        self.0[cause as usize]
    }

    /// Losses of all causes.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The causes that have losses.
    pub fn iter(&self) -> impl Iterator<Item = (DropCause, u64)> + '_ {
        DropCause::ALL
            .iter()
            .map(|&cause| (cause, self.get(cause)))
            .filter(|(_, n)| *n > 0)
    }
}

impl fmt::Display for DropCounts {
    /// `refused 3, queue_full 1`, or `none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.total() == 0 {
            return f.write_str("none");
        }
        for (n, (cause, count)) in self.iter().enumerate() {
            write!(f, "{}{cause} {count}", if n == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for DropCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DropCounts({self})")
    }
}

/// What became of every span that a tracer has finished, from its beginning on.
///
/// `finished == sent + dropped.total() + queued`, exactly, when no thread finishes spans meanwhile.
/// "Sent" means that the last thing this process can see went well: for UDP, that the kernel took the datagram, that
/// nobody has refused it since and, where the agent is on this Linux host, that it was not dropped at a full receive buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlushReport {
    /// Sampled spans that were finished.
    pub finished: u64,
    /// Handed over.
    pub sent: u64,
    /// Lost, by cause.
    pub dropped: DropCounts,
    /// Still waiting, because the time was up.
    pub queued: u64,
}

impl FlushReport {
    /// Whether nothing waits and nothing was lost.
    pub fn is_complete(&self) -> bool {
        self.queued == 0 && self.dropped.total() == 0
    }
}

impl fmt::Display for FlushReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            finished,
            sent,
            dropped,
            queued,
        } = self;
        write!(
            f,
            "finished {finished}, sent {sent}, dropped {dropped}, queued {queued}"
        )
    }
}

/// Losses that do not pass through the reporter, and the totals of what did.
#[derive(Default, Debug)]
pub(crate) struct Ledger {
    dropped: [AtomicU64; DropCause::ALL.len()],
}

impl Ledger {
    pub(crate) fn drop_spans(&self, cause: DropCause, n: u64) {
        self.dropped[cause as usize].fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self) -> DropCounts {
        let mut counts = DropCounts::default();
        for &cause in DropCause::ALL {
            counts.add(cause, self.dropped[cause as usize].load(Ordering::Relaxed));
        }
        counts
    }
}

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A reason why a finished span did not leave the process.
///
/// ```
/// use std::time::Duration;
/// use tracehound::metrics::DropCause;
/// use tracehound::prelude::*;
/// use tracehound::sampler::ConstSampler;
///
/// let tracer = JaegerTracer::builder("shop").sampler(ConstSampler::new(true)).build()?;
/// tracer.close(Duration::from_secs(1));
/// tracer.start_span("late").finish();
/// for cause in DropCause::ALL {
///     println!("{} {}", cause.name(), tracer.report().dropped.get(*cause));
/// }
/// assert_eq!(tracer.report().dropped.get(DropCause::AfterShutdown), 1);
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropCause {
    /// The budget for finished spans was used up; the newest span is dropped.
    QueueFull,
    /// The span finished after the tracer was closed.
    AfterShutdown,
    /// The span was larger than a packet, even when it was made smaller, or the collector refused the batch for its
    /// size.
    TooLarge,
    /// The receiver's host answered that no program listens there.
    Refused,
    /// The kernel had no room for the datagram, after several tries.
    NetBuffer,
    /// The datagram or request could not be sent for another reason.
    SendFailed,
    /// The receiver's name had no address, or none yet.
    NoAddress,
    /// No worker thread could be started, or a forked child has no reporter.
    NoWorker,
    /// A part of the tracer or of the reporter panicked.
    InternalError,
    /// The span was finished or open at a fork. The child counts it here; the parent sends it.
    Forked,
    /// The sampler never decided, or it kept the trace and the memory for undecided spans had been used up.
    Delayed,
    /// Too many spans were open when the span started, so it recorded nothing.
    OpenCap,
    /// The collector took the batch and refused the span.
    Rejected,
    /// The collector gave no final answer.
    Unknown,
    /// The collector had asked for a pause that is longer than spans are kept.
    Backoff,
    /// The connection could not be encrypted: its certificate, host name or protocol was not accepted.
    Tls,
    /// The kernel of this host took the datagram and dropped it, because the receive buffer of the agent's socket was
    /// full.
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
        Self::OpenCap,
        Self::Rejected,
        Self::Unknown,
        Self::Backoff,
        Self::Tls,
        Self::AgentKernelDrops,
    ];

    /// Returns whether the span was dropped before a reporter had it: the metric `reporter_spans` then counts it as
    /// `dropped`, and else as `err`.
    pub(crate) const fn is_before_reporter(self) -> bool {
        matches!(
            self,
            Self::QueueFull
                | Self::AfterShutdown
                | Self::NoWorker
                | Self::Forked
                | Self::Delayed
                | Self::OpenCap
        )
    }

    /// Returns a short name, such as `queue_full`.
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
            Self::OpenCap => "open_cap",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::Backoff => "backoff",
            Self::Tls => "tls",
            Self::AgentKernelDrops => "agent_kernel_drops",
        }
    }
}

impl fmt::Display for DropCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Numbers of dropped spans, by cause.
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
    /// Adds `n` spans that were dropped for this cause.
    pub fn add(&mut self, cause: DropCause, n: u64) {
        let count = &mut self.0[cause as usize];
        *count = count.saturating_add(n);
    }

    /// Adds the numbers of `other`.
    pub fn merge(&mut self, other: &Self) {
        for &cause in DropCause::ALL {
            self.add(cause, other.get(cause));
        }
    }

    /// Returns how many spans were dropped for one cause.
    pub fn get(&self, cause: DropCause) -> u64 {
        self.0[cause as usize]
    }

    /// Returns how many spans were dropped in all.
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// Returns each cause that has dropped spans, with their number.
    ///
    /// ```
    /// use tracehound::metrics::{DropCause, DropCounts};
    ///
    /// let mut all = DropCounts::default();
    /// let mut of_one = DropCounts::default();
    /// of_one.add(DropCause::QueueFull, 2);
    /// all.merge(&of_one);
    /// assert_eq!(all.iter().collect::<Vec<_>>(), [(DropCause::QueueFull, 2)]);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (DropCause, u64)> + '_ {
        DropCause::ALL
            .iter()
            .map(|&cause| (cause, self.get(cause)))
            .filter(|(_, n)| *n > 0)
    }
}

impl fmt::Display for DropCounts {
    /// Writes `refused 3, queue_full 1`, or `none`.
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

/// An account of all sampled spans of a tracer that have finished since it was built.
///
/// `finished == sent + dropped.total() + queued` holds exactly if no thread finishes spans meanwhile.
///
/// A span counts as sent if this process knows of no loss. For UDP that means: the kernel took the datagram, the
/// agent's host has not refused it, and, if the agent is on this Linux host, its receive buffer had room. For a request
/// it means that the collector has answered that it has the span.
///
/// ```
/// use std::time::Duration;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(InMemoryReporter::new())
///     .build()?;
/// tracer.start_span("checkout").finish();
/// let report = tracer.close(Duration::from_secs(5));
/// if !report.is_complete() {
///     eprintln!("traces are incomplete: {report}");
/// }
/// assert_eq!(report.finished, report.sent + report.dropped.total() + report.queued);
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlushReport {
    /// Sampled spans that have finished.
    pub finished: u64,
    /// Spans that were handed over.
    pub sent: u64,
    /// Spans that were dropped, by cause.
    pub dropped: DropCounts,
    /// Spans that still wait, because the time was up.
    pub queued: u64,
}

impl FlushReport {
    /// Returns the numbers of spans that were handed over, were lost by the reporter, and never reached it.
    pub(crate) fn by_result(&self) -> [u64; 3] {
        let (mut lost, mut dropped) = (0, 0);
        for (cause, count) in self.dropped.iter() {
            match cause.is_before_reporter() {
                true => dropped += count,
                false => lost += count,
            }
        }
        [self.sent, lost, dropped]
    }

    /// Returns whether no span waits and none was dropped.
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

/// Numbers of spans that were dropped before they came to the reporter, by cause.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_is_complete_if_no_span_waits_and_none_was_dropped() {
        let mut dropped = DropCounts::default();
        dropped.add(DropCause::Refused, 1);
        for (dropped, queued, is_complete) in [
            (DropCounts::default(), 0, true),
            (DropCounts::default(), 1, false),
            (dropped, 0, false),
            (dropped, 1, false),
        ] {
            let report = FlushReport {
                finished: 5,
                sent: 3,
                dropped,
                queued,
            };
            assert_eq!(report.is_complete(), is_complete, "{report}");
        }
    }
}

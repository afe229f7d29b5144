//! What moves a packed batch of spans out of the process.
//!
//! A [`Sender`] gets ready bytes, in the format it asks for and never larger than it says, and tells what
//! became of them. [`RemoteReporter`](crate::reporter::RemoteReporter) packs, splits and accounts.

#[cfg(feature = "udp")]
mod agent_address;
#[cfg(feature = "udp")]
mod udp;

use std::time::{Duration, Instant};

#[cfg(feature = "udp")]
pub use agent_address::{AddressError, AgentAddress};
#[cfg(feature = "udp")]
pub use udp::{SocketFamily, UdpSender};

use crate::metrics::{DropCause, DropCounts};
use crate::services::Services;

/// Moves one batch at a time.
pub trait Sender: Send {
    /// Takes the tracer's services: where to count and to warn, what time it is. A
    /// [`RemoteReporter`](crate::reporter::RemoteReporter) calls it once, before the first batch, and again for the sender
    /// of a forked child. By default nothing.
    fn attach(&mut self, _services: &Services) {}

    /// The encoding it takes. Asked once.
    fn format(&self) -> BatchFormat;

    /// Up to how many bytes spans are packed into one batch. Asked before each batch: a sender may learn that
    /// less is possible.
    fn max_bytes(&self) -> usize;

    /// The largest batch that it takes where that is a single span, in bytes. A span beyond is made smaller.
    ///
    /// By default [`Sender::max_bytes`]. More where a large batch is worse than several, yet better than a span
    /// with parts missing: a datagram that has to be fragmented.
    fn max_single_bytes(&self) -> usize {
        self.max_bytes()
    }

    /// Sends one batch and says what became of it and of earlier ones. Blocks no longer than until `deadline`.
    ///
    /// A sender that has to wait for the receiver answers [`SendResult::Later`] and does not block: the batch waits in the
    /// reporter, and spans behind it wait in the queue.
    fn send(&mut self, batch: &Batch<'_>, deadline: Instant) -> SendOutcome;

    /// Looks for news of batches that were sent, without sending anything: at the end of each flush. By default none.
    fn poll(&mut self) -> SendOutcome {
        SendOutcome::default()
    }

    /// How long to drop full batches without trying after a refusal, a failed look-up or a failed send. A flush tries all
    /// the same. By default one second.
    fn retry_after(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// Where batches go, for lines to the user: `127.0.0.1:6831`.
    fn destination(&self) -> String {
        "the collector".to_owned()
    }

    /// A line to the user about a loss that this sender has just told of: what is wrong and how to mend it.
    fn explain(&self, cause: DropCause) -> String {
        format!("spans do not reach {}: {cause}", self.destination())
    }

    /// A line to the user about batches that wait because of [`SendResult::Later`]: what is slow and how to mend it. By
    /// default none.
    fn explain_wait(&self) -> Option<String> {
        None
    }

    /// Returns a function that makes the sender of a forked child process, with sockets of its own: see
    /// [`Reporter::after_fork`](crate::reporter::Reporter::after_fork). By default there is none.
    fn after_fork(&self) -> Option<MakeSender> {
        None
    }
}

/// Makes the sender of a forked child process: see [`Sender::after_fork`].
pub type MakeSender = Box<dyn Fn() -> Box<dyn Sender> + Send + Sync>;

impl Sender for Box<dyn Sender> {
    fn attach(&mut self, services: &Services) {
        (**self).attach(services);
    }

    fn format(&self) -> BatchFormat {
        (**self).format()
    }

    fn max_bytes(&self) -> usize {
        (**self).max_bytes()
    }

    fn max_single_bytes(&self) -> usize {
        (**self).max_single_bytes()
    }

    fn send(&mut self, batch: &Batch<'_>, deadline: Instant) -> SendOutcome {
        (**self).send(batch, deadline)
    }

    fn poll(&mut self) -> SendOutcome {
        (**self).poll()
    }

    fn retry_after(&self) -> Duration {
        (**self).retry_after()
    }

    fn destination(&self) -> String {
        (**self).destination()
    }

    fn explain(&self, cause: DropCause) -> String {
        (**self).explain(cause)
    }

    fn explain_wait(&self) -> Option<String> {
        (**self).explain_wait()
    }

    fn after_fork(&self) -> Option<MakeSender> {
        (**self).after_fork()
    }
}

/// How a batch is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchFormat {
    /// An `emitBatch` message in Thrift's compact protocol: an agent's port 6831.
    Compact,
    /// An `emitBatch` message in Thrift's binary protocol: an agent's port 6832.
    Binary,
}

/// An encoded batch.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Batch<'a> {
    /// The message.
    pub bytes: &'a [u8],
    /// How many spans are in it.
    pub span_count: u64,
}

impl<'a> Batch<'a> {
    /// Joins the bytes and the count.
    pub fn new(bytes: &'a [u8], span_count: u64) -> Self {
        Self { bytes, span_count }
    }
}

/// What became of batches.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SendOutcome {
    /// The batch of this call.
    pub this: SendResult,
    /// Spans of earlier batches that were counted as sent and that are now known to be lost.
    pub earlier: DropCounts,
}

/// What became of one batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendResult {
    /// It is on its way.
    #[default]
    Sent,
    /// It was larger than the system allows: the reporter splits it by the new `max_bytes` and tries again.
    TooLarge,
    /// It was not sent, because the receiver or the system has no room for it now: the reporter offers it again then.
    Later(Instant),
    /// It is lost.
    Lost(DropCause),
}

impl SendOutcome {
    /// Only `this`.
    pub fn new(this: SendResult) -> Self {
        Self {
            this,
            earlier: DropCounts::default(),
        }
    }

    /// Adds a loss of earlier batches.
    #[must_use]
    pub fn with_earlier_loss(mut self, cause: DropCause, spans: u64) -> Self {
        self.earlier.add(cause, spans);
        self
    }
}

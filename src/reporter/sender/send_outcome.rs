use std::time::Instant;

use crate::metrics::{DropCause, DropCounts};

/// A sender's answer: what became of a batch and of earlier ones.
///
/// ```
/// use tracehound::metrics::DropCause;
/// use tracehound::reporter::sender::{SendOutcome, SendResult};
///
/// // This batch waits for its answer. Of earlier ones ten spans have arrived, two were refused,
/// // and a datagram of five, which counted as sent, is known to be lost.
/// let outcome = SendOutcome::new(SendResult::InFlight)
///     .with_arrival(10)
///     .with_failure(DropCause::Rejected, 2)
///     .with_earlier_loss(DropCause::Refused, 5);
/// assert_eq!(outcome.arrived, 10);
/// assert_eq!((outcome.failed.total(), outcome.earlier.total()), (2, 5));
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SendOutcome {
    /// The fate of the batch of this call.
    pub this: SendResult,
    /// Spans of earlier batches that counted as sent and are now known to be lost.
    pub earlier: DropCounts,
    /// The number of spans of batches in flight that have arrived.
    pub arrived: u64,
    /// Spans of batches in flight that are lost.
    pub failed: DropCounts,
}

/// The fate of one batch.
///
/// ```
/// use std::io::{self, ErrorKind};
/// use std::time::{Duration, Instant};
/// use tracehound::metrics::DropCause;
/// use tracehound::reporter::sender::SendResult;
///
/// /// Translates the error of a socket.
/// fn fate(error: &io::Error) -> SendResult {
///     match error.kind() {
///         ErrorKind::WouldBlock => SendResult::Later(Instant::now() + Duration::from_millis(5)),
///         ErrorKind::ConnectionRefused => SendResult::Lost(DropCause::Refused),
///         _ => SendResult::Lost(DropCause::SendFailed),
///     }
/// }
///
/// let refused = io::Error::from(ErrorKind::ConnectionRefused);
/// assert_eq!(fate(&refused), SendResult::Lost(DropCause::Refused));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendResult {
    /// The batch is on its way.
    #[default]
    Sent,
    /// The sender has copied the batch, and [`SendOutcome::arrived`] and [`SendOutcome::failed`] of later answers tell
    /// what became of its spans. Batches in flight are answered in the order in which they were taken.
    InFlight,
    /// The batch is larger than the system allows. The reporter splits it by the new `max_bytes` and tries again.
    TooLarge,
    /// The receiver or the system has no room for the batch now. The reporter offers it again at this time.
    Later(Instant),
    /// The batch is lost.
    Lost(DropCause),
}

impl SendOutcome {
    /// Returns an answer without news of earlier batches.
    pub fn new(this: SendResult) -> Self {
        Self {
            this,
            ..Self::default()
        }
    }

    /// Adds a loss of earlier batches, which counted as sent.
    #[must_use]
    pub fn with_earlier_loss(mut self, cause: DropCause, spans: u64) -> Self {
        self.earlier.add(cause, spans);
        self
    }

    /// Adds spans in flight that have arrived.
    #[must_use]
    pub fn with_arrival(mut self, spans: u64) -> Self {
        self.arrived = self.arrived.saturating_add(spans);
        self
    }

    /// Adds spans in flight that are lost.
    #[must_use]
    pub fn with_failure(mut self, cause: DropCause, spans: u64) -> Self {
        self.failed.add(cause, spans);
        self
    }
}

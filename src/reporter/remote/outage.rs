//! The state of a remote reporter while its batches are being lost.

use std::mem;
use std::time::Instant;

use crate::metrics::DropCause;

/// The causes of losses since batches last arrived, and when to try again. Empty while all is well.
#[derive(Debug, Default)]
pub(super) struct Outage {
    /// The causes that the user was told of, the latest last.
    causes: Vec<DropCause>,
    /// The time until which full batches are dropped untried.
    retry_at: Option<Instant>,
    /// A batch went out, and nothing bad is known of it yet.
    may_be_over: bool,
}

impl Outage {
    /// Returns the cause for which a full batch is dropped untried, or `None` if it should be tried.
    pub(super) fn gives_up(&self, now: Instant) -> Option<DropCause> {
        let waits = self.retry_at.is_some_and(|retry_at| now < retry_at);
        self.causes.last().copied().filter(|_| waits)
    }

    /// Returns whether the last batch was refused. Then the next one is a probe of one span.
    pub(super) fn is_refused(&self) -> bool {
        self.retry_at.is_some()
            && !self.may_be_over
            && self.causes.last() == Some(&DropCause::Refused)
    }

    /// Returns whether a batch that was lost for `cause` makes the next ones wait.
    pub(super) fn makes_wait(cause: DropCause) -> bool {
        matches!(
            cause,
            DropCause::Refused | DropCause::NoAddress | DropCause::SendFailed
        )
    }

    /// Notes that a batch was lost. The next full one is tried at `retry_at`.
    pub(super) fn note_loss(&mut self, cause: DropCause, retry_at: Option<Instant>) {
        self.may_be_over = false;
        self.retry_at = retry_at;
        self.causes.retain(|&known| known != cause);
        self.causes.push(cause);
    }

    /// Notes that a batch was sent. Returns the causes that are over.
    ///
    /// A single batch proves little, because its refusal may come back later, before the next one. So the second ends
    /// the outage, and after the first the next full batch is tried at `retry_at`.
    pub(super) fn note_sent(&mut self, retry_at: impl FnOnce() -> Instant) -> Vec<DropCause> {
        if self.causes.is_empty() {
            return Vec::new();
        }
        if self.may_be_over {
            return mem::take(self).causes;
        }
        self.may_be_over = true;
        self.retry_at = self.retry_at.map(|_| retry_at());
        Vec::new()
    }
}

//! Batches are being lost: what is known of it, and when the next one is tried.

use std::time::Instant;

use crate::metrics::DropCause;

/// What has gone wrong since batches last arrived. Empty where all is well.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// Those of which a line was written, the last one last.
    causes: Vec<DropCause>,
    /// Full batches are given up until then.
    retry_at: Option<Instant>,
    /// A batch went out, and nothing bad is known of it yet.
    may_be_over: bool,
}

impl Trouble {
    /// The cause for which a full batch is given up untried.
    pub(super) fn gives_up(&self, now: Instant) -> Option<DropCause> {
        let waits = self.retry_at.is_some_and(|retry_at| now < retry_at);
        self.causes.last().copied().filter(|_| waits)
    }

    /// Whether nobody took the last batch: the next one is a probe, so it has one span.
    pub(super) fn is_away(&self) -> bool {
        self.retry_at.is_some()
            && !self.may_be_over
            && self.causes.last() == Some(&DropCause::Refused)
    }

    /// Whether a batch that was lost for `cause` makes the next ones wait.
    pub(super) fn makes_wait(cause: DropCause) -> bool {
        matches!(
            cause,
            DropCause::Refused | DropCause::NoAddress | DropCause::SendFailed
        )
    }

    /// A batch was lost; the next full one is tried at `retry_at`.
    pub(super) fn went_wrong(&mut self, cause: DropCause, retry_at: Option<Instant>) {
        self.may_be_over = false;
        self.retry_at = retry_at;
        self.causes.retain(|&known| known != cause);
        self.causes.push(cause);
    }

    /// A batch was sent. One on its way proves little: a refusal comes back later, before the next one. Returns the causes
    /// that are over.
    pub(super) fn went_well(&mut self, retry_at: impl FnOnce() -> Instant) -> Vec<DropCause> {
        if self.causes.is_empty() {
            return Vec::new();
        }
        if self.may_be_over {
            return std::mem::take(self).causes;
        }
        self.may_be_over = true;
        self.retry_at = self.retry_at.map(|_| retry_at());
        Vec::new()
    }
}

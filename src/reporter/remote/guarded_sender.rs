use std::time::{Duration, Instant};

use crate::metrics::{DropCause, Metrics};
use crate::reporter::guarded::guarded;
use crate::reporter::sender::{Batch, MakeSender, SendOutcome, SendResult, Sender};
use crate::services::Services;

/// A sender that is called so that its panics are caught and counted.
pub(super) struct GuardedSender {
    /// `None` after `close`.
    sender: Option<Box<dyn Sender>>,
    metrics: Metrics,
}

/// The largest batches that a sender takes, in bytes.
#[derive(Clone, Copy, Default)]
pub(super) struct Limits {
    /// The limit for a batch of several spans.
    pub(super) batch: usize,
    /// The limit for a batch of a single span.
    pub(super) single: usize,
}

impl GuardedSender {
    pub(super) fn new(sender: Box<dyn Sender>, metrics: Metrics) -> Self {
        Self {
            sender: Some(sender),
            metrics,
        }
    }

    pub(super) fn attach(&mut self, services: &Services) {
        self.metrics = services.metrics().clone();
        if let Some(sender) = &mut self.sender {
            services.attach("the sender", |services| sender.attach(services));
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_none()
    }

    /// Lets go of the sender.
    pub(super) fn close(&mut self) {
        let sender = self.sender.take();
        guarded(&self.metrics, || drop(sender));
    }

    /// Sends a batch, which is lost if the sender is closed or panics.
    pub(super) fn send(&mut self, batch: &Batch<'_>, deadline: Instant) -> SendOutcome {
        let lost = |cause| SendOutcome::new(SendResult::Lost(cause));
        let Some(sender) = &mut self.sender else {
            return lost(DropCause::AfterShutdown);
        };
        guarded(&self.metrics, || sender.send(batch, deadline))
            .unwrap_or_else(|| lost(DropCause::InternalError))
    }

    pub(super) fn poll(&mut self) -> Option<SendOutcome> {
        let sender = self.sender.as_mut()?;
        guarded(&self.metrics, || sender.poll())
    }

    pub(super) fn reads_spans(&self) -> bool {
        self.ask(|sender| sender.reads_spans()).unwrap_or(false)
    }

    pub(super) fn limits(&self) -> Option<Limits> {
        self.ask(|sender| Limits {
            batch: sender.max_bytes(),
            single: sender.max_single_bytes().max(sender.max_bytes()),
        })
    }

    pub(super) fn retry_after(&self) -> Duration {
        self.ask(|sender| sender.retry_after()).unwrap_or_default()
    }

    pub(super) fn destination(&self) -> String {
        self.ask(|sender| sender.destination()).unwrap_or_default()
    }

    pub(super) fn explain(&self, cause: DropCause) -> String {
        self.ask(|sender| sender.explain(cause)).unwrap_or_default()
    }

    pub(super) fn explain_wait(&self) -> Option<String> {
        self.ask(|sender| sender.explain_wait()).flatten()
    }

    pub(super) fn after_fork(&self) -> Option<MakeSender> {
        self.ask(|sender| sender.after_fork()).flatten()
    }

    fn ask<R>(&self, question: impl FnOnce(&dyn Sender) -> R) -> Option<R> {
        let sender = self.sender.as_deref()?;
        guarded(&self.metrics, || question(sender))
    }
}

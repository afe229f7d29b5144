//! The reaction of a remote reporter to losses, beside counting them: lines to the user, and a pause.

use crate::clock::deadline_after;
use crate::metrics::DropCause;
use crate::reporter::WorkerHandle;
use crate::reporter::remote::RemoteReporter;
use crate::reporter::remote::outage::Outage;

impl RemoteReporter {
    pub(super) fn lose_too_large(&mut self, span: usize) {
        self.dropped.add(DropCause::TooLarge, 1);
        let (size, envelope) = (
            self.packet.size_of(span..span + 1),
            self.packet.envelope_size(),
        );
        let (packet, limit) = (&self.packet, self.limits.single);
        let line = || {
            if envelope >= limit {
                return format!(
                    "the service's name and tags take {envelope} bytes, and a batch may have {limit}; \
                     spans are lost"
                );
            }
            let name = packet.operation_name(span).into_iter();
            let name: String = name.flat_map(str::chars).take(64).collect();
            format!(
                "span {name:?} takes {size} bytes even after it was made smaller, and a batch may have \
                 {limit}; it is lost"
            )
        };
        tell_of_loss(&self.worker, DropCause::TooLarge, line);
    }

    /// Leaves out tags of a process that leaves too little room for spans, and says so.
    #[cold]
    pub(super) fn shrink_process(&mut self) {
        let (bytes, limit) = (self.packet.envelope_size(), self.limits.single);
        self.process_shrunk_for = limit;
        let process = self.worker.process();
        let missing = self.packet.shrink_process(self.format, process, limit / 2);
        if missing > 0 {
            self.worker.diagnostics().warn("process_too_large", || {
                format!(
                    "the service's name and tags take {bytes} bytes, and a batch may have {limit}; {missing} of its \
                     tags, the largest, are left out"
                )
            });
        }
    }

    /// Gives up the spans that are in flight when the sender ends.
    pub(super) fn lose_unanswered(&mut self) {
        let unanswered = self.in_flight.answer(u64::MAX);
        if unanswered == 0 {
            return;
        }
        self.dropped.add(DropCause::Unknown, unanswered);
        tell_of_loss(&self.worker, DropCause::Unknown, || {
            let destination = self.sender.destination();
            format!(
                "the tracer was closed before {destination} had answered about {unanswered} spans, which may have \
                 arrived; give the close more time"
            )
        });
    }

    pub(super) fn warn_of_limit(&self, refused: usize) {
        let limit = self.limits.single;
        self.worker.diagnostics().warn("batch_too_large", || {
            let destination = self.sender.destination();
            format!(
                "the system refused a batch of {refused} bytes to {destination}; from now on batches \
                 have at most {limit}"
            )
        });
    }

    pub(super) fn note_loss(&mut self, cause: DropCause) {
        let pause = self.sender.retry_after();
        let waits = Outage::makes_wait(cause) && !pause.is_zero();
        let retry_at = waits.then(|| deadline_after(pause));
        self.outage.note_loss(cause, retry_at);
        self.explain(cause);
    }

    pub(super) fn explain(&self, cause: DropCause) {
        tell_of_loss(&self.worker, cause, || {
            if cause == DropCause::InternalError {
                "the sender of spans panicked; its batch is lost".to_owned()
            } else {
                self.sender.explain(cause)
            }
        });
    }

    pub(super) fn note_sent(&mut self) {
        let sender = &self.sender;
        let ended = self
            .outage
            .note_sent(|| deadline_after(sender.retry_after()));
        for cause in ended {
            self.worker.diagnostics().recovered(cause.name(), || {
                format!("spans reach {} again", self.sender.destination())
            });
        }
    }
}

/// Notes the reason of a loss, and writes a line about it now and then.
fn tell_of_loss(worker: &WorkerHandle, cause: DropCause, reason: impl Fn() -> String) {
    worker.metrics().note_loss(cause, &reason);
    worker.diagnostics().warn(cause.name(), reason);
}

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::metrics::{Counter, FlushReport, Metrics};
use crate::reporter::Worker;
use crate::tracer::core::Core;
#[cfg(all(unix, feature = "signals"))]
use crate::tracer::signals::Close;

/// The tracer and its worker, which the clones share. Open spans share only the core, so they do not keep the tracer
/// open.
pub(super) struct Handle {
    pub(super) core: Arc<Core>,
    pub(super) worker: Worker,
    /// The program has closed the tracer.
    pub(super) is_closed: AtomicBool,
}

impl Handle {
    pub(super) fn close(&self, timeout: Duration) -> FlushReport {
        let is_first = self.begin_close();
        let report = self.worker.close(timeout);
        self.end_close(is_first);
        report
    }

    pub(super) async fn close_async(&self, timeout: Duration) -> FlushReport {
        let is_first = self.begin_close();
        let report = self.worker.close_async(timeout).await;
        self.end_close(is_first);
        report
    }

    /// Notes that the program closes the tracer. Returns whether it does so for the first time.
    fn begin_close(&self) -> bool {
        !self.is_closed.swap(true, Ordering::Relaxed)
    }

    fn end_close(&self, is_first: bool) {
        self.let_go();
        if is_first {
            self.say_open("was closed while", "wait for your workers before");
        }
    }

    /// Says how many spans had no time to finish.
    fn say_open(&self, ended: &str, cure: &str) {
        let open = open_spans(&self.core.recorder.metrics);
        if open > 0 {
            self.core.diagnostics.say(&format!(
                "the tracer of {:?} {ended} {open} of its spans were open, which are lost: {cure}",
                self.core.process.service_name,
            ));
        }
    }

    /// Lets go of what only an open tracer needs.
    fn let_go(&self) {
        self.core.release_slots();
        self.core.close_parts();
        // `close_parts` does not reach a sampler that a user's own sampler wraps. The poller ends the work of that one,
        // too.
        self.core.poller.close();
    }
}

#[cfg(all(unix, feature = "signals"))]
impl Close for Handle {
    fn close(&self, timeout: Duration) -> FlushReport {
        Self::close(self, timeout)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // A program that has closed the tracer has given the spans their time.
        if self.is_closed.load(Ordering::Relaxed) {
            self.worker.close(Duration::ZERO);
            return self.let_go();
        }
        let report = self.worker.close(DROP_TIMEOUT);
        self.let_go();
        self.say_open(
            "was dropped while",
            "keep a clone of it until they have finished",
        );
        if report.queued > 0 {
            self.core.diagnostics.say(&format!(
                "the tracer of {:?} was dropped with spans that could not be sent in {DROP_TIMEOUT:?}: {report}",
                self.core.process.service_name,
            ));
        }
    }
}

/// Returns how many spans that may be sampled have started and not finished.
fn open_spans(metrics: &Metrics) -> u64 {
    // A span can be sampled at its start but not at its end, or the other way round, so either difference alone may be
    // too high. The lower one is reported.
    let open = |started: &[Counter], finished: &[Counter]| {
        let sum = |counters: &[Counter]| counters.iter().map(|it| metrics.get(*it)).sum::<u64>();
        sum(started).saturating_sub(sum(finished))
    };
    let started = [
        Counter::StartedSpansSampled,
        Counter::StartedSpansDelayed,
        Counter::StartedSpansUnsampled,
    ];
    let finished = [
        Counter::FinishedSpansSampled,
        Counter::FinishedSpansDelayed,
        Counter::FinishedSpansUnsampled,
    ];
    open(&started[..2], &finished[..2]).min(open(&started, &finished))
}

/// The time that dropping the last clone waits for finished spans to be sent.
const DROP_TIMEOUT: Duration = Duration::from_secs(1);

//! Tells the user of finished spans that found no room in the queue.

use std::time::{Duration, Instant};

use crate::clock::instant_now;
use crate::metrics::DropCause;
use crate::reporter::Reporter;
use crate::reporter::guarded::guarded;
use crate::reporter::worker::WorkerOptions;

/// Losses from the first one to the end of a quiet time.
#[derive(Debug, Default)]
pub(super) struct Overflow {
    /// All losses at the last look.
    seen: u64,
    /// Those since the queue last had room for long enough.
    lost: u64,
    last_loss: Option<Instant>,
}

impl Overflow {
    /// Counts what was lost since the last look, and says so; says that it is over after a quiet time.
    pub(super) fn look(&mut self, options: &WorkerOptions, reporter: &dyn Reporter) {
        let seen = options.store.totals().0.get(DropCause::QueueFull);
        let lost = seen.saturating_sub(self.seen);
        self.seen = seen;
        self.lost += lost;
        let now = instant_now();
        let diagnostics = &options.diagnostics;
        if lost > 0 {
            self.last_loss = Some(now);
            let lost = self.lost;
            diagnostics.warn(DropCause::QueueFull.name(), || {
                let pause = guarded(&options.metrics, || reporter.explain_pause()).flatten();
                let cure = pause.unwrap_or_else(|| LARGER_QUEUE.to_owned());
                format!("{lost} finished spans found no room in the queue and were dropped: {cure}")
            });
        } else if options.store.has_room()
            && self
                .last_loss
                .is_some_and(|last| now.saturating_duration_since(last) >= QUIET)
        {
            self.last_loss = None;
            let lost = std::mem::take(&mut self.lost);
            diagnostics.recovered(DropCause::QueueFull.name(), || {
                format!("the queue has room again; {lost} finished spans found none")
            });
        }
    }
}

const LARGER_QUEUE: &str =
    "a larger one holds longer bursts (queue_size, JAEGER_REPORTER_MAX_QUEUE_SIZE)";

/// How long the queue must have had room before that is said.
const QUIET: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::clock::ManualClock;
    use crate::diagnostics::Diagnostics;
    use crate::metrics::{Counter, Metrics};
    use crate::model::{Flags, Process, SpanId, TraceId};
    use crate::record::{Budget, FrameBytes, FrameHeader, Store};
    use crate::reporter::NullReporter;

    /// A span that is larger than what a thread may hold outside of the budget.
    fn finish_span(store: &Store) {
        let (trace_id, span_id) = (TraceId::new(0, 1), SpanId::new(1));
        let ids = trace_id.zip(span_id).expect("not zero");
        let header = FrameHeader {
            flags: Flags::SAMPLED,
            ..FrameHeader::new(ids.0, ids.1)
        };
        let bytes = FrameBytes {
            operation_name: &"x".repeat(5_000),
            ..FrameBytes::default()
        };
        store.push(&header, &bytes, Counter::FinishedSpansSampled);
    }

    #[test]
    fn recovery_is_said_after_a_quiet_time_with_the_total_and_not_while_losses_go_on() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let said = lines.clone();
        let metrics = Metrics::default();
        let store = Arc::new(Store::new(Budget::new(0), metrics.clone()));
        let options = WorkerOptions {
            store: store.clone(),
            clock: ManualClock::at_micros(1).into(),
            process: Arc::new(Process::new("test", Vec::new())),
            keeps_uuid: true,
            metrics,
            diagnostics: Diagnostics::with_handler(move |line| {
                said.lock().expect("not poisoned").push(line.to_owned());
            }),
            flush_interval: Duration::from_secs(3_600),
        };
        let mut overflow = Overflow::default();
        let look = |overflow: &mut Overflow| {
            overflow.look(&options, &NullReporter::new());
            std::mem::take(&mut *lines.lock().expect("not poisoned"))
        };
        assert!(look(&mut overflow).is_empty());
        for _ in 0..3 {
            finish_span(&store);
        }
        let first = look(&mut overflow);
        assert!(
            first[0].starts_with("3 finished spans found no room"),
            "{first:?}"
        );
        assert!(
            first[0].contains("JAEGER_REPORTER_MAX_QUEUE_SIZE"),
            "{first:?}"
        );
        assert!(
            look(&mut overflow).is_empty(),
            "a moment without a loss is no recovery"
        );
        finish_span(&store);
        assert!(look(&mut overflow).is_empty(), "one line in ten seconds");

        overflow.last_loss = overflow.last_loss.map(|last| last - QUIET);
        let last = look(&mut overflow);
        assert_eq!(
            last,
            ["the queue has room again; 4 finished spans found none"]
        );
        assert!(look(&mut overflow).is_empty());
    }
}

//! Lines to the user about finished spans that found no room in the queue.

use std::time::{Duration, Instant};

use crate::clock::instant_now;
use crate::metrics::DropCause;
use crate::reporter::Reporter;
use crate::reporter::guarded::guarded;
use crate::reporter::worker::options::WorkerOptions;

/// A run of losses, from the first one until no span was lost for ten seconds.
#[derive(Debug, Default)]
pub(super) struct Overflow {
    /// All losses of the tracer at the last check.
    seen: u64,
    /// The losses of this run.
    lost: u64,
    last_loss: Option<Instant>,
    /// The cause of the last warning, as diagnostics name it.
    warned_as: Option<&'static str>,
}

impl Overflow {
    /// Counts what was lost since the last check and warns of it. Says that the run is over after a quiet time.
    pub(super) fn check(&mut self, options: &WorkerOptions, reporter: &dyn Reporter) {
        let seen = options.queue.totals().0.get(DropCause::QueueFull);
        let lost = seen.saturating_sub(self.seen);
        self.seen = seen;
        self.lost += lost;
        let now = instant_now();
        let diagnostics = options.services.diagnostics();
        if lost > 0 {
            self.last_loss = Some(now);
            let lost = self.lost;
            let metrics = options.services.metrics();
            let pause = guarded(metrics, || reporter.explain_pause()).flatten();
            // A burst may come before the reporter has to wait. The line about it must not hide the one about the wait.
            let cause = match pause {
                Some(_) => DropCause::QueueFull.name(),
                None => BURST,
            };
            self.warned_as = Some(cause);
            let cure = pause.as_deref().unwrap_or(LARGER_QUEUE);
            let line = || {
                format!("{lost} finished spans found no room in the queue and were dropped: {cure}")
            };
            metrics.note_loss(DropCause::QueueFull, line);
            diagnostics.warn(cause, line);
        } else if options.queue.has_room()
            && self
                .last_loss
                .is_some_and(|last| now.saturating_duration_since(last) >= QUIET)
        {
            self.last_loss = None;
            let lost = std::mem::take(&mut self.lost);
            if let Some(cause) = self.warned_as.take() {
                diagnostics.recovered(cause, || {
                    format!("the queue has room again; {lost} finished spans found none")
                });
            }
        }
    }
}

/// The cause of losses while the reporter takes spans, as diagnostics name it.
const BURST: &str = "queue_full_burst";

const LARGER_QUEUE: &str =
    "a larger one holds longer bursts (queue_size, JAEGER_REPORTER_MAX_QUEUE_SIZE)";

/// The time without a loss after which the run is over.
const QUIET: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::FinishedSpan;
    use crate::reporter::NullReporter;
    use crate::reporter::worker::fixtures::{finish_span, options};

    #[test]
    fn one_line_tells_the_losses_and_one_after_a_quiet_time_their_total() {
        let (options, lines) = options(0);
        // Larger than what a thread may hold outside of the budget.
        let lose_span = || finish_span(&options.queue, &"x".repeat(5_000));
        let mut overflow = Overflow::default();
        let check = |overflow: &mut Overflow| {
            overflow.check(&options, &NullReporter::new());
            std::mem::take(&mut *lines.lock().expect("not poisoned"))
        };
        assert!(check(&mut overflow).is_empty());
        for _ in 0..3 {
            lose_span();
        }
        let first = check(&mut overflow);
        assert!(
            first[0].starts_with("3 finished spans found no room"),
            "{first:?}"
        );
        assert!(
            first[0].contains("JAEGER_REPORTER_MAX_QUEUE_SIZE"),
            "{first:?}"
        );
        assert!(
            check(&mut overflow).is_empty(),
            "a moment without a loss is no recovery"
        );
        lose_span();
        assert!(
            check(&mut overflow).is_empty(),
            "one line within ten seconds"
        );

        overflow.last_loss = overflow.last_loss.map(|last| last - QUIET);
        let last = check(&mut overflow);
        assert_eq!(
            last,
            ["the queue has room again; 4 finished spans found none"]
        );
        assert!(check(&mut overflow).is_empty());
    }

    #[test]
    fn a_line_about_a_burst_hides_none_about_a_reporter_that_waits() {
        struct Waits(bool);

        impl Reporter for Waits {
            fn report(&mut self, _: &FinishedSpan<'_>) {}

            fn explain_pause(&self) -> Option<String> {
                self.0.then(|| "the disk is slow".to_owned())
            }
        }

        let (options, lines) = options(0);
        let mut overflow = Overflow::default();
        for waits in [false, true, true] {
            finish_span(&options.queue, &"x".repeat(5_000));
            overflow.check(&options, &Waits(waits));
        }
        overflow.last_loss = overflow.last_loss.map(|last| last - QUIET);
        overflow.check(&options, &Waits(false));
        let lines = lines.lock().expect("not poisoned");
        assert!(lines[0].contains(LARGER_QUEUE), "{lines:?}");
        assert!(lines[1].ends_with("dropped: the disk is slow"), "{lines:?}");
        assert_eq!(
            lines[2..],
            ["the queue has room again; 3 finished spans found none"]
        );
    }
}

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

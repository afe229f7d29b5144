//! Watching spans while they are open.

mod open_spans;
mod orphans;
mod places;
mod poll_times;
mod watchdog;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::clock::ManualClock;
use tracehound::diagnostics::Diagnostics;
use tracehound::observer::SpanObserver;
use tracehound::sampler::ConstSampler;

use crate::support::kept_lines;

/// A tracer that keeps no trace, its clock and its lines.
struct Watched {
    tracer: JaegerTracer,
    clock: ManualClock,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Watched {
    fn by(observer: impl SpanObserver + 'static) -> Self {
        let (diagnostics, lines) = kept_lines();
        let (tracer, clock) = tracer(observer, diagnostics);
        Self {
            tracer,
            clock,
            lines,
        }
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Returns the lines since the last call.
    fn lines(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().unwrap())
    }
}

/// Returns a tracer that keeps no trace and whose clock stands at 1 500 000 000 s.
fn tracer(
    observer: impl SpanObserver + 'static,
    diagnostics: Diagnostics,
) -> (JaegerTracer, ManualClock) {
    let clock = ManualClock::at_micros(1_500_000_000_000_000);
    let tracer = JaegerTracer::builder("shop")
        .sampler(ConstSampler::new(false))
        .diagnostics(diagnostics)
        .clock(clock.clone())
        .observer(observer)
        .build()
        .expect("named");
    (tracer, clock)
}

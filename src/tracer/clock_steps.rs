//! Steps of the wall clock while spans are open.

use std::time::Duration;

use crate::clock::Clock;
use crate::reporter::InMemoryReporter;
use crate::sampler::ConstSampler;
use crate::span::Span;
use crate::tracer::{JaegerTracer, TracerExt};

const HOUR_MICROS: i64 = 3_600_000_000;
/// The test takes far less time than this.
const MOMENT_MICROS: i64 = HOUR_MICROS / 10;

#[test]
fn a_step_of_the_wall_clock_neither_reorders_nor_stretches_the_spans_of_a_trace() {
    for step in [HOUR_MICROS, -HOUR_MICROS] {
        let (clock, spans) = (Clock::system(), InMemoryReporter::new());
        let tracer = JaegerTracer::builder("shop")
            .sampler(ConstSampler::new(true))
            .reporter(spans.clone())
            .clock(clock.clone())
            // The worker looks at the wall clock at a flush that is due, which would undo the step.
            .flush_interval(Duration::from_secs(36_000))
            .build()
            .expect("named");
        let child = |name, of: &Span| tracer.build_span(name).child_of(of).start();
        let root = tracer.start_span("root");
        child("before", &root).finish();
        let during = child("during", &root);
        clock.step(1_000 * step);
        child("after", &during).finish();
        during.finish();
        root.finish();
        tracer.start_span("next").finish();

        let find = |name| spans.find(name).expect("finished");
        let start = |name| find(name).start.as_micros();
        let names = ["root", "before", "during", "after"];
        let starts = names.map(start);
        assert!(starts.is_sorted(), "{starts:?}");
        assert!(starts[3] - starts[0] < MOMENT_MICROS, "{starts:?}");
        let ends = names.map(|name| {
            let duration = i64::try_from(find(name).duration.as_micros()).expect("short");
            assert!((0..MOMENT_MICROS).contains(&duration), "{name}: {duration}");
            start(name) + duration
        });
        // A length is at least a microsecond, so an end may be one late.
        let [root, before, during, after] = ends;
        assert!(before <= during + 1 && after <= during + 1 && during <= root + 1);
        let moved = start("next") - starts[0] - step;
        assert!((0..MOMENT_MICROS).contains(&moved), "{moved}");
    }
}

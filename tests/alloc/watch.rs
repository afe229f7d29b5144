//! Allocations of watching spans.

use std::future::ready;
use std::pin::pin;
use std::task::{Context, Waker};

use tracehound::JaegerTracer;
use tracehound::prelude::*;
use tracehound::reporter::NullReporter;
use tracehound::sampler::ConstSampler;
use tracehound::watch::{OpenSpans, Orphans};

use crate::tenths_of_allocations;

fn tracer(keep: bool) -> JaegerTracer {
    JaegerTracer::builder("test")
        .sampler(ConstSampler::new(keep))
        .reporter(NullReporter::new())
        .observer(OpenSpans::new())
        .observer(Orphans::new())
        .build()
        .expect("named")
}

#[test]
fn spans_that_are_watched_allocate_nothing_in_the_steady_state() {
    for keep in [true, false] {
        let tracer = tracer(keep);
        let n = tenths_of_allocations(|| {
            let root = tracer.start_active_span("root");
            tracer.build_span("child").tag("a", 1).start().finish();
            root.finish();
        });
        assert_eq!(n, 0, "{keep}");
    }
}

#[test]
fn futures_allocate_nothing_whether_their_polls_are_timed_or_not() {
    for keep in [true, false] {
        let tracer = JaegerTracer::builder("test")
            .sampler(ConstSampler::new(keep))
            .reporter(NullReporter::new())
            .build()
            .expect("named");
        let mut context = Context::from_waker(Waker::noop());
        let n = tenths_of_allocations(|| {
            let future = ready(1)
                .in_span(tracer.start_span("timed"))
                .with_poll_times();
            assert!(pin!(future).poll(&mut context).is_ready());
            let future = ready(1).in_span(tracer.start_span("plain"));
            assert!(pin!(future).poll(&mut context).is_ready());
        });
        assert_eq!(n, 0, "{keep}");
    }
}

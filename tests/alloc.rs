//! How often the thread that traces asks for memory, by what it does.
//!
//! That a tracer which is off asks for none is a promise; the other counts are bounds that keep it from getting worse.

use tracehound::model::field;
use tracehound::prelude::*;
use tracehound::reporter::NullReporter;
use tracehound::sampler::ConstSampler;
use tracehound::tracer::tracer;
use tracehound::{JaegerTracer, NoopTracer};

#[test]
fn a_tracer_that_is_off_allocates_nothing() {
    assert_eq!(allocations(|| use_span(&NoopTracer)), 0);
    assert_eq!(allocations(|| use_span(&NoopTracer as &dyn Tracer)), 0);
    assert_eq!(allocations(|| use_span(&JaegerTracer::disabled())), 0);
    assert_eq!(allocations(|| use_span(tracer())), 0);
}

#[test]
fn an_unsampled_span_allocates_once() {
    let tracer = null_tracer(false);
    assert_at_most(1, "root", || tracer.start_span("root").finish());
    assert_at_most(1, "with tags and a log", || use_span(&tracer));
}

#[test]
fn a_sampled_span_allocates_for_what_it_holds() {
    let tracer = null_tracer(true);
    assert_at_most(5, "root", || tracer.start_span("root").finish());
    assert_at_most(11, "with tags and a log", || use_span(&tracer));
    let root = tracer.start_span("root");
    let _scope = root.activate();
    assert_at_most(4, "child", || tracer.start_span("child").finish());
    assert_at_most(4, "activated child", || {
        let child = tracer.start_span("child");
        let _scope = child.activate();
    });
}

fn use_span<T: Tracer + ?Sized>(tracer: &T) {
    let url = "/api/v2/orders/104711/items?limit=50";
    let span = tracer
        .build_span("GET /orders")
        .tag("http.url", url)
        .start();
    span.set_tag("http.status_code", 200)
        .set_tag("retry", false);
    span.log([field("event", "cache_miss"), field("bytes", 512)]);
    let _scope = span.activate();
}

fn assert_at_most(bound: u64, what: &str, work: impl FnMut()) {
    let count = allocations(work);
    assert!(count <= bound, "{what}: {count} allocations");
}

/// Allocations of one run in the steady state: the fewest of many, because now and then a ring grows.
fn allocations(mut work: impl FnMut()) -> u64 {
    for _ in 0..100 {
        work();
    }
    let counts = (0..100).map(|_| allocation_counter::measure(&mut work).count_total);
    counts.min().expect("a hundred runs")
}

fn null_tracer(keep: bool) -> JaegerTracer {
    JaegerTracer::builder("test")
        .sampler(ConstSampler::new(keep))
        .reporter(NullReporter::new())
        .build()
        .expect("named")
}

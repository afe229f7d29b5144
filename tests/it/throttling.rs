//! Throttlers: which debug traces callers may force, and what becomes of the others.

#[cfg(all(feature = "axum", feature = "hyper"))]
mod flood;
#[cfg(all(feature = "remote-sampler", feature = "testkit"))]
mod remote;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::clock::ManualClock;
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::propagation::{B3Codec, Propagation};
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::{
    ConstSampler, Sampler, SamplerTags, SamplingDecision, SpanView, TracesPerSecond,
};
use tracehound::scope::active_span;
use tracehound::throttler::{DebugLimiter, Throttler};
use tracehound::tracer::TracerBuilder;

use crate::support::{kept_lines, texts};

/// A throttler that denies everything and keeps the names that it was asked about.
#[derive(Clone, Default)]
struct Denies {
    asked: Arc<Mutex<Vec<String>>>,
    closed: Arc<AtomicU64>,
}

impl Denies {
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Throttler for Denies {
    fn is_allowed(&self, operation_name: &str) -> bool {
        self.asked.lock().unwrap().push(operation_name.to_owned());
        false
    }

    fn close(&self) {
        self.closed.fetch_add(1, Ordering::Relaxed);
    }
}

fn builder(keeps: bool) -> (TracerBuilder, InMemoryReporter) {
    let spans = InMemoryReporter::new();
    let builder = JaegerTracer::builder("test")
        .sampler(ConstSampler::new(keeps))
        .diagnostics(Diagnostics::silent())
        .reporter(spans.clone());
    (builder, spans)
}

fn built(builder: TracerBuilder) -> JaegerTracer {
    builder.build().expect("the service has a name")
}

fn denied(tracer: &JaegerTracer) -> u64 {
    tracer.metrics().get(Counter::ThrottledDebugSpans)
}

/// Starts a root for a request with these headers.
fn serve(tracer: &JaegerTracer, name: &str, headers: &[(&str, &str)]) -> Span {
    let caller = tracer.extract(&headers).expect("well-formed");
    let name = name.to_owned();
    tracer.build_span(name).child_of(&caller).start()
}

#[test]
fn every_debug_trace_is_allowed_without_a_throttler() {
    let (builder, spans) = builder(false);
    let tracer = built(builder);
    for n in 0..100 {
        let span = serve(&tracer, "GET", &[("jaeger-debug-id", "x")]);
        assert!(span.context().is_debug());
        let span = tracer.start_span("GET");
        span.set_tag("sampling.priority", n + 1);
        assert!(span.context().is_debug());
    }
    assert_eq!(spans.spans().len(), 200);
    assert_eq!(denied(&tracer), 0);
}

#[test]
fn a_denied_debug_id_leaves_an_ordinary_root_with_its_baggage() {
    for keeps in [true, false] {
        let (builder, spans) = builder(keeps);
        let throttler = Denies::default();
        let tracer = built(builder.throttler(throttler.clone()));
        let headers = [("jaeger-debug-id", "x"), ("jaeger-baggage", "user=7")];
        let span = serve(&tracer, "pay", &headers);
        assert_eq!(span.context().is_sampled(), keeps);
        assert!(!span.context().is_debug());
        assert_eq!(span.baggage_item("user").as_deref(), Some("7"));
        let trace_id = span.context().trace_id().expect("a trace");
        assert_ne!(trace_id.low(), 0);
        span.finish();
        assert_eq!(throttler.asked(), ["pay"]);
        assert_eq!(denied(&tracer), 1);
        let spans = spans.spans();
        assert_eq!(spans.len(), usize::from(keeps));
        for span in spans {
            assert_eq!(texts(&span.tags), [""; 0], "no tag jaeger-debug-id");
            assert_eq!(span.tag_text("sampler.type"), "const");
        }
    }
}

#[test]
fn a_denied_debug_flag_without_ids_is_decided_by_the_sampler() {
    for keeps in [true, false] {
        let (builder, _) = builder(keeps);
        let tracer = built(
            builder
                .throttler(Denies::default())
                .text_map_codec(B3Codec::multiple_headers()),
        );
        let span = serve(&tracer, "pay", &[("x-b3-flags", "1")]);
        assert_eq!(span.context().is_sampled(), keeps);
        assert!(!span.context().is_debug());
        assert_eq!(denied(&tracer), 1);
    }
}

#[test]
fn a_debug_flag_of_a_callers_trace_is_not_asked_about() {
    let (builder, _) = builder(false);
    let throttler = Denies::default();
    let tracer = built(
        builder
            .throttler(throttler.clone())
            .propagation([Propagation::Jaeger]),
    );
    let span = serve(&tracer, "pay", &[("uber-trace-id", "1:2:0:3")]);
    span.set_tag("sampling.priority", 1);
    let child = tracer.build_span("child").child_of(&span).start();
    child.set_tag("sampling.priority", 1);
    assert!(span.context().is_debug() && child.context().is_debug());
    assert_eq!(throttler.asked(), [""; 0]);
    assert_eq!(denied(&tracer), 0);
}

#[test]
fn a_denied_priority_changes_nothing() {
    for keeps in [true, false] {
        let (builder, spans) = builder(keeps);
        let throttler = Denies::default();
        let tracer = built(builder.throttler(throttler.clone()));
        let span = tracer
            .build_span("before")
            .tag("sampling.priority", 1)
            .tag("kept", 1)
            .start();
        span.set_operation_name("after")
            .set_tag("sampling.priority", 7);
        assert_eq!(span.context().is_sampled(), keeps);
        assert!(!span.context().is_debug());
        span.finish();
        assert_eq!(throttler.asked(), ["before", "after"]);
        assert_eq!(denied(&tracer), 2);
        for span in spans.spans() {
            assert_eq!(texts(&span.tags), ["kept=1"]);
        }
        let dropped = tracer.start_span("dropped");
        dropped.set_tag("sampling.priority", 0);
        assert!(!dropped.context().is_sampled());
        assert_eq!(denied(&tracer), 2, "0 forces nothing");
    }
}

/// Keeps one name.
struct Named(&'static str);

impl Sampler for Named {
    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        match span.operation_name == self.0 {
            true => SamplingDecision::Sample(SamplerTags::new("named", true)),
            false => SamplingDecision::Drop,
        }
    }

    fn depends_on_operation_name(&self) -> bool {
        true
    }
}

#[test]
fn a_denied_priority_leaves_a_decision_open_to_a_new_name() {
    let spans = InMemoryReporter::new();
    let tracer = built(
        JaegerTracer::builder("test")
            .sampler(Named("GET /cart"))
            .throttler(Denies::default())
            .diagnostics(Diagnostics::silent())
            .reporter(spans.clone()),
    );
    let span = tracer.start_span("HTTP GET");
    span.set_tag("sampling.priority", 1)
        .set_operation_name("GET /cart");
    span.finish();
    assert_eq!(spans.spans().len(), 1);
    assert_eq!(denied(&tracer), 1);
}

#[test]
fn a_throttler_that_panics_denies_and_is_counted() {
    struct Panics;
    impl Throttler for Panics {
        fn is_allowed(&self, _: &str) -> bool {
            panic!("throttler");
        }
        fn close(&self) {
            panic!("throttler");
        }
    }
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("throttler");
        }
    }
    let (builder, _) = builder(true);
    let tracer = built(builder.throttler(Panics));
    for _ in 0..150 {
        let span = serve(&tracer, "pay", &[("jaeger-debug-id", "x")]);
        assert!(span.context().is_sampled() && !span.context().is_debug());
    }
    assert_eq!(denied(&tracer), 150);
    let panics = |tracer: &JaegerTracer| tracer.metrics().get(Counter::CallbackPanics);
    assert_eq!(panics(&tracer), 100, "it is not called any more");
    tracer.close(Duration::from_secs(5));
    assert_eq!(panics(&tracer), 101);
    drop(tracer);
}

#[test]
fn a_throttler_may_use_the_span_that_it_is_asked_about() {
    struct Tags;
    impl Throttler for Tags {
        fn is_allowed(&self, operation_name: &str) -> bool {
            active_span().set_tag("asked", operation_name.to_owned());
            active_span().set_operation_name("renamed");
            true
        }
    }
    let (builder, spans) = builder(true);
    let tracer = built(builder.throttler(Tags));
    let span = tracer.start_span("pay");
    let scope = span.activate();
    span.set_tag("sampling.priority", 1);
    drop(scope);
    span.finish();
    let span = &spans.spans()[0];
    assert_eq!(span.operation_name, "renamed");
    assert_eq!(span.tag_text("asked"), "pay");
}

#[test]
fn a_throttler_is_closed_once() {
    let (builder, _) = builder(true);
    let throttler = Denies::default();
    let tracer = built(builder.throttler(throttler.clone()));
    let other = tracer.clone();
    tracer.close(Duration::from_secs(5));
    other.close(Duration::from_secs(5));
    drop((tracer, other));
    assert_eq!(throttler.closed.load(Ordering::Relaxed), 1);
}

#[test]
fn denials_make_one_line() {
    let (builder, _) = builder(true);
    let (diagnostics, lines) = kept_lines();
    let tracer = built(
        builder
            .throttler(Denies::default())
            .diagnostics(diagnostics),
    );
    for n in 0..1_000 {
        let name = format!("secret-{n}");
        serve(&tracer, &name, &[("jaeger-debug-id", "secret")]).finish();
    }
    assert_eq!(denied(&tracer), 1_000);
    let lines = lines.lock().unwrap();
    let told = lines.iter().filter(|line| line.contains("debug trace"));
    assert_eq!(told.count(), 1, "{lines:?}");
    assert!(
        lines.iter().all(|line| !line.contains("secret")),
        "{lines:?}"
    );
}

fn allowed(limiter: &DebugLimiter, operation_name: &str, asked: usize) -> usize {
    (0..asked)
        .filter(|_| limiter.is_allowed(operation_name))
        .count()
}

fn seconds(clock: &ManualClock, seconds: u64) {
    clock.advance(Duration::from_secs(seconds));
}

#[test]
fn a_limiter_allows_one_a_second_for_each_operation_and_ten_in_all() {
    let clock = ManualClock::default();
    let limiter = DebugLimiter::new().clock(clock.clone());
    assert_eq!(allowed(&limiter, "a", 100), 1);
    assert_eq!(allowed(&limiter, "b", 100), 1);
    let others = (0..100).filter(|n| limiter.is_allowed(&n.to_string()));
    assert_eq!(others.count(), 8, "ten in all");
    seconds(&clock, 1);
    assert_eq!(allowed(&limiter, "a", 100), 1);
    seconds(&clock, 3_600);
    assert_eq!(allowed(&limiter, "a", 100), 1, "a pause saves up no more");
    let others = (0..100).filter(|n| limiter.is_allowed(&format!("later {n}")));
    assert_eq!(others.count(), 9);
}

#[test]
fn a_flooded_operation_takes_no_credit_of_others() {
    let limiter = DebugLimiter::new().clock(ManualClock::default());
    assert_eq!(allowed(&limiter, "flooded", 100_000), 1);
    let others = (0..9).filter(|n| limiter.is_allowed(&n.to_string()));
    assert_eq!(others.count(), 9);
}

#[test]
fn a_burst_is_saved_up_by_a_pause() {
    let clock = ManualClock::default();
    let rate = TracesPerSecond::new(0.1).expect("a rate");
    let limiter = DebugLimiter::new()
        .per_operation(rate)
        .total(rate)
        .burst(3)
        .clock(clock.clone());
    assert_eq!(allowed(&limiter, "a", 100), 3);
    seconds(&clock, 10);
    assert_eq!(allowed(&limiter, "a", 100), 1);
    seconds(&clock, 3_600);
    assert_eq!(allowed(&limiter, "a", 100), 3);
}

#[test]
fn a_rate_of_zero_allows_nothing() {
    let none = TracesPerSecond::from(0);
    for limiter in [
        DebugLimiter::new().per_operation(none),
        DebugLimiter::new().total(none),
    ] {
        assert_eq!(allowed(&limiter.burst(5), "a", 100), 0);
    }
}

#[test]
fn operations_beyond_the_most_share_one_bucket() {
    let clock = ManualClock::default();
    let limiter = DebugLimiter::new()
        .total(TracesPerSecond::from(1_000_000))
        .max_operations(3)
        .clock(clock.clone());
    let round = || {
        (0..1_000)
            .filter(|n| limiter.is_allowed(&n.to_string()))
            .count()
    };
    assert_eq!(round(), 4);
    assert_eq!(round(), 0);
    seconds(&clock, 1);
    assert_eq!(round(), 4);
    assert!(
        format!("{limiter:?}").contains("operations: 3"),
        "{limiter:?}"
    );
}

#[test]
fn threads_share_the_credits_of_a_new_operation() {
    for round in 0..50 {
        let limiter = DebugLimiter::new()
            .max_operations(2)
            .clock(ManualClock::default());
        let granted = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for name in ["a", "b", "a"] {
                        granted.fetch_add(limiter.is_allowed(name).into(), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(granted.into_inner(), 2, "round {round}");
    }
}

#[test]
fn a_limiter_reads_the_clock_of_its_tracer() {
    let clock = ManualClock::default();
    let (builder, _) = builder(false);
    let tracer = built(builder.clock(clock.clone()).throttler(DebugLimiter::new()));
    let is_debug = || {
        serve(&tracer, "pay", &[("jaeger-debug-id", "x")])
            .context()
            .is_debug()
    };
    assert_eq!([is_debug(), is_debug()], [true, false]);
    seconds(&clock, 1);
    assert_eq!([is_debug(), is_debug()], [true, false]);
}

//! Observers: what they are told of spans, sampled or not, however the spans end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracehound::JaegerTracer;
use tracehound::clock::ManualClock;
use tracehound::metrics::Counter;
use tracehound::model::{SpanKind, TagValue, display};
use tracehound::observer::{ObservedSpan, SpanObserver};
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::{ConstSampler, Sampler, SamplingDecision, SpanView};
use tracehound::tracer::TracerBuilder;

/// The facts that an observer was told at a span's end.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    name: String,
    kind: Option<SpanKind>,
    is_error: bool,
    http: Option<u16>,
    grpc: Option<u8>,
    is_sampled: Option<bool>,
    is_local_root: bool,
    start: Option<SystemTime>,
    duration: Duration,
}

impl Seen {
    fn of(span: &ObservedSpan<'_>) -> Self {
        Self {
            name: span.operation_name().to_owned(),
            kind: span.kind(),
            is_error: span.is_error(),
            http: span.http_status(),
            grpc: span.grpc_status(),
            is_sampled: span.is_sampled(),
            is_local_root: span.is_local_root(),
            start: Some(span.start_time()),
            duration: span.duration(),
        }
    }
}

#[derive(Clone, Default)]
struct Watcher {
    starts: Arc<Mutex<Vec<Seen>>>,
    ends: Arc<Mutex<Vec<Seen>>>,
}

impl Watcher {
    fn ends(&self) -> Vec<Seen> {
        std::mem::take(&mut self.ends.lock().expect("not poisoned"))
    }

    #[track_caller]
    fn only_end(&self) -> Seen {
        let mut ends = self.ends();
        assert_eq!(ends.len(), 1, "{ends:?}");
        ends.remove(0)
    }
}

impl SpanObserver for Watcher {
    fn watches_starts(&self) -> bool {
        true
    }

    fn on_start(&self, span: &ObservedSpan<'_>) {
        self.starts
            .lock()
            .expect("not poisoned")
            .push(Seen::of(span));
    }

    fn on_finish(&self, span: &ObservedSpan<'_>) {
        self.ends.lock().expect("not poisoned").push(Seen::of(span));
    }
}

/// Never decides.
struct Undecided;

impl Sampler for Undecided {
    fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
        SamplingDecision::Delay
    }
}

/// Keeps no trace, and decides again when a root is renamed.
struct ByName;

impl Sampler for ByName {
    fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
        SamplingDecision::Drop
    }

    fn depends_on_operation_name(&self) -> bool {
        true
    }
}

const SAMPLERS: [&str; 4] = ["all", "none", "undecided", "by name"];

fn builder(sampler: &str) -> TracerBuilder {
    let builder = JaegerTracer::builder("shop").reporter(InMemoryReporter::new());
    match sampler {
        "all" => builder.sampler(ConstSampler::new(true)),
        "none" => builder.sampler(ConstSampler::new(false)),
        "undecided" => builder.sampler(Undecided),
        _ => builder.sampler(ByName),
    }
}

fn watched(sampler: &str) -> (JaegerTracer, Watcher) {
    let watcher = Watcher::default();
    let tracer = builder(sampler).observer(watcher.clone()).build();
    (tracer.expect("named"), watcher)
}

#[test]
fn an_observer_sees_every_span_with_its_last_name_whatever_the_sampler_says() {
    for sampler in SAMPLERS {
        let (tracer, watcher) = watched(sampler);
        // The second round takes the fast path: the thread then has a vacant slot.
        for round in 0..2 {
            let root = tracer.start_span("HTTP GET");
            let child = tracer.build_span("query").child_of(&root).start();
            child.finish();
            root.set_operation_name(format!("GET /cart/{round}"));
            drop(root);
            let ends = watcher.ends();
            let names: Vec<_> = ends.iter().map(|end| &*end.name).collect();
            assert_eq!(names, ["query", &format!("GET /cart/{round}")], "{sampler}");
            let roots: Vec<_> = ends.iter().map(|end| end.is_local_root).collect();
            assert_eq!(roots, [false, true], "{sampler}");
            let expected = match sampler {
                "all" => [Some(true); 2],
                // The end of the local root decides.
                "undecided" => [None, Some(false)],
                _ => [Some(false); 2],
            };
            let sampled: Vec<_> = ends.iter().map(|end| end.is_sampled).collect();
            assert_eq!(sampled, expected, "{sampler}");
        }
    }
}

#[test]
fn tags_that_tell_the_outcome_are_noted_at_the_start_and_later() {
    for sampler in SAMPLERS {
        let (tracer, watcher) = watched(sampler);
        for _ in 0..2 {
            let at_start = tracer
                .build_span("a")
                .tag("span.kind", "server")
                .tag("error", "true")
                .tag("http.status_code", 503)
                .tag("rpc.grpc.status_code", "14")
                .tag("other", 1);
            at_start.start().finish();
            let later = tracer.start_span("b");
            later
                .set_tag("span.kind", "client")
                .set_tag("error", true)
                .set_tag("http.response.status_code", "404")
                .set_tag("rpc.grpc.status_code", 5_u8)
                .set_tag("other", 1);
            later.finish();
            let lazy = tracer.start_span("c");
            lazy.set_tag_with("http.status_code", || 201_i64);
            lazy.set_tag("span.kind", display(&"consumer"));
            lazy.finish();
            let formatted = tracer
                .build_span("d")
                .tag("span.kind", display(&"producer"));
            formatted.start().finish();
            let ends = watcher.ends();
            let facts: Vec<_> = ends
                .iter()
                .map(|end| (end.kind, end.is_error, end.http, end.grpc))
                .collect();
            let expected = [
                (Some(SpanKind::Server), true, Some(503), Some(14)),
                (Some(SpanKind::Client), true, Some(404), Some(5)),
                (Some(SpanKind::Consumer), false, Some(201), None),
                (Some(SpanKind::Producer), false, None, None),
            ];
            assert_eq!(facts, expected, "{sampler}");
        }
    }
}

#[test]
fn the_facts_of_a_span_do_not_reach_the_next_one_in_its_memory() {
    let (tracer, watcher) = watched("none");
    for _ in 0..3 {
        let span = tracer.start_span("first");
        span.set_tag("error", true).set_tag("http.status_code", 500);
        span.finish();
        assert!(watcher.only_end().is_error);
        tracer.start_span("second").finish();
        let second = watcher.only_end();
        assert_eq!((second.is_error, second.http), (false, None));
    }
}

#[test]
fn a_logged_error_and_a_panic_are_errors_of_unsampled_spans_too() {
    for sampler in SAMPLERS {
        let (tracer, watcher) = watched(sampler);
        tracer
            .start_span("a")
            .log_error(&"x".parse::<u8>().expect_err("no number"));
        assert!(watcher.only_end().is_error, "{sampler}");
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _span = tracer.start_span("b");
            std::panic::resume_unwind(Box::new("a panic of the program"));
        }));
        assert!(panicked.is_err());
        assert!(watcher.only_end().is_error, "{sampler}");
        let span = tracer.start_span("c");
        span.set_tag("error", true).set_tag("error", false);
        span.finish();
        assert!(!watcher.only_end().is_error, "{sampler}");
    }
}

#[test]
fn a_span_with_several_handles_is_told_once_and_a_late_tag_is_not_seen() {
    for sampler in SAMPLERS {
        let (tracer, watcher) = watched(sampler);
        let span = tracer.start_span("a");
        let (clone, handle) = (span.clone(), span.downgrade());
        span.finish();
        handle.set_tag("error", true);
        clone.finish();
        drop(handle);
        assert!(!watcher.only_end().is_error, "{sampler}");
    }
}

#[test]
fn a_span_lasts_from_its_start_to_its_end_by_the_clock_or_by_given_times() {
    for sampler in SAMPLERS {
        let clock = ManualClock::at_micros(1_700_000_000_000_000);
        let watcher = Watcher::default();
        let tracer = builder(sampler)
            .clock(clock.clone())
            .observer(watcher.clone());
        let tracer = tracer.build().expect("named");
        let start = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        for _ in 0..2 {
            clock.set_micros(1_700_000_000_000_000);
            let span = tracer.start_span("a");
            clock.advance(Duration::from_millis(7));
            span.finish();
            let seen = watcher.only_end();
            assert_eq!(seen.start, Some(start), "{sampler}");
            assert_eq!(seen.duration, Duration::from_millis(7), "{sampler}");
        }
        let span = tracer.build_span("b").start_time(start).start();
        span.finish_at(start + Duration::from_secs(3));
        assert_eq!(watcher.only_end().duration, Duration::from_secs(3));
        tracer.start_span("c").finish_at(UNIX_EPOCH);
        assert_eq!(watcher.only_end().duration, Duration::ZERO);
    }
}

#[test]
fn a_start_is_told_with_its_start_tags() {
    for sampler in SAMPLERS {
        let (tracer, watcher) = watched(sampler);
        let builder = tracer.build_span("a").tag("span.kind", "server");
        let span = builder.tag("sampling.priority", 0).start();
        let starts = watcher.starts.lock().expect("not poisoned").clone();
        assert_eq!(starts.len(), 1, "{sampler}");
        assert_eq!(starts[0].kind, Some(SpanKind::Server), "{sampler}");
        assert_eq!(starts[0].is_sampled, Some(false), "{sampler}");
        assert_eq!(starts[0].duration, Duration::ZERO);
        drop(span);
    }
}

#[test]
fn observers_change_nothing_that_is_reported() {
    let report = |with_observer: bool| {
        let spans = InMemoryReporter::new();
        let mut builder = JaegerTracer::builder("shop")
            .sampler(ConstSampler::new(true))
            .reporter(spans.clone())
            .clock(ManualClock::at_micros(1_000));
        if with_observer {
            builder = builder.observer(Watcher::default());
        }
        let tracer = builder.build().expect("named");
        for _ in 0..3 {
            let root = tracer.build_span("a").tag("span.kind", "server").start();
            root.set_tag("error", true).set_tag("n", 1).log_event("x");
            let scope = root.activate();
            tracer.start_span("b").finish();
            drop(scope);
        }
        let spans: Vec<_> = spans
            .spans()
            .into_iter()
            .map(|span| {
                (
                    span.operation_name.clone(),
                    span.tags.clone(),
                    span.logs.clone(),
                )
            })
            .collect();
        let counters: Vec<_> = tracer.metrics().iter().collect();
        (spans, counters)
    };
    assert_eq!(report(true), report(false));
}

/// Starts a span and finishes it whenever one finishes, down to a depth.
struct Tracing(Arc<Mutex<Option<JaegerTracer>>>, Watcher);

impl SpanObserver for Tracing {
    fn on_finish(&self, span: &ObservedSpan<'_>) {
        self.1.on_finish(span);
        let tracer = self.0.lock().expect("not poisoned").clone();
        if let Some(tracer) = tracer
            && span.operation_name().len() < 3
        {
            let name = format!("{}+", span.operation_name());
            tracer.start_span(name).finish();
        }
    }
}

#[test]
fn an_observer_may_use_the_tracer() {
    for sampler in SAMPLERS {
        let (place, watcher) = (Arc::default(), Watcher::default());
        let observer = Tracing(Arc::clone(&place), watcher.clone());
        let tracer = builder(sampler).observer(observer).build().expect("named");
        *place.lock().expect("not poisoned") = Some(tracer.clone());
        tracer.start_span("a").finish();
        let names: Vec<_> = watcher.ends().into_iter().map(|end| end.name).collect();
        assert_eq!(names, ["a", "a+", "a++"], "{sampler}");
        // The tracer would keep itself.
        *place.lock().expect("not poisoned") = None;
    }
}

/// Panics at each end.
struct Panicking;

impl SpanObserver for Panicking {
    fn on_finish(&self, _: &ObservedSpan<'_>) {
        std::panic::resume_unwind(Box::new("a panic of an observer"));
    }
}

#[test]
fn a_panicking_observer_is_counted_and_given_up_and_the_others_go_on() {
    for sampler in SAMPLERS {
        let watcher = Watcher::default();
        let builder = builder(sampler)
            .observer(Panicking)
            .observer(watcher.clone());
        let tracer = builder.build().expect("named");
        for _ in 0..150 {
            tracer.start_span("a").finish();
        }
        assert_eq!(watcher.ends().len(), 150, "{sampler}");
        assert_eq!(tracer.metrics().get(Counter::CallbackPanics), 100);
        let metrics = tracer.metrics();
        let finished = [
            Counter::FinishedSpansSampled,
            Counter::FinishedSpansUnsampled,
            Counter::FinishedSpansDelayed,
        ];
        let finished: u64 = finished.iter().map(|it| metrics.get(*it)).sum();
        assert_eq!(finished, 150, "{sampler}");
    }
}

#[test]
fn tags_of_many_threads_are_noted() {
    let (tracer, watcher) = watched("none");
    for _ in 0..50 {
        let span = tracer.start_span("a");
        thread::scope(|scope| {
            for (key, value) in [
                ("error", TagValue::from(true)),
                ("http.status_code", TagValue::from(500)),
                ("span.kind", TagValue::from("server")),
                ("rpc.grpc.status_code", TagValue::from(2)),
            ] {
                let span = &span;
                scope.spawn(move || {
                    span.set_tag(key, value.as_ref());
                });
            }
        });
        span.finish();
        let end = watcher.only_end();
        let facts = (end.is_error, end.http, end.kind, end.grpc);
        assert_eq!(facts, (true, Some(500), Some(SpanKind::Server), Some(2)));
    }
}

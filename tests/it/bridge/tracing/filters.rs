//! Levels, targets and filters; and that nothing of the crate's own comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::bridge::{TracingLayer, TracingSpanExt};
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::{Sampler, SamplerTags, SamplingDecision, SpanView};
use tracehound::tracer::tracer;
use tracing::level_filters::LevelFilter;
use tracing::{debug_span, info, info_span, trace_span, warn, warn_span};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, reload};

use super::subscriber;
use crate::support::{log_texts, names, recording_builder, recording_tracer};

#[test]
fn the_parent_is_the_nearest_span_that_the_filter_lets_through() {
    let (tracer, spans) = recording_tracer();
    let layer = TracingLayer::new(tracer).with_filter(EnvFilter::new("info,shop::noise=off"));
    // Another layer keeps the filtered spans alive in the registry.
    let subscriber = tracing_subscriber::registry()
        .with(layer)
        .with(tracing_subscriber::fmt::layer().with_writer(std::io::sink));
    tracing::subscriber::with_default(subscriber, || {
        let a = info_span!("a").entered();
        let filtered = debug_span!("b");
        let _b = filtered.enter();
        info_span!("c").in_scope(|| info!("seen"));
        let noise = warn_span!(target: "shop::noise", "d");
        info_span!(parent: &noise, "e").in_scope(|| {});
        info!(parent: &noise, "nowhere");
        drop(a);
        info_span!("root").in_scope(|| {});
        assert!(filtered.set_parent(&active_span()).is_err());
    });
    let tree = spans.tree();
    assert_eq!(tree, "a\n  c\n  e\nroot");
    assert_eq!(spans.find("c").expect("it has ended").logs.len(), 1);
}

#[test]
fn a_filter_may_be_replaced_while_spans_are_open() {
    let (tracer, spans) = recording_tracer();
    let (filter, handle) = reload::Layer::new(LevelFilter::INFO);
    let layer = TracingLayer::new(tracer).with_filter(filter);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let a = info_span!("a").entered();
        debug_span!("b").in_scope(|| {});
        handle.reload(LevelFilter::DEBUG).expect("it lives");
        let c = debug_span!("c").entered();
        handle.reload(LevelFilter::WARN).expect("it lives");
        info_span!("d").in_scope(|| warn!("kept"));
        drop((c, a));
    });
    assert_eq!(spans.tree(), "a\n  c");
    let logs = spans
        .spans()
        .iter()
        .map(|span| span.logs.len())
        .sum::<usize>();
    assert_eq!(logs, 1);
}

#[test]
fn a_layer_may_stand_in_a_reload_layer() {
    let (tracer, spans) = recording_tracer();
    let (layer, handle) = reload::Layer::new(Some(TracingLayer::new(tracer.clone())));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let a = info_span!("a");
        let parent = tracer.start_span("parent");
        a.set_parent(&parent).expect("not started");
        parent.finish();
        let here = a.enter();
        handle.reload(None).expect("it lives");
        info_span!("unseen").in_scope(|| tracer.start_span("b").finish());
        drop(here);
        assert!(!active_span().is_noop(), "nothing tells that `a` was left");
        drop(a);
        assert!(active_span().is_noop());
        tracer.start_span("c").finish();
    });
    assert_eq!(spans.tree(), "parent\n  a\n    b\nc");
}

#[test]
fn own_targets_and_threads_are_left_out() {
    let (dispatch, _, spans) = subscriber();
    let there = dispatch.clone();
    tracing::dispatcher::with_default(&dispatch, || {
        let _a = info_span!("a").entered();
        warn!(target: "tracehound", "own");
        warn!(target: "tracehound::udp", "own");
        info!(target: "log", { log.target = "tracehound::udp" }, "own");
        info!(target: "log", { log.target = "shop", log.line = 7 }, "its own target");
        info!(target: "tracehounds", "not own");
        trace_span!(target: "tracehound::udp", "own").in_scope(|| {});
    });
    let own_thread = thread::Builder::new()
        .name("tracehound-worker".to_owned())
        .spawn(move || {
            tracing::dispatcher::with_default(&there, || info_span!("own").in_scope(|| {}));
        });
    own_thread.expect("it starts").join().expect("no panic");
    assert_eq!(names(&spans), ["a"]);
    let logs: Vec<_> = spans.spans()[0].logs.iter().map(log_texts).collect();
    assert_eq!(
        logs,
        [
            [
                "event=log",
                "level=INFO",
                "target=shop",
                "message=its own target"
            ],
            [
                "event=log",
                "level=INFO",
                "target=tracehounds",
                "message=not own"
            ],
        ]
    );
}

/// A sampler that logs, makes spans of both crates, and asks for the active span.
struct Talkative {
    asked: Arc<AtomicU64>,
    tracer: JaegerTracer,
}

impl Sampler for Talkative {
    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.asked.fetch_add(1, Ordering::Relaxed);
        warn!("asked about {}", span.operation_name);
        info_span!("of the sampler").in_scope(|| info!("inside"));
        self.tracer
            .start_active_span("by the sampler")
            .log_event("x");
        tracing::Span::current().record("seen", true);
        let _ = tracehound::scope::active_context();
        SamplingDecision::Sample(SamplerTags::new("talkative", 1.0))
    }
}

#[test]
fn a_sampler_that_logs_and_traces_makes_no_loop() {
    let asked = Arc::<AtomicU64>::default();
    let (other, others) = recording_tracer();
    let (builder, spans) = recording_builder();
    let tracer = builder
        .sampler(Talkative {
            asked: asked.clone(),
            tracer: other,
        })
        .build()
        .expect("named");
    let layer = TracingLayer::new(tracer.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let span = info_span!("a", seen = tracing::field::Empty);
        span.in_scope(|| tracer.start_span("b").finish());
        info_span!("c", seen = tracing::field::Empty).in_scope(|| {});
    });
    assert_eq!(spans.tree(), "a\n  b\nc");
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    let a = spans.find("a").expect("it has ended");
    assert_eq!(a.tag_text("seen"), "true", "recorded while it started");
    assert!(a.logs.is_empty());
    assert_eq!(others.tree(), "by the sampler\nby the sampler");
}

#[test]
fn the_tracers_own_lines_make_no_spans_and_no_loop() {
    let spans = InMemoryReporter::new();
    let diagnostics = Diagnostics::with_handler(|line| {
        warn_span!(target: "tracehound::lines", "line")
            .in_scope(|| warn!(target: "tracehound", "{line}"));
    });
    let tracer = JaegerTracer::builder("test")
        .sampler(tracehound::sampler::ConstSampler::new(true))
        .reporter(spans.clone())
        .diagnostics(diagnostics)
        .build()
        .expect("named");
    let layer = TracingLayer::new(tracer.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        info_span!("a").in_scope(|| {
            // A line is written about each malformed header.
            let headers = [("uber-trace-id", "garbage")];
            assert!(tracer.extract(&headers).is_err());
        });
    });
    assert_eq!(spans.tree(), "a");
    assert!(spans.spans()[0].logs.is_empty());
    assert!(tracer.metrics().get(Counter::DecodingErrors) > 0);
    assert!(tracer.close(Duration::from_secs(5)).is_complete());
}

#[test]
fn a_layer_whose_tracer_is_off_does_nothing() {
    for layer in [
        TracingLayer::new(JaegerTracer::disabled()),
        TracingLayer::new(tracehound::NoopTracer),
        TracingLayer::new(tracer()),
    ] {
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = info_span!("a", n = tracing::field::Empty);
            let _here = span.enter();
            info!("event");
            span.record("n", 1);
            span.follows_from(&info_span!("b"));
            assert!(active_span().is_noop());
            assert!(span.tracehound_span().is_noop());
            assert!(span.set_parent(&span.span_context()).is_err());
        });
    }
}

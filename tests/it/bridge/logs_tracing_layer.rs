//! The ids in log lines where a layer makes spans of `tracing` spans of a tracer.

use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use tracehound::JaegerTracer;
use tracehound::bridge::{SetParentError, TracingLayer, TracingSpanExt, WithTraceIds};
use tracehound::diagnostics::Diagnostics;
use tracehound::model::{Flags, SpanId, TraceId};
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::{ConstSampler, Sampler, SamplingDecision, SpanView};
use tracehound::scope::{in_active_span, trace_ids};
use tracehound::span::{SpanContext, TraceIds};
use tracing::dispatcher::{Dispatch, with_default};
use tracing::{Span as TracingSpan, debug_span, info, info_span, instrument};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

use super::logs_fmt::{Output, assert_ids};
use crate::support::{recording_builder, recording_tracer};

/// Returns a subscriber that makes spans, from level `INFO` on, and writes lines of JSON.
fn subscriber(tracer: &JaegerTracer) -> (Dispatch, Output) {
    let output = Output::default();
    let lines = fmt::layer().json().with_writer(output.clone());
    let layer = TracingLayer::new(tracer.clone()).with_filter(LevelFilter::INFO);
    let subscriber = tracing_subscriber::registry()
        .with(layer)
        .with(lines.map_event_format(WithTraceIds::json));
    (subscriber.into(), output)
}

/// Asserts that the lines have these ids, in their order.
fn assert_lines(output: &Output, expected: &[TraceIds]) {
    let output = output.take();
    assert_eq!(output.lines().count(), expected.len(), "{output}");
    for (line, ids) in output.lines().zip(expected) {
        assert_ids(line, *ids);
    }
}

#[test]
fn lines_have_the_ids_of_the_innermost_span_of_either_api() {
    let (tracer, _) = recording_tracer();
    let (dispatch, output) = subscriber(&tracer);
    with_default(&dispatch, || {
        let request = tracer.start_active_span("request");
        let outer = info_span!("outer");
        let [outer_ids, inner_ids] = outer.in_scope(|| {
            info!("in `tracing`");
            let inner = tracer.start_active_span("inner");
            info!("in tracehound in `tracing`");
            [outer.tracehound_span().trace_ids(), inner.trace_ids()]
        });
        info!("in tracehound");
        assert_lines(&output, &[outer_ids, inner_ids, request.trace_ids()]);
        assert_eq!(outer_ids.trace_id(), request.trace_ids().trace_id());
        assert_ne!(outer_ids.span_id(), request.trace_ids().span_id());
    });
}

#[test]
fn a_line_with_an_explicit_span_has_the_ids_of_that_span() {
    let (tracer, _) = recording_tracer();
    let (dispatch, output) = subscriber(&tracer);
    with_default(&dispatch, || {
        let other = info_span!(parent: None, "other");
        let _request = tracer.start_active_span("request");
        info!(parent: &other, "later");
        let filtered = debug_span!(parent: &other, "filtered out");
        info!(parent: &filtered, "below a span that is no span of the trace");
        info!(parent: None, "outside");
        let ids = other.tracehound_span().trace_ids();
        assert!(!ids.is_empty() && ids.trace_id() != trace_ids().trace_id());
        assert_lines(&output, &[ids, ids, TraceIds::default()]);
    });
}

#[test]
fn a_span_of_an_unsampled_trace_has_ids_in_its_lines() {
    let (builder, _) = recording_builder();
    let tracer = builder.sampler(ConstSampler::new(false)).build().unwrap();
    let (dispatch, output) = subscriber(&tracer);
    with_default(&dispatch, || {
        let span = info_span!("quiet");
        span.in_scope(|| info!("logged"));
        let ids = span.tracehound_span().trace_ids();
        assert!(!ids.is_empty() && !ids.is_sampled());
        assert_lines(&output, &[ids]);
    });
}

#[instrument]
async fn work(ids: &Mutex<Vec<TraceIds>>) {
    for _ in 0..3 {
        info!("before a pause");
        ids.lock().unwrap().push(trace_ids());
        tokio::task::yield_now().await;
    }
}

#[test]
fn lines_of_an_instrumented_function_have_its_ids_after_every_pause() {
    let (tracer, spans) = recording_tracer();
    let (dispatch, output) = subscriber(&tracer);
    let ids = Mutex::default();
    with_default(&dispatch, || crate::block_on::block_on(work(&ids)));
    let ids = ids.into_inner().unwrap();
    let span = spans.find("work").expect("it ended");
    assert!(ids.iter().all(|ids| ids.span_id() == Some(span.span_id)));
    assert_lines(&output, &ids);
}

#[test]
fn a_line_of_another_thread_has_the_ids_of_the_span_that_is_handed_over() {
    let (tracer, _) = recording_tracer();
    let (dispatch, output) = subscriber(&tracer);
    let ids = with_default(&dispatch, || {
        let span = info_span!("request");
        let _entered = span.enter();
        let in_thread = in_active_span(|| with_default(&dispatch, || info!("there")));
        thread::scope(|threads| drop(threads.spawn(in_thread)));
        span.tracehound_span().trace_ids()
    });
    assert_lines(&output, &[ids]);
}

#[test]
fn a_parent_is_set_before_the_first_line_and_refused_after_it() {
    let caller = SpanContext::new(
        TraceId::new(0, 7).unwrap(),
        SpanId::new(8).unwrap(),
        None,
        Flags::SAMPLED,
    );
    let (tracer, _) = recording_tracer();
    let (dispatch, output) = subscriber(&tracer);
    with_default(&dispatch, || {
        let span = info_span!("request");
        let _entered = span.enter();
        let current = TracingSpan::current();
        assert_eq!(current.set_parent(&caller), Ok(()));
        info!("first");
        assert_eq!(current.set_parent(&caller), Err(SetParentError::Started));
        let ids = span.tracehound_span().trace_ids();
        assert_eq!(ids.trace_id(), caller.trace_id());
        assert_lines(&output, &[ids]);
    });
}

/// Logs when it is asked.
struct LoggingSampler(Arc<OnceLock<Dispatch>>);

impl Sampler for LoggingSampler {
    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        with_default(self.0.get().expect("set"), || info!("asked"));
        ConstSampler::new(true).on_create_span(span)
    }
}

#[test]
fn a_sampler_that_logs_about_a_span_that_just_starts_has_no_ids_and_no_deadlock() {
    let log = Arc::new(OnceLock::new());
    let (builder, spans) = recording_builder();
    let sampler = LoggingSampler(log.clone());
    let tracer = builder.sampler(sampler).build().unwrap();
    let (dispatch, output) = subscriber(&tracer);
    // A subscriber that belongs to another tracer, as this one's would keep itself alive by its own sampler.
    let (log_dispatch, log_output) = subscriber(&JaegerTracer::disabled());
    log.set(log_dispatch).expect("set once");
    with_default(&dispatch, || {
        let span = info_span!("request");
        let ids = span.in_scope(|| {
            assert_eq!(log_output.take(), "", "the span has not started");
            trace_ids()
        });
        assert_lines(&log_output, &[TraceIds::default()]);
        span.in_scope(|| info!("line"));
        assert_lines(&output, &[ids]);
    });
    assert_eq!(spans.tree(), "request");
}

#[test]
fn lines_of_the_tracer_are_lines_of_the_log_and_no_log_records() {
    struct Warns(Diagnostics);

    impl Sampler for Warns {
        fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
            self.0.warn("test", || "a warning".to_owned());
            ConstSampler::new(true).on_create_span(span)
        }
    }

    let spans = InMemoryReporter::new();
    let tracer = JaegerTracer::builder("test")
        .sampler(Warns(Diagnostics::to_tracing()))
        .reporter(spans.clone())
        .build()
        .unwrap();
    let (dispatch, output) = subscriber(&tracer);
    with_default(&dispatch, || {
        let request = tracer.start_active_span("request");
        info_span!("charge").in_scope(|| tracer.build_span("other").new_trace().start().finish());
        request.finish();
    });
    let line = output.take();
    assert_eq!(line.lines().count(), 1, "{line}");
    assert_eq!(
        assert_ids(&line, TraceIds::default())["target"],
        "tracehound"
    );
    assert_eq!(spans.spans().len(), 3);
    assert!(spans.spans().iter().all(|span| span.logs.is_empty()));
}

#[test]
fn a_line_about_the_close_of_a_span_has_its_ids() {
    let (tracer, spans) = recording_tracer();
    let output = Output::default();
    let lines = fmt::layer().json().with_writer(output.clone());
    let lines = lines.with_span_events(fmt::format::FmtSpan::CLOSE);
    let subscriber = tracing_subscriber::registry()
        .with(TracingLayer::new(tracer.clone()))
        .with(lines.map_event_format(WithTraceIds::json));
    with_default(&subscriber.into(), || {
        let outer = info_span!("outer");
        outer.in_scope(|| info_span!("inner").in_scope(|| {}));
        thread::scope(|threads| {
            let outer = &outer;
            threads.spawn(move || outer.in_scope(|| tracer.start_span("other").finish()));
        });
    });
    let output = output.take();
    let closed: Vec<_> = output.lines().collect();
    assert_eq!(closed.len(), 2, "{output}");
    for (line, name) in closed.into_iter().zip(["inner", "outer"]) {
        let span = spans.find(name).expect("it has ended");
        assert!(
            line.contains(&format!("\"span_id\":\"{}\"", span.span_id)),
            "{line}"
        );
        assert!(
            line.contains(&format!("\"trace_id\":\"{}\"", span.trace_id)),
            "{line}"
        );
    }
}

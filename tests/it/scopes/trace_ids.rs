//! The ids for log lines.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use tracehound::JaegerTracer;
use tracehound::model::{Flags, SpanId, TraceId};
use tracehound::prelude::*;
use tracehound::sampler::{ConstSampler, Sampler, SamplingDecision, SpanView};
use tracehound::scope::{activate_context, active_context, capture, trace_ids};
use tracehound::span::{SpanContext, TraceIds};

use crate::block_on::block_on;
use crate::support::{recording_builder, recording_tracer};

fn text(context: &SpanContext) -> String {
    let [trace_id, span_id] = [context.to_trace_id(), context.to_span_id()];
    let is_sampled = context.is_sampled();
    format!("trace_id={trace_id} span_id={span_id} sampled={is_sampled}")
}

#[test]
fn trace_ids_are_those_of_the_innermost_active_span() {
    let (tracer, _) = recording_tracer();
    assert_eq!(trace_ids(), TraceIds::default());
    assert_eq!(trace_ids().to_string(), "");
    let outer = tracer.start_active_span("outer");
    {
        let inner = tracer.start_active_span("inner");
        assert_eq!(trace_ids().to_string(), text(&inner.context()));
        assert_eq!(trace_ids(), inner.context().trace_ids());
    }
    assert_eq!(trace_ids().to_string(), text(&outer.context()));
    outer.finish();
    assert!(trace_ids().is_empty());
}

#[test]
fn an_unsampled_trace_has_ids() {
    let (builder, _) = recording_builder();
    let tracer = builder.sampler(ConstSampler::new(false)).build().unwrap();
    let span = tracer.start_active_span("s");
    let ids = trace_ids();
    assert_eq!(ids.trace_id(), span.context().trace_id());
    assert_eq!(ids.span_id(), span.context().span_id());
    assert!(ids.trace_id().is_some() && !ids.is_sampled());
    assert!(ids.to_string().ends_with(" sampled=false"));
}

#[test]
fn a_context_that_is_active_gives_ids_for_log_lines() {
    let context = SpanContext::new(
        TraceId::new(1, 2).unwrap(),
        SpanId::new(3).unwrap(),
        None,
        Flags::SAMPLED,
    );
    let scope = activate_context(&context);
    let expected =
        "trace_id=00000000000000010000000000000002 span_id=0000000000000003 sampled=true";
    assert_eq!(trace_ids().to_string(), expected);
    assert!(active_span().trace_ids().is_empty(), "there is no span");
    drop(scope);
    let decision = SpanContext::without_trace(Flags::SAMPLED);
    let _scope = activate_context(&decision);
    assert!(trace_ids().is_empty() && !trace_ids().is_sampled());
}

#[test]
fn trace_ids_are_there_in_threads_and_futures_that_have_the_context() {
    let (tracer, _) = recording_tracer();
    let span = tracer.start_active_span("request");
    let ids = trace_ids();
    let captured = capture();
    thread::scope(|threads| {
        threads.spawn(|| {
            assert!(trace_ids().is_empty());
            assert_eq!(captured.run(trace_ids), ids);
        });
    });
    let future = async { trace_ids() }.in_active_span();
    drop(span);
    assert!(trace_ids().is_empty());
    assert_eq!(block_on(future), ids, "also after the end of the span");
}

/// Keeps traces whose first span has a good name.
struct ByName(Arc<AtomicU32>);

impl Sampler for ByName {
    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.0.fetch_add(1, Ordering::Relaxed);
        ConstSampler::new(span.operation_name == "GET /users/{id}").on_create_span(span)
    }

    fn depends_on_operation_name(&self) -> bool {
        true
    }
}

#[test]
fn reading_trace_ids_leaves_the_sampling_decision_open() {
    let asked = Arc::new(AtomicU32::new(0));
    let (builder, spans) = recording_builder();
    let tracer: JaegerTracer = builder.sampler(ByName(asked.clone())).build().unwrap();
    let span = tracer.start_active_span("HTTP GET");
    let early = trace_ids();
    span.set_operation_name("GET /users/{id}");
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert!(!early.is_sampled() && trace_ids().is_sampled());
    assert_eq!(early.trace_id(), active_context().trace_id());
    span.finish();
    assert_eq!(spans.spans().len(), 1);
}

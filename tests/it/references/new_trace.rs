//! Spans that start a new trace whatever their references are.

use tracehound::SpanContext;
use tracehound::metrics::Counter;
use tracehound::model::{Flags, ReferenceType, SpanId, TraceId};
use tracehound::prelude::*;
use tracehound::sampler::ConstSampler;
use tracehound::span::Reference;

use super::{container, context, reference};
use crate::support::{recording_builder, recording_tracer};

#[test]
fn a_new_trace_follows_from_its_references_and_inherits_nothing() {
    for is_sampled in [true, false] {
        let (builder, spans) = recording_builder();
        let tracer = builder
            .sampler(ConstSampler::new(is_sampled))
            .build()
            .expect("named");
        let caller = SpanContext::new(
            TraceId::new(7, 1).expect("not 0"),
            SpanId::new(10).expect("not 0"),
            None,
            Flags::SAMPLED.with(Flags::DEBUG),
        )
        .with_baggage_item("k", "v");
        let other = context(2, 20);
        let span = tracer
            .build_span("s")
            .child_of(&caller)
            .new_trace()
            .follows_from(&other)
            .start();
        let own = span.context();
        assert!(own.trace_id() != caller.trace_id() && own.trace_id() != other.trace_id());
        assert_eq!(own.parent_id(), None);
        assert_eq!(own.flags().bits(), u8::from(is_sampled));
        assert!(own.baggage().is_empty());
        span.set_tag("sampling.priority", 1);
        span.finish();
        let span = &spans.spans()[0];
        assert_eq!(
            span.references,
            [
                reference(ReferenceType::FollowsFrom, &caller),
                reference(ReferenceType::FollowsFrom, &other),
            ]
        );
        assert_eq!(span.tag("sampler.type").is_some(), is_sampled);
    }
}

#[test]
fn a_new_trace_inherits_nothing_from_the_active_span_or_from_a_context_without_a_trace() {
    let (builder, spans) = recording_builder();
    let tracer = builder
        .sampler(ConstSampler::new(false))
        .build()
        .expect("named");
    let active = tracer.start_span("active");
    active.set_baggage_item("k", "active");
    let _scope = active.activate();
    let debug = container("k").with_debug_id("find-me");
    for references in [vec![], vec![Reference::child_of(&debug)]] {
        let mut builder = tracer.build_span("s").new_trace();
        for reference in references {
            builder = builder.reference(reference);
        }
        let span = builder.start();
        let own = span.context();
        assert_ne!(own.trace_id(), active.context().trace_id());
        assert_eq!((own.flags().bits(), own.baggage().len()), (0, 0));
        span.set_tag("sampling.priority", 1);
        span.finish();
    }
    for span in spans.spans() {
        assert!(span.references.is_empty() && span.tag("jaeger-debug-id").is_none());
    }
    assert_eq!(spans.spans().len(), 2);
    assert_eq!(tracer.metrics().get(Counter::TracesStartedUnsampled), 3);
}

#[test]
fn a_context_made_elsewhere_wins_over_a_new_trace() {
    let (tracer, spans) = recording_tracer();
    let (own, parent) = (context(1, 10), context(2, 20));
    let builder = tracer.build_span("s").child_of(&parent).new_trace();
    let span = builder.context(own.clone()).start();
    assert_eq!(span.context(), own);
    span.finish();
    let references = &spans.spans()[0].references;
    assert_eq!(references[..], [reference(ReferenceType::ChildOf, &parent)]);
}

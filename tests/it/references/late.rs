//! References that are added to a span after its start.

use tracehound::metrics::Counter;
use tracehound::model::{Flags, ReferenceType};
use tracehound::prelude::*;
use tracehound::sampler::ConstSampler;
use tracehound::span::Reference;
use tracehound::{Span, SpanContext};

use super::{container, context, reference};
use crate::support::{recording_builder, recording_tracer};

#[test]
fn late_references_come_after_those_of_the_start() {
    let (tracer, spans) = recording_tracer();
    let (a, b, c) = (context(1, 10), context(2, 20), context(3, 30));
    for has_start_time in [false, true] {
        let mut builder = tracer.build_span("s").child_of(&a);
        if has_start_time {
            builder = builder.start_time(std::time::UNIX_EPOCH);
        }
        let span = builder.start();
        span.add_reference(&Reference::follows_from(&b))
            .add_reference(&Reference::child_of(&c));
        assert_eq!(span.context().parent_id(), a.span_id());
        span.finish();
        let span = &spans.take()[0];
        assert_eq!(span.parent_id, a.span_id());
        let expected = [
            reference(ReferenceType::ChildOf, &a),
            reference(ReferenceType::FollowsFrom, &b),
            reference(ReferenceType::ChildOf, &c),
        ];
        assert_eq!(span.references, expected);
    }
}

#[test]
fn nothing_is_inherited_through_a_late_reference() {
    let (tracer, spans) = recording_tracer();
    let other = context(2, 20).with_baggage_item("user", "42");
    let span = tracer.start_span("s");
    span.add_reference(&Reference::child_of(&other));
    assert_eq!(span.baggage_item("user"), None);
    let trace_id = span.context().trace_id();
    span.finish();
    let span = &spans.spans()[0];
    assert_eq!((Some(span.trace_id), span.parent_id), (trace_id, None));
}

#[test]
fn a_late_reference_to_no_trace_adds_nothing() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("s");
    for other in [SpanContext::default(), container("k")] {
        span.add_reference(&Reference::follows_from(&other));
    }
    span.finish();
    let span = &spans.spans()[0];
    assert!(span.references.is_empty() && span.tags.iter().all(|tag| tag.key != "k"));
    assert_eq!(tracer.metrics().get(Counter::DroppedItems), 0);
}

#[test]
fn a_root_takes_no_reference_that_would_look_like_its_parent() {
    let (tracer, spans) = recording_tracer();
    let root = tracer.start_span("root");
    let child = tracer.build_span("child").child_of(&root).start();
    let grandchild = tracer.build_span("grandchild").child_of(&child).start();
    for span in [&root, &child] {
        span.add_reference(&Reference::follows_from(&grandchild));
    }
    let context = grandchild.context();
    for span in [grandchild, child, root] {
        span.finish();
    }
    let [_, child, root] = &spans.spans()[..] else {
        panic!("three spans")
    };
    assert_eq!(child.references.len(), 2);
    assert_eq!(
        child.references[1],
        reference(ReferenceType::FollowsFrom, &context)
    );
    assert_eq!(root.references, []);
    assert_eq!(root.tag_text("tracehound.dropped_items"), "1");
    assert_eq!(tracer.metrics().get(Counter::DroppedItems), 1);
}

#[test]
fn references_beyond_128_are_counted_and_marked() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("s");
    for n in 1..=130 {
        span.add_reference(&Reference::follows_from(&context(n, n)));
    }
    span.finish();
    let span = &spans.spans()[0];
    assert_eq!(span.references.len(), 128);
    assert_eq!(span.tag_text("tracehound.dropped_items"), "2");
    assert_eq!(tracer.metrics().get(Counter::DroppedItems), 2);
}

#[test]
fn a_span_that_does_not_record_takes_no_reference() {
    let (builder, spans) = recording_builder();
    let tracer = builder
        .sampler(ConstSampler::new(false))
        .build()
        .expect("has a name");
    let other = Reference::follows_from(&context(1, 10));
    tracer.start_span("unsampled").add_reference(&other);
    Span::noop().add_reference(&other);
    let late = tracer
        .build_span("late")
        .child_of(&context(2, 20).with_flags(Flags::SAMPLED))
        .start();
    let handle = late.downgrade();
    late.finish();
    handle.add_reference(&other);
    let [late] = &spans.spans()[..] else {
        panic!("one span")
    };
    assert_eq!(late.references.len(), 1);
}

//! One span for both sides of a call, as in Zipkin.

use tracehound::SpanContext;
use tracehound::metrics::Counter;
use tracehound::model::{Flags, ReferenceType, SpanId};
use tracehound::prelude::*;
use tracehound::scope::activate_context;

use super::{context, reference};
use crate::support::{counting_ids, recording_builder};

/// Returns the context of a client's span, which is a child of span 5.
fn remote() -> SpanContext {
    let remote = context(1, 10);
    SpanContext::new(
        remote.trace_id().expect("a trace"),
        remote.span_id().expect("a span"),
        SpanId::new(5),
        Flags::SAMPLED,
    )
}

#[test]
fn a_server_span_shares_the_id_of_its_remote_parent() {
    for has_id_source in [false, true] {
        let (builder, spans) = recording_builder();
        let builder = builder.zipkin_shared_rpc_span(true);
        let tracer = if has_id_source {
            builder.id_source(counting_ids()).build().expect("named")
        } else {
            builder.build().expect("named")
        };
        for remote in [
            remote(),
            remote().with_baggage_item("k", "v"),
            remote().with_deferred_sampling(),
            context(1, 10),
        ] {
            let server = tracer.build_span("s").tag("span.kind", "server");
            server.child_of(&remote).start().finish();
            let scope = activate_context(&remote);
            let server = tracer.build_span("s").tag("span.kind", "server");
            server.start().finish();
            drop(scope);
            for span in spans.spans() {
                assert_eq!(Some(span.trace_id), remote.trace_id());
                assert_eq!(Some(span.span_id), remote.span_id(), "{remote:?}");
                assert_eq!(span.parent_id, remote.parent_id(), "{remote:?}");
                assert_eq!(span.references, [], "{remote:?}");
            }
            assert_eq!(spans.spans().len(), 2);
            spans.clear();
        }
        assert_eq!(tracer.metrics().get(Counter::TracesJoinedSampled), 8);
    }
}

#[test]
fn a_shared_span_inherits_what_a_child_does() {
    let (builder, _) = recording_builder();
    let tracer = builder.zipkin_shared_rpc_span(true).build().expect("named");
    let debug = Flags::SAMPLED.with(Flags::DEBUG);
    for flags in [Flags::default(), Flags::SAMPLED, debug] {
        let remote = remote();
        let ids = (remote.trace_id().unwrap(), remote.span_id().unwrap());
        let remote = SpanContext::new(ids.0, ids.1, remote.parent_id(), flags);
        let remote = remote.with_baggage_item("k", "v");
        let server = tracer.build_span("s").tag("span.kind", "server");
        let server = server.child_of(&remote).start();
        assert_eq!(server.context(), remote);
        assert!(!server.context().is_remote());
        // The next span is a child of the shared one.
        let child = tracer.build_span("c").tag("span.kind", "server");
        let child = child.child_of(&server).start().context();
        assert_eq!(child.parent_id(), remote.span_id());
        assert_ne!(child.span_id(), remote.span_id());
    }
}

#[test]
fn a_shared_span_keeps_its_other_references() {
    let (builder, spans) = recording_builder();
    let tracer = builder.zipkin_shared_rpc_span(true).build().expect("named");
    let other = context(2, 20);
    let server = tracer.build_span("s").tag("span.kind", "server");
    let server = server.follows_from(&other).child_of(&remote());
    server.start().finish();
    let span = &spans.spans()[0];
    assert_eq!(Some(span.span_id), remote().span_id());
    let kept = reference(ReferenceType::FollowsFrom, &other);
    assert_eq!(span.references, [kept]);
}

#[test]
fn other_spans_have_ids_of_their_own() {
    for is_shared in [false, true] {
        let (builder, spans) = recording_builder();
        let builder = builder.zipkin_shared_rpc_span(is_shared);
        let tracer = builder.build().expect("named");
        let remote = remote();
        let local = tracer.start_span("local");
        let check = |expected: &SpanContext| {
            let span = spans.spans().pop().expect("finished");
            assert_ne!(Some(span.span_id), expected.span_id());
            assert_eq!(span.parent_id, expected.span_id());
            assert_eq!(
                span.references,
                [reference(ReferenceType::ChildOf, expected)]
            );
        };
        let client = tracer.build_span("s").tag("span.kind", "client");
        client.child_of(&remote).start().finish();
        check(&remote);
        tracer.build_span("s").child_of(&remote).start().finish();
        check(&remote);
        let server = tracer.build_span("s").tag("span.kind", "server");
        server.child_of(&local).start().finish();
        check(&local.context());
        if !is_shared {
            let server = tracer.build_span("s").tag("span.kind", "server");
            server.child_of(&remote).start().finish();
            check(&remote);
        }
        let root = tracer.build_span("s").tag("span.kind", "server").start();
        assert_eq!(root.context().parent_id(), None);
    }
}

//! Tests of parents.

use std::thread;

use tracehound::SpanContext;
use tracehound::bridge::{SetParentError, TracingSpanExt};
use tracehound::model::{Flags, ReferenceType, SpanId, TraceId};
use tracehound::prelude::*;
use tracehound::scope::{activate_context, active_context, capture};
use tracing::{Span, info, info_span, instrument};

use super::{fixed_subscriber, subscriber, tree_of};
use crate::block_on::block_on;

fn remote() -> SpanContext {
    let trace_id = TraceId::new(0, 0xabc).expect("not zero");
    let span_id = SpanId::new(0xdef).expect("not zero");
    SpanContext::new(trace_id, span_id, None, Flags::SAMPLED)
}

#[test]
fn spans_of_both_crates_are_parents_of_each_other() {
    let tree = tree_of(|tracer| {
        let outer = tracer.start_active_span("a");
        let b = info_span!("b").entered();
        let c = tracer.start_active_span("c");
        info_span!("d").in_scope(|| tracer.start_span("e").finish());
        drop(c);
        tracer.start_span("f").finish();
        drop(b);
        tracer.start_span("g").finish();
        drop(outer);
        info_span!("h").in_scope(|| {});
    });
    assert_eq!(tree, "a\n  b\n    c\n      d\n        e\n    f\n  g\nh");
}

#[test]
fn explicit_parents_go_before_the_active_span() {
    let tree = tree_of(|tracer| {
        let a = info_span!("a");
        let _b = info_span!("b").entered();
        info_span!(parent: &a, "child of a").in_scope(|| tracer.start_span("below").finish());
        info_span!(parent: None, "root").in_scope(|| {});
        let never_entered = info_span!("never entered");
        drop(never_entered);
    });
    assert_eq!(tree, "root\nb\n  never entered\na\n  child of a\n    below");
}

#[test]
fn scopes_may_be_left_in_any_order_and_entered_again() {
    let tree = tree_of(|tracer| {
        let (a, b) = (info_span!(parent: None, "a"), info_span!(parent: None, "b"));
        let in_a = a.clone().entered();
        let in_b = b.clone().entered();
        drop(in_a);
        tracer.start_span("in b").finish();
        let again = b.clone().entered();
        drop(in_b);
        tracer.start_span("in b again").finish();
        drop(again);
        tracer.start_span("alone").finish();
        // Entered again inside of another span.
        a.in_scope(|| b.in_scope(|| a.in_scope(|| tracer.start_span("in a").finish())));
    });
    assert_eq!(tree, "alone\nb\n  in b\n  in b again\na\n  in a");
}

#[test]
fn a_span_may_be_entered_on_several_threads_and_closed_on_another() {
    let (dispatch, tracer, spans) = subscriber();
    let span = tracing::dispatcher::with_default(&dispatch, || info_span!("shared"));
    thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                let _here = span.enter();
                for _ in 0..100 {
                    tracer.start_span("work").finish();
                }
            });
        }
    });
    thread::spawn(move || drop(span)).join().expect("no panic");
    let all = spans.spans();
    let shared = all.iter().find(|span| span.operation_name == "shared");
    let shared = shared.expect("it has ended");
    let children = all.iter().filter(|span| span.operation_name == "work");
    assert!(
        children
            .clone()
            .all(|span| span.parent_id == Some(shared.span_id))
    );
    assert_eq!(children.count(), 400);
    assert_eq!(all.len(), 401);
}

#[test]
fn a_parent_from_a_request_is_set_after_the_span_was_entered() {
    let (dispatch, tracer, spans) = subscriber();
    #[instrument(skip_all)]
    async fn handler(tracer: &impl Tracer) {
        info!("before");
        Span::current().set_parent(&remote()).expect("not started");
        Span::current().set_tag("late", 1);
        tracer.start_span("query").finish();
        let error = Span::current().set_parent(&remote());
        assert_eq!(error, Err(SetParentError::Started));
    }
    tracing::dispatcher::with_default(&dispatch, || block_on(handler(&tracer)));
    let handler = spans.find("handler").expect("it has ended");
    let query = spans.find("query").expect("it has ended");
    assert_eq!(handler.parent_id, remote().span_id());
    assert_eq!(query.parent_id, Some(handler.span_id));
    assert_eq!(handler.tag_text("late"), "1");
    assert_eq!(handler.logs.len(), 1);
    assert_eq!(
        Span::none().set_parent(&remote()),
        Err(SetParentError::NoSpan)
    );
}

#[test]
fn readers_of_the_active_span_start_it() {
    let (dispatch, tracer, spans) = subscriber();
    tracing::dispatcher::with_default(&dispatch, || {
        let span = info_span!("a");
        let context = span.in_scope(|| {
            let captured = capture();
            assert_eq!(active_span().context(), active_context());
            assert_eq!(captured.run(active_context), active_context());
            active_span().set_tag("seen", true);
            active_context()
        });
        assert_eq!(span.span_context(), context);
        assert_eq!(span.tracehound_span().context(), context);
        let child = tracer.build_span("by hand").child_of(&span).start();
        assert_eq!(child.context().parent_id(), context.span_id());
    });
    assert_eq!(spans.tree(), "a\n  by hand");
    assert_eq!(
        spans.find("a").expect("it has ended").tag_text("seen"),
        "true"
    );
}

#[test]
fn an_active_context_is_a_parent() {
    let (dispatch, _, spans) = subscriber();
    tracing::dispatcher::with_default(&dispatch, || {
        let _scope = activate_context(&remote());
        info!("there is no span to log on");
        info_span!("a").in_scope(|| {});
    });
    let a = spans.find("a").expect("it has ended");
    assert_eq!(
        (a.trace_id, a.parent_id),
        (remote().trace_id().expect("has one"), remote().span_id())
    );
    assert!(a.logs.is_empty());
}

#[test]
fn follows_from_is_a_reference_early_and_late() {
    let (dispatch, tracer, spans) = fixed_subscriber();
    tracing::dispatcher::with_default(&dispatch, || {
        let (a, b) = (info_span!("a"), info_span!("b"));
        let c = info_span!("c");
        c.follows_from(&a);
        c.in_scope(|| tracer.start_span("child").finish());
        c.follows_from(&b);
        c.follows_from_context(&remote());
        // A span cannot be made to wait for itself.
        a.follows_from(&a);
    });
    let [a, b, c] = ["a", "b", "c"].map(|name| spans.find(name).expect("it has ended"));
    let kinds = c.references.iter().map(|reference| reference.kind);
    assert!(kinds.clone().all(|kind| kind == ReferenceType::FollowsFrom));
    let causes: Vec<_> = c
        .references
        .iter()
        .map(|reference| reference.span_id)
        .collect();
    assert_eq!(
        causes,
        [a.span_id, b.span_id, remote().span_id().expect("has one")]
    );
    assert_eq!(
        c.trace_id, a.trace_id,
        "the first cause is the parent of a root"
    );
}

//! Tests of parents where both APIs meet.

mod layer;
mod nesting;
mod tasks;

use std::thread;

use opentelemetry::trace::{
    Span as _, SpanContext, TraceContextExt as _, Tracer as _, mark_span_as_active,
};
use opentelemetry::{Context, KeyValue};
use tracehound::prelude::*;
use tracehound::scope::{activate_context, active_context, active_span, in_active_span};
use tracehound_opentelemetry::{context_with_span, current_context};

use crate::support::both;

#[test]
fn our_active_span_is_the_parent_of_a_span_of_a_library() {
    let both = both();
    let outer = both.tracer.start_active_span("outer");
    both.library.start("implicit").end();
    both.library.build(both.library.span_builder("built")).end();
    let copied = Context::current();
    both.library.start_with_context("copied", &copied).end();
    both.library
        .in_span("in span", |_cx| both.library.start("inner").end());
    outer.finish();
    assert_eq!(
        both.spans.tree(),
        "outer\n  implicit\n  built\n  copied\n  in span\n    inner"
    );
}

#[test]
fn an_active_span_of_a_library_is_the_parent_of_ours() {
    let both = both();
    let guard = mark_span_as_active(both.library.start("outer"));
    both.tracer.start_span("named").finish();
    both.tracer
        .build_span("tagged")
        .tag("k", 1)
        .start()
        .finish();
    active_span().set_tag("from", "ours");
    let context = active_context();
    let shown = Context::map_current(|cx| cx.span().span_context().clone());
    assert_eq!(context.to_span_id(), shown.span_id().to_string());
    drop(guard);
    assert!(active_context().is_empty() && active_span().is_noop());
    assert_eq!(both.spans.tree(), "outer\n  named\n  tagged");
    assert_eq!(both.span("outer").tag_text("from"), "ours");
}

#[test]
fn both_kinds_nest_in_each_other() {
    let both = both();
    let a = both.tracer.start_active_span("a");
    both.library.in_span("b", |_| {
        let c = both.tracer.start_active_span("c");
        both.library
            .in_span("d", |_| both.tracer.start_span("e").finish());
        both.library.start("after d").end();
        c.finish();
        both.tracer.start_span("after c").finish();
        both.library.start("also after c").end();
    });
    both.tracer.start_span("after b").finish();
    a.finish();
    assert_eq!(
        both.spans.tree(),
        "a\n  b\n    c\n      d\n        e\n      after d\n    after c\n    also after c\n  after b"
    );
}

#[test]
fn a_context_that_is_given_is_the_parent_whatever_is_active() {
    let both = both();
    let given = Context::new().with_span(both.library.start("given"));
    let _other = both.tracer.start_active_span("other");
    both.library.in_span("current", |_| {
        both.library.start_with_context("child", &given).end();
        // Another context than the current one, and there is no span in it.
        both.library
            .start_with_context("root", &Context::new())
            .end();
    });
    let nobody = Context::new().with_remote_span_context(SpanContext::NONE);
    both.library
        .start_with_context("asked for a root", &nobody)
        .end();
    let given = given.span().span_context().span_id().to_string();
    let parent = both.parent_of("child").map(|id| id.to_string());
    assert_eq!(parent, Some(given));
    assert_eq!(both.parent_of("root"), None);
    assert_eq!(both.parent_of("asked for a root"), None);
}

#[test]
fn spans_go_into_threads_from_both_sides() {
    let both = both();
    let outer = both.tracer.start_active_span("outer");
    thread::scope(|threads| {
        let run = in_active_span(|| both.library.start("in a captured scope").end());
        threads.spawn(run);
    });
    both.library.in_span("library", |cx| {
        thread::scope(|threads| {
            threads.spawn(|| {
                both.tracer.start_span("no context here").finish();
                let _guard = cx.attach();
                both.tracer.start_span("in an attached context").finish();
            });
        });
        thread::scope(|threads| {
            threads.spawn(in_active_span(|| {
                both.tracer.start_span("captured").finish()
            }));
        });
    });
    outer.finish();
    let tree = both.spans.tree();
    for line in [
        "\n  in a captured scope",
        "\n  library",
        "\n    in an attached context",
        "\n    captured",
        "no context here",
    ] {
        assert!(tree.contains(line), "{line:?} in\n{tree}");
    }
    assert_eq!(both.parent_of("no context here"), None);
}

#[test]
fn guards_that_are_dropped_out_of_order_leave_what_is_still_active() {
    let both = both();
    let x = mark_span_as_active(both.library.start("x"));
    let ours = both.tracer.start_span("ours");
    let scope = ours.activate();
    let y = mark_span_as_active(both.library.start("y"));
    drop(x);
    both.tracer.start_span("in y").finish();
    both.library.start("also in y").end();
    drop(scope);
    both.tracer.start_span("still in y").finish();
    drop(y);
    both.tracer.start_span("root").finish();
    assert!(active_context().is_empty());
    ours.finish();
    assert_eq!(
        both.spans.tree(),
        "x\n  ours\n    y\n      in y\n      also in y\n      still in y\nroot"
    );
}

/// OpenTelemetry falls back to an older context, and that counts as activated by it.
#[test]
fn a_context_that_is_uncovered_out_of_order_is_the_inner_one() {
    let both = both();
    let x = mark_span_as_active(both.library.start("x"));
    let y = mark_span_as_active(both.library.start("y"));
    let ours = both.tracer.start_active_span("ours");
    drop(y);
    both.tracer.start_span("in x").finish();
    drop(x);
    both.tracer.start_span("in ours").finish();
    ours.finish();
    assert_eq!(both.spans.tree(), "x\n  y\n    ours\n      in ours\n  in x");
}

#[test]
fn a_span_that_was_current_before_ours_stays_outside() {
    let both = both();
    both.library.in_span("outer", |cx| {
        let _ours = both.tracer.start_active_span("ours");
        // Nobody can tell the second activation of a span from the first.
        let _again = cx.clone().attach();
        both.tracer.start_span("a").finish();
        both.library.start("b").end();
        both.library.start_with_context("c", &cx).end();
    });
    assert_eq!(both.spans.tree(), "outer\n  ours\n    a\n    b\n    c");
}

#[test]
fn a_span_that_has_ended_is_still_a_parent_with_its_baggage() {
    let both = both();
    let mut span = both.library.start("ended");
    span.span().set_baggage_item("user", "42");
    span.end();
    let _guard = mark_span_as_active(span);
    let child = both.tracer.start_span("child");
    assert_eq!(child.baggage_item("user").as_deref(), Some("42"));
    child.finish();
    assert_eq!(both.spans.tree(), "ended\n  child");
}

#[test]
fn the_current_context_shows_our_span() {
    let both = both();
    assert!(!current_context().has_active_span());
    let span = both.tracer.start_active_span("ours");
    span.set_baggage_item("user", "42");
    assert!(!Context::current().has_active_span());
    let cx = current_context();
    assert_eq!(
        cx.span().span_context().span_id().to_string(),
        span.context().to_span_id()
    );
    let baggage = opentelemetry::baggage::BaggageExt::baggage(&cx);
    assert_eq!(
        baggage.get("user").map(ToString::to_string).as_deref(),
        Some("42")
    );
    cx.span().set_attribute(KeyValue::new("from", "library"));
    drop(cx.attach());
    assert!(active_span().is_recording(), "the context does not end it");
    span.finish();
    assert_eq!(both.span("ours").tag_text("from"), "library");
}

#[test]
fn the_current_context_of_a_library_is_returned_as_it_is() {
    let both = both();
    both.library.in_span("library", |_| {
        let cx = current_context();
        cx.span().update_name("renamed");
    });
    assert!(both.spans.find("renamed").is_some());
    let remote: tracehound::SpanContext = {
        let headers = [("uber-trace-id", "1f:2e:0:1")];
        both.tracer
            .extract(&headers)
            .expect("well-formed")
            .expect("is there")
    };
    let _scope = activate_context(&remote);
    let cx = current_context();
    assert_eq!(
        cx.span().span_context().span_id().to_string(),
        "000000000000002e"
    );
    both.library.start_with_context("child", &cx).end();
    assert_eq!(both.parent_of("child"), remote.span_id());
}

#[test]
fn a_span_in_a_context_is_lent() {
    let both = both();
    let span = both.tracer.start_span("ours");
    let cx = context_with_span(&Context::new(), &span);
    both.library.start_with_context("child", &cx).end();
    drop(span);
    assert!(!cx.span().is_recording());
    both.library.start_with_context("late child", &cx).end();
    let span = both.tracer.start_span("ended by the library");
    context_with_span(&Context::new(), &span).span().end();
    assert!(!span.is_recording());
    let tree = both.spans.tree();
    assert_eq!(tree, "ours\n  child\n  late child\nended by the library");
}

#[test]
fn a_span_of_another_provider_is_a_parent_like_one_of_another_process() {
    let both = both();
    let exporter = opentelemetry_sdk::trace::InMemorySpanExporter::default();
    let other = opentelemetry_sdk::trace::SdkTracerProvider::builder()
        .with_simple_exporter(exporter)
        .build();
    let other = opentelemetry::trace::TracerProvider::tracer(&other, "other");
    let span = other.start("other");
    let context = span.span_context().clone();
    let _guard = mark_span_as_active(span);
    both.tracer.start_span("ours").finish();
    both.library.start("library").end();
    for name in ["ours", "library"] {
        let span = both.span(name);
        assert_eq!(span.trace_id.to_string(), context.trace_id().to_string());
        let parent = span.parent_id.map(|id| id.to_string());
        assert_eq!(parent, Some(context.span_id().to_string()));
    }
}

#[test]
fn a_context_that_suppresses_telemetry_starts_no_span() {
    let both = both();
    let _outer = both.tracer.start_active_span("outer");
    let guard = Context::enter_telemetry_suppressed_scope();
    let span = both.library.start("suppressed");
    assert!(!span.is_recording() && !span.span_context().is_valid());
    drop(span);
    drop(guard);
    both.library.start("after").end();
    assert!(both.spans.find("suppressed").is_none());
    assert!(both.parent_of("after").is_some());
}

/// Starts a span of each kind when it is dropped.
struct AtTheEnd(Option<crate::support::Both>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        if let Some(both) = self.0.take() {
            both.tracer.start_span("at the end").finish();
            both.library
                .start_with_context("library", &Context::new())
                .end();
        }
    }
}

#[test]
fn spans_start_while_a_thread_ends() {
    thread_local! {
        static AT_THE_END: std::cell::RefCell<AtTheEnd> =
            const { std::cell::RefCell::new(AtTheEnd(None)) };
    }
    for is_first in [true, false] {
        let both = both();
        let spans = both.spans.clone();
        let thread = thread::spawn(move || {
            let use_contexts = || drop(mark_span_as_active(both.library.start("before")));
            if !is_first {
                use_contexts();
            }
            AT_THE_END.with(|it| it.borrow_mut().0 = None);
            if is_first {
                use_contexts();
            }
            AT_THE_END.with(|it| it.borrow_mut().0 = Some(both));
        });
        thread.join().expect("no panic");
        assert_eq!(spans.spans().len(), 3, "{is_first}");
    }
}

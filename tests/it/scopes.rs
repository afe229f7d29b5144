//! Scopes: which span is active on which thread and in which task, and who keeps it open.

mod callbacks;
mod channels;
#[cfg(feature = "foreign-context")]
mod foreign;
mod futures;
mod handed_over;
mod late_ends;
#[cfg(feature = "stream")]
mod streams;
#[cfg(feature = "tokio")]
mod tasks;
mod trace_ids;

use std::cell::RefCell;
use std::future::Future;
use std::panic::catch_unwind;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, UNIX_EPOCH};

use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::reporter::OwnedSpan;
use tracehound::scope::{self, active_span, capture, in_active_span, with_active_span};
use tracehound::{JaegerTracer, SpanContext};

use crate::support::{fixed_tracer, log_texts, names, recording_tracer};

fn active() -> SpanContext {
    active_span().context()
}

#[test]
fn scopes_nest_and_restore() {
    let (tracer, _) = recording_tracer();
    assert!(active_span().is_noop());
    let outer = tracer.start_span("outer");
    let inner = tracer.start_span("inner");
    let first = outer.activate();
    {
        let _second = inner.activate();
        assert_eq!(active(), inner.context());
    }
    assert_eq!(active(), outer.context());
    drop(first);
    assert!(active_span().is_noop());
}

#[test]
fn scopes_dropped_in_any_order_take_away_only_their_own() {
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for order in orders {
        let (tracer, _) = recording_tracer();
        let spans: Vec<_> = (0..3)
            .map(|n| {
                tracer
                    .build_span(format!("s{n}"))
                    .ignore_active_span()
                    .start()
            })
            .collect();
        let mut scopes: Vec<_> = spans.iter().map(|span| Some(span.activate())).collect();
        for (step, which) in order.into_iter().enumerate() {
            scopes[which] = None;
            let top = (0..3).rev().find(|n| scopes[*n].is_some());
            let expected = top.map_or_else(SpanContext::default, |n| spans[n].context());
            assert_eq!(active(), expected, "{order:?} after step {step}");
        }
    }
}

#[test]
fn a_finished_span_stays_active_until_its_scope_is_dropped() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("s");
    let scope = span.activate();
    span.finish();
    assert_eq!(spans.spans().len(), 1);
    with_active_span(|span| assert!(!span.is_recording()));
    let child = tracer.start_span("child of a finished span");
    assert!(child.context().parent_id().is_some());
    drop(scope);
    assert_eq!(spans.spans().len(), 1);
    assert_eq!(tracer.metrics().get(Counter::FinishedTwice), 0);
}

#[test]
fn a_scope_keeps_its_span_open_until_it_is_dropped() {
    let (tracer, spans, clock) = fixed_tracer();
    {
        let _scope = tracer.start_span("measured").activate();
        active_span().set_tag("step", 1);
        tracer.start_span("child").finish();
        clock.advance(Duration::from_secs(3));
    }
    assert!(active_span().is_noop());
    let [child, measured] = &spans.take()[..] else {
        panic!("two spans")
    };
    assert_eq!(measured.duration, Duration::from_secs(3));
    assert_eq!(measured.tag_text("step"), "1");
    assert_eq!(child.parent_id, Some(measured.span_id));

    let span = tracer.start_span("s");
    let scopes = [span.activate(), span.activate()];
    drop(span);
    for scope in scopes {
        assert_eq!(spans.spans().len(), 0);
        drop(scope);
    }
    assert_eq!(spans.spans().len(), 1);
}

#[test]
fn handles_that_leave_the_thread_do_not_own_what_a_scope_owns() {
    let (tracer, spans) = recording_tracer();
    let scope = tracer.start_span("request").activate();
    let handle = active_span();
    let scope_of_handle = handle.activate();
    let closure = in_active_span(active);
    let future = async {}.in_active_span();
    let captured = capture();
    let scope_of_captured = captured.activate();
    drop(scope);
    assert_eq!(spans.spans().len(), 1, "only the scope owned the request");
    drop((handle, scope_of_handle, closure, future, scope_of_captured));
}

#[test]
fn an_active_span_is_active_until_it_finishes() {
    let (tracer, spans, clock) = fixed_tracer();
    let outer = tracer
        .build_span("outer")
        .tag("kind", "active")
        .start_active();
    let inner = tracer.start_active_span("inner");
    assert_eq!(active(), inner.context());
    assert_eq!(
        inner.set_tag("a", 1).context().parent_id(),
        outer.context().span_id()
    );
    inner.finish();
    assert_eq!(active(), outer.context());
    assert_eq!(spans.spans().len(), 1);

    let moved = tracer.start_active_span("moved").into_span();
    assert_eq!(active(), outer.context());
    assert!(moved.is_recording());
    drop(moved);

    let child = tracer.build_span("child").child_of(&outer).start();
    assert_eq!(child.context().parent_id(), outer.context().span_id());
    child.finish();

    let at = tracer.start_active_span("at");
    at.finish_at(UNIX_EPOCH + Duration::from_secs(1_500_000_005));
    clock.advance(Duration::from_secs(1));
    drop(outer);
    assert!(active_span().is_noop());

    let spans = spans.spans();
    let names: Vec<_> = spans.iter().map(|span| &*span.operation_name).collect();
    assert_eq!(names, ["inner", "moved", "child", "at", "outer"]);
    assert_eq!(spans[3].duration, Duration::from_secs(5));
    assert_eq!(spans[4].duration, Duration::from_secs(1));
    assert_eq!(spans[4].tag_text("kind"), "active");
}

#[test]
fn an_active_span_is_marked_by_a_panic_once_and_leaves_the_stack() {
    let (tracer, spans) = recording_tracer();
    let caught = catch_unwind(|| {
        let _span = tracer.start_active_span("s");
        panic!("on purpose");
    });
    assert!(caught.is_err());
    assert!(active_span().is_noop());
    assert_eq!(log_of(&spans.spans()[0]), ["event=panic"]);
}

#[test]
fn in_scope_runs_a_closure_with_the_span_active() {
    let (tracer, spans) = recording_tracer();
    let total = tracer.start_span("s").in_scope(|| {
        tracer.start_span("child").finish();
        active_span().set_tag("n", 1);
        3
    });
    assert_eq!(total, 3);
    assert!(active_span().is_noop());
    let caught = catch_unwind(|| {
        tracer
            .start_span("panics")
            .in_scope(|| panic!("on purpose"))
    });
    assert!(caught.is_err());
    assert!(active_span().is_noop());
    let [child, span, panics] = &spans.spans()[..] else {
        panic!("three spans")
    };
    assert_eq!(child.parent_id, Some(span.span_id));
    assert_eq!(span.tag_text("n"), "1");
    assert_eq!(log_of(panics), ["event=panic"]);
}

#[test]
fn captured_context_runs_closures_on_any_thread_and_any_number_of_times() {
    let (tracer, spans) = recording_tracer();
    let request = tracer.start_active_span("request");
    let context = request.context();
    let captured = capture();
    let numbers: Vec<_> = std::thread::scope(|threads| {
        let started: Vec<_> = (0..3)
            .map(|n| {
                let (captured, tracer, context) = (captured.clone(), &tracer, &context);
                threads.spawn(move || {
                    let callback = |by| captured.run(|| n * by + i32::from(active() == *context));
                    let first = callback(10);
                    let _scope = captured.activate();
                    tracer.start_span("child").finish();
                    first
                })
            })
            .collect();
        started
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    assert_eq!(numbers, [1, 11, 21]);
    request.finish();
    let spans = spans.spans();
    let children = spans
        .iter()
        .filter(|span| span.parent_id.is_some() && span.parent_id == context.span_id());
    assert_eq!(children.count(), 3);
}

#[test]
fn captured_nothing_hides_what_is_active_where_it_runs() {
    let (tracer, _) = recording_tracer();
    let captured = capture();
    let closure = in_active_span(active);
    captured.run(|| assert!(active_span().is_noop()));
    let _other = tracer.start_active_span("another request");
    captured.run(|| {
        assert!(scope::active_context().is_empty());
        let root = tracer.start_span("root");
        assert_eq!(root.context().parent_id(), None);
    });
    assert!(closure().is_empty());
}

#[test]
fn a_closure_of_with_active_span_may_change_the_active_span() {
    let (tracer, _) = recording_tracer();
    let span = tracer.start_span("s");
    let mut scope = Some(span.activate());
    let other = tracer.build_span("other").ignore_active_span().start();
    with_active_span(|seen| {
        scope = None;
        assert!(active_span().is_noop());
        let _other = other.activate();
        with_active_span(|inner| assert_eq!(inner.context(), other.context()));
        assert_eq!(seen.context(), span.context());
    });
    assert!(active_span().is_noop());
}

#[test]
fn the_same_span_may_be_active_in_many_places() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("s");
    let _here = span.activate();
    let _again = span.activate();
    let tracer_there = tracer.clone();
    let there = scope::spawn(move || {
        tracer_there.start_span("there").finish();
        active()
    });
    assert_eq!(there.join().expect("no panic"), span.context());
    let by_hand = active_span();
    std::thread::spawn(move || {
        let _scope = by_hand.activate();
        assert!(!active_span().is_noop());
    })
    .join()
    .expect("no panic");
    assert_eq!(spans.spans()[0].parent_id, span.context().span_id());
}

#[test]
fn a_closure_runs_with_the_span_that_was_active_when_it_was_made() {
    let (tracer, _) = recording_tracer();
    let span = tracer.start_span("s");
    let made = {
        let _scope = span.activate();
        in_active_span(active)
    };
    assert!(active_span().is_noop());
    assert_eq!(made(), span.context());
    assert!(active_span().is_noop());
}

#[test]
fn spans_and_scopes_work_during_a_threads_end() {
    struct AtTheEnd(RefCell<Option<(JaegerTracer, Span)>>);
    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            let Some((tracer, open)) = self.0.borrow_mut().take() else {
                return;
            };
            let _scope = open.activate();
            tracer
                .start_span("born in the end")
                .set_tag("a", 1)
                .log_event("e");
            with_active_span(|span| {
                span.set_tag("b", 2);
            });
            drop(open);
        }
    }
    thread_local! {
        static FIRST: AtTheEnd = const { AtTheEnd(RefCell::new(None)) };
    }
    // On some platforms the thread-local that was registered first is destroyed last, on others first: both must work.
    for touch_first in [true, false] {
        let (tracer, spans) = recording_tracer();
        let on_thread = tracer.clone();
        std::thread::spawn(move || {
            let open = |tracer: &JaegerTracer| tracer.start_span("open");
            if touch_first {
                FIRST.with(|slot| slot.0.replace(None));
            }
            let span = open(&on_thread);
            drop(span.activate());
            FIRST.with(|slot| slot.0.replace(Some((on_thread, span))));
        })
        .join()
        .expect("no panic");
        let mut names = names(&spans);
        names.sort();
        assert_eq!(names, ["born in the end", "open"]);
        assert!(
            tracer
                .flush(std::time::Duration::from_secs(5))
                .is_complete()
        );
    }
}

#[test]
fn a_context_without_a_span_is_passed_on_and_has_an_id_for_log_lines() {
    let (tracer, spans) = recording_tracer();
    assert!(scope::active_context().is_empty());
    let received = tracer.start_span("upstream").context();
    let received = received.with_baggage_item("user", "42");
    let scope = scope::activate_context(&received);
    assert!(active_span().is_noop(), "there is no span of ours");
    assert_eq!(scope::active_context(), received);
    let trace_id = scope::active_context().to_trace_id();
    assert_eq!(trace_id, received.to_trace_id());
    let mut headers = std::collections::HashMap::new();
    tracer.inject(&scope::active_context(), &mut headers);
    assert_eq!(tracer.extract(&headers), Ok(Some(received.clone())));

    let span = tracer.start_span("inner");
    let inner = span.activate();
    assert_eq!(scope::active_context(), span.context());
    assert_eq!(span.context().parent_id(), received.span_id());
    span.finish();
    assert_ne!(scope::active_context(), received, "it outlives its span");
    drop(inner);
    assert_eq!(scope::active_context(), received);
    let there = scope::spawn(scope::active_context).join();
    assert_eq!(there.expect("no panic"), received);
    let mut future = pin!(async { scope::active_context() }.in_active_span());
    drop(scope);
    let polled = future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(polled, Poll::Ready(received));
    assert!(scope::active_context().is_empty());
    assert_eq!(spans.spans().len(), 2);
}

fn log_of(span: &OwnedSpan) -> Vec<String> {
    span.logs.iter().flat_map(log_texts).collect()
}

#[test]
fn the_active_span_is_the_parent_of_a_span_that_starts_during_a_threads_end() {
    struct Late(RefCell<Option<(JaegerTracer, Span, Option<scope::Scope>)>>);
    impl Drop for Late {
        fn drop(&mut self) {
            let Some((tracer, open, scope)) = self.0.borrow_mut().take() else {
                return;
            };
            // A scope from before the thread began to end, or a new one.
            let _scope = scope.unwrap_or_else(|| open.activate());
            for _ in 0..3 {
                let child = tracer.start_span("child");
                assert_eq!(active(), open.context());
                let _inner = child.activate();
                tracer.start_span("grandchild").finish();
            }
        }
    }
    thread_local! {
        static LATE: Late = const { Late(RefCell::new(None)) };
    }
    for (is_registered_first, is_active_before) in
        [(true, true), (true, false), (false, true), (false, false)]
    {
        let (tracer, spans) = recording_tracer();
        let on_thread = tracer.clone();
        let thread = std::thread::spawn(move || {
            if is_registered_first {
                LATE.with(|slot| slot.0.replace(None));
            }
            let span = on_thread.start_span("open");
            drop(span.activate());
            let scope = is_active_before.then(|| span.activate());
            LATE.with(|slot| slot.0.replace(Some((on_thread, span, scope))));
        });
        thread.join().expect("no panic");
        let spans = spans.spans();
        let ids = |name| {
            let named = spans
                .iter()
                .filter(move |span| span.operation_name == name)
                .map(|span| span.span_id);
            named.collect::<Vec<_>>()
        };
        let case = format!("{is_registered_first} {is_active_before}");
        assert_eq!(spans.len(), 7, "{case}");
        for span in &spans {
            let parents = match &*span.operation_name {
                "open" => continue,
                "child" => ids("open"),
                _ => ids("child"),
            };
            let parent = span.parent_id.expect("a parent");
            assert!(parents.contains(&parent), "{case}");
        }
    }
}

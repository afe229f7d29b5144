//! Spans of another library that are parents of ours, and the other way round.

use std::cell::RefCell;
use std::num::NonZeroU64;
use std::sync::Once;
use std::thread;

use proptest::prelude::*;
use tracehound::model::{Flags, SpanId, TraceId};
use tracehound::prelude::*;
use tracehound::scope::{
    self, ForeignActive, ForeignContext, Scope, active_context, active_span, set_foreign_context,
};
use tracehound::{Span, SpanContext};

use crate::support::recording_tracer;

/// The active contexts of the other library, the innermost last. A thread of another test has nothing in it.
#[derive(Clone)]
enum Foreign {
    Context(u64),
    Span(Span),
    /// Something with a mark that turns out not to be there.
    Gone,
    Panics,
}

thread_local! {
    static FOREIGN: RefCell<Vec<(u64, Foreign)>> = const { RefCell::new(Vec::new()) };
}

struct Library;

impl ForeignContext for Library {
    fn mark(&self) -> Option<NonZeroU64> {
        let top = FOREIGN.try_with(|stack| stack.borrow().last().cloned());
        let (mark, active) = top.ok()??;
        assert!(!matches!(active, Foreign::Panics), "a panic of the library");
        NonZeroU64::new(mark)
    }

    fn active(&self) -> Option<ForeignActive> {
        let top = FOREIGN.try_with(|stack| stack.borrow().last().cloned());
        match top.ok()??.1 {
            Foreign::Context(id) => Some(ForeignActive::Context(context(id))),
            Foreign::Span(span) => Some(ForeignActive::Span(span)),
            Foreign::Gone | Foreign::Panics => None,
        }
    }
}

fn context(id: u64) -> SpanContext {
    let trace_id = TraceId::new(0, 1).expect("not 0");
    let span_id = SpanId::new(id).expect("not 0");
    SpanContext::new(trace_id, span_id, None, Flags::SAMPLED)
}

/// Installs the library, once for all tests of the process.
fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| set_foreign_context(Library).expect("the first"));
    FOREIGN.with(|stack| stack.borrow_mut().clear());
}

fn push(mark: u64, active: Foreign) {
    FOREIGN.with(|stack| stack.borrow_mut().push((mark, active)));
}

fn pop() {
    FOREIGN.with(|stack| stack.borrow_mut().pop());
}

#[test]
fn a_second_library_is_refused() {
    install();
    let refused = set_foreign_context(Library).expect_err("there is one");
    assert_eq!(
        refused.to_string(),
        "spans of another library are parents of ours already"
    );
}

#[test]
fn a_foreign_context_is_the_parent_of_all_that_starts_in_it() {
    install();
    let (tracer, spans) = recording_tracer();
    push(5, Foreign::Context(5));
    assert_eq!(active_context(), context(5));
    assert!(active_span().is_noop());
    tracer.start_span("named").finish();
    tracer.build_span("tagged").tag("k", 1).start().finish();
    let start = std::time::UNIX_EPOCH;
    tracer
        .build_span("complex")
        .start_time(start)
        .start()
        .finish();
    thread::scope(|threads| {
        let there = scope::in_active_span(|| tracer.start_span("elsewhere").finish());
        threads.spawn(there);
    });
    tracer
        .build_span("root")
        .ignore_active_span()
        .start()
        .finish();
    pop();
    tracer.start_span("after").finish();
    for span in spans.take() {
        let is_child = !["root", "after"].contains(&&*span.operation_name);
        let expected = is_child.then(|| SpanId::new(5).expect("not 0"));
        assert_eq!(span.parent_id, expected, "{}", span.operation_name);
    }
}

#[test]
fn a_foreign_span_is_the_active_span_and_is_not_owned() {
    install();
    let (tracer, spans) = recording_tracer();
    let foreign = tracer.start_span("foreign");
    push(5, Foreign::Span(foreign.downgrade()));
    active_span().set_tag("from", "ours");
    assert_eq!(active_context(), foreign.context());
    let captured = scope::capture();
    drop(foreign);
    assert_eq!(spans.spans()[0].tag_text("from"), "ours");
    captured.run(|| tracer.start_span("child").finish());
    pop();
    let [foreign, child] = &spans.spans()[..] else {
        panic!("two spans")
    };
    assert_eq!(child.parent_id, Some(foreign.span_id));
}

#[test]
fn a_scope_in_which_nothing_is_active_hides_a_foreign_span() {
    install();
    let nothing = scope::capture();
    push(5, Foreign::Context(5));
    nothing.run(|| assert!(active_context().is_empty()));
    assert_eq!(active_context(), context(5));
    pop();
}

#[test]
fn a_foreign_span_that_is_gone_hides_none_of_ours() {
    install();
    let (tracer, _) = recording_tracer();
    let span = tracer.start_span("ours");
    let _scope = span.activate();
    push(5, Foreign::Gone);
    assert_eq!(active_context(), span.context());
    pop();
}

#[test]
fn a_panic_of_the_other_library_is_caught() {
    install();
    let (tracer, spans) = recording_tracer();
    push(5, Foreign::Panics);
    let span = tracer.start_active_span("ours");
    assert_eq!(active_context(), span.context());
    drop(span);
    pop();
    assert_eq!(spans.spans()[0].parent_id, None);
}

/// A foreign span that is left in the wrong order uncovers one that was there before: it counts as activated by that.
#[test]
fn a_scope_is_the_inner_one_as_long_as_its_mark_stands() {
    install();
    let (tracer, _) = recording_tracer();
    let ours = tracer.start_span("ours");
    push(5, Foreign::Context(5));
    push(6, Foreign::Context(6));
    let scope = ours.activate();
    assert_eq!(active_context(), ours.context());
    push(7, Foreign::Context(7));
    assert_eq!(active_context(), context(7));
    pop();
    assert_eq!(active_context(), ours.context());
    pop();
    assert_eq!(active_context(), context(5));
    pop();
    assert_eq!(active_context(), ours.context(), "nothing else is there");
    drop(scope);
    assert!(active_context().is_empty());
}

proptest! {
    #[test]
    fn whatever_was_activated_last_is_the_parent(steps in prop::collection::vec(0..4_u8, 0..60)) {
        install();
        let (tracer, _) = recording_tracer();
        // In the order of activation.
        let mut active: Vec<(SpanContext, Option<(Span, Scope)>)> = Vec::new();
        for (step, id) in steps.into_iter().zip(100..) {
            match step {
                0 => {
                    let span = tracer.start_span("ours");
                    let scope = span.activate();
                    active.push((span.context(), Some((span, scope))));
                }
                1 => {
                    push(id, Foreign::Context(id));
                    active.push((context(id), None));
                }
                2 => {
                    let span = tracer.start_span("foreign");
                    push(id, Foreign::Span(span.downgrade()));
                    active.push((span.context(), None));
                }
                _ => match active.pop() {
                    Some((_, Some((span, scope)))) => {
                        drop(scope);
                        drop(span);
                    }
                    Some((_, None)) => pop(),
                    None => {}
                },
            }
            let innermost = active.last().map(|(context, _)| context.clone()).unwrap_or_default();
            prop_assert_eq!(&active_context(), &innermost);
            let child = tracer.start_span("child").context();
            prop_assert_eq!(child.parent_id(), innermost.span_id());
        }
        while let Some((_, ours)) = active.pop() {
            match ours {
                Some((span, scope)) => {
                    drop(scope);
                    drop(span);
                }
                None => pop(),
            }
        }
    }
}

//! Tests of programs that go wrong: each span ends once, nothing leaks, and nothing panics.

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use tracehound::bridge::{SetParentError, TracingLayer, TracingSpanExt};
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::scope::active_context;
use tracing::span::EnteredSpan;
use tracing::{Dispatch, error, info, info_span, instrument};
use tracing_subscriber::prelude::*;

use super::{subscriber, tree_of};
use crate::support::{log_texts, names, recording_tracer, texts};

#[test]
fn of_two_layers_in_one_subscriber_one_works() {
    let (tracer, spans) = recording_tracer();
    let (other, others) = recording_tracer();
    let subscriber = tracing_subscriber::registry()
        .with(TracingLayer::new(other))
        .with(TracingLayer::new(tracer.clone()));
    tracing::subscriber::with_default(subscriber, || {
        info_span!("a").in_scope(|| {
            info!("once");
            let _b = tracer.start_active_span("b");
            info!("once");
        });
    });
    assert_eq!(spans.tree(), "a\n  b");
    assert!(spans.spans().iter().all(|span| span.logs.len() == 1));
    assert_eq!(names(&others), [""; 0]);
}

#[test]
fn two_subscribers_share_the_active_span() {
    let (outer, tracer, spans) = subscriber();
    let inner: Dispatch = tracing_subscriber::registry()
        .with(TracingLayer::new(tracer))
        .into();
    tracing::dispatcher::with_default(&outer, || {
        let _a = info_span!("a").entered();
        let b = tracing::dispatcher::with_default(&inner, || {
            info!("on a");
            let b = info_span!("b").entered();
            info_span!("c").in_scope(|| {});
            b
        });
        // Both registries number their spans from the same number on.
        drop(b);
        info_span!("d").in_scope(|| {});
    });
    assert_eq!(spans.tree(), "a\n  b\n    c\n  d");
    assert_eq!(spans.find("a").expect("it has ended").logs.len(), 1);
}

#[test]
fn a_thread_may_end_inside_of_spans() {
    thread_local! {
        static HELD: RefCell<Vec<EnteredSpan>> = const { RefCell::new(Vec::new()) };
        static AT_END: AtEnd = const { AtEnd };
    }
    struct AtEnd;
    impl Drop for AtEnd {
        fn drop(&mut self) {
            info_span!("in the destructor").in_scope(|| info!("event"));
        }
    }
    for is_destructor_first in [true, false] {
        let (dispatch, tracer, spans) = subscriber();
        // A thread's default subscriber may be gone before, so the handles bring theirs.
        let made = tracing::dispatcher::with_default(&dispatch, || {
            ["a", "b"].map(|name| info_span!(parent: None, "held", otel.name = name))
        });
        let work = move || {
            if is_destructor_first {
                AT_END.with(|_| ());
            }
            HELD.with_borrow_mut(|held| held.extend(made.map(tracing::Span::entered)));
            AT_END.with(|_| ());
            tracer.start_span("child").finish();
        };
        thread::spawn(work).join().expect("no panic");
        let mut names = names(&spans);
        names.retain(|name| name != "in the destructor");
        names.sort();
        assert_eq!(names, ["a", "b", "child"]);
        assert_eq!(
            spans.find("child").expect("ended").parent_id,
            Some(spans.find("b").expect("ended").span_id)
        );
    }
}

/// Returns `Pending` once.
async fn pause() {
    let mut has_paused = false;
    poll_fn(|_| match mem::replace(&mut has_paused, true) {
        false => Poll::Pending,
        true => Poll::Ready(()),
    })
    .await;
}

#[test]
fn a_task_may_be_aborted_at_each_await() {
    #[instrument]
    async fn outer() {
        pause().await;
        inner().await;
        pause().await;
    }
    #[instrument]
    async fn inner() {
        pause().await;
        info!("event");
        pause().await;
    }
    for polls in 0..=6 {
        let (dispatch, tracer, spans) = subscriber();
        tracing::dispatcher::with_default(&dispatch, || {
            let mut context = Context::from_waker(Waker::noop());
            let mut future = Box::pin(outer());
            for n in 0..polls {
                if future.as_mut().poll(&mut context).is_ready() {
                    assert_eq!(n, 4);
                    break;
                }
                assert!(active_span().is_noop(), "a pause leaves nothing active");
            }
            // On another thread, as a runtime does.
            thread::scope(|threads| {
                threads.spawn(|| tracing::dispatcher::with_default(&dispatch, || drop(future)));
            });
        });
        let expected = match polls {
            0 => "",
            1 => "outer",
            _ => "outer\n  inner",
        };
        assert_eq!(spans.tree(), expected, "after {polls} polls");
        assert!(tracer.close(Duration::from_secs(5)).is_complete());
    }
}

#[test]
fn a_panic_marks_the_spans_that_it_leaves_once() {
    struct InDestructor;
    impl Drop for InDestructor {
        fn drop(&mut self) {
            info_span!("of the destructor").in_scope(|| info!("cleaned up"));
        }
    }
    let (dispatch, tracer, spans) = subscriber();
    tracing::dispatcher::with_default(&dispatch, || {
        let outside = info_span!("outside");
        let kept = info_span!("kept");
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _a = info_span!("a").entered();
            // A handle that outlives the panic.
            let _kept = kept.enter();
            let _started = active_context();
            let b = info_span!("b");
            let _b = b.enter();
            let _own = tracer.start_active_span("own");
            let _last = InDestructor;
            panic!("as planned");
        }));
        assert!(panicked.is_err());
        drop((kept, outside));
        info_span!("later").in_scope(|| {});
    });
    let marks = |name: &str| {
        let span = spans.find(name).unwrap_or_else(|| panic!("no {name}"));
        let logs: Vec<_> = span.logs.iter().map(log_texts).collect();
        (span.is_error(), logs)
    };
    let panicked = (true, vec![vec!["event=panic".to_owned()]]);
    for name in ["a", "kept", "b", "own"] {
        assert_eq!(marks(name), panicked, "{name}");
    }
    for name in ["outside", "later"] {
        assert_eq!(marks(name), (false, vec![]), "{name}");
    }
}

#[test]
fn a_panic_in_a_task_marks_its_span() {
    #[instrument]
    async fn work() {
        pause().await;
        panic!("as planned");
    }
    let (dispatch, _, spans) = subscriber();
    tracing::dispatcher::with_default(&dispatch, || {
        let mut future = pin!(work());
        let mut context = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
        let poll = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context)));
        assert!(poll.is_err());
        assert!(active_span().is_noop());
    });
    let span = &spans.spans()[0];
    assert!(span.is_error());
    assert_eq!(span.logs.len(), 1);
}

struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("some text first")?;
        panic!("as planned")
    }
}

#[test]
fn a_value_that_panics_is_left_out_and_counted() {
    let (dispatch, tracer, spans) = subscriber();
    tracing::dispatcher::with_default(&dispatch, || {
        let span =
            info_span!("a", before = 1, bad = ?Panics, after = "x", late = tracing::field::Empty);
        span.in_scope(|| info!(bad = ?Panics, n = 2, "early"));
        let _ = span.span_context();
        span.in_scope(|| info!(bad = ?Panics, n = 3, "late"));
        span.record("late", tracing::field::debug(Panics));
        span.set_tag("own", format_args!("{Panics:?}"));
        info_span!("b", otel.name = ?Panics).in_scope(|| {});
    });
    let a = spans.find("a").expect("it has ended");
    assert_eq!(texts(&a.tags), ["before=1", "after=x"]);
    let last = |n: usize| log_texts(&a.logs[n]).pop().expect("a field");
    assert_eq!([last(0), last(1)], ["n=2", "n=3"]);
    assert_eq!(tracer.metrics().get(Counter::CallbackPanics), 6);
    assert!(spans.find("b").is_some());
}

/// A value that makes spans and events while it is formatted.
struct Traces<'a>(&'a tracehound::JaegerTracer);

impl fmt::Debug for Traces<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        info!(me = ?self.0, "an event");
        info_span!("left out", value = 1).in_scope(|| info!("inside"));
        let span = self.0.start_active_span("own");
        let _ = active_context();
        tracing::Span::current().set_tag("from", "the value");
        span.log_event("formatted");
        f.write_str("text")
    }
}

#[test]
fn a_value_that_traces_while_it_is_formatted_makes_no_loop() {
    let (dispatch, tracer, spans) = subscriber();
    tracing::dispatcher::with_default(&dispatch, || {
        let outer = info_span!("outer").entered();
        let span = info_span!("a", value = ?Traces(&tracer), late = tracing::field::Empty);
        let _here = span.enter();
        info!(value = ?Traces(&tracer), "event");
        span.record("late", tracing::field::debug(Traces(&tracer)));
        drop(outer);
    });
    let all = spans.spans();
    let mut parents: Vec<_> = all
        .iter()
        .filter(|span| span.operation_name == "own")
        .map(|span| {
            all.iter()
                .find(|other| Some(other.span_id) == span.parent_id)
        })
        .map(|parent| parent.map(|parent| &*parent.operation_name))
        .collect();
    parents.sort_unstable();
    assert_eq!(parents, [Some("a"), Some("a"), Some("outer")]);
    assert_eq!(all.len(), 5);
    let a = spans.find("a").expect("it has ended");
    assert_eq!(
        texts(&a.tags),
        ["value=text", "from=the value", "late=text"]
    );
    assert_eq!(a.logs.len(), 1);
}

#[test]
fn spans_whose_memory_is_used_again_are_not_confused() {
    let (dispatch, tracer, spans) = subscriber();
    tracing::dispatcher::with_default(&dispatch, || {
        for n in 0..3_000 {
            let span = info_span!("a", n);
            let here = span.entered();
            if n % 3 == 0 {
                tracer.start_span("b").finish();
            }
            drop(here);
            assert!(active_span().is_noop());
        }
    });
    let spans = spans.take();
    assert_eq!(spans.len(), 4_000);
    let by_id: std::collections::HashMap<_, _> =
        spans.iter().map(|span| (span.span_id, span)).collect();
    let children = spans.iter().filter(|span| span.operation_name == "b");
    let parents = children.map(|span| by_id[&span.parent_id.expect("has one")]);
    let mut numbers: Vec<i64> = parents
        .map(|span| span.tag_text("n").parse().expect("a number"))
        .collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq((0..3_000).step_by(3)));
}

#[test]
fn a_span_that_never_closes_harms_no_other() {
    let (dispatch, tracer, spans) = subscriber();
    thread::scope(|threads| {
        threads.spawn(|| {
            tracing::dispatcher::with_default(&dispatch, || {
                mem::forget(info_span!("never entered"));
                mem::forget(info_span!("for ever").entered());
                info_span!("a").in_scope(|| {});
            });
        });
    });
    tracing::dispatcher::with_default(&dispatch, || info_span!("b").in_scope(|| {}));
    assert_eq!(names(&spans), ["a", "b"]);
    assert!(tracer.close(Duration::from_secs(5)).is_complete());
}

#[test]
fn spans_end_with_their_subscriber_and_nothing_holds_the_tracer() {
    let (dispatch, tracer, spans) = subscriber();
    let weak = dispatch.downgrade();
    let (open, entered) = tracing::dispatcher::with_default(&dispatch, || {
        let entered = info_span!("entered");
        let child = entered.in_scope(|| info_span!("child"));
        (child, entered)
    });
    drop(dispatch);
    // Spans hold their subscriber.
    assert!(weak.upgrade().is_some());
    drop((entered, open));
    assert!(weak.upgrade().is_none());
    assert_eq!(spans.tree(), "entered\n  child");
    let metrics = tracer.metrics();
    assert_eq!(metrics.get(Counter::StartedSpansSampled), 2);
    assert_eq!(metrics.get(Counter::FinishedSpansSampled), 2);
    // The last handle of the tracer closes it: the layer's is gone.
    drop(tracer);
    assert_eq!(metrics.get(Counter::FinishedSpansSampled), 2);
}

#[test]
fn threads_that_ask_at_once_start_a_span_once() {
    for _ in 0..200 {
        let (dispatch, tracer, spans) = subscriber();
        let span = tracing::dispatcher::with_default(&dispatch, || {
            let outer = info_span!("outer");
            outer.in_scope(|| info_span!("span"))
        });
        let start = Barrier::new(4);
        thread::scope(|threads| {
            for n in 0..4 {
                let (span, start, tracer, dispatch) = (&span, &start, &tracer, &dispatch);
                threads.spawn(move || {
                    tracing::dispatcher::with_default(dispatch, || {
                        start.wait();
                        match n {
                            0 => span.in_scope(|| tracer.start_span("child").finish()),
                            1 => span.in_scope(|| info!("event")),
                            2 => drop(span.span_context()),
                            _ => drop(info_span!(parent: span, "other")),
                        }
                        span.set_tag("n", n);
                    });
                });
            }
        });
        // The registry closes the parent by the subscriber of this thread.
        tracing::dispatcher::with_default(&dispatch, || drop(span));
        let all = spans.spans();
        let one = spans.find("span").expect("it has ended");
        let count = |name: &str| {
            all.iter()
                .filter(|span| span.operation_name == name)
                .count()
        };
        assert_eq!([count("outer"), count("span"), count("child")], [1, 1, 1]);
        let child = spans.find("child").expect("it has ended");
        assert_eq!(child.parent_id, Some(one.span_id));
        assert_eq!(one.logs.len(), 1);
    }
}

#[test]
fn a_long_chain_of_spans_that_have_not_started_starts() {
    let depth = if cfg!(miri) { 100 } else { 3_000 };
    let (dispatch, tracer, spans) = subscriber();
    // A small stack: starting a span must not recurse into its parents.
    let work = move || {
        tracing::dispatcher::with_default(&dispatch, || {
            let mut guards: Vec<_> = (0..depth).map(|n| info_span!("a", n).entered()).collect();
            tracer.start_span("innermost").finish();
            while let Some(guard) = guards.pop() {
                drop(guard);
            }
        });
    };
    let thread = thread::Builder::new().stack_size(256 * 1_024).spawn(work);
    thread.expect("it starts").join().expect("no overflow");
    assert_eq!(spans.take().len(), depth + 1);
}

#[test]
fn a_span_that_records_without_end_starts_and_stays_within_its_limits() {
    let (dispatch, tracer, spans) = subscriber();
    tracing::dispatcher::with_default(&dispatch, || {
        let span = info_span!("a");
        let _here = span.enter();
        for n in 0..10_000 {
            info!(n, "again");
        }
        let parent = tracer.start_span("parent");
        assert_eq!(span.set_parent(&parent), Err(SetParentError::Started));
    });
    let a = spans.find("a").expect("it has ended");
    assert_eq!(a.logs.len(), 128);
    let last = |n: usize| log_texts(&a.logs[n]).pop().expect("a field");
    assert_eq!([last(0), last(127)], ["n=0", "n=9999"]);

    let long = "x".repeat(1 << 20);
    let tree = tree_of(|_| {
        let span = info_span!("a", long = %long, text = long.as_str());
        span.in_scope(|| error!(?long, "{long}"));
    });
    assert_eq!(tree, "a !");
}

#[test]
fn references_have_a_limit() {
    let (dispatch, tracer, spans) = subscriber();
    tracing::dispatcher::with_default(&dispatch, || {
        let span = info_span!("a");
        let cause = tracer.start_span("cause");
        for n in 0..1_000 {
            if n == 500 {
                let _ = span.span_context();
            }
            span.follows_from_context(&cause);
        }
    });
    let a = spans.find("a").expect("it has ended");
    assert_eq!(a.references.len(), 128);
    assert_eq!(tracer.metrics().get(Counter::DroppedItems), 872);
}

#[test]
fn handles_of_an_ended_span_do_nothing() {
    let (dispatch, _, spans) = subscriber();
    tracing::dispatcher::with_default(&dispatch, || {
        let span = info_span!("a");
        let own = Arc::new(span.tracehound_span());
        let copy = span.clone();
        drop(span);
        own.set_tag("open", true);
        // Ends early, by the other API.
        own.finish_by_ref();
        copy.in_scope(|| info!("too late"));
        copy.set_tag("late", true);
        drop(copy);
        own.set_tag("late", true);
    });
    let a = &spans.spans()[..];
    assert_eq!(a.len(), 1);
    assert_eq!(texts(&a[0].tags), ["open=true"]);
}

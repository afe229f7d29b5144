//! Spans that finish with a callback, a future, a panic or a drop, whichever comes first.

use std::future::pending;
use std::num::ParseIntError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::scope::FinishOnce;

use super::{active, log_of};
use crate::block_on::block_on;
use crate::support::{fixed_tracer, names, recording_tracer};

fn number(text: &str) -> Result<u8, ParseIntError> {
    text.parse()
}

/// A callback or future that finishes a span, and has a tracer of its own.
type Way = fn(FinishOnce, &JaegerTracer);

#[test]
fn the_first_event_finishes_the_span_once_and_marks_it() {
    const CANCELLED: &[&str] = &["event=cancelled"];
    const PANIC: &[&str] = &["event=panic"];
    let rows: [(&str, Way, &[&str]); 16] = [
        ("dropped", |end, _| drop(end), CANCELLED),
        (
            "finished twice",
            |end, _| {
                end.finish();
                end.clone().finish();
            },
            &[],
        ),
        ("called", |end, _| end.wrap(|| ())(), &[]),
        (
            "called with a value",
            |end, _| {
                assert_eq!(end.wrap_once(|n: u32| n + 1)(2), 3);
            },
            &[],
        ),
        (
            "called with a good result",
            |end, _| {
                assert_eq!(
                    end.wrap_result(|r: Result<u8, ParseIntError>| r)(number("1")),
                    Ok(1)
                );
            },
            &[],
        ),
        (
            "dropped uncalled",
            |end, _| drop(end.wrap(|| ())),
            CANCELLED,
        ),
        (
            "one of a pair",
            |end, _| {
                let (ok, failed) = (
                    end.wrap_once(|()| ()),
                    end.wrap_error(|_: ParseIntError| ()),
                );
                drop(end);
                drop(failed);
                ok(());
            },
            &[],
        ),
        (
            "both of a pair dropped",
            |end, _| {
                let pair = (
                    end.wrap_once(|()| ()),
                    end.wrap_error(|_: ParseIntError| ()),
                );
                drop(end);
                drop(pair);
            },
            CANCELLED,
        ),
        (
            "both of a pair called",
            |end, _| {
                let (one, two) = (end.wrap(|| ()), end.wrap(|| panic!("on purpose")));
                one();
                assert!(catch_unwind(AssertUnwindSafe(two)).is_err());
            },
            &[],
        ),
        (
            "panics",
            |end, _| {
                let callback = end.wrap_once(|()| panic!("on purpose"));
                let caught = catch_unwind(AssertUnwindSafe(|| callback(())));
                assert!(caught.is_err());
            },
            PANIC,
        ),
        (
            "a future",
            |end, _| block_on(end.wrap_future(async {})),
            &[],
        ),
        (
            "a future before a callback",
            |end, _| {
                let callback = end.wrap(|| ());
                assert_eq!(block_on(end.wrap_future(async { 3 })), 3);
                callback();
            },
            &[],
        ),
        (
            "a callback before a future",
            |end, _| {
                let future = end.wrap_future(async { active() });
                end.wrap(|| ())();
                assert_eq!(block_on(future), end.span().context());
            },
            &[],
        ),
        (
            "a dropped future before a callback",
            |end, _| {
                let callback = end.wrap(|| ());
                drop(end.wrap_future(pending::<()>()));
                drop(end);
                callback();
            },
            &[],
        ),
        (
            "a dropped future",
            |end, _| {
                let mut future = Box::pin(end.wrap_future(pending::<()>()));
                drop(end);
                let mut cx = Context::from_waker(Waker::noop());
                assert_eq!(future.as_mut().poll(&mut cx), Poll::Pending);
            },
            CANCELLED,
        ),
        (
            "a future that panics",
            |end, _| {
                let future = end.wrap_future(async { panic!("on purpose") });
                assert!(catch_unwind(AssertUnwindSafe(|| block_on::<()>(future))).is_err());
                drop(end);
            },
            PANIC,
        ),
    ];
    for (name, way, logs) in rows {
        let (tracer, spans) = recording_tracer();
        let span = tracer.start_span("ask");
        // Another owner, which does not keep it open.
        let owner = span.clone();
        way(FinishOnce::new(span), &tracer);
        assert_eq!(names(&spans), ["ask"], "{name}");
        assert!(active_span().is_noop(), "{name}");
        drop(owner);
        let [span] = &spans.spans()[..] else {
            panic!("{name}: one span")
        };
        assert_eq!(log_of(span), logs, "{name}");
        assert_eq!(span.is_error(), logs == PANIC, "{name}");
        let count = tracer.metrics().get(Counter::FinishedTwice);
        assert_eq!(count, 0, "{name}");
    }
}

#[test]
fn an_error_is_logged_before_its_callback_runs() {
    type Fails = fn(FinishOnce);
    let ways: [(&str, Fails); 2] = [
        ("wrap_error", |end| {
            let error = number("x").expect_err("no number");
            end.wrap_error(|error: ParseIntError| error.to_string())(error);
        }),
        ("wrap_result", |end| {
            let result = end.wrap_result(|result: Result<u8, ParseIntError>| result.is_err());
            assert!(result(number("x")));
        }),
    ];
    for (name, way) in ways {
        let (tracer, spans) = recording_tracer();
        way(FinishOnce::new(tracer.start_span("ask")));
        let span = spans.find("ask").expect("finished");
        assert!(span.is_error(), "{name}");
        let message = "message=invalid digit found in string".to_owned();
        assert!(log_of(&span).contains(&message), "{name}");
    }
}

#[test]
fn a_callback_has_its_span_active_and_is_part_of_it() {
    let (tracer, spans, clock) = fixed_tracer();
    let span = tracer.start_span("ask");
    let context = span.context();
    let (on_thread, time) = (tracer.clone(), clock.clone());
    let callback = span.finish_with(move |answer: u32| {
        assert_eq!(active(), context);
        on_thread.start_span("answer").finish();
        time.advance(Duration::from_secs(2));
        answer * 2
    });
    clock.advance(Duration::from_secs(1));
    let answer = thread::spawn(move || callback(21)).join();
    assert_eq!(answer.expect("no panic"), 42);
    assert_eq!(spans.tree(), "ask\n  answer");
    let ask = spans.find("ask").expect("finished");
    assert_eq!(ask.duration, Duration::from_secs(3));
}

#[test]
fn a_callback_that_is_dropped_while_its_thread_panics_is_not_cancelled() {
    let (tracer, spans) = recording_tracer();
    let callback = tracer.start_span("ask").finish_with(|()| ());
    let caught = catch_unwind(AssertUnwindSafe(move || {
        let _callback = callback;
        panic!("on purpose");
    }));
    assert!(caught.is_err());
    assert_eq!(log_of(&spans.spans()[0]), ["event=panic"]);
}

#[test]
fn many_threads_that_finish_one_span_finish_it_once() {
    for _ in 0..50 {
        let (tracer, spans) = recording_tracer();
        let end = FinishOnce::new(tracer.start_span("ask"));
        let start = Barrier::new(4);
        thread::scope(|threads| {
            for _ in 0..4 {
                let callback = end.wrap(|| ());
                threads.spawn(|| {
                    start.wait();
                    callback();
                });
            }
        });
        assert_eq!(names(&spans), ["ask"]);
        assert_eq!(tracer.metrics().get(Counter::FinishedTwice), 0);
    }
}

#[test]
fn an_end_of_the_no_op_span_runs_its_callbacks() {
    let end = FinishOnce::new(Span::noop());
    assert!(end.span().is_noop());
    assert_eq!(end.wrap_once(|n: u32| n)(3), 3);
    assert_eq!(block_on(end.wrap_future(async { 4 })), 4);
    end.finish();
    assert_eq!(Span::noop().finish_with(|n: u32| n)(5), 5);
}

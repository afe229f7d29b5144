//! Work that is left behind and dropped late: while its thread ends, on another thread, after its tracer was closed.

use std::any::Any;
use std::cell::RefCell;
use std::future::{Future, pending};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::scope::{FinishOnce, Traced, capture};

use super::log_of;
use crate::support::{names, recording_tracer};

/// Makes work that has a span `work`, or none, and is not at its end.
type Make = fn(&JaegerTracer) -> Box<dyn Any + Send>;

fn polled<F: Future + Send + 'static>(future: F) -> Box<dyn Any + Send> {
    let mut future = Box::pin(future);
    let poll = future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll.is_pending());
    Box::new(future)
}

/// Starts a span when it is dropped.
struct StartsLate(JaegerTracer);

impl Drop for StartsLate {
    fn drop(&mut self) {
        self.0.start_span("late").finish();
    }
}

const CANCELLED: &[&str] = &["event=cancelled"];

/// Work with the log records that its span has after it is dropped, or `None` if it has no span of its own.
const WORK: &[(&str, Make, Option<&[&str]>)] = &[
    (
        "a future",
        |tracer| {
            let late = StartsLate(tracer.clone());
            let work = async move {
                let _late = late;
                pending::<()>().await;
            };
            polled(work.in_span(tracer.start_span("work")))
        },
        Some(CANCELLED),
    ),
    (
        "a future of a captured child",
        |tracer| {
            let late = StartsLate(tracer.clone());
            let work = capture().child(tracer.clone(), "work");
            polled(work.wrap_future(async move {
                let _late = late;
                pending::<()>().await;
            }))
        },
        Some(CANCELLED),
    ),
    (
        "a closure",
        |tracer| {
            let late = StartsLate(tracer.clone());
            let work = capture().child(tracer.clone(), "work");
            Box::new(work.wrap(move || drop(late)))
        },
        None,
    ),
    (
        "a callback",
        |tracer| {
            let late = StartsLate(tracer.clone());
            let callback = tracer.start_span("work").finish_with(move |()| drop(late));
            Box::new(callback)
        },
        Some(CANCELLED),
    ),
    (
        "a pair of callbacks",
        |tracer| {
            let end = FinishOnce::new(tracer.start_span("work"));
            let late = StartsLate(tracer.clone());
            Box::new((end.wrap(|| ()), end.wrap(move || drop(late))))
        },
        Some(CANCELLED),
    ),
    (
        "a message",
        |tracer| {
            let _request = tracer.start_active_span("work");
            Box::new(Traced::new(StartsLate(tracer.clone())))
        },
        Some(&[]),
    ),
    #[cfg(feature = "stream")]
    (
        "a stream",
        |tracer| {
            use futures_util::StreamExt;
            use tracehound::scope::StreamInSpan;
            let late = StartsLate(tracer.clone());
            let rows = futures_util::stream::pending::<()>().map(move |()| late.0.is_noop());
            let mut rows = Box::pin(rows.stream_in_span(tracer.start_span("work")));
            let poll = rows.poll_next_unpin(&mut Context::from_waker(Waker::noop()));
            assert!(poll.is_pending());
            Box::new(rows)
        },
        Some(CANCELLED),
    ),
];

thread_local! {
    static LEFT: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

#[test]
fn work_that_is_dropped_while_its_thread_ends_ends_its_span_once() {
    for &(name, make, logs) in WORK {
        for is_registered_first in [true, false] {
            let (tracer, spans) = recording_tracer();
            let on_thread = tracer.clone();
            let thread = thread::spawn(move || {
                if is_registered_first {
                    LEFT.set(None);
                }
                let work = make(&on_thread);
                LEFT.set(Some(work));
            });
            thread.join().expect("no panic");
            expect_end(name, &tracer, &spans, logs);
        }
    }
}

#[test]
fn work_that_is_dropped_on_another_thread_ends_its_span_once() {
    for &(name, make, logs) in WORK {
        let (tracer, spans) = recording_tracer();
        let work = make(&tracer);
        thread::spawn(move || drop(work)).join().expect("no panic");
        expect_end(name, &tracer, &spans, logs);
    }
}

fn expect_end(
    name: &str,
    tracer: &JaegerTracer,
    spans: &tracehound::reporter::InMemoryReporter,
    logs: Option<&[&str]>,
) {
    let mut found = names(spans);
    found.sort();
    match logs {
        Some(_) => assert_eq!(found, ["late", "work"], "{name}"),
        None => assert_eq!(found, ["late"], "{name}"),
    }
    if let Some(logs) = logs {
        let work = spans.find("work").expect("found before");
        assert_eq!(log_of(&work), logs, "{name}");
        assert!(!work.is_error(), "{name}");
    }
    assert!(tracer.flush(Duration::from_secs(5)).is_complete(), "{name}");
    assert_eq!(tracer.metrics().get(Counter::FinishedTwice), 0, "{name}");
}

#[test]
fn work_that_is_dropped_after_its_tracer_was_closed_is_lost_and_counted() {
    for &(name, make, _) in WORK {
        let (tracer, spans) = recording_tracer();
        let work = make(&tracer);
        assert!(tracer.close(Duration::from_secs(5)).is_complete(), "{name}");
        let before = names(&spans).len();
        drop(work);
        assert_eq!(names(&spans).len(), before, "{name}");
        let report = tracer.flush(Duration::from_secs(5));
        assert_eq!(
            report.finished,
            report.sent + report.dropped.total(),
            "{name}"
        );
        assert_eq!(tracer.metrics().get(Counter::FinishedTwice), 0, "{name}");
    }
}

//! Tests of the ends of a call: well, with an error, dropped, by a panic, late.

use std::future::{pending, ready};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt;
use tracehound::middleware::Database;
use tracehound::reporter::{InMemoryReporter, OwnedSpan};
use tracehound::scope::active_span;

use super::database;
use crate::middleware::ways::{Way, check, drive, ending, work};
use crate::support::{events, log_field};

/// Polls a future once, without a runtime.
fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Makes a call by a way, in all ways that there are.
fn each_way(act: impl Fn(&Database, bool), check: impl Fn(&OwnedSpan)) {
    for is_whole in [true, false] {
        let (database, spans) = database();
        act(&database, is_whole);
        check(&only(&spans));
    }
}

fn only(spans: &InMemoryReporter) -> OwnedSpan {
    let mut spans = spans.spans();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    spans.remove(0)
}

fn run<T, E: std::fmt::Display + 'static>(
    database: &Database,
    is_whole: bool,
    work: impl Future<Output = Result<T, E>>,
) -> Poll<Result<T, E>> {
    let call = database.statement("SELECT 1");
    if is_whole {
        poll_once(call.run(work))
    } else {
        let running = call.start();
        poll_once(running.run(work))
    }
}

#[test]
fn a_call_that_succeeds_has_its_span_active_and_leaves_no_mark() {
    each_way(
        |database, is_whole| {
            let work = async {
                active_span().set_tag("inside", true);
                Ok::<_, io::Error>(7)
            };
            let Poll::Ready(Ok(7)) = run(database, is_whole, work) else {
                panic!("it is ready");
            };
            assert!(active_span().is_noop());
        },
        |span| {
            assert_eq!(span.tag_text("inside"), "true");
            assert!(
                span.tag("error").is_none() && span.logs.is_empty(),
                "{span:?}"
            );
        },
    );
}

#[test]
pub(in crate::middleware) fn an_error_is_logged_without_the_values_that_it_quotes() {
    let error = || io::Error::other("Duplicate entry 'canary' for key 'canary'");
    let check = |span: &OwnedSpan| {
        assert_eq!(span.tag_text("error"), "true");
        assert_eq!(events(span), ["error"]);
        let message = log_field(span, "error", "message");
        assert_eq!(message.as_deref(), Some("Duplicate entry ?"));
        assert!(!format!("{span:?}").contains("canary"), "{span:?}");
    };
    each_way(
        |database, is_whole| {
            let done = run(database, is_whole, ready(Err::<(), _>(error())));
            assert!(matches!(done, Poll::Ready(Err(_))));
        },
        check,
    );
    each_way(
        |database, is_whole| {
            let call = database.statement("SELECT 1");
            let done = match is_whole {
                true => call.run_blocking(|| Err::<(), _>(error())),
                false => call.start().run_blocking(|| Err::<(), _>(error())),
            };
            assert!(done.is_err());
        },
        check,
    );
}

#[test]
fn a_timeout_of_the_driver_is_told_by_its_kind() {
    let (database, spans) = database();
    let late = io::Error::new(io::ErrorKind::TimedOut, "too late");
    let done = run(&database, true, ready(Err::<(), _>(late)));
    assert!(matches!(done, Poll::Ready(Err(_))));
    let kind = log_field(&only(&spans), "error", "error.kind");
    assert_eq!(kind.as_deref(), Some("timeout"));
}

#[test]
fn a_call_that_is_dropped_before_its_end_was_cancelled() {
    each_way(
        |database, is_whole| {
            let done = run(database, is_whole, pending::<Result<(), io::Error>>());
            assert!(done.is_pending());
        },
        |span| {
            assert_eq!(events(span), ["cancelled"]);
            assert!(span.tag("error").is_none(), "{span:?}");
        },
    );
}

#[test]
fn a_future_that_is_never_polled_was_cancelled_if_its_call_has_started() {
    let (database, spans) = database();
    let running = database.statement("SELECT 1").start();
    drop(running.run(ready(Ok::<_, io::Error>(()))));
    running.finish();
    assert_eq!(events(&only(&spans)), ["cancelled"]);
    // Nothing was sent to the database.
    spans.take();
    drop(
        database
            .statement("SELECT 1")
            .run(ready(Ok::<_, io::Error>(()))),
    );
    assert!(spans.spans().is_empty());
}

#[test]
fn a_panic_marks_the_call_once() {
    let check = |span: &OwnedSpan| {
        assert_eq!(span.tag_text("error"), "true");
        assert_eq!(events(span), ["panic"]);
    };
    each_way(
        |database, is_whole| {
            let work = async {
                assert!(active_span().is_noop(), "planned");
                Ok::<_, io::Error>(())
            };
            let caught = catch_unwind(AssertUnwindSafe(|| run(database, is_whole, work)));
            assert!(caught.is_err());
        },
        check,
    );
    each_way(
        |database, is_whole| {
            let work = || -> Result<(), io::Error> { panic!("planned") };
            let call = database.statement("SELECT 1");
            let caught = catch_unwind(AssertUnwindSafe(|| match is_whole {
                true => call.run_blocking(work),
                false => call.start().run_blocking(work),
            }));
            assert!(caught.is_err());
        },
        check,
    );
}

#[test]
fn a_call_of_two_steps_is_one_span() {
    let (database, spans) = database();
    let running = database.operation("load_user").start();
    for _ in 0..2 {
        let done = poll_once(running.run(ready(Ok::<_, io::Error>(()))));
        assert!(done.is_ready());
    }
    assert!(spans.spans().is_empty());
    running.finish();
    assert!(only(&spans).logs.is_empty());
}

#[test]
pub(in crate::middleware) fn a_call_ends_in_each_way() {
    let rows = [
        (Way::Done, "client"),
        (Way::Error, "client error=true error"),
        (Way::Cancel, "client cancelled"),
        (Way::Drop, "client cancelled"),
        (Way::Panic, "client error=true panic"),
        (Way::Timeout, "client error=true timeout"),
    ];
    check(rows, |way, tracer| {
        let call = Database::new(tracer.clone(), "mysql")
            .statement("SELECT 1")
            .start();
        let _ = drive(way, call.run(work(way)));
    });
    // A blocking call cannot be given up.
    let rows = [
        (Way::Done, "client"),
        (Way::Error, "client error=true error"),
        (Way::Drop, "client"),
        (Way::Panic, "client error=true panic"),
        (Way::Timeout, "client error=true timeout"),
    ];
    check(rows, |way, tracer| {
        let call = Database::new(tracer.clone(), "mysql")
            .statement("SELECT 1")
            .start();
        if way != Way::Drop {
            // A panic takes the span along.
            let run = move || call.run_blocking(|| work(way).now_or_never().expect("no wait"));
            let _ = ending(way, run);
        }
    });
}

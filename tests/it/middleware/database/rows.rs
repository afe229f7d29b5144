//! Streams of rows, with which a span ends.

use std::future::ready;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use tracehound::middleware::Database;
use tracehound::reporter::OwnedSpan;
use tracehound::scope::active_span;

use super::database;
use crate::middleware::ways::{Way, check, drive, work};
use crate::support::events;

type Row = Result<u8, io::Error>;

fn next<S: Stream<Item = Row> + Unpin>(rows: &mut S) -> Poll<Option<Row>> {
    rows.poll_next_unpin(&mut Context::from_waker(Waker::noop()))
}

/// Reads `count` rows of a stream with a call, drops it, and returns the span.
fn read(rows: impl Stream<Item = Row>, count: usize) -> OwnedSpan {
    let (database, spans) = database();
    {
        let call = database.statement("SELECT 1").start();
        let mut rows = pin!(call.rows(rows));
        for _ in 0..count {
            assert!(next(&mut rows).is_ready());
        }
        let finished = spans.spans().len();
        assert!(finished <= 1);
    }
    let mut spans = spans.spans();
    assert_eq!(spans.len(), 1, "{spans:?}");
    spans.remove(0)
}

fn two() -> impl Stream<Item = Row> {
    stream::iter([Ok(1), Ok(2)])
}

#[test]
fn rows_are_counted_however_the_stream_ends() {
    let failing = stream::iter([Ok(1), Err(io::Error::other("'canary'")), Ok(2)]);
    let endless = stream::repeat_with(|| Ok(1));
    let pending = stream::pending();
    for (span, rows, logged) in [
        (read(two(), 3), "2", &[][..]),
        // The end was not read.
        (read(two(), 2), "2", &["rows_dropped"]),
        (read(stream::empty(), 1), "0", &[]),
        (read(failing, 4), "2", &["error"]),
        (read(endless, 5), "5", &["rows_dropped"]),
        (read(pending, 0), "0", &["rows_dropped"]),
    ] {
        assert_eq!(span.tag_text("db.rows_returned"), rows, "{span:?}");
        assert_eq!(events(&span), logged, "{span:?}");
        let is_error = logged == ["error"];
        assert_eq!(span.tag("error").is_some(), is_error, "{span:?}");
        assert!(!format!("{span:?}").contains("canary"));
    }
}

#[test]
fn the_span_is_active_in_each_poll_and_ends_with_the_last_row() {
    let (database, spans) = database();
    let mut rows = pin!(
        database
            .statement("SELECT 1")
            .start()
            .rows(two().map(|row| row.inspect(|_| {
                active_span().log_event("row");
            })))
    );
    assert!(next(&mut rows).is_ready() && next(&mut rows).is_ready());
    assert!(active_span().is_noop());
    assert!(spans.spans().is_empty());
    assert!(matches!(next(&mut rows), Poll::Ready(None)));
    assert_eq!(spans.spans().len(), 1);
    // A stream may be polled after its end.
    assert!(matches!(next(&mut rows), Poll::Ready(None)));
    assert_eq!(events(&spans.spans()[0]), ["row", "row"]);
}

#[test]
fn a_panic_ends_the_span_at_once() {
    let (database, spans) = database();
    let call = database.statement("SELECT 1").start();
    let panicking = stream::poll_fn(|_| -> Poll<Option<Row>> { panic!("planned") });
    let mut rows = pin!(call.rows(panicking));
    let caught = catch_unwind(AssertUnwindSafe(|| next(&mut rows)));
    assert!(caught.is_err());
    assert_eq!(spans.spans().len(), 1, "the stream still lives");
    assert_eq!(events(&spans.spans()[0]), ["panic"]);
}

#[test]
pub(in crate::middleware) fn a_stream_of_rows_ends_in_each_way() {
    let rows = [
        (Way::Done, "client"),
        (Way::Error, "client error=true error"),
        (Way::Cancel, "client rows_dropped"),
        (Way::Drop, "client rows_dropped"),
        (Way::Panic, "client error=true panic"),
        (Way::Timeout, "client error=true timeout"),
    ];
    check(rows, |way, tracer| {
        let call = Database::new(tracer.clone(), "mysql")
            .statement("SELECT 1")
            .start();
        let rows = stream::once(ready(Ok(1))).chain(stream::once(work(way)).map_ok(|()| 2));
        let rows = call.rows(rows).collect::<Vec<_>>();
        drive(way, rows);
    });
}

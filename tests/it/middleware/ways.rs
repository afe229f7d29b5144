//! The six ways in which work ends, and a table of what the spans of an adapter then show.

#[cfg(feature = "tokio")]
pub(super) mod stream;

use std::future::pending;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;
use tracehound::JaegerTracer;
use tracehound::metrics::Counter;
use tracehound::reporter::OwnedSpan;
use tracehound::scope::active_span;

use crate::support::{events, log_field, recording_tracer, until};

/// A way in which work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// It succeeds.
    Done,
    /// It fails.
    Error,
    /// It is given up while it runs.
    Cancel,
    /// It is dropped before it runs, or what it returns is dropped unread.
    Drop,
    /// It panics.
    Panic,
    /// It fails because its time is over.
    Timeout,
}

use Way::{Cancel, Done, Drop, Error, Panic, Timeout};

/// Work that ends at once in a way, unless it waits to be given up.
pub(super) async fn work(way: Way) -> io::Result<()> {
    match way {
        Done | Drop => Ok(()),
        Error => Err(io::Error::other("planned")),
        Timeout => Err(io::ErrorKind::TimedOut.into()),
        Cancel => pending().await,
        Panic => panic!("planned"),
    }
}

/// Polls a future that ends at once, or that is given up, and drops it. Returns its output, if there is one.
pub(super) fn drive<F: Future>(way: Way, future: F) -> Option<F::Output> {
    if way == Drop {
        drop(future);
        return None;
    }
    let polled = ending(way, || future.now_or_never());
    let output = polled.flatten();
    assert_eq!(output.is_some(), !matches!(way, Cancel | Panic), "{way:?}");
    output
}

/// Runs what panics if the way says so. Returns nothing then.
pub(super) fn ending<T>(way: Way, run: impl FnOnce() -> T) -> Option<T> {
    let ran = catch_unwind(AssertUnwindSafe(run));
    assert_eq!(ran.is_err(), way == Panic, "{way:?}");
    ran.ok()
}

/// Lets an adapter end in each way of a table. Its spans must then look as the row says, and none may stay open.
///
/// A row has the spans in the order of their kinds, each with its error and its events: `client error=true panic`. The
/// event of an error that is a timeout is written `timeout`. A session of a WebSocket has no kind, and shows its ending
/// in place of events.
pub(super) fn check<const N: usize>(
    rows: [(Way, &str); N],
    mut act: impl FnMut(Way, &JaegerTracer),
) {
    assert!(rows.is_sorted_by(|one, next| one.0 < next.0), "{rows:?}");
    for (way, expected) in rows {
        let (tracer, spans) = recording_tracer();
        act(way, &tracer);
        let count = |counter| tracer.metrics().get(counter);
        until("the spans to end", || {
            count(Counter::FinishedSpansSampled) == count(Counter::StartedSpansSampled)
        });
        let mut shown: Vec<_> = spans.take().iter().map(shown).collect();
        shown.sort();
        assert_eq!(shown.join("; "), expected, "{way:?}");
        assert_eq!(count(Counter::FinishedTwice), 0, "{way:?}");
        assert!(active_span().is_noop(), "{way:?}");
    }
}

/// Returns the kind of a span and how it ended.
fn shown(span: &OwnedSpan) -> String {
    let text = |key: &str| Some(span.tag_text(key).into_owned()).filter(|text| !text.is_empty());
    let error = text("error").map(|error| format!("error={error}"));
    let head = text("span.kind").into_iter().chain(error);
    let ends = match text("session.ending") {
        Some(ending) => vec![ending],
        None => events(span),
    };
    let is_late = log_field(span, "error", "error.kind").as_deref() == Some("timeout");
    let ends = ends.into_iter().map(|end| match &*end {
        "error" if is_late => "timeout".to_owned(),
        _ => end,
    });
    head.chain(ends).collect::<Vec<_>>().join(" ")
}

use std::fmt::{self, Display};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use futures_core::Stream;
use pin_project::{pin_project, pinned_drop};

use crate::middleware::database::DatabaseSpan;

impl DatabaseSpan {
    /// Returns a stream of rows with which the span finishes. The span is active in every poll.
    ///
    /// The rows are counted (`db.rows_returned`), and an error marks the span. A stream that is dropped before its end
    /// leaves a log record `event=rows_dropped`, which is no error: often the first rows are all that is wanted.
    ///
    /// ```
    /// use futures_util::{StreamExt, stream};
    /// use tracehound::middleware::Database;
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let spans = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .build()?;
    /// let users = Database::new(tracer, "mysql");
    /// let rows = stream::iter([Ok::<_, std::io::Error>("Ada"), Ok("Alan")]);
    /// let call = users.statement("SELECT name FROM users").start();
    /// let names: Vec<_> = call.rows(rows).collect().await;
    /// assert_eq!(spans.spans()[0].tag_text("db.rows_returned"), "2");
    /// # Ok::<(), tracehound::tracer::BuildError>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rows<S, T, E>(self, rows: S) -> TracedRows<S>
    where
        S: Stream<Item = Result<T, E>>,
        E: Display + 'static,
    {
        TracedRows::new(self, rows, true)
    }

    /// Like `rows`, but what comes is not counted.
    #[cfg(feature = "sqlx")]
    pub(super) fn results<S>(self, results: S) -> TracedRows<S> {
        TracedRows::new(self, results, false)
    }
}

/// A stream of rows that ends the span of its call. [`DatabaseSpan::rows`] makes it.
///
/// ```
/// use futures_util::stream::{self, BoxStream, StreamExt};
/// use tracehound::NoopTracer;
/// use tracehound::middleware::{Database, TracedRows};
///
/// /// A driver's stream of rows.
/// type Rows = BoxStream<'static, Result<&'static str, std::io::Error>>;
///
/// /// An answer that still has to be read.
/// struct Answer {
///     rows: TracedRows<Rows>,
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let users = Database::new(NoopTracer, "mysql");
/// let rows: Rows = stream::iter([Ok("Ada")]).boxed();
/// let mut answer = Answer { rows: users.statement("SELECT name FROM users").start().rows(rows) };
/// assert!(matches!(answer.rows.next().await, Some(Ok("Ada"))));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[pin_project(PinnedDrop)]
#[must_use = "a stream does nothing unless it is polled"]
pub struct TracedRows<S> {
    #[pin]
    inner: Option<S>,
    /// `None` after the end.
    call: Option<DatabaseSpan>,
    rows: usize,
    /// Whether the items are rows, and not results of statements.
    counts_rows: bool,
}

impl<S> TracedRows<S> {
    fn new(call: DatabaseSpan, rows: S, counts_rows: bool) -> Self {
        Self {
            inner: Some(rows),
            call: Some(call),
            rows: 0,
            counts_rows,
        }
    }
}

impl<S, T, E> Stream for TracedRows<S>
where
    S: Stream<Item = Result<T, E>>,
    E: Display + 'static,
{
    type Item = Result<T, E>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        let poll = {
            // A panic ends the span at once, because the code that catches it may keep the stream.
            let mut guard = EndsOnPanic(this.call, true);
            let scope = guard.0.as_ref().map(|call| call.span().activate_lent());
            let poll = match this.inner.as_mut().as_pin_mut() {
                Some(inner) => inner.poll_next(cx),
                None => Poll::Ready(None),
            };
            drop(scope);
            guard.1 = false;
            poll
        };
        match &poll {
            Poll::Ready(Some(Ok(_))) => *this.rows += 1,
            Poll::Ready(Some(Err(error))) => {
                if let Some(call) = this.call {
                    call.fail(error);
                }
            }
            Poll::Ready(None) => {
                this.inner.set(None);
                finish(this.call, this.counts_rows.then_some(*this.rows));
            }
            Poll::Pending => {}
        }
        poll
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.inner {
            Some(inner) => inner.size_hint(),
            None => (0, Some(0)),
        }
    }
}

#[pinned_drop]
impl<S> PinnedDrop for TracedRows<S> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if let Some(call) = this.call
            && !thread::panicking()
        {
            call.span().log_event("rows_dropped");
        }
        let scope = this.call.as_ref().map(|call| call.span().activate_lent());
        this.inner.set(None);
        drop(scope);
        finish(this.call, this.counts_rows.then_some(*this.rows));
    }
}

fn finish(call: &mut Option<DatabaseSpan>, rows: Option<usize>) {
    if let Some(call) = call.take() {
        if let Some(rows) = rows {
            call.rows_returned(rows);
        }
        // Dropped, so that a panic on this thread marks it.
        drop(call);
    }
}

impl<S> fmt::Debug for TracedRows<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracedRows")
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

/// Drops the call, which marks its span, if a panic drops this guard.
struct EndsOnPanic<'a>(&'a mut Option<DatabaseSpan>, bool);

impl Drop for EndsOnPanic<'_> {
    fn drop(&mut self) {
        if self.1 {
            *self.0 = None;
        }
    }
}

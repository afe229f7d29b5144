use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::{pin_project, pinned_drop};

use crate::scope::capture;
use crate::scope::work::Work;
use crate::span::Span;

/// Keeps a span active while a future runs, on whichever thread it is polled.
///
/// The names differ from those of `tracing::Instrument`, so that both traits can be in scope.
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
/// use tracehound::scope::active_span;
/// use tracehound::JaegerTracer;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let work = async {
///     active_span().set_tag("step", 1);
/// };
/// work.in_span(tracer.start_span("checkout")).await;
/// assert_eq!(spans.spans()[0].tag_text("step"), "1");
/// # Ok::<(), tracehound::tracer::BuildError>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Only futures have these methods:
///
/// ```compile_fail,E0599
/// use tracehound::prelude::*;
///
/// let _ = 5.in_active_span();
/// ```
pub trait InSpan: Future + Sized {
    /// Makes `span` active in every poll and while the future is dropped. The future owns the span as `span` did: if it
    /// is the last owner, the span finishes with the future.
    ///
    /// The span tells how the future ended. A panic marks it (`error=true` and a log record `event=panic`), and the
    /// future releases it at once. A future that is dropped before its end (`select!`, a timeout, an aborted task)
    /// leaves a log record `event=cancelled`.
    fn in_span(self, span: Span) -> Instrumented<Self> {
        Instrumented::new(self, Work::Has(span))
    }

    /// Captures the span that is active on this thread now and makes it active in every poll, without owning it. Use it
    /// for a future that is spawned: it keeps no request open, and how it ends leaves no mark on the span. If nothing
    /// is active now, nothing is active in the polls.
    ///
    /// [`Captured::wrap_future`](crate::scope::Captured::wrap_future) does so with what was captured elsewhere.
    ///
    /// ```
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
    /// let order = tracer.start_active_span("order");
    /// let child = tracer.clone();
    /// let mail = tokio::spawn(async move { child.start_span("mail").finish() }.in_active_span());
    /// order.finish();
    /// mail.await?;
    /// assert_eq!(spans.tree(), "order\n  mail");
    /// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn in_active_span(self) -> Instrumented<Self> {
        Instrumented::new(self, Work::Carries(capture()))
    }
}

impl<T: Future> InSpan for T {}

/// A future in whose polls a span is active. [`InSpan`] makes it, and [`Captured::wrap_future`].
///
/// [`Captured::wrap_future`]: crate::scope::Captured::wrap_future
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::reporter::NullReporter;
/// use tracehound::scope::Instrumented;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// let span = tracer.start_span("checkout");
/// let context = span.context();
/// let work: Instrumented<_> = async { active_span().context() }.in_span(span);
/// assert_eq!(work.span().context(), context);
/// assert_eq!(work.await, context);
/// # Ok::<(), tracehound::tracer::BuildError>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[pin_project(PinnedDrop)]
#[must_use = "a future does nothing unless it is polled"]
pub struct Instrumented<T> {
    #[pin]
    inner: Option<T>,
    work: Work,
}

impl<T> Instrumented<T> {
    pub(super) fn new(inner: T, work: Work) -> Self {
        Self {
            inner: Some(inner),
            work,
        }
    }

    /// Returns a handle to the span that does not own it. After the future's end, or if there is no span, the no-op
    /// span.
    pub fn span(&self) -> Span {
        self.work.span()
    }

    /// Wraps the future, which is not pinned yet.
    pub(super) fn wrap<W>(mut self, wrap: impl FnOnce(T, &Work) -> W) -> Instrumented<W> {
        let work = mem::replace(&mut self.work, Work::Over);
        Instrumented {
            inner: self.inner.take().map(|inner| wrap(inner, &work)),
            work,
        }
    }

    /// Wraps a future that has no span: each poll leaves what is active as it is.
    #[cfg(feature = "macros")]
    pub(crate) fn bare(inner: T) -> Self {
        Self::new(inner, Work::Over)
    }

    /// Leaves no mark on the span: its owner tells how the work ends.
    #[cfg(feature = "tungstenite")]
    pub(crate) fn unmarked(inner: T, span: &Span) -> Self {
        Self::new(inner, Work::Borrows(span.downgrade()))
    }
}

impl<T: Future> Future for Instrumented<T> {
    type Output = T::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T::Output> {
        let mut this = self.project();
        if this.inner.is_none() {
            // A poll after the end. A future may answer it in any way but undefined behaviour.
            return Poll::Pending;
        }
        let poll = this.work.run(|| {
            let poll = match this.inner.as_mut().as_pin_mut() {
                Some(inner) => inner.poll(cx),
                None => Poll::Pending,
            };
            if poll.is_ready() {
                this.inner.set(None);
            }
            poll
        });
        if poll.is_ready() {
            this.work.end();
        }
        poll
    }
}

#[pinned_drop]
impl<T> PinnedDrop for Instrumented<T> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if this.inner.is_some() {
            this.work.cancel(|| this.inner.set(None));
        }
    }
}

impl<T> fmt::Debug for Instrumented<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instrumented")
            .field("span", &self.span())
            .finish_non_exhaustive()
    }
}

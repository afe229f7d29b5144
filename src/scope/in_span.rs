use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use pin_project::{pin_project, pinned_drop};

use crate::scope::{Active, Scope, active_parent};
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
    /// Makes `span` active in every poll and while the future is dropped. The future owns the handle: if that is
    /// the last owner, the span finishes with the future.
    ///
    /// The span tells how the future ended. A panic marks it (`error=true` and a log record `event=panic`), and the
    /// future lets go of it at once. A future that is dropped before its end (`select!`, a timeout, an aborted task)
    /// leaves a log record `event=cancelled`.
    fn in_span(self, span: Span) -> Instrumented<Self> {
        Instrumented {
            inner: Some(self),
            active: Some(Active::Span(span)),
            is_told: true,
        }
    }

    /// Makes what is active here and now active in every poll, without owning it: for a future that is spawned. How the
    /// future ends leaves no mark on the span.
    fn in_active_span(self) -> Instrumented<Self> {
        Instrumented {
            inner: Some(self),
            active: active_parent(),
            is_told: false,
        }
    }
}

impl<T: Future> InSpan for T {}

/// A future with a span; made by [`InSpan`].
#[pin_project(PinnedDrop)]
#[must_use = "a future does nothing unless it is polled"]
pub struct Instrumented<T> {
    #[pin]
    inner: Option<T>,
    active: Option<Active>,
    /// Whether the span is told of a panic and of a drop before the end.
    is_told: bool,
}

impl<T> Instrumented<T> {
    /// The span; no-op where there is none, or where the future is done.
    pub fn span(&self) -> Span {
        match &self.active {
            Some(Active::Span(span)) => span.downgrade(),
            _ => Span::noop(),
        }
    }

    /// For a span whose owner tells by itself how the work ends.
    #[cfg(feature = "reqwest")]
    pub(crate) fn untold(inner: T, span: &Span) -> Self {
        Self {
            inner: Some(inner),
            active: Some(Active::Span(span.downgrade())),
            is_told: false,
        }
    }
}

impl<T: Future> Future for Instrumented<T> {
    type Output = T::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T::Output> {
        let mut this = self.project();
        if this.inner.is_none() {
            // Polled after the end, which a future may answer as it likes.
            return Poll::Pending;
        }
        let mut guard = TellsPanic {
            active: this.active,
            is_told: this.is_told,
            is_armed: true,
        };
        let scope = guard.active.as_ref().map(activate);
        let poll = match this.inner.as_mut().as_pin_mut() {
            Some(inner) => inner.poll(cx),
            None => Poll::Pending,
        };
        if poll.is_ready() {
            this.inner.set(None);
        }
        drop(scope);
        guard.is_armed = false;
        drop(guard);
        if poll.is_ready() {
            *this.active = None;
        }
        poll
    }
}

#[pinned_drop]
impl<T> PinnedDrop for Instrumented<T> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if this.inner.is_some() {
            if let (true, Some(Active::Span(span))) = (*this.is_told, &*this.active)
                // A span that ends because its thread panics says so itself.
                && !thread::panicking()
            {
                // First, because the future may own the span.
                span.log_event("cancelled");
            }
            let _scope = this.active.as_ref().map(activate);
            this.inner.set(None);
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

/// Tells the span of a poll that panics, and lets go of it, because whoever catches the panic may keep the future.
struct TellsPanic<'a> {
    active: &'a mut Option<Active>,
    is_told: &'a mut bool,
    is_armed: bool,
}

impl Drop for TellsPanic<'_> {
    fn drop(&mut self) {
        if self.is_armed && std::mem::take(self.is_told) {
            tell_panic(self.active);
        }
    }
}

#[cold]
fn tell_panic(active: &mut Option<Active>) {
    if let Some(Active::Span(span)) = active {
        span.mark_panic();
        // What is left of the future still has it active when it is dropped.
        *span = span.downgrade();
    }
}

fn activate(active: &Active) -> Scope {
    Scope::new(active.lent())
}

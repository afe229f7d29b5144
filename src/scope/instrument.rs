use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::{pin_project, pinned_drop};

use crate::scope::{Active, Scope, active_parent};
use crate::span::Span;

/// Keeps a span active while a future runs, on whichever thread it is polled.
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
/// use tracehound::scope::with_active_span;
/// use tracehound::JaegerTracer;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let work = async {
///     with_active_span(|span| {
///         span.set_tag("step", 1);
///     });
/// };
/// work.instrument(tracer.start_span("checkout")).await;
/// assert_eq!(spans.spans()[0].tag_text("step"), "1");
/// # Ok::<(), tracehound::tracer::BuildError>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Instrument: Sized {
    /// Makes `span` active in every poll and while the future is dropped. The future owns the handle: if that is
    /// the last owner, the span finishes with the future.
    fn instrument(self, span: Span) -> Instrumented<Self> {
        Instrumented {
            inner: Some(self),
            active: Some(Active::Span(span)),
        }
    }

    /// The same with the span that is active now, and without owning it: for a future that is spawned.
    fn in_active_span(self) -> Instrumented<Self> {
        Instrumented {
            inner: Some(self),
            active: active_parent(),
        }
    }
}

impl<T: Sized> Instrument for T {}

/// A future with a span; made by [`Instrument`].
#[pin_project(PinnedDrop)]
#[must_use = "a future does nothing unless it is polled"]
pub struct Instrumented<T> {
    #[pin]
    inner: Option<T>,
    active: Option<Active>,
}

impl<T> Instrumented<T> {
    /// The span; no-op where there is none, or where the future is done.
    pub fn span(&self) -> Span {
        match &self.active {
            Some(Active::Span(span)) => span.handle(),
            _ => Span::noop(),
        }
    }
}

impl<T: Future> Future for Instrumented<T> {
    type Output = T::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T::Output> {
        let mut this = self.project();
        let scope = this.active.as_ref().map(activate);
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            // Polled after the end, which a future may answer as it likes.
            return Poll::Pending;
        };
        let poll = inner.poll(cx);
        if poll.is_ready() {
            this.inner.set(None);
            drop(scope);
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

fn activate(active: &Active) -> Scope {
    Scope::new(match active {
        Active::Span(span) => Active::Span(span.handle()),
        Active::Context(context) => Active::Context(context.clone()),
    })
}

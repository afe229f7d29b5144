use std::future::Future;
use std::marker::PhantomData;

use crate::record::catch;
use crate::scope::{ActiveSpan, InSpan, Instrumented};
use crate::span::Span;
use crate::traced::{Ignored, LogDebug, LogDisplay, LogError, Noted, Outcome, Place};
use crate::tracer::{TracerExt, tracer};

/// Starts the span of a call with the global tracer, if the place is on.
#[inline]
#[track_caller]
pub fn start(place: &'static Place) -> Call {
    // Not by `start_with`, because the span would seem to start in the closure and not at the caller.
    Call {
        span: match place.is_enabled() {
            true => tracer().start_span(place.name()),
            false => Span::noop(),
        },
        outcome: PhantomData,
    }
}

/// Starts the span of a call by `make`, which gets the operation name, if the place is on.
#[inline]
pub fn start_with(place: &'static Place, make: impl FnOnce(&'static str) -> Span) -> Call {
    Call {
        span: match place.is_enabled() {
            true => make(place.name()),
            false => Span::noop(),
        },
        outcome: PhantomData,
    }
}

/// A call of a traced function whose body has not begun.
#[derive(Debug)]
#[must_use = "the span finishes when this is dropped"]
pub struct Call<O = Ignored> {
    /// The no-op span if the place or the tracer is off.
    span: Span,
    outcome: PhantomData<fn() -> O>,
}

impl Call {
    /// Sets tags, if someone reads them. A panic in `set` is caught and counted, as that of a lazy tag is.
    #[inline]
    pub fn tags(self, set: impl FnOnce(&Span)) -> Self {
        if let Some(slot) = self.span.slot()
            && (slot.is_recording() || slot.is_observed())
        {
            let _ = catch(slot, || set(&self.span));
        }
        self
    }

    /// Logs an error of the body as [`Span::log_error`] does.
    #[inline]
    pub fn log_error<const FORM: u8>(self) -> Call<LogError<FORM>> {
        self.with_outcome()
    }

    /// Logs an error of the body by its `Debug` form.
    #[inline]
    pub fn log_debug(self) -> Call<LogDebug> {
        self.with_outcome()
    }

    /// Logs an error of the body by its `Display` form.
    #[inline]
    pub fn log_display(self) -> Call<LogDisplay> {
        self.with_outcome()
    }

    /// Makes the span active until the guard is dropped, which finishes the span.
    #[inline]
    pub fn enter(self) -> Entered {
        Entered {
            active: match self.span.is_noop() {
                // No span is pushed: the spans of other tracers and places keep their parent.
                true => None,
                false => Some(ActiveSpan::new(self.span)),
            },
        }
    }

    fn with_outcome<O>(self) -> Call<O> {
        Call {
            span: self.span,
            outcome: PhantomData,
        }
    }
}

impl<O> Call<O> {
    /// Runs the body with the span active and notes what it returns.
    #[inline]
    pub fn run<T>(self, body: impl FnOnce() -> T) -> T
    where
        O: Outcome<T>,
    {
        if self.span.is_noop() {
            return body();
        }
        let span = ActiveSpan::new(self.span);
        let value = body();
        O::note(&span, &value);
        value
    }

    /// Wraps the body of an `async fn`: the span is active in every poll.
    #[inline]
    pub fn future<F: Future>(self, body: F) -> Instrumented<Noted<F, O>>
    where
        O: Outcome<F::Output>,
    {
        let body = Noted::new(body, &self.span);
        match self.span.is_noop() {
            true => Instrumented::bare(body),
            false => body.in_span(self.span),
        }
    }

    /// Runs the body of a function that returns a future with the span active, and wraps that future.
    #[inline]
    pub fn returned<F: Future>(self, body: impl FnOnce() -> F) -> Instrumented<Noted<F, O>>
    where
        O: Outcome<F::Output>,
    {
        if self.span.is_noop() {
            return self.future(body());
        }
        let body = self.span.in_scope(body);
        self.future(body)
    }

    /// Like [`returned`](Self::returned), for a boxed future. `wrap` puts the wrapped future into a box of the same
    /// type. While the place is off, the box is returned as it is.
    #[inline]
    pub fn boxed<F: Future>(
        self,
        body: impl FnOnce() -> F,
        wrap: impl FnOnce(Instrumented<Noted<F, O>>) -> F,
    ) -> F
    where
        O: Outcome<F::Output>,
    {
        match self.span.is_noop() {
            true => body(),
            false => wrap(self.returned(body)),
        }
    }
}

/// A guard that keeps the span of a call active and finishes it.
#[derive(Debug)]
#[must_use = "the span finishes when this is dropped"]
pub struct Entered {
    #[expect(dead_code, reason = "held until the end of the body")]
    active: Option<ActiveSpan>,
}

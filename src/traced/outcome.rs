use std::fmt::{Debug, Display};
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;

use crate::span::{ErrorLike, Span};
use crate::traced::error_text::{DebugText, DisplayText};

/// A use of the value that the body returns: none, or to log its error.
pub trait Outcome<T> {
    /// Whether [`note`](Self::note) does anything.
    const LOOKS: bool = true;

    /// Notes the value on the span.
    fn note(span: &Span, value: &T);
}

/// A `Result`. A trait, so that the compiler can say in words which functions cannot have the option `err`.
#[diagnostic::on_unimplemented(
    message = "`err` needs a function that returns a `Result`, and this one returns `{Self}`",
    label = "not a `Result`"
)]
pub trait Fallible {
    /// The type of the error.
    type Error;

    /// Returns the error, if there is one.
    fn error(&self) -> Option<&Self::Error>;
}

impl<T, E> Fallible for Result<T, E> {
    type Error = E;

    fn error(&self) -> Option<&E> {
        self.as_ref().err()
    }
}

/// Does nothing with the value.
#[derive(Debug)]
pub struct Ignored;

impl<T> Outcome<T> for Ignored {
    const LOOKS: bool = false;

    #[inline(always)]
    fn note(_: &Span, _: &T) {}
}

/// Logs an error as [`Span::log_error`] does.
#[derive(Debug)]
pub struct LogError<const FORM: u8>;

impl<R, const FORM: u8> Outcome<R> for LogError<FORM>
where
    R: Fallible<Error: ErrorLike<FORM>>,
{
    fn note(span: &Span, value: &R) {
        if let Some(error) = value.error() {
            span.log_error(error);
        }
    }
}

/// Logs an error by its `Debug` form.
#[derive(Debug)]
pub struct LogDebug;

impl<R: Fallible<Error: Debug>> Outcome<R> for LogDebug {
    fn note(span: &Span, value: &R) {
        if let Some(error) = value.error() {
            span.log_error(&DebugText(error));
        }
    }
}

/// Logs an error by its `Display` form.
#[derive(Debug)]
pub struct LogDisplay;

impl<R: Fallible<Error: Display>> Outcome<R> for LogDisplay {
    fn note(span: &Span, value: &R) {
        if let Some(error) = value.error() {
            span.log_error(&DisplayText(error));
        }
    }
}

/// A future whose value is noted on the span.
#[pin_project]
#[derive(Debug)]
#[must_use = "a future does nothing unless it is polled"]
pub struct Noted<F, O> {
    #[pin]
    inner: F,
    /// Does not own the span. The no-op span if nothing will be noted.
    span: Span,
    outcome: PhantomData<fn() -> O>,
}

impl<F, O> Noted<F, O>
where
    F: Future,
    O: Outcome<F::Output>,
{
    pub(super) fn new(inner: F, span: &Span) -> Self {
        Self {
            inner,
            span: match O::LOOKS {
                true => span.downgrade(),
                false => Span::noop(),
            },
            outcome: PhantomData,
        }
    }
}

impl<F, O> Future for Noted<F, O>
where
    F: Future,
    O: Outcome<F::Output>,
{
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let poll = this.inner.poll(cx);
        if let Poll::Ready(value) = &poll {
            O::note(this.span, value);
        }
        poll
    }
}

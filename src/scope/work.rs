//! Work that runs in steps, such as the polls of a future, and what is active in each step.

use std::fmt;
use std::mem;
use std::thread;

use crate::scope::{Captured, FinishOnce, Scope};
use crate::span::Span;

/// A piece of work: the span or context that is active in it, and whether it leaves marks on the span.
pub(super) enum Work {
    /// Carries what was captured, which others finish and mark, or starts a child with the first step.
    Carries(Captured),
    /// The work has a span. The first panic, or a cancellation, leaves a mark on it.
    Has(Span),
    /// The work has a span and leaves no mark on it.
    Borrows(Span),
    /// Finishes a span at its end, or by a panic, unless that has happened elsewhere.
    Finishes(FinishOnce),
    /// The work has ended, or never had a span: nothing is activated.
    Over,
}

impl Work {
    /// Runs a step. If it panics, the span is marked and released, because the code that catches the panic may keep
    /// what is left of the work.
    pub(super) fn run<R>(&mut self, step: impl FnOnce() -> R) -> R {
        self.run_with(|_| step())
    }

    /// Runs a step that gets the work, as it is after a child has started.
    pub(super) fn run_with<R>(&mut self, step: impl FnOnce(&Self) -> R) -> R {
        self.begin();
        let guard = MarksPanic { work: self };
        let scope = guard.work.activate();
        let result = step(guard.work);
        drop(scope);
        mem::forget(guard);
        result
    }

    /// Starts the child, if this is work that starts one.
    fn begin(&mut self) {
        if let Self::Carries(captured) = self
            && let Some(child) = captured.take_child()
        {
            *self = Self::Has(child);
        }
    }

    /// Drops what is left of work that has not come to its end. The span logs `cancelled` before.
    pub(super) fn cancel(&mut self, drop_rest: impl FnOnce()) {
        // A span that ends because its thread panics is marked when it ends.
        if let Some(span) = self.own_span()
            && !thread::panicking()
        {
            // Before the rest is dropped, because it may own the span.
            span.log_event("cancelled");
        }
        self.drop_rest(drop_rest);
    }

    /// Drops what is left of the work, with the span still active.
    pub(super) fn drop_rest(&mut self, drop_rest: impl FnOnce()) {
        let _scope = self.activate();
        drop_rest();
    }

    /// Gives up the span, which stays active in what is left of the work. If this work was the last to own it, the span
    /// finishes.
    pub(super) fn release(&mut self) {
        if let Self::Has(span) = self {
            *self = Self::Borrows(span.downgrade());
        }
    }

    /// Gives up what is active. A span that this work was the last to own finishes.
    pub(super) fn end(&mut self) {
        if let Self::Finishes(end) = self {
            end.finish();
        }
        *self = Self::Over;
    }

    /// Returns the span that this work has, on which it leaves marks.
    pub(super) fn own_span(&self) -> Option<&Span> {
        match self {
            Self::Has(span) => Some(span),
            _ => None,
        }
    }

    /// Calls `look` with the active span, or with the no-op span.
    #[cfg(feature = "stream")]
    pub(super) fn with_span<R>(&self, look: impl FnOnce(&Span) -> R) -> R {
        match self {
            Self::Has(span) | Self::Borrows(span) => look(span),
            Self::Carries(_) | Self::Finishes(_) | Self::Over => look(&self.span()),
        }
    }

    /// Returns a handle to the span, which does not own it.
    pub(super) fn span(&self) -> Span {
        match self {
            Self::Has(span) | Self::Borrows(span) => span.downgrade(),
            Self::Carries(captured) => captured.span(),
            Self::Finishes(end) => end.span(),
            Self::Over => Span::noop(),
        }
    }

    fn activate(&self) -> Option<Scope> {
        match self {
            Self::Carries(captured) => Some(captured.activate_captured()),
            Self::Has(span) | Self::Borrows(span) => Some(span.activate_lent()),
            Self::Finishes(end) => Some(end.span().activate()),
            Self::Over => None,
        }
    }

    #[cold]
    fn mark_panic(&mut self) {
        match self {
            Self::Has(span) => {
                span.mark_panic();
                self.release();
            }
            Self::Finishes(end) => end.finish_by_panic(),
            Self::Carries(_) | Self::Borrows(_) | Self::Over => {}
        }
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.span().fmt(f)
    }
}

/// Dropped only if a step panics.
struct MarksPanic<'a> {
    work: &'a mut Work,
}

impl Drop for MarksPanic<'_> {
    fn drop(&mut self) {
        self.work.mark_panic();
    }
}

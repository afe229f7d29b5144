//! Calls and handlers that run with their span active.

use std::future::Future;

use crate::scope::InSpan;
use crate::span::Span;

/// Runs a future with the span active, and calls `fail` with its error. Does not finish the span.
///
/// A drop of the future before its end marks the span.
pub(crate) fn run<'s, T, E, F, H>(
    span: &'s Span,
    future: F,
    fail: H,
) -> impl Future<Output = Result<T, E>> + use<'s, T, E, F, H>
where
    F: Future<Output = Result<T, E>>,
    H: FnOnce(&E) + 's,
{
    // Made now: a future that is dropped before its first poll was cancelled as well.
    let work = if span.is_noop() {
        Err(future)
    } else {
        Ok(future.in_span(span.downgrade()))
    };
    async move {
        match work {
            Ok(work) => work.await.inspect_err(fail),
            Err(work) => work.await,
        }
    }
}

/// Runs blocking code with the span active, and calls `fail` with its error. Does not finish the span.
pub(crate) fn run_blocking<T, E>(
    span: &Span,
    work: impl FnOnce() -> Result<T, E>,
    fail: impl FnOnce(&E),
) -> Result<T, E> {
    if span.is_noop() {
        return work();
    }
    let scope = span.activate_lent();
    let result = work();
    drop(scope);
    result.inspect_err(fail)
}

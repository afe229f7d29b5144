use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::{pin_project, pinned_drop};

use crate::middleware::http::request_scope::RequestScope;

/// A future that works on a request: the request's span is active in every poll, and while the future is dropped.
///
/// The scope outlasts the future. If the future is dropped before its end, the request is cancelled.
#[pin_project(PinnedDrop)]
pub(super) struct InRequest<F> {
    #[pin]
    inner: Option<F>,
    scope: RequestScope,
}

impl<F> InRequest<F> {
    pub(super) fn new(inner: F, scope: RequestScope) -> Self {
        Self {
            inner: Some(inner),
            scope,
        }
    }
}

impl<F: Future> InRequest<F> {
    /// Polls the future. Its output is not moved together with the scope, which [`take_scope`](Self::take_scope) gives.
    #[inline]
    pub(super) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        this.scope.run(|| {
            // The future was polled after it was ready.
            let Some(inner) = this.inner.as_mut().as_pin_mut() else {
                return Poll::Pending;
            };
            let poll = inner.poll(cx);
            if poll.is_ready() {
                this.inner.set(None);
            }
            poll
        })
    }

    /// Takes the scope of a future that was ready.
    #[inline]
    pub(super) fn take_scope(self: Pin<&mut Self>) -> RequestScope {
        self.project().scope.take()
    }
}

#[pinned_drop]
impl<F> PinnedDrop for InRequest<F> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if this.inner.is_some() {
            this.scope.run_drop(|| this.inner.set(None));
        }
    }
}

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::{pin_project, pinned_drop};

use crate::middleware::http::request_scope::RequestScope;

/// A future that works on a request: the request's span is active in every poll, and while the future is dropped.
///
/// It returns the scope beside its output. A future that is dropped before cancels the request.
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

    /// Returns the future, unless it has ended.
    #[cfg(feature = "reqwest")]
    pub(super) fn inner_mut(&mut self) -> Option<&mut F>
    where
        F: Unpin,
    {
        self.inner.as_mut()
    }

    /// Sets the scope of a future that has not been polled.
    #[cfg(feature = "reqwest")]
    pub(super) fn set_scope(&mut self, scope: RequestScope) {
        self.scope = scope;
    }
}

impl<F: Future> Future for InRequest<F> {
    type Output = (RequestScope, F::Output);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let poll = this.scope.run(|| {
            // The future was polled after it was ready.
            let Some(inner) = this.inner.as_mut().as_pin_mut() else {
                return Poll::Pending;
            };
            let poll = inner.poll(cx);
            if poll.is_ready() {
                this.inner.set(None);
            }
            poll
        });
        poll.map(|output| (this.scope.take(), output))
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

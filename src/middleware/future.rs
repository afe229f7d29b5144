use std::fmt;
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response, request, response};
use http_body::Body;
use pin_project::{pin_project, pinned_drop};

use crate::middleware::TracedBody;
use crate::middleware::exchange::Exchange;
use crate::middleware::hooks::Settings;

/// The response of a traced service, on its way.
///
/// The span of the request is active in every poll, and while what is inside is dropped.
#[pin_project(PinnedDrop)]
#[must_use = "a future does nothing unless it is polled"]
pub struct TracedFuture<F> {
    #[pin]
    inner: Option<F>,
    traced: Option<(Exchange, Arc<HttpSettings>)>,
}

pub(super) type HttpSettings = Settings<request::Parts, response::Parts>;

impl<F> TracedFuture<F> {
    /// Begins the span, and makes the call within it.
    pub(super) fn call<B>(
        settings: &Arc<HttpSettings>,
        request: Request<B>,
        begin: impl FnOnce(&mut request::Parts) -> Option<Exchange>,
        call: impl FnOnce(Request<B>) -> F,
    ) -> Self {
        if settings.tracer.is_noop() {
            return Self::untraced(call(request));
        }
        let (mut parts, body) = request.into_parts();
        let exchange = begin(&mut parts);
        let request = Request::from_parts(parts, body);
        match exchange {
            Some(mut exchange) => Self {
                inner: Some(exchange.run(|| call(request))),
                traced: Some((exchange, settings.clone())),
            },
            None => Self::untraced(call(request)),
        }
    }

    fn untraced(inner: F) -> Self {
        Self {
            inner: Some(inner),
            traced: None,
        }
    }
}

impl<F, B, E> Future for TracedFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    E: Display + 'static,
{
    type Output = Result<Response<TracedBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut poll = || {
            // Polled after the end, a future may answer as it likes.
            let Some(inner) = this.inner.as_mut().as_pin_mut() else {
                return Poll::Pending;
            };
            let poll = inner.poll(cx);
            if poll.is_ready() {
                this.inner.set(None);
            }
            poll
        };
        let result = match this.traced {
            Some((exchange, _)) => exchange.run(poll),
            None => {
                return poll().map_ok(|response| response.map(TracedBody::untraced));
            }
        };
        let Poll::Ready(result) = result else {
            return Poll::Pending;
        };
        let Some((mut exchange, settings)) = this.traced.take() else {
            return Poll::Pending;
        };
        Poll::Ready(match result {
            Ok(response) => {
                let (parts, body) = response.into_parts();
                exchange.head(&settings.hooks, parts.status, &parts.headers, &parts);
                let body = TracedBody::new(body, exchange, &parts.headers);
                Ok(Response::from_parts(parts, body))
            }
            Err(error) => {
                exchange.fail(&error);
                Err(error)
            }
        })
    }
}

#[pinned_drop]
impl<F> PinnedDrop for TracedFuture<F> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if let Some((exchange, _)) = this.traced {
            exchange.run(|| this.inner.set(None));
        }
    }
}

impl<F> fmt::Debug for TracedFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracedFuture").finish_non_exhaustive()
    }
}

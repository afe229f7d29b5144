use std::fmt;
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response, request};
use http_body::Body;
use pin_project::pin_project;

use crate::middleware::TracedBody;
use crate::middleware::http::in_request::InRequest;
use crate::middleware::http::request_body::tap;
use crate::middleware::http::request_scope::RequestScope;
use crate::middleware::http::settings::HttpSettings;

/// The future of a traced service's response.
///
/// The span of the request is active in every poll, and while the inner future is dropped. Dropping the future before
/// it is ready cancels the request.
///
/// ```
/// use http::{Request, Response};
/// use tower::{Service, service_fn};
/// use tracehound::middleware::ServerLayer;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let handler = async |_: Request<String>| Ok::<_, std::io::Error>(Response::new(String::new()));
/// let mut server = ServerLayer::new(tracer).wrap(service_fn(handler));
/// let answer = server.call(Request::new(String::new())); // a `TracedFuture` around the handler's
/// drop(answer); // the caller has gone away
/// assert_eq!(spans.spans()[0].tag_text("http.cancelled"), "true");
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[pin_project]
#[must_use = "a future does nothing unless it is polled"]
pub struct TracedFuture<F> {
    #[pin]
    inner: InRequest<F>,
    /// `None` if the request has no span.
    settings: Option<Arc<HttpSettings>>,
}

impl<F> TracedFuture<F> {
    /// Starts the span with `begin` and calls the service with the span active.
    pub(super) fn call<B: 'static>(
        settings: &Arc<HttpSettings>,
        request: Request<B>,
        begin: impl FnOnce(&mut request::Parts) -> RequestScope,
        call: impl FnOnce(Request<B>) -> F,
    ) -> Self {
        if settings.tracer.is_noop() {
            return Self::untraced(call(request));
        }
        let (mut parts, mut body) = request.into_parts();
        let mut scope = begin(&mut parts);
        if let RequestScope::Span(exchange) = &scope
            && let Some(reader) = exchange.reader()
        {
            tap(&mut body, reader);
        }
        let request = Request::from_parts(parts, body);
        let inner = scope.run(|| call(request));
        Self {
            settings: matches!(scope, RequestScope::Span(_)).then(|| settings.clone()),
            inner: InRequest::new(inner, scope),
        }
    }

    fn untraced(inner: F) -> Self {
        Self {
            inner: InRequest::new(inner, RequestScope::Nothing),
            settings: None,
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
        let result = ready!(this.inner.as_mut().poll(cx));
        let scope = this.inner.take_scope();
        let (mut exchange, settings) = match (scope, this.settings.take()) {
            (RequestScope::Span(exchange), Some(settings)) => (exchange, settings),
            (scope, _) => {
                let body = |body| TracedBody::untraced(body, scope);
                return Poll::Ready(result.map(|response| response.map(body)));
            }
        };
        Poll::Ready(match result {
            Ok(response) => {
                let (mut parts, body) = response.into_parts();
                exchange.take_connection(&mut parts.extensions);
                if let Some(details) = exchange.take_details() {
                    details.settle(exchange.span(), &mut parts);
                }
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

impl<F> fmt::Debug for TracedFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracedFuture").finish_non_exhaustive()
    }
}

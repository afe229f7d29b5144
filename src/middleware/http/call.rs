use std::cell::Cell;
use std::fmt;
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response, request, response};
use http_body::Body;
use pin_project::{pin_project, pinned_drop};
use tower_layer::Layer;
use tower_service::Service;

use crate::middleware::http::attempts::Attempts;
use crate::middleware::http::exchange::Exchange;
use crate::middleware::http::protocol::Protocol;
use crate::middleware::http::request_scope::RequestScope;
use crate::middleware::http::settings::{HttpSettings, settings};
use crate::middleware::http::span_tags::Origin;
use crate::middleware::http::{client, names, span_tags};
use crate::middleware::side::Side;
use crate::middleware::{TracedBody, TracedFuture};
use crate::model::tags;
use crate::scope::Role;
use crate::tracer::TracerExt;

/// A layer around a client that retries or follows redirects: a call has one span, and in it each attempt has one.
///
/// The attempts are the requests that a [`ClientLayer`](crate::middleware::ClientLayer) inside of the other layers
/// sees. They are numbered:
///
/// | tag | on the span of an attempt | on the span of the call |
/// |---|---|---|
/// | `http.resend_count` | the number of attempts before this one; missing on the first | the number of attempts, without the first |
/// | `http.redirects` | the number of redirects that were followed, if this attempt follows one | the number of redirects that were followed |
///
/// ```
/// use http::Request;
/// use hyper_util::client::legacy::Client;
/// use hyper_util::rt::TokioExecutor;
/// use tower::{ServiceBuilder, timeout::TimeoutLayer};
/// use tracehound::NoopTracer;
/// use tracehound::middleware::{CallLayer, ClientLayer};
/// # use tower::util::MapRequestLayer as RetryLayer;
///
/// let client = ServiceBuilder::new()
///     .layer(CallLayer::new(NoopTracer))
///     .layer(RetryLayer::new(|request: Request<String>| request)) // or one that follows redirects
///     .layer(ClientLayer::new(NoopTracer))
///     .service(Client::builder(TokioExecutor::new()).build_http::<String>());
/// ```
///
/// ```text
/// HTTP GET                        http.resend_count=2 http.redirects=1
///   HTTP GET  span.kind=client    503
///   HTTP GET  span.kind=client    302 http.resend_count=1
///   HTTP GET  span.kind=client    200 http.resend_count=2 http.redirects=1
/// ```
///
/// The span of the call begins before the first attempt and ends with the body of the last response. It has the tags of
/// a client's span but no `span.kind`, `peer.address` and headers: a backend that counts requests by their kind would
/// count one too many. Nothing is injected.
///
/// An attempt belongs to the call whose future is polled. So the layers in between must not move requests to another
/// task, as tower's `Buffer` does. A request of another purpose that a layer in between sends through a `ClientLayer`,
/// for a token for example, is numbered, too.
///
/// Every setting:
///
/// ```
/// use http::header::{LOCATION, USER_AGENT};
/// use tracehound::NoopTracer;
/// use tracehound::middleware::{CallLayer, SpanEnd};
///
/// let layer = CallLayer::new(NoopTracer)
///     .operation_name(|_| "ask the stock".into())
///     .filter(|request| request.uri.path() != "/health")
///     .url(|request| Some(request.uri.path().to_owned()))
///     .component("stock client")
///     .request_headers([USER_AGENT])
///     .response_headers([LOCATION])
///     .error_status(|status| status.as_u16() >= 400)
///     .decorate(|span, request| {
///         span.set_tag("http.version", format!("{:?}", request.version));
///     })
///     .decorate_response(|span, response| {
///         span.set_tag("headers", response.headers.len());
///     })
///     .span_end(SpanEnd::Head);
/// ```
#[derive(Clone)]
pub struct CallLayer {
    settings: Arc<HttpSettings>,
}

settings!(CallLayer, request::Parts, response::Parts);

impl CallLayer {
    /// Wraps a tower service.
    pub fn wrap<S>(&self, inner: S) -> CallService<S> {
        CallService {
            inner,
            settings: self.settings.clone(),
        }
    }
}

impl<S> Layer<S> for CallLayer {
    type Service = CallService<S>;

    fn layer(&self, inner: S) -> CallService<S> {
        self.wrap(inner)
    }
}

/// A client whose calls have spans, made by [`CallLayer`].
///
/// ```
/// use hyper_util::client::legacy::Client;
/// use hyper_util::client::legacy::connect::HttpConnector;
/// use hyper_util::rt::TokioExecutor;
/// use tracehound::NoopTracer;
/// use tracehound::middleware::{CallLayer, CallService, ClientLayer, ClientService};
///
/// /// The client of a program, as a field names it.
/// struct Stock {
///     http: CallService<ClientService<Client<HttpConnector, String>>>,
/// }
///
/// let http = Client::builder(TokioExecutor::new()).build_http::<String>();
/// let http = CallLayer::new(NoopTracer).wrap(ClientLayer::new(NoopTracer).wrap(http));
/// let stock = Stock { http };
/// ```
#[derive(Clone)]
pub struct CallService<S> {
    inner: S,
    settings: Arc<HttpSettings>,
}

impl<S, B: 'static, R> Service<Request<B>> for CallService<S>
where
    S: Service<Request<B>, Response = Response<R>, Error: Display + 'static>,
    R: Body,
{
    type Response = Response<TracedBody<R>>;
    type Error = S::Error;
    type Future = TracedFuture<InCall<S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let attempts = Cell::new(None);
        TracedFuture::call(
            &self.settings,
            request,
            |request| begin(&self.settings, request, &attempts),
            |request| InCall::new(attempts.take(), || self.inner.call(request)),
        )
    }
}

impl<S: fmt::Debug> fmt::Debug for CallService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

/// The future of a call, in whose polls attempts are numbered.
///
/// ```
/// use http::{Request, Response};
/// use tower::{Layer, Service, service_fn};
/// use tracehound::NoopTracer;
/// use tracehound::middleware::CallLayer;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let answer = async |_: Request<String>| Ok::<_, std::io::Error>(Response::new(String::new()));
/// let mut client = CallLayer::new(NoopTracer).layer(service_fn(answer));
/// let in_call = client.call(Request::new(String::new())); // an `InCall` around the inner future
/// assert!(in_call.await?.status().is_success());
/// # Ok::<(), std::io::Error>(()) })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[pin_project(PinnedDrop)]
#[must_use = "a future does nothing unless it is polled"]
pub struct InCall<F> {
    #[pin]
    inner: Option<F>,
    /// `None` if the call has no span.
    attempts: Option<Arc<Attempts>>,
}

impl<F> InCall<F> {
    fn new(attempts: Option<Arc<Attempts>>, call: impl FnOnce() -> F) -> Self {
        let inner = Some(within(attempts.as_ref(), call));
        Self { inner, attempts }
    }
}

impl<F: Future> Future for InCall<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        match this.inner.as_pin_mut() {
            Some(inner) => within(this.attempts.as_ref(), || inner.poll(cx)),
            None => Poll::Pending,
        }
    }
}

#[pinned_drop]
impl<F> PinnedDrop for InCall<F> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        within(this.attempts.as_ref(), || this.inner.set(None));
    }
}

impl<F> fmt::Debug for InCall<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InCall").finish_non_exhaustive()
    }
}

fn within<R>(attempts: Option<&Arc<Attempts>>, work: impl FnOnce() -> R) -> R {
    match attempts {
        Some(attempts) => attempts.run(work),
        None => work(),
    }
}

/// Starts the span of a call, if the call needs one.
fn begin(
    settings: &HttpSettings,
    request: &mut request::Parts,
    attempts: &Cell<Option<Arc<Attempts>>>,
) -> RequestScope {
    let HttpSettings { tracer, hooks, .. } = settings;
    if !hooks.wants(request) {
        return RequestScope::Nothing;
    }
    let protocol = Protocol::of(request);
    let name = hooks
        .name(request)
        .unwrap_or_else(|| names::operation_name(|| tracer.tag_names(), protocol, request, None));
    let component = hooks.component(protocol.component("tower"));
    let span = tracer
        .build_span(name)
        .place(hooks.place)
        .tag(tags::COMPONENT, component)
        .start();
    if span.is_noop() {
        return RequestScope::Nothing;
    }
    if span.is_recording() {
        let origin = Origin::Host(client::host(request));
        let from = (Side::Client, protocol);
        span_tags::request(&span, hooks, from, request, origin, None);
    }
    hooks.decorate(&span, request);
    attempts.set(Some(Attempts::new(&span)));
    Exchange::new(span, Role::Client, protocol, &request.method).into()
}

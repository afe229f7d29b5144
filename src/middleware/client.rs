use std::borrow::Cow;
use std::fmt;
use std::fmt::Display;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::uri::Authority;
use http::{Request, Response, header, request, response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::middleware::exchange::Exchange;
use crate::middleware::future::HttpSettings;
use crate::middleware::hooks::{Settings, setters};
use crate::middleware::record::{self, Protocol, Side};
use crate::middleware::treatment::Treatment;
use crate::middleware::{TracedBody, TracedFuture, redact};
use crate::model::tags;
use crate::propagation::GrpcHeaders;
use crate::tracer::{Tracer, TracerExt};

/// Gives each request that a client sends a span, and injects its context; for tower services: the client of hyper-util and
/// a tonic channel among them.
///
/// The span is a child of the one that is active when the service is called, or a root. It ends with the body of the
/// response: read it to its end, or drop it.
///
/// Inside of a layer that retries there is one span for each attempt, outside of it one for all of them. A layer that
/// moves requests to a task of its own, as tower's `Buffer` does, must be inside: on that task nothing is active.
///
/// ```
/// use hyper_util::client::legacy::Client;
/// use hyper_util::rt::TokioExecutor;
/// use tracehound::middleware::ClientLayer;
/// use tracehound::NoopTracer;
///
/// let client = Client::builder(TokioExecutor::new()).build_http::<String>();
/// let client = ClientLayer::new(NoopTracer).wrap(client);
/// ```
#[derive(Clone)]
pub struct ClientLayer {
    settings: Arc<HttpSettings>,
}

impl ClientLayer {
    /// Spans by `tracer`; all hooks at their defaults.
    pub fn new(tracer: impl Tracer + 'static) -> Self {
        Self {
            settings: Arc::new(Settings::new(tracer)),
        }
    }

    setters!(request::Parts, response::Parts);

    /// Whether the context of the span is injected into the request, in place of one that is there. Defaults to true.
    #[must_use]
    pub fn injects(mut self, injects: bool) -> Self {
        self.hooks_mut().injects = injects;
        self
    }

    /// Who the requests go to, as the `peer.address` tag: for clients whose requests do not say it, as those to a tonic channel.
    ///
    /// Defaults to host and port of the URI, else of the `host` header; no tag where neither is there.
    ///
    /// ```
    /// use tonic::transport::Endpoint;
    /// use tracehound::middleware::ClientLayer;
    /// use tracehound::NoopTracer;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let channel = Endpoint::from_static("http://stock:50051").connect_lazy();
    /// let client = ClientLayer::new(NoopTracer).peer_address("stock:50051").wrap(channel);
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn peer_address(mut self, address: impl Into<Cow<'static, str>>) -> Self {
        self.hooks_mut().peer_address = Some(address.into());
        self
    }

    /// Wraps a service, of tower or of hyper.
    pub fn wrap<S>(&self, inner: S) -> ClientService<S> {
        ClientService {
            inner,
            settings: self.settings.clone(),
        }
    }
}

impl<S> Layer<S> for ClientLayer {
    type Service = ClientService<S>;

    fn layer(&self, inner: S) -> ClientService<S> {
        self.wrap(inner)
    }
}

impl fmt::Debug for ClientLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientLayer").finish_non_exhaustive()
    }
}

/// A client whose requests have spans; made by [`ClientLayer`].
#[derive(Clone)]
pub struct ClientService<S> {
    pub(super) inner: S,
    pub(super) settings: Arc<HttpSettings>,
}

impl<S, B, R> Service<Request<B>> for ClientService<S>
where
    S: Service<Request<B>, Response = Response<R>, Error: Display + 'static>,
    R: Body,
{
    type Response = Response<TracedBody<R>>;
    type Error = S::Error;
    type Future = TracedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        TracedFuture::call(
            &self.settings,
            request,
            |request| begin(&self.settings, "tower", request),
            |request| self.inner.call(request),
        )
    }
}

impl<S: fmt::Debug> fmt::Debug for ClientService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

/// Starts the span of a request and injects its context, unless it needs none.
pub(super) fn begin(
    settings: &HttpSettings,
    component: &'static str,
    request: &mut request::Parts,
) -> Treatment {
    let HttpSettings { tracer, hooks, .. } = settings;
    if !hooks.wants(request) {
        return Treatment::Nothing;
    }
    let protocol = Protocol::of(request);
    let name = hooks
        .name(request)
        .unwrap_or_else(|| record::operation_name(protocol, request, None));
    let span = tracer
        .build_span(name)
        .tag(tags::SPAN_KIND, tags::SPAN_KIND_CLIENT)
        .start();
    if span.is_noop() {
        return Treatment::Nothing;
    }
    if span.is_recording() {
        let host = host(request);
        record::request(&span, hooks, (protocol, component), request, host);
        let peer = hooks.peer_address.as_deref();
        span.set_tag(
            tags::PEER_ADDRESS,
            peer.or_else(|| host.map(redact::without_userinfo)),
        );
    }
    hooks.decorate(&span, request);
    if hooks.injects {
        let (context, headers) = (span.context(), &mut request.headers);
        match protocol {
            Protocol::Http => tracer.inject(&context, headers),
            Protocol::Grpc => tracer.inject(&context, &mut GrpcHeaders(headers)),
        }
    }
    Exchange::new(span, Side::Client, protocol, &request.method).into()
}

/// Who a request goes to, as its URI says, or else its `host` header.
fn host(request: &request::Parts) -> Option<&str> {
    if let Some(authority) = request.uri.authority() {
        return Some(authority.as_str());
    }
    let host = request.headers.get(header::HOST)?.to_str().ok()?;
    host.parse::<Authority>().is_ok().then_some(host)
}

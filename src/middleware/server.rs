use std::fmt;
use std::fmt::Display;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response, header, request, response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::middleware::claim::Claim;
use crate::middleware::exchange::Exchange;
use crate::middleware::future::HttpSettings;
use crate::middleware::hooks::{Settings, setters};
use crate::middleware::record::{self, Protocol, Side};
use crate::middleware::treatment::Treatment;
use crate::middleware::{RequestSpan, TracedBody, TracedFuture, peer, route};
use crate::model::tags;
use crate::propagation::grpc_headers::GrpcHeaders;
use crate::span::SpanContext;
use crate::tracer::{Tracer, TracerExt};

/// Gives each request that a server takes a span; for tower services, and so for axum and tonic, and for hyper's own.
///
/// The caller's context is extracted from the headers; without one the span is a root, whatever is active on the
/// thread, and so it is where the header is malformed. The span is active in the handler, which finds it by
/// [`active_span`](crate::scope::active_span) and as [`RequestSpan`] among the extensions of the request. It ends
/// with the body of the response; that of a request to upgrade, to a WebSocket say, ends with the head of the 101.
///
/// A request that has a span from another `ServerLayer` gets no second one; the inner layer only gives it its name. So
/// a layer around a router, which sees every request and no route, may be joined by one inside of it.
///
/// A request that the [`filter`](Self::filter) excludes gets no span either, but the context of its caller is active in the
/// handler all the same: what the handler calls belongs to the caller's trace.
///
/// The address of the caller (`peer.*`) is known where the server tells it. tonic does; axum does if it serves
/// `app.into_make_service_with_connect_info::<SocketAddr>()`; around a service of hyper or of your own, put the
/// `SocketAddr` of the connection among the extensions of the request.
///
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use tracehound::middleware::ServerLayer;
/// use tracehound::NoopTracer;
///
/// let app: Router = Router::new()
///     .route("/users/{id}", get(|| async { "Ada" }))
///     .layer(ServerLayer::new(NoopTracer).filter(|request| request.uri.path() != "/health"));
/// ```
#[derive(Clone)]
pub struct ServerLayer {
    settings: Arc<HttpSettings>,
}

impl ServerLayer {
    /// Spans by `tracer`; all hooks at their defaults.
    pub fn new(tracer: impl Tracer + 'static) -> Self {
        Self {
            settings: Arc::new(Settings::new(tracer)),
        }
    }

    setters!(request::Parts, response::Parts);

    /// Wraps a service, of tower or of hyper.
    pub fn wrap<S>(&self, inner: S) -> ServerService<S> {
        ServerService {
            inner,
            settings: self.settings.clone(),
        }
    }
}

impl<S> Layer<S> for ServerLayer {
    type Service = ServerService<S>;

    fn layer(&self, inner: S) -> ServerService<S> {
        self.wrap(inner)
    }
}

impl fmt::Debug for ServerLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerLayer").finish_non_exhaustive()
    }
}

/// A service whose requests have spans; made by [`ServerLayer`].
#[derive(Clone)]
pub struct ServerService<S> {
    pub(super) inner: S,
    pub(super) settings: Arc<HttpSettings>,
}

impl<S, B, R> Service<Request<B>> for ServerService<S>
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

impl<S: fmt::Debug> fmt::Debug for ServerService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

/// Starts the span of a request, unless it needs none; then its caller's context is handed on.
pub(super) fn begin(
    settings: &HttpSettings,
    component: &'static str,
    request: &mut request::Parts,
) -> Treatment {
    let HttpSettings {
        tracer,
        hooks,
        methods,
    } = settings;
    if let Some(mut span) = request.extensions.get::<RequestSpan>().cloned() {
        match hooks.name(request) {
            Some(name) => span.take_name(name),
            None => span.take_route(request),
        }
        request.extensions.insert(span);
        return Treatment::Nothing;
    }
    let protocol = Protocol::of(request);
    if !hooks.wants(request) {
        return match caller(&**tracer, protocol, request) {
            Some(context) => Treatment::Context(Box::new(context)),
            None => Treatment::Nothing,
        };
    }
    let route = route::of(&request.extensions);
    let own_name = hooks.name(request);
    let is_named = own_name.is_some();
    let is_claim = protocol == Protocol::Grpc && !methods.has(request.uri.path());
    // A path for which only the caller vouches is no name.
    let naming = if is_claim { Protocol::Http } else { protocol };
    let wants_route = !is_named && route.is_none() && naming == Protocol::Http;
    let name = own_name.unwrap_or_else(|| record::operation_name(naming, request, route));
    let parent = caller(&**tracer, protocol, request);
    let span = tracer
        .build_span(name)
        .child_of(&parent)
        .ignore_active_span()
        .tag(tags::SPAN_KIND, tags::SPAN_KIND_SERVER)
        .start();
    if span.is_noop() {
        return Treatment::Nothing;
    }
    let host = || request.headers.get(header::HOST)?.to_str().ok();
    let claim = is_claim.then(|| Claim {
        path: request.uri.path().into(),
        url: span
            .is_recording()
            .then(|| record::url(hooks, request, host()))
            .flatten(),
        component: hooks.component.is_none().then_some(component),
        is_named,
        methods: methods.clone(),
    });
    if span.is_recording() {
        let host = host();
        record::request(&span, hooks, (protocol, component), request, host);
        if let Some(address) = peer::of(&request.extensions) {
            record::peer(&span, address);
        }
    }
    hooks.decorate(&span, request);
    let handle = RequestSpan::new(span.downgrade(), wants_route);
    request.extensions.insert(handle);
    let exchange = Exchange::new(span, Side::Server, protocol, &request.method);
    exchange.claimed(claim).into()
}

/// The context of the caller. A malformed one is the caller's fault and counted by the tracer: the request goes on
/// without.
fn caller(
    tracer: &dyn Tracer,
    protocol: Protocol,
    request: &request::Parts,
) -> Option<SpanContext> {
    let context = match protocol {
        Protocol::Http => tracer.extract(&request.headers),
        Protocol::Grpc => tracer.extract(&GrpcHeaders(&request.headers)),
    };
    context.ok().flatten()
}

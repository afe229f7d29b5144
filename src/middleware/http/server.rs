use std::sync::Arc;

use http::{header, request, response};

use crate::middleware::first_value::first_value;
use crate::middleware::http::contents::Contents;
use crate::middleware::http::exchange::Exchange;
use crate::middleware::http::grpc_claim::GrpcClaim;
use crate::middleware::http::layer::layer;
use crate::middleware::http::protocol::Protocol;
use crate::middleware::http::request_scope::RequestScope;
use crate::middleware::http::settings::{HttpSettings, settings};
use crate::middleware::http::span_tags::Origin;
use crate::middleware::http::upgrade::Upgrade;
use crate::middleware::http::{names, peer, route, span_tags};
use crate::middleware::side::Side;
use crate::middleware::{AnswerHeaders, RequestSpan, TrustedProxies};
use crate::model::{SpanId, TraceId, tags};
use crate::propagation::Trust;
use crate::scope::{Role, innermost_request, settle_name};
use crate::span::SpanContext;
use crate::tracer::TracerExt;

/// A layer that gives each request of a server a span.
///
/// It wraps tower services, which axum and tonic are too, and services of hyper.
///
/// The span is a child of the caller's context in the headers, as far as that is [trusted](Self::trust). Without a
/// context, or with a malformed one, it is a root; the span that is active on the thread is never its parent. The span
/// is active in the handler, which also finds it by [`RequestSpan`]. It ends with the body of the response; after an
/// upgrade, for example to a WebSocket, it ends with the head of the 101 response.
///
/// If another `ServerLayer` around this one has given the request a span, this one starts no second span and only names
/// the first; its own trust then has no effect. So a layer around a router, which sees every request but no route, can
/// be combined with one inside of the router. Both have to read the same trace headers in the same task. If requests
/// are handed to another task in between, the two layers read different formats, or a layer in between changes the
/// trace headers, then the outer layer has to put the span [into the request](Self::request_span).
///
/// A request that the [`filter`](Self::filter) excludes has no span, but the caller's context is active in the handler:
/// what the handler calls belongs to the caller's trace.
///
/// # Examples
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
///
/// More settings:
///
/// ```
/// use http::header::USER_AGENT;
/// use tracehound::middleware::{ServerLayer, SpanEnd};
/// use tracehound::NoopTracer;
///
/// let layer = ServerLayer::new(NoopTracer)
///     .operation_name(|request| format!("{} shop", request.method).into())
///     .request_headers([USER_AGENT])
///     .error_status(|status| status.as_u16() >= 400)
///     .decorate(|span, request| {
///         span.set_tag("http.version", format!("{:?}", request.version).as_str());
///     })
///     .span_end(SpanEnd::Head);
/// ```
///
/// # The caller's address
///
/// The tags `peer.*` are set if the server tells the address of the caller:
///
/// * tonic does.
/// * axum does if it serves `app.into_make_service_with_connect_info::<SocketAddr>()`.
/// * For other services, insert the `SocketAddr` of the connection into the extensions of each request.
///
/// The rest of the settings about spans:
///
/// ```
/// use http::header::RETRY_AFTER;
/// use tracehound::NoopTracer;
/// use tracehound::middleware::ServerLayer;
///
/// let layer = ServerLayer::new(NoopTracer)
///     .url(|request| Some(request.uri.path().to_owned()))
///     .component("shop")
///     .response_headers([RETRY_AFTER])
///     .decorate_response(|span, response| {
///         span.set_tag("headers", response.headers.len());
///     });
/// ```
#[derive(Clone)]
pub struct ServerLayer {
    settings: Arc<HttpSettings>,
}

settings!(ServerLayer, request::Parts, response::Parts);
layer! {
    ServerLayer, begin,
    /// A service whose requests have spans, made by [`ServerLayer`].
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower::{Service, service_fn};
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::{ServerLayer, ServerService};
    ///
    /// /// Wraps any handler of the program.
    /// fn traced<S>(handler: S) -> ServerService<S> {
    ///     ServerLayer::new(NoopTracer).wrap(handler)
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let handler = async |_: Request<String>| Ok::<_, std::io::Error>(Response::new(String::new()));
    /// let answer = traced(service_fn(handler)).call(Request::new(String::new()));
    /// assert!(answer.await?.status().is_success());
    /// # Ok::<(), std::io::Error>(()) })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub struct ServerService;
}

impl ServerLayer {
    /// Sets what is believed of a caller's context. Defaults to [`Trust::full`], which suits a listener that only your
    /// own services reach: see [whom to trust](crate::middleware#whom-does-a-server-trust).
    ///
    /// A request that the [`filter`](Self::filter) excludes passes on only what is believed. The headers of the request
    /// itself stay as they came: code that extracts from them again has to apply the trust, too.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::{ServerLayer, Trust};
    ///
    /// let public = ServerLayer::new(NoopTracer).trust(Trust::restart());
    /// let partners = ServerLayer::new(NoopTracer).trust(Trust::ids_only().sampling(true));
    /// ```
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.hooks_mut().trust = trust;
        self
    }

    /// Sets the proxies that are believed about a request: who sent it, to which host, and when. Defaults to none.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::{ServerLayer, TrustedProxies};
    ///
    /// let layer = ServerLayer::new(NoopTracer).trusted_proxies(TrustedProxies::hops(1));
    /// ```
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.hooks_mut().details_mut().proxies = Some(proxies);
        self
    }

    /// Sets whether a request carries its [`RequestSpan`] in its extensions. Defaults to false.
    ///
    /// The span of a request is found without it wherever the request is worked on: in the handler, and in layers
    /// around it. A second `ServerLayer` inside of this one finds it by the trace id and the span id in the trace
    /// headers, which it reads again: each of the two layers counts malformed headers. A request that carries its span
    /// takes two or three allocations more. Set it to true if
    ///
    /// * requests go to a second `ServerLayer` through another task, as with tower's `Buffer`: that layer would start a
    ///   span of its own;
    /// * the two layers read different formats, or a layer in between removes or rewrites the trace headers: the second
    ///   one would start a span of its own here, too;
    /// * a task of your own gets whole requests, and wants their spans;
    /// * a handler sends requests to a `ServerLayer` in the same process, without a
    ///   [`ClientLayer`](crate::middleware::ClientLayer), and with the ids that its own request came with, as when it
    ///   forwards the incoming headers unchanged, or without any if that came without any: they would count as the
    ///   request that the handler works on, and have no span.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower::{ServiceBuilder, service_fn};
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::{RequestSpan, ServerLayer};
    ///
    /// let handler = async |request: Request<String>| {
    ///     let work = tokio::spawn(async move {
    ///         if let Some(span) = request.extensions().get::<RequestSpan>() {
    ///             span.set_tag("customer", "4711");
    ///         }
    ///     });
    ///     work.await.map(|()| Response::new(String::new()))
    /// };
    /// let server = ServiceBuilder::new()
    ///     .layer(ServerLayer::new(NoopTracer).request_span(true))
    ///     .service(service_fn(handler));
    /// ```
    #[must_use]
    pub fn request_span(mut self, is_carried: bool) -> Self {
        self.hooks_mut().carries_span = is_carried;
        self
    }

    /// Sets the headers of responses that tell callers which trace their requests belong to. Defaults to none.
    ///
    /// A request without a span gets none. Inside of another `ServerLayer` this setting has no effect.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::{AnswerHeaders, ServerLayer};
    ///
    /// let layer = ServerLayer::new(NoopTracer).answer_headers(AnswerHeaders::new());
    /// ```
    #[must_use]
    pub fn answer_headers(mut self, headers: AnswerHeaders) -> Self {
        self.hooks_mut().details_mut().answer = Some(headers);
        self
    }
}

/// Starts the span of a request, or returns the caller's context if the request needs no span.
fn begin(
    settings: &HttpSettings,
    component: &'static str,
    request: &mut request::Parts,
) -> RequestScope {
    let HttpSettings {
        tracer,
        hooks,
        methods,
    } = settings;
    let name = |span: &mut RequestSpan, request: &request::Parts| match hooks.name(request) {
        Some(name) => span.take_name(name),
        None => span.take_route(request),
    };
    if let Some(mut span) = request.extensions.get::<RequestSpan>().cloned() {
        name(&mut span, request);
        request.extensions.insert(span);
        return RequestScope::Nothing;
    }
    let protocol = Protocol::of(request);
    let caller = protocol.extract(&**tracer, &request.headers);
    let caller_ids = ids_of(caller.as_ref());
    // A request with another caller is one that this program sends while it works on the first.
    if let Some((span, role)) = innermost_request()
        && let Role::Server {
            wants_route,
            caller,
        } = role
        && caller == caller_ids
    {
        let mut span = RequestSpan::new(span, wants_route);
        name(&mut span, request);
        if !span.wants_route() {
            settle_name();
        }
        return RequestScope::Nothing;
    }
    if !hooks.wants(request) {
        let believed = caller.map(|context| hooks.trust.apply(context));
        return match believed.filter(|context| !context.is_empty()) {
            Some(context) => RequestScope::Context(Box::new(context)),
            None => RequestScope::Nothing,
        };
    }
    let route = route::of(&request.extensions);
    let own_name = hooks.name(request);
    let is_named = own_name.is_some();
    // Callers can make up paths, so the path of an unknown method is no name.
    let method = match protocol {
        Protocol::Http => None,
        Protocol::Grpc => methods.find(request.uri.path()),
    };
    let is_claim = protocol == Protocol::Grpc && method.is_none();
    let wants_route = !is_named && route.is_none() && method.is_none();
    let name = own_name
        .or(method)
        .unwrap_or_else(|| names::http_name(|| tracer.tag_names(), &request.method, route));
    let span = tracer
        .build_span(name)
        .place(hooks.place)
        .caller(&caller, hooks.trust)
        .tag(tags::SPAN_KIND, tags::SPAN_KIND_SERVER)
        .tag(
            tags::COMPONENT,
            hooks.component(protocol.component(component)),
        )
        .start();
    if span.is_noop() {
        return RequestScope::Nothing;
    }
    let details = hooks.details.as_ref();
    let seen = details.filter(|_| span.is_recording());
    let seen = seen.and_then(|details| details.proxies.as_ref()?.see(request));
    let origin = || match &seen {
        Some(seen) => Origin::Proxies(seen),
        None => Origin::Host(
            first_value(&request.headers, &header::HOST).and_then(|it| it.to_str().ok()),
        ),
    };
    let claim = is_claim.then(|| GrpcClaim {
        path: request.uri.path().into(),
        url: span
            .is_recording()
            .then(|| span_tags::url(hooks, request, origin()))
            .flatten(),
        component: hooks.component.is_none().then_some(component),
        is_named,
        methods: methods.clone(),
    });
    if span.is_recording() {
        let origin = match protocol {
            Protocol::Http => origin(),
            Protocol::Grpc => Origin::Host(None),
        };
        span_tags::request(
            &span,
            hooks,
            (Side::Server, protocol),
            request,
            origin,
            None,
        );
        span_tags::served(&span, request, route);
        if let Some(address) = peer::of(&request.extensions) {
            span_tags::peer(&span, address);
        }
        if let Some(seen) = &seen {
            seen.record(&span, request);
        }
    }
    hooks.decorate(&span, request);
    let role = match hooks.carries_span {
        true => Role::Carrier,
        false => Role::Server {
            wants_route,
            caller: caller_ids,
        },
    };
    if hooks.carries_span {
        let handle = RequestSpan::new(span.downgrade(), wants_route);
        request.extensions.insert(handle);
    }
    let is_plain = claim.is_none() && hooks.add_nothing(&span);
    if is_plain {
        let exchange = Exchange::new(span, role, protocol, &request.method);
        return RequestScope::Span(exchange);
    }
    let sessions = hooks.sessions.as_ref();
    let upgrade = Upgrade::of_server(tracer, sessions, hooks.component(component), request, &span);
    let details = details.and_then(|details| details.of_server(request));
    let call = hooks.call(Side::Server, request, &span, tracer);
    let contents = Contents::of(&span, request.uri.query(), &request.headers);
    Exchange::new(span, role, protocol, &request.method)
        .claimed(claim)
        .upgraded(upgrade)
        .detailed(details)
        .with_call(call)
        .with_contents(contents)
        .into()
}

/// Returns the trace id and the span id of a caller, as they came.
///
/// The span may share its caller's ids, or have no parent because the caller is not believed, so it does not tell whose
/// request it is of.
fn ids_of(caller: Option<&SpanContext>) -> Option<(TraceId, SpanId)> {
    let caller = caller?;
    Some((caller.trace_id()?, caller.span_id()?))
}

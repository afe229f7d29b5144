use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use http::uri::Authority;
use http::{header, request, response};

use crate::middleware::Destinations;
use crate::middleware::first_value::first_value;
use crate::middleware::http::attempts::Attempts;
use crate::middleware::http::contents::Contents;
use crate::middleware::http::details::{Details, client_details};
use crate::middleware::http::exchange::Exchange;
use crate::middleware::http::layer::layer;
use crate::middleware::http::protocol::Protocol;
use crate::middleware::http::request_scope::RequestScope;
use crate::middleware::http::settings::{HttpSettings, settings};
use crate::middleware::http::span_tags::Origin;
use crate::middleware::http::upgrade::Upgrade;
use crate::middleware::http::{names, redact, span_tags};
use crate::middleware::side::Side;
use crate::model::tags;
use crate::scope::Role;
use crate::tracer::TracerExt;

/// A layer that gives each request of a client a span and injects its context.
///
/// It wraps tower services, among them a tonic channel, and hyper-util's client.
///
/// The span is a child of the span that is active when the service is called, or else a root. It ends with the body of
/// the response, so read the body to its end or drop it. After an upgrade it ends with the head of the 101 response.
///
/// Inside of a layer that retries, each attempt has a span; outside, one span covers all attempts. A
/// [`CallLayer`](crate::middleware::CallLayer) outside gives the call a span and the attempts numbers.
///
/// A layer that moves requests to another task, such as tower's `Buffer`, must be inside of this one: no span is active
/// on that task.
///
/// ```
/// use hyper_util::client::legacy::Client;
/// use hyper_util::rt::TokioExecutor;
/// use tracehound::middleware::ClientLayer;
/// use tracehound::NoopTracer;
///
/// let client = Client::builder(TokioExecutor::new()).build_http::<String>();
/// let client = ClientLayer::new(NoopTracer)
///     .error_status(|status| status.as_u16() >= 400)
///     .wrap(client);
/// ```
///
/// Every setting that is not shown there:
///
/// ```
/// use http::header::{RETRY_AFTER, USER_AGENT};
/// use tracehound::NoopTracer;
/// use tracehound::middleware::{ClientLayer, ConnectionEvents, SpanEnd};
///
/// let layer = ClientLayer::new(NoopTracer)
///     .operation_name(|request| format!("{} stock", request.method).into())
///     .filter(|request| request.uri.path() != "/health")
///     .url(|request| Some(request.uri.path().to_owned()))
///     .component("stock client")
///     .request_headers([USER_AGENT])
///     .response_headers([RETRY_AFTER])
///     .decorate(|span, request| {
///         span.set_tag("http.version", format!("{:?}", request.version));
///     })
///     .decorate_response(|span, response| {
///         span.set_tag("headers", response.headers.len());
///     })
///     .span_end(SpanEnd::Head)
///     .trace_response(true)
///     .connection_events(ConnectionEvents::new());
/// ```
#[derive(Clone)]
pub struct ClientLayer {
    settings: Arc<HttpSettings>,
}

settings!(ClientLayer, request::Parts, response::Parts);
client_details!(ClientLayer);
layer! {
    ClientLayer, begin,
    /// A client whose requests have spans, made by [`ClientLayer`].
    ///
    /// ```
    /// use hyper_util::client::legacy::Client;
    /// use hyper_util::client::legacy::connect::HttpConnector;
    /// use hyper_util::rt::TokioExecutor;
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::{ClientLayer, ClientService};
    ///
    /// /// The client of a program, as a field names it.
    /// struct Stock {
    ///     http: ClientService<Client<HttpConnector, String>>,
    /// }
    ///
    /// let http = Client::builder(TokioExecutor::new()).build_http::<String>();
    /// let stock = Stock { http: ClientLayer::new(NoopTracer).wrap(http) };
    /// ```
    pub struct ClientService;
}

impl ClientLayer {
    /// Sets whether the span's context is injected into the request, where it replaces any other. Defaults to true.
    ///
    /// Without injection, headers that a request already has go on. To keep headers from servers outside of your
    /// control, set the [`destinations`](Self::destinations).
    ///
    /// ```
    /// use tracehound::middleware::ClientLayer;
    /// use tracehound::NoopTracer;
    ///
    /// let layer = ClientLayer::new(NoopTracer).injection(false);
    /// ```
    #[must_use]
    pub fn injection(mut self, injects: bool) -> Self {
        self.hooks_mut().injects = injects;
        self
    }

    /// Sets the hosts to which trace headers and baggage go. Defaults to [`Destinations::all`].
    ///
    /// From a request to another host these headers are removed, whoever has set them: a proxy forwards those of its
    /// caller. That holds for requests that the [`filter`](Self::filter) excludes, too.
    ///
    /// The host is that of the URI. A request without one goes to [`peer_address`](Self::peer_address) if that is set,
    /// else to the `host` header. For a tonic channel, set the peer address.
    ///
    /// A redirect to another host is judged by that host if this layer sees it: put a layer that follows redirects
    /// around this one.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::{ClientLayer, Destinations};
    ///
    /// let internal = Destinations::all().trace_headers_to(["internal.example"])?;
    /// let layer = ClientLayer::new(NoopTracer).destinations(internal);
    /// # Ok::<(), tracehound::middleware::InvalidHost>(())
    /// ```
    #[must_use]
    pub fn destinations(mut self, destinations: Destinations) -> Self {
        self.hooks_mut().destinations = destinations;
        self
    }

    /// Sets the value of the `peer.address` tag, for clients whose requests do not name their target, such as a tonic
    /// channel.
    ///
    /// Defaults to host and port of the URI, or else of the `host` header. Without either there is no tag.
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
}

/// Starts the span of a request and injects its context, if the request needs a span.
pub(super) fn begin(
    settings: &HttpSettings,
    component: &'static str,
    request: &mut request::Parts,
) -> RequestScope {
    let HttpSettings { tracer, hooks, .. } = settings;
    let share = hooks.destinations.share_of(|| {
        let authority = request.uri.authority().map(Authority::as_str);
        let authority = authority.or(hooks.peer_address.as_deref());
        authority.or_else(|| host(request)).map(without_port)
    });
    if !hooks.wants(request) {
        share.strip(&**tracer, &mut request.headers);
        return RequestScope::Nothing;
    }
    let protocol = Protocol::of(request);
    let name = hooks
        .name(request)
        .unwrap_or_else(|| names::operation_name(|| tracer.tag_names(), protocol, request, None));
    let component = hooks.component(protocol.component(component));
    let span = tracer
        .build_span(name)
        .place(hooks.place)
        .tag(tags::SPAN_KIND, tags::SPAN_KIND_CLIENT)
        .tag(tags::COMPONENT, component)
        .start();
    if span.is_noop() {
        share.strip(&**tracer, &mut request.headers);
        return RequestScope::Nothing;
    }
    if span.is_recording() {
        let peer = hooks.peer_address.as_deref();
        // A gRPC call has no URL, which needs the host in any case.
        let host = match (protocol, peer) {
            (Protocol::Grpc, Some(_)) => None,
            _ => host(request),
        };
        let peer = peer.or_else(|| host.map(redact::without_userinfo));
        let from = (Side::Client, protocol);
        span_tags::request(&span, hooks, from, request, Origin::Host(host), peer);
        span_tags::target(&span, peer, request.uri.scheme_str());
    }
    hooks.decorate(&span, request);
    if hooks.injects {
        let context = share.of(span.context());
        protocol.inject(&**tracer, &context, &mut request.headers);
    } else {
        share.strip(&**tracer, &mut request.headers);
    }
    let attempts = Attempts::current();
    let exchange = |span, method| Exchange::new(span, Role::Client, protocol, method);
    if attempts.is_none() && hooks.add_nothing(&span) {
        return RequestScope::Span(exchange(span, &request.method));
    }
    let sessions = hooks.sessions.as_ref();
    let upgrade = Upgrade::of_client(tracer, sessions, component, request, &span);
    let details = Details::of_client(hooks.details.as_deref(), attempts, &span);
    let call = hooks.call(Side::Client, request, &span, tracer);
    let contents = Contents::of(&span, request.uri.query(), &request.headers);
    exchange(span, &request.method)
        .upgraded(upgrade)
        .detailed(details)
        .with_call(call)
        .with_contents(contents)
        .into()
}

/// Returns the target of a request from its URI, or else from its `host` header.
pub(super) fn host(request: &request::Parts) -> Option<&str> {
    if let Some(authority) = request.uri.authority() {
        return Some(authority.as_str());
    }
    let host = first_value(&request.headers, &header::HOST)?
        .to_str()
        .ok()?;
    host.parse::<Authority>().is_ok().then_some(host)
}

/// Returns the host of an authority or of a peer address.
fn without_port(authority: &str) -> &str {
    let host = redact::without_userinfo(authority);
    if host.parse::<IpAddr>().is_ok() {
        return host;
    }
    match host.split_once(']') {
        Some((start, _)) => &host[..=start.len()],
        None => host.rsplit_once(':').map_or(host, |(host, _)| host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_found_in_an_authority() {
        let rows = [
            ("shop", "shop"),
            ("shop:80", "shop"),
            ("u:p@shop:80", "shop"),
            ("internal.example@evil.example", "evil.example"),
            ("internal.example:80@evil.example:81", "evil.example"),
            ("10.0.0.7:80", "10.0.0.7"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("::1", "::1"),
            ("", ""),
            (":80", ""),
        ];
        for (authority, host) in rows {
            assert_eq!(without_port(authority), host, "{authority}");
        }
    }
}

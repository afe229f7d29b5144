//! The tags and log events that requests and responses leave on a span.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};

use http::{Method, StatusCode, Uri, request};

use crate::middleware::http::hooks::Hooks;
use crate::middleware::http::protocol::Protocol;
use crate::middleware::http::trusted_proxies::Seen;
use crate::middleware::http::{otel_tags, redact, route};
use crate::middleware::side::Side;
use crate::model::{display, field, tags};
use crate::span::Span;

/// The source of the scheme and host of a URL that the URI does not name.
#[derive(Clone, Copy)]
pub(super) enum Origin<'r> {
    /// A host that stands in for that of the URI.
    Host(Option<&'r str>),
    /// Trusted proxies, whose word goes before that of the URI.
    Proxies(&'r Seen<'r>),
}

/// Records a request. `peer` is the address that a client asks.
pub(super) fn request<Res>(
    span: &Span,
    hooks: &Hooks<request::Parts, Res>,
    (side, protocol): (Side, Protocol),
    request: &request::Parts,
    origin: Origin<'_>,
    peer: Option<&str>,
) {
    match protocol {
        Protocol::Http => with_url(
            hooks,
            request,
            |request, url| write_url(url, side, request, origin),
            |url| http(span, side, &request.method, url, peer),
        ),
        Protocol::Grpc => {
            if span.tag_names().has_opentracing() {
                span.set_tag(tags::PEER_ADDRESS, peer);
            }
        }
    }
    hooks.request_headers.record(span, &request.headers);
}

/// Returns the value of the `http.url` tag of a server.
pub(super) fn url<Res>(
    hooks: &Hooks<request::Parts, Res>,
    request: &request::Parts,
    origin: Origin<'_>,
) -> Option<String> {
    let write = |request: &request::Parts, url: &mut String| {
        write_url(url, Side::Server, request, origin);
    };
    with_url(hooks, request, write, |url| url.map(str::to_owned))
}

fn write_url(url: &mut String, side: Side, request: &request::Parts, origin: Origin<'_>) {
    let uri = match side {
        Side::Server => asked_for(request),
        // A request that a server hands on may still have its extensions.
        Side::Client => &request.uri,
    };
    match origin {
        // Only the URI can tell `https`, as it does in HTTP/2.
        Origin::Host(host) => redact::push_uri(url, uri, "http", host),
        Origin::Proxies(seen) => seen.push_url(url, uri, &request.headers),
    }
}

/// Returns the URI that the caller has asked for, from which a router may have cut the path of a nested one.
fn asked_for(request: &request::Parts) -> &Uri {
    route::original_uri(&request.extensions).unwrap_or(&request.uri)
}

/// Calls `record` with the URL of a request: from the user's hook, or else as `write` writes it.
pub(super) fn with_url<Req, Res, R>(
    hooks: &Hooks<Req, Res>,
    request: &Req,
    write: impl FnOnce(&Req, &mut String),
    record: impl FnOnce(Option<&str>) -> R,
) -> R {
    if let Some(url) = hooks.own_url(request) {
        return record(url.as_deref());
    }
    let mut url = URL.try_with(Cell::take).unwrap_or_default();
    write(request, &mut url);
    let result = record(Some(&url));
    if url.capacity() <= KEPT_URL {
        url.clear();
        let _ = URL.try_with(|place| place.set(url));
    }
    result
}

thread_local! {
    /// Memory in which a thread makes the URLs of its requests.
    static URL: Cell<String> = const { Cell::new(String::new()) };
}

/// The longest URL whose memory is kept, in bytes.
const KEPT_URL: usize = 1_024;

/// Records the method and the URL of a request, and the address that a client asks.
pub(super) fn http(
    span: &Span,
    side: Side,
    method: &Method,
    url: Option<&str>,
    peer: Option<&str>,
) {
    let names = span.tag_names();
    if names.has_opentracing() {
        let tags = [
            (tags::HTTP_METHOD, method.as_str().into()),
            (tags::HTTP_URL, url.into()),
            (tags::PEER_ADDRESS, peer.into()),
        ];
        // A value that is not set would take the longer way, and a server has none.
        span.set_tags(if peer.is_some() { &tags } else { &tags[..2] });
    }
    if names.has_opentelemetry() {
        otel_tags::request(span, side, method, url);
    }
}

/// Records what only OpenTelemetry has names for: the version of the protocol, and the route.
pub(super) fn served(span: &Span, request: &request::Parts, known: Option<&str>) {
    if span.tag_names().has_opentelemetry() {
        otel_tags::served(span, request);
        route(span, known);
    }
}

/// Records the route, for which only OpenTelemetry has a name.
pub(super) fn route(span: &Span, route: Option<&str>) {
    if span.tag_names().has_opentelemetry() {
        otel_tags::route(span, route);
    }
}

/// Records the status of a response.
pub(super) fn status(span: &Span, status: StatusCode, is_error: bool) {
    let names = span.tag_names();
    if names.has_opentracing() {
        span.set_tag(tags::HTTP_STATUS_CODE, status.as_u16());
    }
    if is_error {
        span.set_tag(tags::ERROR, true);
    }
    if names.has_opentelemetry() {
        otel_tags::status(span, status, is_error);
    }
}

/// Records the address of a caller.
pub(super) fn peer(span: &Span, address: SocketAddr) {
    let names = span.tag_names();
    if names.has_opentracing() {
        // A listener on `[::]` sees an IPv4 caller as `::ffff:10.1.2.3`.
        match address.ip().to_canonical() {
            IpAddr::V4(ip) => span.set_tag(tags::PEER_IPV4, display(&ip)),
            IpAddr::V6(ip) => span.set_tag(tags::PEER_IPV6, display(&ip)),
        };
        span.set_tag(tags::PEER_PORT, address.port());
    }
    if names.has_opentelemetry() {
        otel_tags::peer(span, address);
    }
}

/// Records the address that a client asks under OpenTelemetry's names, by a scheme if it is known.
pub(super) fn target(span: &Span, address: Option<&str>, scheme: Option<&str>) {
    if let Some(address) = address.filter(|_| span.tag_names().has_opentelemetry()) {
        otel_tags::server(span, address, scheme);
    }
}

/// Records the type of an error, for which only OpenTelemetry has a name.
pub(super) fn error_type(span: &Span, kind: impl FnOnce() -> &'static str) {
    if span.tag_names().has_opentelemetry() {
        otel_tags::error_type(span, kind());
    }
}

/// Records how many bytes of body a server has sent.
pub(super) fn response_size(span: &Span, bytes: u64) {
    if bytes > 0 {
        span.set_tag("http.response_size", bytes);
    }
}

/// Records that the request was cancelled.
pub(super) fn cancelled(span: &Span) {
    span.set_tag("http.cancelled", true);
    span.log_event("cancelled");
}

/// Records that the body ended `missing` bytes before its announced length.
#[cold]
pub(super) fn cut_short(span: &Span, missing: u64) {
    span.set_tag(tags::ERROR, true);
    error_type(span, || "incomplete_body");
    span.log([
        field(tags::EVENT, "error"),
        field(
            tags::MESSAGE,
            &format!("the body ended {missing} bytes before its announced length"),
        ),
    ]);
}

/// Records a panic as [`Span`] does when a panic drops it.
pub(super) fn panicked(span: &Span) {
    span.set_tag(tags::ERROR, true);
    error_type(span, || "panic");
    span.log_event("panic");
}

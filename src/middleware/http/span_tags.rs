//! The tags and log events that requests and responses leave on a span.

use std::net::{IpAddr, SocketAddr};

use http::{Method, StatusCode, request};

use crate::middleware::grpc::status as grpc;
use crate::middleware::http::hooks::Hooks;
use crate::middleware::http::protocol::Protocol;
use crate::middleware::http::trusted_proxies::Seen;
use crate::middleware::http::{otel_tags, redact};
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

/// Records a request.
pub(super) fn request<Res>(
    span: &Span,
    hooks: &Hooks<request::Parts, Res>,
    (side, protocol, component): (Side, Protocol, &'static str),
    request: &request::Parts,
    origin: Origin<'_>,
) {
    match protocol {
        Protocol::Http => {
            let url = url(hooks, request, origin);
            span.set_tag(tags::COMPONENT, hooks.component(component));
            http(span, side, &request.method, url.as_deref());
        }
        Protocol::Grpc => {
            span.set_tag(tags::COMPONENT, hooks.component(grpc::COMPONENT));
        }
    }
    hooks.request_headers.record(span, &request.headers);
}

/// Returns the value of the `http.url` tag.
pub(super) fn url<Res>(
    hooks: &Hooks<request::Parts, Res>,
    request: &request::Parts,
    origin: Origin<'_>,
) -> Option<String> {
    hooks.url(request, |request| match origin {
        // Only the URI can tell `https`, as it does in HTTP/2.
        Origin::Host(host) => redact::uri(&request.uri, "http", host),
        Origin::Proxies(seen) => seen.url(request),
    })
}

/// Records the method and the URL of a request.
pub(super) fn http(span: &Span, side: Side, method: &Method, url: Option<&str>) {
    let names = span.tag_names();
    if names.has_opentracing() {
        span.set_tag(tags::HTTP_METHOD, method.as_str())
            .set_tag(tags::HTTP_URL, url);
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

/// Records the address that a client asks, by a scheme if it is known.
pub(super) fn peer_address(span: &Span, address: Option<&str>, scheme: Option<&str>) {
    let names = span.tag_names();
    if names.has_opentracing() {
        span.set_tag(tags::PEER_ADDRESS, address);
    }
    if let Some(address) = address.filter(|_| names.has_opentelemetry()) {
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

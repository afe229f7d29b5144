//! The tags and log events that requests and responses leave on a span.

use std::net::{IpAddr, SocketAddr};

use http::{Method, StatusCode, request};

use crate::middleware::grpc::status as grpc;
use crate::middleware::http::hooks::Hooks;
use crate::middleware::http::protocol::Protocol;
use crate::middleware::http::redact;
use crate::middleware::http::trusted_proxies::Seen;
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
    (protocol, component): (Protocol, &'static str),
    request: &request::Parts,
    origin: Origin<'_>,
) {
    match protocol {
        Protocol::Http => {
            let url = url(hooks, request, origin);
            http(
                span,
                hooks.component(component),
                &request.method,
                url.as_ref(),
            );
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

pub(super) fn http(span: &Span, component: &str, method: &Method, url: Option<&String>) {
    span.set_tag(tags::COMPONENT, component)
        .set_tag(tags::HTTP_METHOD, method.as_str())
        .set_tag(tags::HTTP_URL, url);
}

/// Records the status of a response.
pub(super) fn status(span: &Span, status: StatusCode, is_error: bool) {
    span.set_tag(tags::HTTP_STATUS_CODE, status.as_u16());
    if is_error {
        span.set_tag(tags::ERROR, true);
    }
}

/// Records the address of a caller.
pub(super) fn peer(span: &Span, address: SocketAddr) {
    // A listener on `[::]` sees an IPv4 caller as `::ffff:10.1.2.3`.
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => span.set_tag(tags::PEER_IPV4, display(&ip)),
        IpAddr::V6(ip) => span.set_tag(tags::PEER_IPV6, display(&ip)),
    };
    span.set_tag(tags::PEER_PORT, address.port());
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
    span.log_event("panic");
}

//! The tags of requests under OpenTelemetry's names: see [`TagNames`](crate::model::TagNames).

use std::net::{IpAddr, SocketAddr};

use http::{Method, StatusCode, Version, request};

use crate::middleware::address::host_and_port;
use crate::middleware::http::names;
use crate::middleware::side::Side;
use crate::model::{display, otel_tags as tags};
use crate::span::Span;

/// Records the method and the URL of a request. In the URL there are no secrets left.
#[cold]
pub(super) fn request(span: &Span, side: Side, method: &Method, url: Option<&str>) {
    match names::is_common(method) {
        true => span.set_tag(tags::HTTP_REQUEST_METHOD, method.as_str()),
        false => span
            .set_tag(tags::HTTP_REQUEST_METHOD, tags::OTHER)
            .set_tag(tags::HTTP_REQUEST_METHOD_ORIGINAL, method.as_str()),
    };
    match (side, url) {
        (Side::Client, _) => {
            span.set_tag(tags::URL_FULL, url);
        }
        (Side::Server, Some(url)) => parts_of_url(span, url),
        (Side::Server, None) => {}
    }
}

/// Records the parts of the URL that a server was asked for.
fn parts_of_url(span: &Span, url: &str) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    // Without a scheme there is no host.
    let is_whole = scheme.len() < url.len() && url.starts_with(scheme);
    let path_at = if is_whole { rest.find('/') } else { Some(0) };
    let (authority, path) = rest.split_at(path_at.unwrap_or(rest.len()));
    span.set_tag(tags::URL_SCHEME, scheme)
        .set_tag(tags::URL_PATH, path)
        .set_tag(tags::URL_QUERY, query);
    if !authority.is_empty() {
        server(span, authority, None);
    }
}

/// Records what a server knows of a request besides its URL.
#[cold]
pub(super) fn served(span: &Span, request: &request::Parts) {
    let version = match request.version {
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        Version::HTTP_3 => Some("3"),
        _ => None,
    };
    span.set_tag(tags::NETWORK_PROTOCOL_VERSION, version);
}

/// Records the route.
#[cold]
pub(super) fn route(span: &Span, route: Option<&str>) {
    span.set_tag(tags::HTTP_ROUTE, route);
}

/// Records the host and the port that a client asks. If the address has no port, that of the scheme stands in.
#[cold]
pub(super) fn server(span: &Span, address: &str, scheme: Option<&str>) {
    let (host, port) = host_and_port(address);
    let usual = match scheme {
        Some("http" | "ws") => Some(80),
        Some("https" | "wss") => Some(443),
        _ => None,
    };
    span.set_tag(tags::SERVER_ADDRESS, host)
        .set_tag(tags::SERVER_PORT, port.or(usual));
}

/// Records the address of a caller.
#[cold]
pub(super) fn peer(span: &Span, address: SocketAddr) {
    let ip = address.ip().to_canonical();
    client(span, ip);
    span.set_tag(tags::NETWORK_PEER_ADDRESS, display(&ip))
        .set_tag(tags::NETWORK_PEER_PORT, address.port());
}

/// Records the address of the client, which is the caller unless proxies tell of another one.
#[cold]
pub(super) fn client(span: &Span, address: IpAddr) {
    span.set_tag(tags::CLIENT_ADDRESS, display(&address));
}

/// Records the status of a response, which is the type of the error if it is one.
#[cold]
pub(super) fn status(span: &Span, status: StatusCode, is_error: bool) {
    span.set_tag(tags::HTTP_RESPONSE_STATUS_CODE, status.as_u16());
    if is_error {
        span.set_tag(tags::ERROR_TYPE, status.as_str());
    }
}

/// Records the type of an error.
#[cold]
pub(super) fn error_type(span: &Span, kind: &str) {
    span.set_tag(tags::ERROR_TYPE, kind);
}

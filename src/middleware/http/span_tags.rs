//! What a request and its response put on a span.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use http::{Method, StatusCode, request};

use crate::middleware::grpc::status as grpc;
use crate::middleware::http::hooks::Hooks;
use crate::middleware::http::redact;
use crate::model::{display, field, tags};
use crate::span::Span;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http,
    Grpc,
}

impl Protocol {
    pub(super) fn of(request: &request::Parts) -> Self {
        if grpc::is_call(request) {
            Self::Grpc
        } else {
            Self::Http
        }
    }
}

/// The path of a gRPC call, which names the method; for HTTP see [`http_name`].
pub(super) fn operation_name(
    protocol: Protocol,
    request: &request::Parts,
    route: Option<&str>,
) -> Cow<'static, str> {
    match protocol {
        Protocol::Http => http_name(&request.method, route),
        Protocol::Grpc => Cow::Owned(request.uri.path().to_owned()),
    }
}

/// `GET /users/{id}` where the route is known, else `HTTP GET`. Never the path: there are too many of them. A method that
/// is not a common one is left out: `HTTP /users/{id}`, `HTTP`.
pub(super) fn http_name(method: &Method, route: Option<&str>) -> Cow<'static, str> {
    let known = COMMON_METHODS.iter().find(|(known, _)| known == method);
    match (known, route) {
        (Some(_), Some(route)) => Cow::Owned(format!("{method} {route}")),
        (None, Some(route)) => Cow::Owned(format!("HTTP {route}")),
        (Some((_, name)), None) => Cow::Borrowed(name),
        (None, None) => Cow::Borrowed("HTTP"),
    }
}

/// Whether [`http_name`] may have given this name to a POST.
pub(super) fn is_name_of_post(name: &str) -> bool {
    name == "HTTP POST" || name.starts_with("POST /")
}

/// A method can be any word that a caller makes up, so others are not told apart.
const COMMON_METHODS: [(Method, &str); 9] = [
    (Method::GET, "HTTP GET"),
    (Method::POST, "HTTP POST"),
    (Method::PUT, "HTTP PUT"),
    (Method::DELETE, "HTTP DELETE"),
    (Method::HEAD, "HTTP HEAD"),
    (Method::OPTIONS, "HTTP OPTIONS"),
    (Method::PATCH, "HTTP PATCH"),
    (Method::CONNECT, "HTTP CONNECT"),
    (Method::TRACE, "HTTP TRACE"),
];

/// A request. `host` is who it was sent to, where the URI does not say it.
pub(super) fn request<Res>(
    span: &Span,
    hooks: &Hooks<request::Parts, Res>,
    (protocol, component): (Protocol, &'static str),
    request: &request::Parts,
    host: Option<&str>,
) {
    match protocol {
        Protocol::Http => {
            let url = url(hooks, request, host);
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

/// The URL to show of a request.
pub(super) fn url<Res>(
    hooks: &Hooks<request::Parts, Res>,
    request: &request::Parts,
    host: Option<&str>,
) -> Option<String> {
    // Whether TLS ends here is not known, unless the URI says so, as it does in HTTP/2.
    hooks.url(request, |request| redact::uri(&request.uri, "http", host))
}

pub(super) fn http(span: &Span, component: &str, method: &Method, url: Option<&String>) {
    span.set_tag(tags::COMPONENT, component)
        .set_tag(tags::HTTP_METHOD, method.as_str())
        .set_tag(tags::HTTP_URL, url);
}

/// The status of a response.
pub(super) fn status(span: &Span, status: StatusCode, is_error: bool) {
    span.set_tag(tags::HTTP_STATUS_CODE, status.as_u16());
    if is_error {
        span.set_tag(tags::ERROR, true);
    }
}

/// The address of a caller.
pub(super) fn peer(span: &Span, address: SocketAddr) {
    // A listener on `[::]` sees a caller without IPv6 as `::ffff:10.1.2.3`.
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => span.set_tag(tags::PEER_IPV4, display(&ip)),
        IpAddr::V6(ip) => span.set_tag(tags::PEER_IPV6, display(&ip)),
    };
    span.set_tag(tags::PEER_PORT, address.port());
}

/// How many bytes of body a server has sent.
pub(super) fn response_size(span: &Span, bytes: u64) {
    if bytes > 0 {
        span.set_tag("http.response_size", bytes);
    }
}

/// A request whose answer nobody waited for.
pub(super) fn cancelled(span: &Span) {
    span.set_tag("http.cancelled", true);
    span.log_event("cancelled");
}

/// A body that ended so many bytes before its announced length.
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

/// A panic, as a span that is dropped by one records it.
pub(super) fn panicked(span: &Span) {
    span.set_tag(tags::ERROR, true);
    span.log_event("panic");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_route_or_the_method_only() {
        let rows = [
            ("GET", Some("/users/{id}"), "GET /users/{id}"),
            ("GET", None, "HTTP GET"),
            ("PATCH", None, "HTTP PATCH"),
            ("BREW", None, "HTTP"),
            ("BREW", Some("/users/{id}"), "HTTP /users/{id}"),
        ];
        for (method, route, name) in rows {
            let method = method.parse().expect("a method");
            assert_eq!(http_name(&method, route), name);
        }
    }
}

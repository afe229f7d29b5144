//! The operation names of spans that the user has not named.

use std::borrow::Cow;

use http::{Method, request};

use crate::middleware::http::protocol::Protocol;
use crate::middleware::kept_names::{METHODS, ROUTES};
use crate::model::TagNames;

/// Returns the path of a gRPC call, which is its method, or the [`http_name`] of another request.
pub(super) fn operation_name(
    names: impl FnOnce() -> TagNames,
    protocol: Protocol,
    request: &request::Parts,
    route: Option<&str>,
) -> Cow<'static, str> {
    match protocol {
        Protocol::Http => http_name(names, &request.method, route),
        Protocol::Grpc => METHODS.keep("", request.uri.path()),
    }
}

/// Returns `GET /users/{id}` if the route is known, else `HTTP GET`, which is `GET` by the rules of OpenTelemetry.
/// `names` is asked only if they matter.
///
/// The path itself is never a name, because callers would make up too many. Nor is an uncommon method:
/// `HTTP /users/{id}`, `HTTP`.
pub(super) fn http_name(
    names: impl FnOnce() -> TagNames,
    method: &Method,
    route: Option<&str>,
) -> Cow<'static, str> {
    let known = COMMON_METHODS.iter().find(|(known, ..)| known == method);
    let (start, name) = known.map_or(("HTTP ", "HTTP"), |(_, start, name)| (*start, *name));
    match route {
        Some(route) => ROUTES.keep(start, route),
        None if names().name_spans() => Cow::Borrowed(start.trim_ascii_end()),
        None => Cow::Borrowed(name),
    }
}

/// Whether [`http_name`] may have given this name to a POST.
pub(super) fn is_name_of_post(name: &str) -> bool {
    matches!(name, "HTTP POST" | "POST") || name.starts_with("POST /")
}

/// Whether a method is one of those that may stand in a name.
pub(super) fn is_common(method: &Method) -> bool {
    COMMON_METHODS.iter().any(|(known, ..)| known == method)
}

/// Methods that may stand in a name, with the start of a name with a route, and the name without. A caller can make up
/// other methods without end.
const COMMON_METHODS: [(Method, &str, &str); 9] = [
    (Method::GET, "GET ", "HTTP GET"),
    (Method::POST, "POST ", "HTTP POST"),
    (Method::PUT, "PUT ", "HTTP PUT"),
    (Method::DELETE, "DELETE ", "HTTP DELETE"),
    (Method::HEAD, "HEAD ", "HTTP HEAD"),
    (Method::OPTIONS, "OPTIONS ", "HTTP OPTIONS"),
    (Method::PATCH, "PATCH ", "HTTP PATCH"),
    (Method::CONNECT, "CONNECT ", "HTTP CONNECT"),
    (Method::TRACE, "TRACE ", "HTTP TRACE"),
];

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
            assert_eq!(http_name(TagNames::default, &method, route), name);
        }
    }
}

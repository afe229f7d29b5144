//! The operation names of spans that the user has not named.

use std::borrow::Cow;

use http::{Method, request};

use crate::middleware::http::protocol::Protocol;
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
        Protocol::Grpc => Cow::Owned(request.uri.path().to_owned()),
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
    let known = COMMON_METHODS.iter().find(|(known, _)| known == method);
    match (known, route) {
        (Some(_), Some(route)) => Cow::Owned([method.as_str(), " ", route].concat()),
        (None, Some(route)) => Cow::Owned(["HTTP ", route].concat()),
        (Some((_, name)), None) if names().name_spans() => {
            Cow::Borrowed(name.trim_start_matches("HTTP "))
        }
        (Some((_, name)), None) => Cow::Borrowed(name),
        (None, None) => Cow::Borrowed("HTTP"),
    }
}

/// Whether [`http_name`] may have given this name to a POST.
pub(super) fn is_name_of_post(name: &str) -> bool {
    matches!(name, "HTTP POST" | "POST") || name.starts_with("POST /")
}

/// Whether a method is one of those that may stand in a name.
pub(super) fn is_common(method: &Method) -> bool {
    COMMON_METHODS.iter().any(|(known, _)| known == method)
}

/// Methods that may stand in a name. A caller can make up others without end.
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

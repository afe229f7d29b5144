//! gRPC calls in HTTP: how they are recognized, and how their status is recorded.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, Method, StatusCode, header, request};
use percent_encoding::percent_decode;

#[cfg(feature = "tonic")]
use crate::middleware::error_log::{chain, is_timeout};
use crate::middleware::first_value::first_value;
use crate::middleware::side::Side;
use crate::model::{field, tags};
use crate::redact;
use crate::span::Span;

/// The value of the `component` tag.
pub(crate) const COMPONENT: &str = "gRPC";

/// Names that are looked up often, made once: a search by text parses the text each time.
static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
static GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// A gRPC status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(u8);

impl Code {
    pub(crate) const OK: Self = Self(0);
    pub(crate) const CANCELED: Self = Self(1);
    pub(crate) const UNKNOWN: Self = Self(2);
    pub(crate) const DEADLINE_EXCEEDED: Self = Self(4);
    const PERMISSION_DENIED: Self = Self(7);
    pub(crate) const UNIMPLEMENTED: Self = Self(12);
    const INTERNAL: Self = Self(13);
    pub(crate) const UNAVAILABLE: Self = Self(14);
    const UNAUTHENTICATED: Self = Self(16);

    #[cfg(feature = "tonic")]
    fn new(code: i32) -> Self {
        match u8::try_from(code) {
            Ok(code) if usize::from(code) < CODES.len() => Self(code),
            _ => Self::UNKNOWN,
        }
    }

    /// Returns the code for a response that has none, by gRPC's `http-grpc-status-mapping.md`.
    pub(crate) fn from_http(status: StatusCode) -> Self {
        match status {
            StatusCode::BAD_REQUEST => Self::INTERNAL,
            StatusCode::UNAUTHORIZED => Self::UNAUTHENTICATED,
            StatusCode::FORBIDDEN => Self::PERMISSION_DENIED,
            StatusCode::NOT_FOUND => Self::UNIMPLEMENTED,
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Self::UNAVAILABLE,
            _ => Self::UNKNOWN,
        }
    }

    /// Reads a header: a number from 0 to 16 as gRPC writes it. Other spellings (`00`, `+5`) are Unknown, as in tonic.
    fn from_header(value: &[u8]) -> Self {
        match *value {
            [digit @ b'0'..=b'9'] => Self(digit - b'0'),
            [b'1', digit @ b'0'..=b'6'] => Self(10 + digit - b'0'),
            _ => Self::UNKNOWN,
        }
    }

    fn name_and_class(self) -> (&'static str, &'static str) {
        CODES
            .get(usize::from(self.0))
            .copied()
            .unwrap_or(("Unknown", "0xx"))
    }

    /// Replaces tonic's answer to a timeout, which is Cancelled, by DeadlineExceeded.
    fn or_deadline(self, message: &str) -> Self {
        if self == Self::CANCELED && message == "Timeout expired" {
            Self::DEADLINE_EXCEEDED
        } else {
            self
        }
    }
}

/// The names of the codes as in Go, and their classes as in otgrpc.
const CODES: [(&str, &str); 17] = [
    ("OK", "2xx"),
    ("Canceled", "2xx"),
    ("Unknown", "0xx"),
    ("InvalidArgument", "4xx"),
    ("DeadlineExceeded", "5xx"),
    ("NotFound", "4xx"),
    ("AlreadyExists", "4xx"),
    ("PermissionDenied", "4xx"),
    ("ResourceExhausted", "5xx"),
    ("FailedPrecondition", "4xx"),
    ("Aborted", "5xx"),
    ("OutOfRange", "4xx"),
    ("Unimplemented", "5xx"),
    ("Internal", "5xx"),
    ("Unavailable", "5xx"),
    ("DataLoss", "5xx"),
    ("Unauthenticated", "4xx"),
];

/// Whether a request is a gRPC call: a POST of `application/grpc` to `/package.Service/Method`.
pub(crate) fn is_call(request: &request::Parts) -> bool {
    let is_method = |path: &[u8]| {
        // Names of methods are short.
        let last = path.iter().rposition(|byte| *byte == b'/');
        path.starts_with(b"/") && last.is_some_and(|last| last > 1 && last + 1 < path.len())
    };
    request.method == Method::POST
        && is_content(&request.headers)
        && is_method(request.uri.path().as_bytes())
}

/// Whether the content type is gRPC's. `application/grpc-web` is not: its trailers are part of the body.
pub(crate) fn is_content(headers: &HeaderMap) -> bool {
    let rest = first_value(headers, &header::CONTENT_TYPE)
        .and_then(|value| value.as_bytes().strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// Whether a response is gRPC, by its content type or because it has a gRPC status.
pub(crate) fn is_response(headers: &HeaderMap) -> bool {
    is_content(headers) || first_value(headers, &GRPC_STATUS).is_some()
}

/// Returns the status in trailers, or in the headers of a response that has no body, and its message if it is an error.
pub(crate) fn status(headers: &HeaderMap) -> Option<(Code, Cow<'_, str>)> {
    let code = Code::from_header(first_value(headers, &GRPC_STATUS)?.as_bytes());
    if code == Code::OK {
        return Some((code, Cow::Borrowed(""))); // whose message nobody asks for
    }
    let message = first_value(headers, &GRPC_MESSAGE);
    let message = message.map_or(Cow::Borrowed(""), |message| {
        percent_decode(message.as_bytes()).decode_utf8_lossy()
    });
    Some((code.or_deadline(&message), message))
}

/// Records a status by the rules of otgrpc: nothing for OK, else code, class and a log record.
///
/// The span of a client gets the error tag unless the class is `2xx`, that of a server if the class is `5xx`. Unlike in
/// otgrpc, Unknown is an error on a server too, because a handler that panicked looks like this.
pub(crate) fn record_status(span: &Span, side: Side, code: Code, message: &str) {
    if code == Code::OK {
        return;
    }
    let class = record_code(span, code);
    let is_error = match side {
        Side::Server => class == "5xx" || code == Code::UNKNOWN,
        Side::Client => class != "2xx",
    };
    if is_error {
        span.set_tag(tags::ERROR, true);
    }
    let message = redact::text(message);
    let message = (!message.is_empty()).then_some(&message);
    span.log([field(tags::EVENT, "error"), field(tags::MESSAGE, message)]);
}

/// Records a code without a log record, and returns its class.
pub(crate) fn record_code(span: &Span, code: Code) -> &'static str {
    let (name, class) = code.name_and_class();
    span.set_tag("response_code", name)
        .set_tag("response_class", class);
    class
}

/// Returns the code that the caller gets for an error of a service; DeadlineExceeded for a timeout, which tonic calls
/// Cancelled.
#[cfg(feature = "tonic")]
pub(crate) fn code_of<E: 'static>(error: &E) -> Code {
    let code = chain(error).find_map(|error| {
        if let Some(status) = error.downcast_ref::<tonic::Status>() {
            let code = Code::new(i32::from(status.code()));
            Some(code.or_deadline(status.message()))
        } else if error.is::<tonic::TimeoutExpired>() {
            Some(Code::DEADLINE_EXCEEDED)
        } else if error.is::<tonic::ConnectError>() {
            Some(Code::UNAVAILABLE)
        } else {
            None
        }
    });
    match code {
        Some(code) => code,
        None if chain(error).any(is_timeout) => Code::DEADLINE_EXCEEDED,
        None => Code::UNKNOWN,
    }
}

#[cfg(not(feature = "tonic"))]
pub(crate) fn code_of<E: 'static>(_error: &E) -> Code {
    Code::UNKNOWN
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;

    #[test]
    fn a_call_is_a_post_of_grpc_to_a_service_and_a_method() {
        let rows = [
            ("POST", "/pkg.Svc/Do", "application/grpc", true),
            ("POST", "/prefix/pkg.Svc/Do", "application/grpc+proto", true),
            ("POST", "/pkg.Svc/Do", "application/grpc;charset=x", true),
            ("POST", "/pkg.Svc/Do", "application/grpc-web+proto", false),
            ("POST", "/pkg.Svc/Do", "application/json", false),
            ("GET", "/pkg.Svc/Do", "application/grpc", false),
            ("POST", "/Do", "application/grpc", false),
            ("POST", "//Do", "application/grpc", false),
            ("POST", "/pkg.Svc/", "application/grpc", false),
        ];
        for (method, path, content_type, expected) in rows {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header("content-type", content_type)
                .body(())
                .expect("a request");
            let is_call = is_call(&request.into_parts().0);
            assert_eq!(is_call, expected, "{method} {path} {content_type}");
        }
    }

    #[test]
    fn a_status_is_read_from_headers() {
        let rows: &[(&[u8], &str, (Code, &str))] = &[
            (b"0", "", (Code::OK, "")),
            (b"9", "", (Code(9), "")),
            (b"10", "", (Code(10), "")),
            (b"16", "", (Code(16), "")),
            (b"00", "", (Code::UNKNOWN, "")),
            (b"+5", "", (Code::UNKNOWN, "")),
            (b"05", "", (Code::UNKNOWN, "")),
            (b" 5", "", (Code::UNKNOWN, "")),
            (b"", "", (Code::UNKNOWN, "")),
            (b"100", "", (Code::UNKNOWN, "")),
            (b"5", "no%20such%20%C3%A9", (Code(5), "no such é")),
            (b"17", "%zz%ff", (Code::UNKNOWN, "%zz\u{fffd}")),
            (b"1", "Timeout expired", (Code(4), "Timeout expired")),
            (b"1", "timeout", (Code::CANCELED, "timeout")),
            (b"-1", "", (Code::UNKNOWN, "")),
            (b"x", "", (Code::UNKNOWN, "")),
            (b"\xff", "", (Code::UNKNOWN, "")),
        ];
        for &(code, message, (expected, text)) in rows {
            let mut headers = HeaderMap::new();
            let code = HeaderValue::from_bytes(code).expect("legal");
            headers.insert("grpc-status", code);
            headers.insert("grpc-message", message.parse().expect("legal"));
            assert_eq!(status(&headers), Some((expected, text.into())));
        }
        assert_eq!(status(&HeaderMap::new()), None);
    }

    #[test]
    fn codes_have_the_names_and_classes_of_otgrpc() {
        let class = |class| {
            let rows = CODES.iter().filter(move |row| row.1 == class);
            rows.map(|row| row.0).collect::<Vec<_>>()
        };
        assert_eq!(class("2xx"), ["OK", "Canceled"]);
        assert_eq!(class("0xx"), ["Unknown"]);
        assert_eq!(
            class("4xx"),
            [
                "InvalidArgument",
                "NotFound",
                "AlreadyExists",
                "PermissionDenied",
                "FailedPrecondition",
                "OutOfRange",
                "Unauthenticated"
            ]
        );
        assert_eq!(class("5xx").len(), 7);
    }
}

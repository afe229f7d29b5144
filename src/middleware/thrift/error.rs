use std::borrow::Cow;

use thrift::{Error, TransportErrorKind};

use crate::model::{field, tags};
use crate::panics::caught;
use crate::redact;
use crate::span::Span;

/// Marks a span as failed: `error=true`, and a log record with a kind and a text whose secrets are hidden.
pub(super) fn record(span: &Span, kind: &str, text: Option<&str>) {
    span.set_tag(tags::ERROR, true);
    if !span.is_recording() {
        return;
    }
    let text = text.map(redact::text);
    span.log([
        field(tags::EVENT, "error"),
        field(tags::ERROR_KIND, kind),
        field(tags::MESSAGE, text.as_deref()),
    ]);
}

/// Marks a span as failed by an error of the crate `thrift`.
pub(super) fn record_error(span: &Span, error: &Error) {
    let (kind, text): (_, Cow<'_, str>) = match error {
        Error::Transport(error) => (
            transport_kind(error.kind, &error.message),
            (&error.message).into(),
        ),
        Error::Protocol(error) => ("protocol_error", (&error.message).into()),
        Error::Application(error) => (application_kind(error.kind as i32), (&error.message).into()),
        // `Display` is user code.
        Error::User(error) => (
            "exception",
            caught(|| error.to_string()).unwrap_or_default().into(),
        ),
    };
    record(span, kind, Some(&text));
}

fn transport_kind(kind: TransportErrorKind, message: &str) -> &'static str {
    match kind {
        TransportErrorKind::TimedOut => "timeout",
        TransportErrorKind::EndOfFile => "end_of_file",
        TransportErrorKind::NotOpen => "not_open",
        TransportErrorKind::SizeLimit | TransportErrorKind::NegativeSize => "size_limit",
        _ if is_read_timeout(message) => "timeout",
        _ => "transport_error",
    }
}

/// Whether a socket's read timeout has passed. On Unix the kernel says `EAGAIN` then, for which the crate `thrift` has
/// no kind of its own.
#[cfg(unix)]
fn is_read_timeout(message: &str) -> bool {
    message == std::io::Error::from_raw_os_error(libc::EAGAIN).to_string()
}
#[cfg(not(unix))]
fn is_read_timeout(_message: &str) -> bool {
    false
}

/// Returns a name for the kind of a `TApplicationException`.
pub(super) fn application_kind(kind: i32) -> &'static str {
    match kind {
        1 => "unknown_method",
        2 => "invalid_message_type",
        3 => "wrong_method_name",
        4 => "bad_sequence_id",
        5 => "missing_result",
        6 => "internal_error",
        7 => "protocol_error",
        8 => "invalid_transform",
        9 => "invalid_protocol",
        10 => "unsupported_client_type",
        _ => "unknown",
    }
}

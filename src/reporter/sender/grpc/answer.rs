//! The fate of a batch, as the end of its call tells it.

use std::error::Error;
use std::io;
use std::iter;
use std::time::Duration;

use tonic::{Code, ConnectError, Status};

use crate::http_client::shown;
use crate::metrics::DropCause;
use crate::reporter::sender::grpc::protocol::GrpcProtocol;
use crate::reporter::sender::upload::{Answer, Malformed, UploadOptions, Value, read_fields};

/// Returns the fate of a batch whose call ended in an error of the server or of the connection.
pub(super) fn answer_of(
    protocol: &GrpcProtocol,
    options: &UploadOptions,
    status: &Status,
) -> Answer {
    match status.source() {
        Some(error) => answer_without_status(protocol, options.endpoint.port(), status, error),
        None => answer_of_server(protocol, options, status),
    }
}

/// Returns the fate of a batch that the server itself has answered.
fn answer_of_server(protocol: &GrpcProtocol, options: &UploadOptions, status: &Status) -> Answer {
    let reason = |cure: &str| reason(options, status, cure);
    let lost = |cause, cure: &str| Answer::Lost {
        cause,
        reason: reason(cure),
    };
    let pause = retry_info(status.details());
    let retry = |cause, cure: &str| Answer::Retry {
        after: pause,
        cause,
        reason: reason(cure),
    };
    match status.code() {
        // These two may come from the client's own deadline, and the server may have taken the batch before.
        Code::Cancelled | Code::DeadlineExceeded => retry(DropCause::Unknown, ""),
        Code::Unavailable => retry(DropCause::SendFailed, "it has no room or is out of order"),
        Code::Aborted | Code::DataLoss => retry(DropCause::SendFailed, ""),
        Code::OutOfRange if status.message().starts_with(LONG_REPLY) => lost(
            DropCause::Unknown,
            "the answer is too long for one about spans",
        ),
        Code::OutOfRange => retry(DropCause::SendFailed, ""),
        Code::ResourceExhausted if is_too_large(status) => Answer::TooLarge { reason: reason("") },
        Code::ResourceExhausted if pause.is_some() || protocol.retries_exhausted => retry(
            DropCause::SendFailed,
            "it has no room; give it more, or sample less",
        ),
        Code::ResourceExhausted => lost(
            DropCause::Rejected,
            "it has no room; give it more, or sample less",
        ),
        Code::Unauthenticated | Code::PermissionDenied => {
            lost(DropCause::Rejected, protocol.if_unauthorized)
        }
        Code::Unimplemented => lost(DropCause::Rejected, protocol.if_unimplemented),
        Code::Unknown | Code::Internal => lost(DropCause::SendFailed, ""),
        _ => lost(DropCause::Rejected, ""),
    }
}

/// Returns whether the server takes no message of that size. Only the text tells this from a server without room:
/// servers in Go, C++ and Java write it alike.
fn is_too_large(status: &Status) -> bool {
    let message = status.message();
    [
        "larger than max",
        "exceeds maximum size",
        "message length too large",
    ]
    .iter()
    .any(|text| message.contains(text))
}

/// Tells the status, what the server says about it, and the cure.
fn reason(options: &UploadOptions, status: &Status, cure: &str) -> String {
    let code = status.code();
    let message = options.quoted(status.message());
    let message = match message.trim() {
        "" => String::new(),
        message => format!(" ({message})"),
    };
    match cure {
        "" => format!("it answered {code:?}{message}"),
        cure => format!("it answered {code:?}{message}; {cure}"),
    }
}

/// Returns the fate of a batch whose connection broke.
fn answer_without_status(
    protocol: &GrpcProtocol,
    port: Option<u16>,
    status: &Status,
    error: &(dyn Error + 'static),
) -> Answer {
    let is_unconnected = chain(error).any(|error| error.is::<ConnectError>());
    if is_unconnected {
        return answer_without_connection(protocol, error);
    }
    let text = shown(error);
    if text.contains("connection error detected") {
        return Answer::Lost {
            cause: DropCause::SendFailed,
            reason: with_port(
                port,
                format!("it does not speak HTTP/2 ({text}); is it a port for HTTP?"),
            ),
        };
    }
    match status.code() {
        // The request did not get as far as the connection, or the server has refused it unread.
        Code::Cancelled if text.contains("operation was canceled") => Answer::Retry {
            after: None,
            cause: DropCause::SendFailed,
            reason: text,
        },
        Code::Unavailable if text.contains("refused stream") => Answer::Retry {
            after: None,
            cause: DropCause::SendFailed,
            reason: text,
        },
        _ => Answer::Lost {
            cause: DropCause::Unknown,
            reason: with_port(port, format!("no answer ({text})")),
        },
    }
}

/// Returns the fate of a batch without a connection.
pub(super) fn answer_without_connection(
    protocol: &GrpcProtocol,
    error: &(dyn Error + 'static),
) -> Answer {
    let text = shown(error);
    let retry = |cause, reason| Answer::Retry {
        after: None,
        cause,
        reason,
    };
    if chain(error).any(is_tls) {
        return Answer::not_encrypted(&text);
    }
    if chain(error).any(is_refused) {
        let cure = protocol.if_refused;
        return retry(DropCause::Refused, format!("{text}; {cure}"));
    }
    if text.contains("dns error") {
        let reason = format!("its host has no address ({text}); look at the endpoint");
        return retry(DropCause::NoAddress, reason);
    }
    retry(DropCause::SendFailed, text)
}

fn is_refused(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(feature = "tls")]
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let inner = |error: &io::Error| {
        error
            .get_ref()
            .is_some_and(|inner| inner.is::<rustls::Error>())
    };
    error.is::<rustls::Error>()
        || error.downcast_ref::<io::Error>().is_some_and(inner)
        // The server's certificate is good, but it speaks another protocol behind it.
        || error.to_string().starts_with("HTTP/2 was not negotiated")
}

#[cfg(not(feature = "tls"))]
fn is_tls(_error: &(dyn Error + 'static)) -> bool {
    false
}

/// Returns an error and its causes.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| error.source())
}

/// Adds a hint if the port is usually one of HTTP/1.1.
pub(super) fn with_port(port: Option<u16>, reason: String) -> String {
    match port {
        Some(4318) => format!("{reason}; port 4318 is for OTLP over HTTP, and 4317 for gRPC"),
        Some(14268) => format!("{reason}; port 14268 is for HTTP, and 14250 for gRPC"),
        _ => reason,
    }
}

/// Reads the pause that a server asks for: the delay of a `google.rpc.RetryInfo` in a `google.rpc.Status`.
fn retry_info(details: &[u8]) -> Option<Duration> {
    let mut delay = None;
    let status = read_fields(details, |number, value| {
        if let (3, Value::Bytes(any)) = (number, value)
            && let Ok(Some(found)) = delay_of_any(any)
        {
            delay = Some(found);
        }
    });
    status.ok()?;
    delay.map(|delay: Duration| delay.clamp(SHORTEST_PAUSE, LONGEST_PAUSE))
}

fn delay_of_any(any: &[u8]) -> Result<Option<Duration>, Malformed> {
    let (mut is_retry_info, mut content) = (false, &[][..]);
    read_fields(any, |number, value| match (number, value) {
        (1, Value::Bytes(url)) => is_retry_info = url.ends_with(b"/google.rpc.RetryInfo"),
        (2, Value::Bytes(bytes)) => content = bytes,
        _ => {}
    })?;
    if !is_retry_info {
        return Ok(None);
    }
    let (mut seconds, mut nanos) = (0, 0);
    let mut parts = Ok(());
    read_fields(content, |number, value| {
        if let (1, Value::Bytes(duration)) = (number, value) {
            parts = read_fields(duration, |number, value| match (number, value) {
                (1, Value::Varint(value)) => seconds = value as i64,
                (2, Value::Varint(value)) => nanos = value as i32,
                _ => {}
            });
        }
    })?;
    parts?;
    let delay = match (u64::try_from(seconds), u32::try_from(nanos)) {
        (Ok(seconds), Ok(nanos)) => {
            Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos.into()))
        }
        _ => Duration::ZERO,
    };
    Ok(Some(delay))
}

/// A delay that is shorter, or not positive, becomes this.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// The start of the message of tonic's own status for a reply beyond the limit.
const LONG_REPLY: &str = "Error, decoded message length too large";

#[cfg(test)]
mod tests {
    use super::*;

    /// A `google.rpc.Status` with another detail and a `RetryInfo` around this duration.
    fn details(duration: &[u8]) -> Vec<u8> {
        let field = |number: u8, bytes: &[u8]| {
            let mut field = vec![number << 3 | 2, bytes.len() as u8];
            field.extend_from_slice(bytes);
            field
        };
        let any = |url: &[u8], value: &[u8]| [field(1, url), field(2, value)].concat();
        let other = any(b"type.googleapis.com/google.rpc.Help", b"x");
        let retry = any(
            b"type.googleapis.com/google.rpc.RetryInfo",
            &field(1, duration),
        );
        [
            vec![0x08, 8],
            field(2, b"full"),
            field(3, &other),
            field(3, &retry),
        ]
        .concat()
    }

    #[test]
    fn the_delay_of_a_retry_info_is_read_within_bounds() {
        const NEGATIVE: &[u8] = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        const LARGEST: &[u8] = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x10\xff\x93\xeb\xdc\x03";
        for (duration, expected) in [
            (&b"\x08\x02"[..], 2_000),
            (b"\x08\x01\x10\x80\xca\xb5\xee\x01", 1_500),
            (b"\x10\xc0\x84\x3d", 10),
            (b"", 10),
            (NEGATIVE, 10),
            (LARGEST, 300_000),
        ] {
            let pause = retry_info(&details(duration)).expect("a delay");
            assert_eq!(pause.as_millis(), expected, "{duration:?}");
        }
    }

    #[test]
    fn details_without_a_retry_info_ask_for_no_pause() {
        let whole = details(b"\x08\x02");
        for bytes in [
            &b""[..],
            b"\x08\x08\x12\x04full",
            b"\xff",
            b"text",
            &whole[..whole.len() - 1],
            &details(b"\x08"),
            &details(b"\xff\xff"),
        ] {
            assert_eq!(retry_info(bytes), None, "{bytes:?}");
        }
    }
}

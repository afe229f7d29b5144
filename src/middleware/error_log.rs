//! The log record that a span gets when a service or a body fails.
//!
//! An error may have any type with a text. If the type is in [`KNOWN`], its causes are recorded too.

use std::any::{Any, type_name};
use std::borrow::Cow;
use std::error::Error;
use std::fmt::Display;
use std::io;

use crate::model::{field, otel_tags, tags};
use crate::panics::caught;
#[cfg(feature = "tower")]
use crate::redact;
use crate::span::{Span, text_of, with_causes};

/// Logs `event=error`, `message`, `error.kind` (`timeout`, `connect`, `redirect` or the name of the type) and
/// `error.object` (the message with those of its causes). Secrets in the texts are hidden.
#[cfg(feature = "tower")]
pub(crate) fn log_error<E: Display + 'static>(span: &Span, error: &E) {
    log_error_hiding(span, error, redact::text);
}

/// Like `log_error`, but `hide` returns what may be shown of a text.
pub(crate) fn log_error_hiding<E: Display + 'static>(
    span: &Span,
    error: &E,
    hide: fn(&str) -> Cow<'_, str>,
) {
    if !span.is_recording() {
        return;
    }
    let Some(texts) = caught(|| ErrorTexts::new(error)) else {
        return;
    };
    span.log([
        field(tags::EVENT, "error"),
        field(tags::MESSAGE, &hide(&texts.message)),
        field(tags::ERROR_KIND, texts.kind),
        field(tags::ERROR_OBJECT, &hide(&texts.object)),
    ]);
}

/// Returns the class of an error for OpenTelemetry's tag `error.type`: `timeout`, `connect`, `redirect` or the name of
/// its type.
pub(crate) fn type_of<E: 'static>(error: &E) -> &'static str {
    caught(|| kind(error)).flatten().unwrap_or(otel_tags::OTHER)
}

/// Returns a short word for a known error, or else the name of its type.
fn kind<E: 'static>(error: &E) -> Option<&'static str> {
    let type_name = type_name::<E>();
    let known = chain(error).find_map(kind_of);
    known.or_else(|| (!type_name.contains("dyn ")).then_some(type_name))
}

/// Returns an error and its causes, or nothing if its type is not in [`KNOWN`].
pub(crate) fn chain<E: 'static>(error: &E) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first = KNOWN
        .iter()
        .flat_map(|known| known.iter())
        .find_map(|as_error| as_error(error));
    // A chain of causes may be a circle.
    let causes = std::iter::successors(first, |error| (*error).source()).take(32);
    causes.map(unwrapped)
}

struct ErrorTexts {
    message: String,
    kind: Option<&'static str>,
    object: String,
}

impl ErrorTexts {
    fn new<E: Display + 'static>(error: &E) -> Self {
        let message = text_of(error);
        // The first item of the chain is the error itself.
        let object = with_causes(&message, chain(error).skip(1));
        Self {
            message,
            kind: kind(error),
            object,
        }
    }
}

/// Whether an error is known to be a timeout.
#[cfg(feature = "tonic")]
pub(crate) fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    kind_of(error) == Some(TIMEOUT)
}

fn kind_of(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let io = |error: &io::Error| match error.kind() {
        io::ErrorKind::TimedOut => Some(TIMEOUT),
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable => Some(CONNECT),
        _ => None,
    };
    error
        .downcast_ref()
        .and_then(io)
        .or_else(|| hyper_kind(error))
        .or_else(|| reqwest_kind(error))
        .or_else(|| tonic_kind(error))
        .or_else(|| redis_kind(error))
        .or_else(|| sqlx_kind(error))
        .or_else(|| nats_kind(error))
}

const TIMEOUT: &str = "timeout";
const CONNECT: &str = "connect";

/// Returns a value as an error if it has the one type that the function knows.
type AsError = fn(&dyn Any) -> Option<&(dyn Error + 'static)>;

fn as_error<T: Error + 'static>(value: &dyn Any) -> Option<&(dyn Error + 'static)> {
    value.downcast_ref::<T>().map(|error| error as _)
}

fn as_boxed(value: &dyn Any) -> Option<&(dyn Error + 'static)> {
    let boxed = value.downcast_ref::<Box<dyn Error + Send + Sync>>()?;
    Some(&**boxed)
}

/// The types of errors whose causes can be read.
const KNOWN: [&[AsError]; 8] = [
    &[as_boxed, as_error::<io::Error>],
    HYPER,
    REQWEST,
    TONIC,
    TUNGSTENITE,
    REDIS,
    SQLX,
    NATS,
];

#[cfg(feature = "hyper")]
const HYPER: &[AsError] = &[
    as_error::<hyper::Error>,
    as_error::<hyper_util::client::legacy::Error>,
];
#[cfg(not(feature = "hyper"))]
const HYPER: &[AsError] = &[];

#[cfg(feature = "reqwest")]
const REQWEST: &[AsError] = &[
    as_error::<reqwest::Error>,
    as_error::<reqwest_middleware::Error>,
];
#[cfg(not(feature = "reqwest"))]
const REQWEST: &[AsError] = &[];

#[cfg(feature = "tonic")]
const TONIC: &[AsError] = &[
    as_error::<tonic::transport::Error>,
    as_error::<tonic::Status>,
];
#[cfg(not(feature = "tonic"))]
const TONIC: &[AsError] = &[];

#[cfg(feature = "tungstenite")]
const TUNGSTENITE: &[AsError] = &[as_error::<tokio_tungstenite::tungstenite::Error>];
#[cfg(not(feature = "tungstenite"))]
const TUNGSTENITE: &[AsError] = &[];

#[cfg(feature = "redis")]
const REDIS: &[AsError] = &[as_error::<redis::RedisError>];
#[cfg(not(feature = "redis"))]
const REDIS: &[AsError] = &[];

#[cfg(feature = "sqlx")]
const SQLX: &[AsError] = &[as_error::<sqlx::Error>];
#[cfg(not(feature = "sqlx"))]
const SQLX: &[AsError] = &[];

#[cfg(feature = "nats")]
const NATS: &[AsError] = &[
    as_error::<async_nats::PublishError>,
    as_error::<async_nats::RequestError>,
    as_error::<async_nats::SubscribeError>,
    as_error::<async_nats::jetstream::context::PublishError>,
];
#[cfg(not(feature = "nats"))]
const NATS: &[AsError] = &[];

#[cfg(feature = "hyper")]
fn hyper_kind(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let is_connect = error
        .downcast_ref::<hyper_util::client::legacy::Error>()
        .is_some_and(hyper_util::client::legacy::Error::is_connect);
    let is_timeout = error
        .downcast_ref::<hyper::Error>()
        .is_some_and(hyper::Error::is_timeout);
    is_timeout
        .then_some(TIMEOUT)
        .or_else(|| is_connect.then_some(CONNECT))
}
#[cfg(not(feature = "hyper"))]
fn hyper_kind(_error: &(dyn Error + 'static)) -> Option<&'static str> {
    None
}

#[cfg(feature = "reqwest")]
fn reqwest_kind(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let error = error.downcast_ref::<reqwest::Error>()?;
    if error.is_timeout() {
        Some(TIMEOUT)
    } else if error.is_connect() {
        Some(CONNECT)
    } else if error.is_redirect() {
        Some("redirect")
    } else {
        None
    }
}
#[cfg(not(feature = "reqwest"))]
fn reqwest_kind(_error: &(dyn Error + 'static)) -> Option<&'static str> {
    None
}

/// Returns the error inside of one that has the text and the causes of another one, and is none of them.
#[cfg(feature = "reqwest")]
fn unwrapped<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    match error.downcast_ref() {
        Some(reqwest_middleware::Error::Reqwest(inner)) => inner,
        Some(reqwest_middleware::Error::Middleware(inner)) => &**inner,
        None => error,
    }
}
#[cfg(not(feature = "reqwest"))]
fn unwrapped<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    error
}

#[cfg(feature = "tonic")]
fn tonic_kind(error: &(dyn Error + 'static)) -> Option<&'static str> {
    if error.is::<tonic::TimeoutExpired>() {
        Some(TIMEOUT)
    } else if error.is::<tonic::ConnectError>() {
        Some(CONNECT)
    } else {
        None
    }
}
#[cfg(not(feature = "tonic"))]
fn tonic_kind(_error: &(dyn Error + 'static)) -> Option<&'static str> {
    None
}

#[cfg(feature = "redis")]
fn redis_kind(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let error = error.downcast_ref::<redis::RedisError>()?;
    if error.is_timeout() {
        Some(TIMEOUT)
    } else if error.is_connection_refusal() {
        Some(CONNECT)
    } else {
        None
    }
}
#[cfg(not(feature = "redis"))]
fn redis_kind(_error: &(dyn Error + 'static)) -> Option<&'static str> {
    None
}

#[cfg(feature = "sqlx")]
fn sqlx_kind(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let error = error.downcast_ref::<sqlx::Error>()?;
    matches!(error, sqlx::Error::PoolTimedOut).then_some(TIMEOUT)
}
#[cfg(not(feature = "sqlx"))]
fn sqlx_kind(_error: &(dyn Error + 'static)) -> Option<&'static str> {
    None
}

#[cfg(feature = "nats")]
fn nats_kind(error: &(dyn Error + 'static)) -> Option<&'static str> {
    use async_nats::jetstream::context::{PublishError, PublishErrorKind};
    use async_nats::{RequestError, RequestErrorKind};

    let late_reply = error
        .downcast_ref::<RequestError>()
        .is_some_and(|error| error.kind() == RequestErrorKind::TimedOut);
    let late_ack = error
        .downcast_ref::<PublishError>()
        .is_some_and(|error| error.kind() == PublishErrorKind::TimedOut);
    (late_reply || late_ack).then_some(TIMEOUT)
}
#[cfg(not(feature = "nats"))]
fn nats_kind(_error: &(dyn Error + 'static)) -> Option<&'static str> {
    None
}

//! Spans that come over gRPC, as OpenTelemetry, Jaeger and Zipkin send them, and strategies for those who ask.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::post;
use http::{HeaderMap, HeaderValue, header};
use http_body::Frame;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::bounded_text::beginning;
use crate::decode::{
    Reason, ReceivedBatch, Refusal, otlp_request, post_spans_request, unpacked, zipkin_proto,
};
use crate::dev::server::ingest::otlp_answer;
use crate::dev::server::state::ServerState;
use crate::dev::strategies::ServedStrategies;
#[cfg(feature = "_grpc-receiver")]
use crate::sampler::remote::served;

/// Takes the calls of all services, so that each of their ports takes them.
pub(super) fn routes(state: Arc<ServerState>, strategies: Strategies) -> Router {
    Router::new()
        .route(OTLP, post(otlp))
        .route(JAEGER, post(jaeger))
        .route(ZIPKIN, post(zipkin))
        .with_state(state)
        .merge(sampling(strategies))
        .layer(DefaultBodyLimit::max(MAX_PACKED))
}

#[cfg(feature = "_grpc-receiver")]
fn sampling(strategies: Strategies) -> Router {
    Router::new()
        .route(SAMPLING, post(strategy))
        .with_state(strategies)
}

/// No strategies are asked for over gRPC.
#[cfg(not(feature = "_grpc-receiver"))]
fn sampling(_: Strategies) -> Router {
    Router::new()
}

async fn otlp(State(state): State<Arc<ServerState>>, headers: HeaderMap, body: Call) -> Response {
    take(&state, &headers, body, otlp_request, otlp_answer::protobuf)
}

async fn jaeger(State(state): State<Arc<ServerState>>, headers: HeaderMap, body: Call) -> Response {
    take(&state, &headers, body, post_spans_request, |_| Vec::new())
}

async fn zipkin(State(state): State<Arc<ServerState>>, headers: HeaderMap, body: Call) -> Response {
    take(&state, &headers, body, zipkin_proto, |_| Vec::new())
}

/// Answers with the strategy of a service, as a collector of Jaeger 1 does.
#[cfg(feature = "_grpc-receiver")]
async fn strategy(
    State(strategies): State<Strategies>,
    headers: HeaderMap,
    body: Call,
) -> Response {
    let answer = message(&headers, &body).and_then(|message| {
        let answer = served::answer(&message, |service| {
            ServedStrategies::answer_of(strategies.as_deref(), service)
        });
        answer.ok_or_else(|| Refusal::Malformed("no request for a strategy".to_owned()))
    });
    reply(answer)
}

/// The strategies that are served, if not every trace is kept.
type Strategies = Option<Arc<ServedStrategies>>;

/// The bytes of a call, or why they did not come whole.
type Call = Result<Bytes, BytesRejection>;

/// Stores the batches of a call's message. `answer` makes a message of the number of spans that are left out.
fn take(
    state: &ServerState,
    headers: &HeaderMap,
    body: Call,
    read: fn(&[u8]) -> Result<Vec<ReceivedBatch>, Reason>,
    answer: fn(u64) -> Vec<u8>,
) -> Response {
    let batches = message(headers, &body).and_then(|message| Ok(read(&message)?));
    let answer = batches.map(|batches| {
        let left_out = batches.iter().map(|batch| batch.left_out).sum();
        state.insert(batches);
        answer(left_out)
    });
    if answer.is_err() {
        state.count_undecodable();
    }
    reply(answer)
}

/// Answers with a message, or with the status that tells why there is none.
fn reply(answer: Result<Vec<u8>, Refusal>) -> Response {
    let body = match answer {
        Ok(message) => Reply::new(Some(&message), "0", ""),
        Err(why @ Refusal::TooLong) => Reply::new(None, RESOURCE_EXHAUSTED, &why.to_string()),
        Err(Refusal::Malformed(why)) => Reply::new(None, INVALID_ARGUMENT, &why),
    };
    let mut response = Response::new(Body::new(body));
    let content_type = HeaderValue::from_static("application/grpc");
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

/// Returns the only message of a call.
fn message<'b>(headers: &HeaderMap, body: &'b Call) -> Result<Cow<'b, [u8]>, Refusal> {
    let encoding = headers.get("grpc-encoding");
    let encoding = encoding.and_then(|value| value.to_str().ok());
    let body = body.as_ref().map_err(|_| Refusal::TooLong)?;
    let (prefix, rest) = body
        .split_first_chunk::<5>()
        .ok_or_else(|| "no message came".to_owned())?;
    let [packed, length @ ..] = *prefix;
    let length = u32::from_be_bytes(length) as usize;
    if rest.len() != length {
        let why = format!("a message of {length} bytes was announced");
        return Err(Refusal::Malformed(why));
    }
    let encoding = encoding.filter(|_| packed == 1);
    unpacked(encoding, rest, MAX_MESSAGE)
}

/// A message, and then the status with its reason.
struct Reply {
    message: Option<Bytes>,
    status: Option<HeaderMap>,
}

impl Reply {
    fn new(message: Option<&[u8]>, status: &'static str, why: &str) -> Self {
        let framed = |message: &[u8]| {
            let length = (message.len() as u32).to_be_bytes();
            Bytes::from([&[0], &length[..], message].concat())
        };
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static(status));
        let why = utf8_percent_encode(beginning(why, MAX_REASON), ESCAPED).to_string();
        if let Ok(why) = HeaderValue::try_from(why)
            && !why.is_empty()
        {
            trailers.insert("grpc-message", why);
        }
        Self {
            message: message.map(framed),
            status: Some(trailers),
        }
    }
}

impl http_body::Body for Reply {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let message = self.message.take().map(Frame::data);
        let frame = message.or_else(|| self.status.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }
}

const OTLP: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const JAEGER: &str = "/jaeger.api_v2.CollectorService/PostSpans";
const ZIPKIN: &str = "/zipkin.proto3.SpanService/Report";
#[cfg(feature = "_grpc-receiver")]
const SAMPLING: &str = "/jaeger.api_v2.SamplingManager/GetSamplingStrategy";
const INVALID_ARGUMENT: &str = "3";
const RESOURCE_EXHAUSTED: &str = "8";
/// The bytes of a reason that are sent.
const MAX_REASON: usize = 512;
/// The characters that gRPC escapes in a reason, beside those that are no ASCII.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');
/// The largest message as it comes, as gRPC servers have it by default.
const MAX_PACKED: usize = 4 << 20;
/// The largest message, unpacked.
const MAX_MESSAGE: usize = 16 << 20;

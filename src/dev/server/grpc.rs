//! Spans that come over gRPC, as OpenTelemetry and Jaeger send them.

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

use crate::decode::{Reason, ReceivedBatch, Refusal, otlp_request, post_spans_request, unpacked};
use crate::dev::server::state::ServerState;

/// Takes the calls of both services, so that both of their ports take them.
pub(super) fn routes(state: Arc<ServerState>) -> Router {
    Router::new()
        .route(OTLP, post(otlp))
        .route(JAEGER, post(jaeger))
        .layer(DefaultBodyLimit::max(MAX_PACKED))
        .with_state(state)
}

async fn otlp(State(state): State<Arc<ServerState>>, headers: HeaderMap, body: Call) -> Response {
    answer(&state, &headers, body, otlp_request)
}

async fn jaeger(State(state): State<Arc<ServerState>>, headers: HeaderMap, body: Call) -> Response {
    answer(&state, &headers, body, post_spans_request)
}

/// The bytes of a call, or why they did not come whole.
type Call = Result<Bytes, BytesRejection>;

/// Stores the batches of a call's message.
fn answer(
    state: &ServerState,
    headers: &HeaderMap,
    body: Call,
    read: fn(&[u8]) -> Result<Vec<ReceivedBatch>, Reason>,
) -> Response {
    let encoding = headers.get("grpc-encoding");
    let encoding = encoding.and_then(|value| value.to_str().ok());
    let batches = body.map_err(|_| Refusal::TooLong).and_then(|body| {
        let message = message(&body, encoding)?;
        Ok(read(&message)?)
    });
    let status = match batches {
        Ok(batches) => {
            state.insert(batches);
            "0"
        }
        Err(why) => {
            state.count_undecodable();
            match why {
                Refusal::TooLong => RESOURCE_EXHAUSTED,
                Refusal::Malformed(_) => INVALID_ARGUMENT,
            }
        }
    };
    let mut response = Response::new(Body::new(Reply::new(status)));
    let content_type = HeaderValue::from_static("application/grpc");
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

/// Returns the only message of a call.
fn message<'b>(body: &'b [u8], encoding: Option<&str>) -> Result<Cow<'b, [u8]>, Refusal> {
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

/// An empty message, and then the status.
struct Reply {
    has_message: bool,
    status: Option<&'static str>,
}

impl Reply {
    fn new(status: &'static str) -> Self {
        Self {
            has_message: status == "0",
            status: Some(status),
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
        if std::mem::take(&mut self.has_message) {
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 5])))));
        }
        Poll::Ready(self.status.take().map(|status| {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static(status));
            Ok(Frame::trailers(trailers))
        }))
    }
}

const OTLP: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const JAEGER: &str = "/jaeger.api_v2.CollectorService/PostSpans";
const INVALID_ARGUMENT: &str = "3";
const RESOURCE_EXHAUSTED: &str = "8";
/// The largest message as it comes, as gRPC servers have it by default.
const MAX_PACKED: usize = 4 << 20;
/// The largest message, unpacked.
const MAX_MESSAGE: usize = 16 << 20;

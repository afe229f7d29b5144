//! Spans that come over HTTP, as Jaeger, OpenTelemetry and Zipkin send them.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::decode::{
    Reason, ReceivedBatch, Refusal, otlp_json_request, otlp_request, thrift_body, unpacked,
    zipkin_list, zipkin_proto, zipkin_v1_list, zipkin_v1_thrift,
};
use crate::dev::server::state::ServerState;

/// Takes spans of every format, so that each of the ports of a backend takes them.
pub(super) fn routes(state: Arc<ServerState>) -> Router {
    Router::new()
        .route("/api/traces", post(thrift))
        .route("/v1/traces", post(otlp))
        .route("/api/v2/spans", post(zipkin))
        .route("/api/v1/spans", post(zipkin_v1))
        .layer(DefaultBodyLimit::max(MAX_PACKED))
        .with_state(state)
}

/// Takes Thrift, as a Jaeger collector does.
async fn thrift(State(state): State<Arc<ServerState>>, headers: HeaderMap, body: Body) -> Response {
    let media_type = match media_type(&headers) {
        "" => return refuse("Cannot parse content type"),
        media_type => media_type,
    };
    if !is_one_of(media_type, &THRIFT) {
        return refuse("Unsupported content type");
    }
    let taken = take(&state, &headers, body, MAX_BODY, |body| {
        thrift_body(body).map_err(|error| format!("Unable to process request body: {error}"))
    });
    taken.unwrap_or_else(|| StatusCode::ACCEPTED.into_response())
}

/// Takes OTLP in protobuf or JSON. The answer is a message in the same form that rejects nothing.
async fn otlp(State(state): State<Arc<ServerState>>, headers: HeaderMap, body: Body) -> Response {
    let media_type = media_type(&headers);
    let (taken, media_type, answer) = if is_one_of(media_type, &JSON) {
        let taken = take(&state, &headers, body, MAX_JSON, otlp_json_request);
        (taken, JSON[0], r#"{"partialSuccess":{}}"#)
    } else if is_one_of(media_type, &PROTOBUF) {
        let taken = take(&state, &headers, body, MAX_BODY, otlp_request);
        (taken, PROTOBUF[0], "")
    } else {
        return not_taken(media_type);
    };
    taken.unwrap_or_else(|| ([(header::CONTENT_TYPE, media_type)], answer).into_response())
}

/// Takes version 2 of Zipkin's model, in JSON or protobuf.
async fn zipkin(State(state): State<Arc<ServerState>>, headers: HeaderMap, body: Body) -> Response {
    let media_type = media_type(&headers);
    let taken = if is_one_of(media_type, &JSON) {
        take(&state, &headers, body, MAX_JSON, zipkin_list)
    } else if is_one_of(media_type, &PROTOBUF) {
        take(&state, &headers, body, MAX_BODY, zipkin_proto)
    } else {
        return not_taken(media_type);
    };
    taken.unwrap_or_else(|| StatusCode::ACCEPTED.into_response())
}

/// Takes version 1 of Zipkin's model, in JSON or Thrift.
async fn zipkin_v1(
    State(state): State<Arc<ServerState>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let media_type = media_type(&headers);
    let taken = if is_one_of(media_type, &JSON) {
        take(&state, &headers, body, MAX_JSON, zipkin_v1_list)
    } else if is_one_of(media_type, &THRIFT) {
        take(&state, &headers, body, MAX_JSON, zipkin_v1_thrift)
    } else {
        return not_taken(media_type);
    };
    taken.unwrap_or_else(|| StatusCode::ACCEPTED.into_response())
}

/// Stores the batches of a body. Returns the answer if it is too long or cannot be read, which is counted.
fn take(
    state: &ServerState,
    headers: &HeaderMap,
    body: Body,
    most: usize,
    read: fn(&[u8]) -> Result<Vec<ReceivedBatch>, Reason>,
) -> Option<Response> {
    let answer = match body {
        Ok(body) => match body_of(headers, &body, most).and_then(|body| Ok(read(&body)?)) {
            Ok(batches) => {
                state.insert(batches);
                return None;
            }
            Err(error @ Refusal::TooLong) => {
                (StatusCode::PAYLOAD_TOO_LARGE, format!("{error}\n")).into_response()
            }
            Err(Refusal::Malformed(why)) => refuse(&why),
        },
        Err(rejection) => rejection.into_response(),
    };
    state.count_undecodable();
    Some(answer)
}

fn body_of<'b>(headers: &HeaderMap, body: &'b [u8], most: usize) -> Result<Cow<'b, [u8]>, Refusal> {
    let encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let encodings: Result<Vec<&str>, _> = encodings.map(HeaderValue::to_str).collect();
    let encodings = encodings.map_err(|_| "the encoding is no text".to_owned())?;
    let encodings = encodings.join(",");
    unpacked(Some(&encodings), body, most)
}

fn not_taken(media_type: &str) -> Response {
    let why = format!("the content type {media_type:?} is not taken here\n");
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into_response()
}

/// Returns the media type of a body. A script that sets the header twice sends a list.
fn media_type(headers: &HeaderMap) -> &str {
    let content_type = headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let mut parts = content_type.unwrap_or_default().split([';', ',']);
    parts.next().unwrap_or_default().trim()
}

fn is_one_of(media_type: &str, known: &[&str]) -> bool {
    known
        .iter()
        .any(|known| media_type.eq_ignore_ascii_case(known))
}

fn refuse(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response()
}

/// The body, or why it did not come whole.
type Body = Result<Bytes, BytesRejection>;

const THRIFT: [&str; 2] = [
    "application/x-thrift",
    "application/vnd.apache.thrift.binary",
];
const PROTOBUF: [&str; 1] = ["application/x-protobuf"];
/// A page in a browser that sends JSON as a beacon says that it is text.
const JSON: [&str; 2] = ["application/json", "text/plain"];

/// The largest body as it comes, twice as much as the Java client sends at a time.
const MAX_PACKED: usize = 4 << 20;
/// The largest body, unpacked.
const MAX_BODY: usize = 16 << 20;
/// The largest body of JSON, unpacked: while it is read, its parts take some times as much memory.
const MAX_JSON: usize = 4 << 20;

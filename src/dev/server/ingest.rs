//! Spans that come over HTTP, as Jaeger, OpenTelemetry and Zipkin send them.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, HeaderName, StatusCode, header};

use crate::decode::{
    Reason, ReceivedBatch, otlp_json_request, otlp_request, thrift_body, unpacked, zipkin_list,
};
use crate::dev::server::state::ServerState;

/// Takes spans of every format, so that each of the ports of a backend takes them.
pub(super) fn routes(state: Arc<ServerState>) -> Router {
    Router::new()
        .route("/api/traces", post(thrift))
        .route("/v1/traces", post(otlp))
        .route("/api/v2/spans", post(zipkin))
        .layer(DefaultBodyLimit::max(MAX_PACKED))
        .with_state(state)
}

/// Takes Thrift, as a Jaeger collector does.
async fn thrift(
    State(state): State<Arc<ServerState>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let media_type = match media_type(&headers) {
        "" => return refuse("Cannot parse content type"),
        media_type => media_type,
    };
    if !is_one_of(media_type, &THRIFT) {
        return refuse("Unsupported content type");
    }
    match body_of(&headers, &body, MAX_BODY).and_then(|body| thrift_body(&body)) {
        Ok(batches) => {
            state.insert(batches);
            StatusCode::ACCEPTED.into_response()
        }
        Err(error) => {
            state.count_undecodable();
            refuse(&format!("Unable to process request body: {error}"))
        }
    }
}

/// Takes OTLP in protobuf or JSON. The answer is a message in the same form that rejects nothing.
async fn otlp(State(state): State<Arc<ServerState>>, headers: HeaderMap, body: Bytes) -> Response {
    let (taken, media_type, answer) = if is_one_of(media_type(&headers), &JSON) {
        let taken = take(&state, &headers, &body, &JSON, MAX_JSON, otlp_json_request);
        (taken, JSON[0], r#"{"partialSuccess":{}}"#)
    } else {
        let taken = take(&state, &headers, &body, &PROTOBUF, MAX_BODY, otlp_request);
        (taken, PROTOBUF[0], "")
    };
    taken.unwrap_or_else(|| ([(header::CONTENT_TYPE, media_type)], answer).into_response())
}

/// Takes the JSON of Zipkin's second version.
async fn zipkin(
    State(state): State<Arc<ServerState>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let taken = take(&state, &headers, &body, &JSON, MAX_JSON, zipkin_list);
    taken.unwrap_or_else(|| StatusCode::ACCEPTED.into_response())
}

/// Stores the batches of a body. Returns the answer if it cannot be read.
fn take(
    state: &ServerState,
    headers: &HeaderMap,
    body: &[u8],
    media_types: &[&str],
    most: usize,
    read: fn(&[u8]) -> Result<Vec<ReceivedBatch>, Reason>,
) -> Option<Response> {
    let media_type = media_type(headers);
    if !is_one_of(media_type, media_types) {
        let why = format!("the content type {media_type:?} is not taken here\n");
        return Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into_response());
    }
    match body_of(headers, body, most).and_then(|body| read(&body)) {
        Ok(batches) => {
            state.insert(batches);
            None
        }
        Err(error) => {
            state.count_undecodable();
            Some(refuse(&error))
        }
    }
}

fn body_of<'b>(headers: &HeaderMap, body: &'b [u8], most: usize) -> Result<Cow<'b, [u8]>, Reason> {
    unpacked(text(headers, &header::CONTENT_ENCODING), body, most)
}

fn media_type(headers: &HeaderMap) -> &str {
    let content_type = text(headers, &header::CONTENT_TYPE).unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim()
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn is_one_of(media_type: &str, known: &[&str]) -> bool {
    known
        .iter()
        .any(|known| media_type.eq_ignore_ascii_case(known))
}

fn refuse(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response()
}

const THRIFT: [&str; 2] = [
    "application/x-thrift",
    "application/vnd.apache.thrift.binary",
];
const PROTOBUF: [&str; 1] = ["application/x-protobuf"];
const JSON: [&str; 1] = ["application/json"];

/// The largest body as it comes, twice as much as the Java client sends at a time.
const MAX_PACKED: usize = 4 << 20;
/// The largest body, unpacked.
const MAX_BODY: usize = 16 << 20;
/// The largest body of JSON, unpacked: while it is read, its parts take some times as much memory.
const MAX_JSON: usize = 4 << 20;

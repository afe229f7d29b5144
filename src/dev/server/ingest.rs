//! Spans that come over HTTP, as Jaeger, OpenTelemetry and Zipkin send them.

pub(super) mod otlp_answer;

use std::borrow::Cow;
use std::future::ready;
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
        .fallback(|| ready((StatusCode::NOT_FOUND, PATHS)))
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
    accepted(taken)
}

/// Takes OTLP in protobuf or JSON. The answer is a message in the same form, with the number of spans that are left out.
async fn otlp(State(state): State<Arc<ServerState>>, headers: HeaderMap, body: Body) -> Response {
    let media_type = media_type(&headers);
    let (taken, media_type) = if is_one_of(media_type, &JSON) {
        let taken = take(&state, &headers, body, MAX_JSON, otlp_json_request);
        (taken, JSON[0])
    } else if is_one_of(media_type, &PROTOBUF) {
        let taken = take(&state, &headers, body, MAX_BODY, otlp_request);
        (taken, PROTOBUF[0])
    } else {
        return not_taken(media_type);
    };
    match taken {
        Ok(left_out) => {
            let answer = match media_type == JSON[0] {
                true => otlp_answer::json(left_out).into_bytes(),
                false => otlp_answer::protobuf(left_out),
            };
            ([(header::CONTENT_TYPE, media_type)], answer).into_response()
        }
        Err(refusal) => *refusal,
    }
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
    accepted(taken)
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
    accepted(taken)
}

fn accepted(taken: Result<u64, Box<Response>>) -> Response {
    match taken {
        Ok(_) => StatusCode::ACCEPTED.into_response(),
        Err(refusal) => *refusal,
    }
}

/// Stores the batches of a body. Returns the number of spans that are left out, or the answer if the body is too long or
/// cannot be read, which is counted.
fn take(
    state: &ServerState,
    headers: &HeaderMap,
    body: Body,
    most: usize,
    read: fn(&[u8]) -> Result<Vec<ReceivedBatch>, Reason>,
) -> Result<u64, Box<Response>> {
    let answer = match body {
        Ok(body) => match body_of(headers, &body, most).and_then(|body| Ok(read(&body)?)) {
            Ok(batches) => {
                let left_out = batches.iter().map(|batch| batch.left_out).sum();
                state.insert(batches);
                return Ok(left_out);
            }
            Err(error @ Refusal::TooLong) => {
                (StatusCode::PAYLOAD_TOO_LARGE, format!("{error}\n")).into_response()
            }
            Err(Refusal::Malformed(why)) => refuse(&why),
        },
        Err(rejection) => rejection.into_response(),
    };
    state.count_undecodable();
    Err(Box::new(answer))
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

/// The answer to requests at another path: exporters show it to their users.
const PATHS: &str = "no spans are taken at this path, but OTLP at /v1/traces, Thrift at /api/traces, and Zipkin's formats at \
     /api/v2/spans and /api/v1/spans\n";
const THRIFT: [&str; 2] = [
    "application/x-thrift",
    "application/vnd.apache.thrift.binary",
];
/// The second one is registered since, and some clients send it.
const PROTOBUF: [&str; 2] = ["application/x-protobuf", "application/protobuf"];
/// A page in a browser that sends JSON as a beacon says that it is text.
const JSON: [&str; 2] = ["application/json", "text/plain"];

/// The largest body as it comes, twice as much as the Java client sends at a time.
const MAX_PACKED: usize = 4 << 20;
/// The largest body, unpacked.
const MAX_BODY: usize = 16 << 20;
/// The largest body of JSON, unpacked: while it is read, its parts take some times as much memory.
const MAX_JSON: usize = 4 << 20;

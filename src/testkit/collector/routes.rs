use crate::decode::{ReceivedBatch, otlp_request, thrift_body, zipkin_list};
use crate::testkit::collector::request::ReceivedRequest;
use crate::testkit::collector::shared::Shared;
use crate::testkit::fault::{Fault, Kind, Reply};
use crate::testkit::watched::Watched;

/// The way in which a path takes spans.
struct Route {
    media_types: &'static [&'static str],
    read: fn(&[u8]) -> Result<Vec<ReceivedBatch>, String>,
    success: u16,
    is_otlp: bool,
}

/// Takes the spans of a request, unless its fault forbids that, and returns the reply to one without a fault.
pub(super) fn answer(request: &ReceivedRequest, fault: &Fault, shared: &Watched<Shared>) -> Reply {
    let rejected = match &fault.0 {
        Kind::None | Kind::Delay(_) | Kind::SlowReader(_) => 0,
        Kind::PartialSuccess { rejected, .. } => *rejected,
        _ => return plain(200),
    };
    let (is_post, is_get) = (request.method() == "POST", request.method() == "GET");
    if let Some(route) = route(request.path()) {
        return match is_post {
            true => take(request, &route, rejected, fault, shared),
            false => plain(405),
        };
    }
    let document = shared.look(|shared| shared.documents.get(request.path()).cloned());
    match document {
        Some(body) if is_get => Reply {
            headers: vec![content_type("application/json")],
            body,
            ..plain(200)
        },
        Some(_) => plain(405),
        None => plain(404),
    }
}

fn route(path: &str) -> Option<Route> {
    Some(match path {
        "/api/traces" => Route {
            media_types: &[
                "application/x-thrift",
                "application/vnd.apache.thrift.binary",
            ],
            read: thrift_body,
            success: 202,
            is_otlp: false,
        },
        "/v1/traces" => Route {
            media_types: &["application/x-protobuf"],
            read: otlp_request,
            success: 200,
            is_otlp: true,
        },
        "/api/v2/spans" => Route {
            media_types: &["application/json"],
            read: zipkin_list,
            success: 202,
            is_otlp: false,
        },
        _ => return None,
    })
}

fn take(
    request: &ReceivedRequest,
    route: &Route,
    rejected: u64,
    fault: &Fault,
    shared: &Watched<Shared>,
) -> Reply {
    let media_type = request.header("content-type").unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let is_known = |known: &&str| media_type.eq_ignore_ascii_case(known);
    if !route.media_types.iter().any(is_known) {
        let why = format!("the content type {media_type:?} is not taken here");
        return refuse(415, why, request, shared);
    }
    let batches = request.unpacked_body().and_then(|body| (route.read)(&body));
    let mut batches = match batches {
        Ok(batches) => batches,
        Err(error) => return refuse(400, error, request, shared),
    };
    reject(&mut batches, rejected);
    shared.change(|shared| {
        for batch in batches {
            shared.received.push(batch);
        }
    });
    let mut reply = plain(route.success);
    if route.is_otlp {
        reply.headers.push(content_type("application/x-protobuf"));
        if let Kind::PartialSuccess { rejected, message } = &fault.0 {
            reply.body = partial_success(*rejected, message);
        }
    }
    reply
}

fn refuse(status: u16, why: String, request: &ReceivedRequest, shared: &Watched<Shared>) -> Reply {
    let error = format!("{}: {why}", request.target());
    shared.change(|shared| shared.received.push_error(error));
    let body = why.into_bytes();
    Reply {
        body,
        ..plain(status)
    }
}

/// Removes so many spans from the end.
fn reject(batches: &mut [ReceivedBatch], mut rejected: u64) {
    for batch in batches.iter_mut().rev() {
        let length = batch.spans.len();
        let removed = usize::try_from(rejected).unwrap_or(length).min(length);
        batch.spans.truncate(length - removed);
        rejected -= removed as u64;
    }
}

/// Returns an `ExportTraceServiceResponse` with a `partial_success`.
fn partial_success(rejected: u64, message: &str) -> Vec<u8> {
    let mut partial = vec![0x08];
    put_varint(&mut partial, rejected);
    partial.push(0x12);
    put_varint(&mut partial, message.len() as u64);
    partial.extend(message.as_bytes());
    let mut body = vec![0x0a];
    put_varint(&mut body, partial.len() as u64);
    body.extend(partial);
    body
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn plain(status: u16) -> Reply {
    Reply {
        status,
        headers: Vec::new(),
        body: Vec::new(),
    }
}

fn content_type(media_type: &str) -> (String, String) {
    ("Content-Type".to_owned(), media_type.to_owned())
}

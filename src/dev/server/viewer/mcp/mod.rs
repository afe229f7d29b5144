//! `/api/ai/mcp/`: tools by which a language model reads traces, over the Model Context Protocol.
//!
//! The tools have the names, arguments and results of Jaeger's own MCP server. The transport is streamable HTTP: each
//! message is a POST, and its answer is one JSON object. The version that knows lists of messages may send them. No
//! session is kept. Clients of both eras of the protocol are served: since 2026-07-28 each request says its version,
//! before that a client began with `initialize`.

mod allowance;
mod era;
mod message;
pub(crate) mod tools;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::dev::server::state::ServerState;
use crate::dev::server::viewer::answer::json as json_answer;
use crate::dev::server::viewer::mcp::era::{Era, LEGACY, LEGACY_VERSIONS, has_batches, versions};
use crate::dev::server::viewer::mcp::message::{Id, Message, Problem, Request};
use crate::dev::server::viewer::mcp::tools::{call, tool_list};

/// Returns the routes of the server of tools.
pub(super) fn routes() -> Router<Arc<ServerState>> {
    Router::new()
        .route("/api/ai/mcp", post(receive))
        .route("/api/ai/mcp/", post(receive))
        .layer(DefaultBodyLimit::max(MAX_BODY))
}

async fn receive(
    State(state): State<Arc<ServerState>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(error) => {
            let status = error.status();
            let problem = Problem::request(match status {
                StatusCode::PAYLOAD_TOO_LARGE => format!("a message has at most {MAX_BODY} bytes"),
                _ => "the body cannot be read".to_owned(),
            });
            return refuse(None, problem.with_status(status));
        }
    };
    if !is_json(&headers) {
        let problem = Problem::request("the content type must be application/json");
        return refuse(
            None,
            problem.with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE),
        );
    }
    match serde_json::from_slice(&body) {
        Ok(Value::Array(messages)) if has_batches(&headers) && !messages.is_empty() => {
            respond_to_all(&state, &headers, messages)
        }
        Ok(message) => match respond(&state, &headers, Message::of(message)) {
            Some((status, answer)) => json_answer(status, &answer),
            None => StatusCode::ACCEPTED.into_response(),
        },
        Err(error) => refuse(None, Problem::parse(&error)),
    }
}

/// Answers a list of messages with the list of their answers.
fn respond_to_all(state: &ServerState, headers: &HeaderMap, messages: Vec<Value>) -> Response {
    if messages.len() > MAX_BATCH {
        let why = format!("a list has at most {MAX_BATCH} messages");
        return refuse(None, Problem::request(why));
    }
    let answers = messages.into_iter().filter_map(|message| {
        let message = match Message::of(message) {
            Ok(Message::Request(Request { id, method, .. })) if method == "initialize" => Err((
                Some(id),
                Problem::request("initialize is no part of a list"),
            )),
            message => message,
        };
        respond(state, headers, message).map(|(_, answer)| answer)
    });
    let answers: Vec<_> = answers.collect();
    match answers.is_empty() {
        true => StatusCode::ACCEPTED.into_response(),
        false => json_answer(StatusCode::OK, &answers),
    }
}

/// Returns the answer to a message with its status, or `None` if the message wants no answer.
fn respond(
    state: &ServerState,
    headers: &HeaderMap,
    message: Result<Message, (Option<Id>, Problem)>,
) -> Option<(StatusCode, Value)> {
    let refusal = |id, problem: Problem| Some((problem.status, problem.into_json(id)));
    let request = match message {
        Ok(Message::Request(request)) => request,
        Ok(Message::Notification) => return None,
        Err((id, problem)) => return refusal(id, problem),
    };
    let era = match Era::of(headers, &request) {
        Ok(era) => era,
        Err(problem) => return refusal(Some(request.id), problem),
    };
    match answer(state, era, &request) {
        Ok(mut result) => {
            era.complete(&mut result);
            let answer = json!({"jsonrpc": "2.0", "id": request.id, "result": result});
            Some((StatusCode::OK, answer))
        }
        // Clients of the earlier era read an error only in an answer that succeeds.
        Err(problem) if era == Era::Legacy => {
            refusal(Some(request.id), problem.with_status(StatusCode::OK))
        }
        Err(problem) => refusal(Some(request.id), problem),
    }
}

fn answer(state: &ServerState, era: Era, request: &Request) -> Result<Map<String, Value>, Problem> {
    let params = &request.params;
    let result = match (request.method.as_str(), era) {
        ("server/discover", Era::Modern) => json!({
            "supportedVersions": versions(),
            "capabilities": capabilities(),
            "instructions": INSTRUCTIONS,
            "ttlMs": TTL_MS,
            "cacheScope": "public",
        }),
        ("initialize", Era::Legacy) => initialize(params)?,
        ("ping", Era::Legacy) => json!({}),
        ("tools/list", era) => {
            let is_none = |cursor: &Value| cursor.is_null() || cursor == "";
            if !params.get("cursor").is_none_or(is_none) {
                return Err(Problem::params(
                    "the list of tools has one page, so no cursor is known",
                ));
            }
            let mut list = json!({"tools": tool_list()?});
            if era == Era::Modern {
                list["ttlMs"] = json!(TTL_MS);
                list["cacheScope"] = json!("public");
            }
            list
        }
        ("tools/call", _) => call(state, params)?,
        (method, _) => return Err(Problem::method(method)),
    };
    match result {
        Value::Object(result) => Ok(result),
        _ => Err(Problem::internal("the result is no object")),
    }
}

/// Agrees on the version of the client if it is known, else on the newest one that begins so.
fn initialize(params: &Map<String, Value>) -> Result<Value, Problem> {
    let Some(wanted) = params.get("protocolVersion").and_then(Value::as_str) else {
        return Err(Problem::params("protocolVersion is missing"));
    };
    let known = LEGACY_VERSIONS.iter().find(|version| **version == wanted);
    Ok(json!({
        "protocolVersion": known.unwrap_or(&LEGACY),
        "capabilities": capabilities(),
        "serverInfo": era::server_info(),
        "instructions": INSTRUCTIONS,
    }))
}

/// Returns what the server can do: tools, which stay as they are.
fn capabilities() -> Value {
    json!({"tools": {}})
}

fn refuse(id: Option<Id>, problem: Problem) -> Response {
    let status = problem.status;
    json_answer(status, &problem.into_json(id))
}

/// A page elsewhere can send other content types without a question of the browser to this server.
fn is_json(headers: &HeaderMap) -> bool {
    let text = headers
        .get(header::CONTENT_TYPE)
        .and_then(|text| text.to_str().ok());
    let media_type = text.and_then(|text| text.split(';').next());
    media_type.is_some_and(|text| text.trim().eq_ignore_ascii_case("application/json"))
}

const INSTRUCTIONS: &str = "An embedded Jaeger agent holds the newest traces of programs under development. A trace is \
     a tree of spans: each is a piece of work of one service, with a start, a duration, tags (attributes), logs (events) \
     and an error mark. Begin wide: get_services, then search_traces, then get_trace_topology or get_critical_path for \
     one trace. Ask for get_span_details of the few spans that matter. For failures, get_trace_errors is the short way.";

/// The bytes of the longest message. The longest useful one has a few hundred.
const MAX_BODY: usize = 64 << 10;
/// The messages of the longest list. Each may have an answer of some hundred kilobytes.
const MAX_BATCH: usize = 16;
/// How long a client may keep the list of tools, which a server has for its whole life.
const TTL_MS: u64 = 60_000;

//! Messages of the Model Context Protocol for the embedded agent: every request is answered under its id, no answer
//! is a failure of the server or longer than its bound, and memory is bounded.
//!
//! An input is the body of a message. Headers repeat what the version of the protocol wants them to.

#![no_main]

use std::cell::OnceCell;

use allocation_counter::measure;
use http::{HeaderValue, Method, Request, StatusCode};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tracehound::fuzzing::{Agent, MessageFormat, Port, decode_message};
use tracehound_fuzz::agent::check;

fuzz_target!(|input: &[u8]| AGENT.with(|agent| {
    let agent = agent.get_or_init(agent_with_traces);
    let value = serde_json::from_slice::<Value>(input).ok();
    let mut answer = None;
    let request = request(input, value.as_ref());
    let used = measure(|| answer = Some(agent.ask(Port::Viewer, request)));
    let allowed = 1_024 * input.len() as u64 + (4 << 20);
    assert!(used.bytes_max <= allowed, "{used:?}");
    let answer = answer.expect("measured");
    check(&answer);
    assert!(!answer.status().is_server_error(), "{answer:?}");
    if answer.status() == StatusCode::ACCEPTED {
        assert!(answer.body().is_empty());
        assert!(value.is_some_and(|value| value.get("id").is_none()));
        return;
    }
    check_message(answer.body(), value.as_ref());
}));

fn agent_with_traces() -> Agent {
    let agent = Agent::new(8, 1 << 20);
    let spans = include_bytes!("../first_trace.json");
    let first = decode_message(MessageFormat::OtlpJson, spans).expect("spans");
    first
        .into_iter()
        .for_each(|received| agent.insert(received));
    agent
}

fn request(body: &[u8], value: Option<&Value>) -> Request<Vec<u8>> {
    let mut request = Request::new(body.to_vec());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = "/api/ai/mcp".parse().expect("a path");
    let headers = request.headers_mut();
    headers.insert("host", HeaderValue::from_static("localhost"));
    let json = HeaderValue::from_static("application/json");
    headers.insert("content-type", json);
    let text = |pointer: &str| value?.pointer(pointer)?.as_str();
    for (name, pointer) in [
        ("mcp-method", "/method"),
        ("mcp-name", "/params/name"),
        ("mcp-protocol-version", VERSION),
    ] {
        if let Some(value) = text(pointer).and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert(name, value);
        }
    }
    request
}

/// Panics unless the answer has the id of the request, and either a result or an error that is short.
fn check_message(answer: &[u8], request: Option<&Value>) {
    assert!(answer.len() < LONGEST, "{}", answer.len());
    let answer: Value = serde_json::from_slice(answer).expect("JSON");
    assert_eq!(answer["jsonrpc"], "2.0");
    let id = request.and_then(|request| request.get("id"));
    let is_id = |id: &&Value| id.is_string() || id.is_i64();
    match (answer.get("result"), answer.get("error")) {
        (Some(result), None) => {
            assert_eq!(answer.get("id"), id.filter(is_id));
            assert!(result.is_object());
            if let Some(content) = result.get("structuredContent") {
                // Both forms say the same.
                let text = result["content"][0]["text"].as_str().expect("a text");
                assert_eq!(&serde_json::from_str::<Value>(text).expect("JSON"), content);
            }
            if result["isError"] == true {
                let text = result["content"][0]["text"].as_str().expect("a text");
                assert!(text.chars().count() <= LONGEST_ERROR, "{text}");
            }
        }
        (None, Some(error)) => {
            assert_eq!(answer.get("id"), id.filter(is_id));
            assert!(error["code"].is_i64());
            let message = error["message"].as_str().expect("a text");
            assert!(message.chars().count() <= LONGEST_ERROR, "{message}");
        }
        _ => panic!("neither a result nor an error: {answer}"),
    }
}

thread_local! {
    /// The agent of all inputs: no message changes it.
    static AGENT: OnceCell<Agent> = const { OnceCell::new() };
}

const VERSION: &str = "/params/_meta/io.modelcontextprotocol~1protocolVersion";
/// The list of tools has some 30 KiB. An answer of a tool has at most 256 KiB of text, twice.
const LONGEST: usize = 2 << 20;
const LONGEST_ERROR: usize = 301;

//! The tools for language models, over the Model Context Protocol.

mod bounds;
mod protocol;
mod tools;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tracehound::dev::DevServer;
use tracehound::model::{
    LogRecord, Process, ReferenceType, ReportedReference, SpanId, Tag, Timestamp, TraceId,
};
use tracehound::reporter::OwnedSpan;
use tracehound::view::Trace;

use super::{Answer, post, start};

const PATH: &str = "/api/ai/mcp/";
const START: i64 = 1_700_000_000_000_000;
const TRACE: &str = "00000000000000007f3c00000000a91e";
/// The ids of the spans of [`order`].
const CHECKOUT: &str = "0000000000000001";
const CHARGE: &str = "0000000000000002";
const READ: &str = "0000000000000003";

fn trace_id(n: u64) -> TraceId {
    TraceId::new(0, n).unwrap()
}

fn id(n: u64) -> SpanId {
    SpanId::new(n).unwrap()
}

/// Returns a span of the trace `n`; its times are microseconds after [`START`].
fn span(
    n: u64,
    service: &'static str,
    name: &str,
    own: u64,
    parent: u64,
    times: (i64, i64),
) -> OwnedSpan {
    let mut span = OwnedSpan::new(trace_id(n), id(own), name.to_owned());
    span.start = Timestamp::from_micros(START + times.0);
    span.duration = Duration::from_micros((times.1 - times.0) as u64);
    span.process = Some(Arc::new(Process::new(
        service,
        vec![Tag::new("host", "box")],
    )));
    if parent != 0 {
        let kind = ReferenceType::ChildOf;
        span.references
            .push(ReportedReference::new(kind, trace_id(n), id(parent)));
    }
    span
}

/// Returns a trace of three services, in which one span fails.
fn order() -> Trace {
    let n = 0x7f3c_0000_0000_a91e;
    let mut checkout = span(n, "shop", "checkout", 1, 0, (0, 5_000));
    checkout.tags = vec![Tag::new("span.kind", "server"), Tag::new("items", 3i64)];
    let mut charge = span(n, "pay", "charge", 2, 1, (1_000, 4_000));
    charge.tags = vec![
        Tag::new("span.kind", "client"),
        Tag::new("error", true),
        Tag::new("rate", f64::NAN),
    ];
    let fields = vec![Tag::new("event", "error"), Tag::new("message", "declined")];
    charge.logs = vec![LogRecord::new(
        Timestamp::from_micros(START + 3_000),
        fields,
    )];
    let kind = ReferenceType::FollowsFrom;
    charge
        .references
        .push(ReportedReference::new(kind, trace_id(9), id(8)));
    let read = span(n, "cart", "read", 3, 2, (1_500, 2_000));
    Trace::of([checkout, charge, read]).remove(0)
}

/// Starts a server that holds the order.
fn with_order() -> DevServer {
    let server = start();
    server.add([order()]);
    server
}

fn send(server: &DevServer, message: &Value) -> Answer {
    let body = message.to_string();
    post(
        server.query_address(),
        PATH,
        "application/json",
        body.as_bytes(),
    )
}

/// Sends a request as clients did before each said its version, and returns the result.
fn ask(server: &DevServer, method: &str, params: Value) -> Value {
    let request = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    let answer = send(server, &request);
    assert_eq!(answer.status, 200, "{method}");
    assert!(
        answer.head.contains("content-type: application/json"),
        "{}",
        answer.head
    );
    let mut answer = answer.json();
    assert_eq!(
        (&answer["jsonrpc"], &answer["id"]),
        (&json!("2.0"), &json!(7))
    );
    answer["result"].take()
}

/// Calls a tool, checks its result against the tool's own schema, and returns it.
fn call(server: &DevServer, tool: &str, arguments: Value) -> Value {
    let mut result = ask(
        server,
        "tools/call",
        json!({"name": tool, "arguments": arguments}),
    );
    assert_eq!(result["isError"], false, "{tool}: {result}");
    let text = result["content"][0]["text"].as_str().unwrap().to_owned();
    let structured = result["structuredContent"].take();
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        structured,
        "{tool}"
    );
    let tools = ask(server, "tools/list", json!({}));
    let described = tools["tools"].as_array().unwrap().iter();
    let described = described
        .clone()
        .find(|described| described["name"] == tool)
        .unwrap();
    assert_fits(&structured, &described["outputSchema"], tool);
    structured
}

/// Calls a tool with arguments that it does not take, and returns the reason.
fn complaint(server: &DevServer, tool: &str, arguments: &Value) -> String {
    let result = ask(
        server,
        "tools/call",
        json!({"name": tool, "arguments": arguments}),
    );
    assert_eq!(result["isError"], true, "{tool} {arguments}: {result}");
    assert_eq!(result.get("structuredContent"), None, "{tool}");
    result["content"][0]["text"].as_str().unwrap().to_owned()
}

/// Checks a value against as much of JSON Schema as the descriptions use.
fn assert_fits(value: &Value, schema: &Value, place: &str) {
    let is = |kind: &str| match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{place}: the type {other}"),
    };
    let fits = match &schema["type"] {
        Value::String(kind) => is(kind),
        Value::Array(kinds) => kinds.iter().any(|kind| is(kind.as_str().unwrap())),
        other => panic!("{place}: no type but {other}"),
    };
    assert!(fits, "{place}: {value} is no {}", schema["type"]);
    if let Some(known) = schema.get("enum") {
        assert!(
            known.as_array().unwrap().contains(value),
            "{place}: {value}"
        );
    }
    for item in value.as_array().into_iter().flatten() {
        assert_fits(item, &schema["items"], place);
    }
    let none = Map::new();
    let members = value.as_object().unwrap_or(&none);
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(
            members.contains_key(name.as_str().unwrap()),
            "{place}: no {name}"
        );
    }
    for (name, member) in members {
        let known = schema["properties"].get(name);
        let schema = known.unwrap_or_else(|| &schema["additionalProperties"]);
        assert_ne!(
            schema,
            &json!(false),
            "{place}: {name} is not in the schema"
        );
        assert_fits(member, schema, &format!("{place}.{name}"));
    }
}

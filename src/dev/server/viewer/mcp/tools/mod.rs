//! The tools: what a client may call, and what comes back. `tools.json` describes them to clients.

mod critical_path;
mod names;
mod search;
mod span_details;
pub(crate) mod times;
mod topology;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::dev::server::state::ServerState;
use crate::dev::server::viewer::mcp::message::{Problem, shortened};
use crate::model::{SpanId, TraceId};
use crate::view::Trace;

/// A tool: takes arguments, and returns a result or a sentence about what is wrong with the arguments.
type Tool = fn(&ServerState, Value) -> Result<Value, String>;

const TOOLS: [(&str, Tool); 8] = [
    ("get_services", |state, arguments| {
        run(state, arguments, names::services)
    }),
    ("get_span_names", |state, arguments| {
        run(state, arguments, names::span_names)
    }),
    ("search_traces", |state, arguments| {
        run(state, arguments, search::traces)
    }),
    ("get_trace_topology", |state, arguments| {
        run(state, arguments, topology::topology)
    }),
    ("get_critical_path", |state, arguments| {
        run(state, arguments, critical_path::critical_path)
    }),
    ("get_span_details", |state, arguments| {
        run(state, arguments, span_details::spans)
    }),
    ("get_trace_errors", |state, arguments| {
        run(state, arguments, span_details::errors)
    }),
    ("get_service_dependencies", |state, arguments| {
        run(state, arguments, names::dependencies)
    }),
];

/// Returns the descriptions of all tools, with the schemas of their arguments and results.
pub(super) fn tool_list() -> Result<Value, Problem> {
    serde_json::from_str(DESCRIPTIONS).map_err(|_| Problem::internal("the list of tools is broken"))
}

/// Calls a tool. Arguments that make no sense are a result that says so, which the caller's model reads.
pub(super) fn call(state: &ServerState, params: &Map<String, Value>) -> Result<Value, Problem> {
    let Some(name) = params.get("name").and_then(Value::as_str) else {
        return Err(Problem::params("the name of the tool is missing"));
    };
    let Some((_, tool)) = TOOLS.iter().find(|(known, _)| *known == name) else {
        return Err(Problem::params(format!("Unknown tool: {name}")));
    };
    let arguments = match params.get("arguments") {
        None | Some(Value::Null) => json!({}),
        Some(arguments @ Value::Object(_)) => arguments.clone(),
        Some(_) => return Err(Problem::params("the arguments must be an object")),
    };
    Ok(match tool(state, arguments) {
        Ok(result) => json!({
            "content": [{"type": "text", "text": result.to_string()}],
            "structuredContent": result,
            "isError": false,
        }),
        Err(why) => json!({
            "content": [{"type": "text", "text": shortened(&why)}],
            "isError": true,
        }),
    })
}

fn run<A: DeserializeOwned, R: Serialize>(
    state: &ServerState,
    arguments: Value,
    tool: impl Fn(&ServerState, A) -> Result<R, String>,
) -> Result<Value, String> {
    let arguments = serde_json::from_value(arguments).map_err(|error| error.to_string())?;
    let result = tool(state, arguments)?;
    serde_json::to_value(result).map_err(|error| error.to_string())
}

/// Finds a trace by the text of its id.
fn find(state: &ServerState, trace_id: &str) -> Result<Trace, String> {
    let id: TraceId = trace_id
        .parse()
        .map_err(|error| format!("invalid trace_id: {error}"))?;
    let trace = state.look(|store| store.trace(id));
    trace.ok_or_else(|| "trace not found".to_owned())
}

/// Returns an id with all 32 digits, as OpenTelemetry and Jaeger's own tools write it.
fn long(id: TraceId) -> String {
    format!("{id:0>32}")
}

/// Returns the id of a span as text.
fn short(id: SpanId) -> String {
    id.to_string()
}

const DESCRIPTIONS: &str = include_str!("../tools.json");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_is_described() {
        let list = tool_list().expect("JSON");
        let described: Vec<&str> = list
            .as_array()
            .expect("a list")
            .iter()
            .map(|tool| tool["name"].as_str().expect("a name"))
            .collect();
        assert_eq!(described, TOOLS.map(|(name, _)| name));
    }
}

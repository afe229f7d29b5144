//! The published client of the Model Context Protocol calls the tools of the embedded agent.

use serde_json::{Value as Json, json};
use tracehound::{model::field, prelude::*};
use tracehound_interop::crossdock::MCP_CLIENT;

use crate::{
    Result,
    server::{self, PATIENCE, RUST},
};

#[test]
fn the_published_client_calls_every_tool_in_both_eras_of_the_protocol() -> Result {
    if !MCP_CLIENT.is_there_or_skipped()? {
        return Ok(());
    }
    let server = server::start()?;
    let tracer = server::tracer(&server)?;
    let checkout = tracer
        .build_span("checkout")
        .tag("span.kind", "server")
        .tag("köln", "zwölf")
        .start();
    let charge = tracer.build_span("charge").child_of(&checkout).start();
    charge.set_tag("error", true);
    charge.log([field("event", "error"), field("message", "declined")]);
    charge.finish();
    checkout.finish();
    tracer.flush(PATIENCE);
    if !server.wait_for_spans(2, PATIENCE) {
        return Err(format!("not 2 spans: {:?}", server.totals()).into());
    }
    let url = format!("http://{}/api/ai/mcp/", server.query_address());
    for (mode, version) in [("auto", "2026-07-28"), ("legacy", "2025-11-25")] {
        let output = MCP_CLIENT.command()?.args([url.as_str(), mode]).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{mode}: {said}");
        let told: Json = serde_json::from_slice(&output.stdout)?;
        assert_eq!(told["version"], version, "{mode}");
        assert_eq!(told["server"], "tracehound", "{mode}");
        let answers = told["answers"].as_object().ok_or("answers")?;
        assert_eq!(answers.len(), 8, "{mode}: {:?}", answers.keys());
        assert!(
            told["tools"]
                .as_array()
                .is_some_and(|tools| tools.len() == 8),
            "{mode}: {}",
            told["tools"]
        );
        assert_eq!(
            answers["get_services"],
            json!({"services": [RUST]}),
            "{mode}"
        );
        let details = &answers["get_span_details"]["spans"];
        assert_eq!(
            details[0]["attributes"]["köln"], "zwölf",
            "{mode}: {details}"
        );
        let errors = &answers["get_trace_errors"]["spans"];
        assert_eq!(
            errors[0]["status"],
            json!({"code": "Error", "message": "declined"}),
            "{mode}"
        );
        assert_eq!(told["wrong"], json!([true, "trace not found"]), "{mode}");
    }
    Ok(())
}

//! Spans of the Python client in the embedded agent's store.

use std::time::Instant;

use serde_json::json;
use tracehound::model::{LogRecord, ReferenceType, ReportedReference, TagRef, TagValue};

use crate::{
    Result,
    program::{Program, SERVICE},
    server::{self, PATIENCE, find, trace},
};

#[test]
fn the_store_holds_spans_as_the_python_client_made_them() -> Result {
    for is_128_bit in [false, true] {
        let server = server::start()?;
        let settings = json!({"generate_128bit_trace_id": is_128_bit, "tags": {"zone": "eu-1"}});
        let Some(mut python) = Program::start(&server, &settings)? else {
            return Ok(());
        };
        let root = python.span(&json!({
            "operation": "GET /köln",
            "tags": {"text": "zwölf", "empty": "", "long": -5, "double": 0.5, "true": true},
            "logs": [{"event": "read", "bytes": 42}, {"event": "again"}],
            "baggage": {"user": "43"},
        }))?;
        let child = python.span(&json!({
            "operation": "child",
            "headers": root.headers,
            "tags": {"error": true},
        }))?;
        assert_eq!(child.trace_id, root.trace_id);
        assert_eq!(root.trace_id.high() != 0, is_128_bit, "{root:?}");

        let spans = trace(&server, root.trace_id, 2)?;
        assert_eq!(server.services(), [SERVICE]);
        for span in &spans {
            assert_eq!(span.service_name(), SERVICE);
            let process = |key: &str| {
                let tag = span.process.tags.iter().find(|tag| tag.key == key);
                tag.map(|tag| tag.value.to_string())
            };
            assert_eq!(process("jaeger.version").as_deref(), Some("Python-4.8.0"));
            assert_eq!(process("zone").as_deref(), Some("eu-1"));
            assert!(process("hostname").is_some() && process("ip").is_some());
        }
        let read = &find(&spans, root.span_id)?.span;
        assert_eq!(read.operation_name, "GET /köln");
        assert_eq!((read.parent_id, read.references.len()), (None, 0));
        let tags: [(&str, TagValue); 6] = [
            ("text", "zwölf".into()),
            ("empty", "".into()),
            ("long", (-5).into()),
            ("double", 0.5.into()),
            ("true", true.into()),
            ("sampler.type", "const".into()),
        ];
        for (key, value) in tags {
            let read = read.tag(key).and_then(TagRef::to_value);
            assert_eq!(read, Some(value), "{key}");
        }
        let logs: Vec<String> = read.logs.iter().map(text).collect();
        let wanted = [
            "event=baggage key=user value=43",
            "bytes=42 event=read",
            "event=again",
        ];
        assert_eq!(logs, wanted);

        let read = find(&spans, child.span_id)?;
        assert_eq!(read.span.operation_name, "child");
        assert!(read.is_error());
        let parent = ReportedReference::new(ReferenceType::ChildOf, root.trace_id, root.span_id);
        assert_eq!(read.span.parent_id, Some(root.span_id));
        assert_eq!(read.span.references, [parent]);

        let trace = server.trace(root.trace_id);
        let picture = trace.map_or_else(String::new, |trace| trace.waterfall(100));
        assert!(
            picture.contains(SERVICE) && picture.contains("child"),
            "{picture}"
        );
    }
    Ok(())
}

#[test]
fn the_embedded_agent_tells_a_python_client_to_keep_every_trace() -> Result {
    let server = server::start()?;
    // A client without a sampler of its own asks the agent, and keeps one trace in a thousand until it has an answer.
    let settings = json!({"sampler": {}, "sampling_refresh_interval": 0.1});
    let Some(mut python) = Program::start(&server, &settings)? else {
        return Ok(());
    };
    let started = Instant::now();
    let (mut in_a_row, mut made, mut kept) = (0, 0, 0);
    let last = loop {
        assert!(started.elapsed() < PATIENCE, "{kept} of {made} are kept");
        let span = python.span(&json!({"operation": "asked"}))?;
        made += 1;
        let is_kept = span.flags == 1;
        kept += u64::from(is_kept);
        in_a_row = if is_kept { in_a_row + 1 } else { 0 };
        if in_a_row == 20 {
            break span;
        }
    };
    let spans = trace(&server, last.trace_id, kept)?;
    let span = &find(&spans, last.span_id)?.span;
    assert_eq!(span.tag_text("sampler.type"), "probabilistic");
    assert_eq!(span.tag_text("sampler.param"), "1");
    Ok(())
}

/// Returns the fields in the order of their keys.
fn text(log: &LogRecord) -> String {
    let fields = log.fields.iter();
    let mut texts: Vec<_> = fields
        .map(|it| format!("{}={}", it.key, it.value))
        .collect();
    texts.sort();
    texts.join(" ")
}

//! Arguments that make no sense, and traces that are too large for an answer.

use serde_json::json;
use tracehound::model::{LogRecord, Tag};
use tracehound::view::Trace;

use super::super::page::HOSTILE;
use super::super::start;
use super::{TRACE, call, complaint, span, with_order};

#[test]
fn arguments_that_make_no_sense_are_answered_with_the_reason() {
    let server = with_order();
    for (tool, arguments, reason) in [
        ("get_services", json!({"pattern": "("}), "invalid pattern"),
        (
            "get_services",
            json!({"pattern": "(?:a{0,999}){999}"}),
            "invalid pattern",
        ),
        (
            "get_services",
            json!({"limit": "all"}),
            "invalid type: string \"all\", expected i64",
        ),
        (
            "get_services",
            json!({"limit": 1e300}),
            "invalid type: floating point",
        ),
        (
            "get_services",
            json!({"filter": "x"}),
            "unknown field `filter`, expected `pattern` or `limit`",
        ),
        ("get_span_names", json!({}), "missing field `service_name`"),
        (
            "search_traces",
            json!({"start_time_min": "-1h"}),
            "missing field `service_name`",
        ),
        (
            "search_traces",
            json!({"service_name": ""}),
            "service_name is required",
        ),
        (
            "search_traces",
            json!({"service_name": "a", "start_time_min": "today"}),
            "invalid start_time_min",
        ),
        (
            "search_traces",
            json!({"service_name": "a", "start_time_min": "now", "start_time_max": "-1h"}),
            "start_time_max must be after start_time_min",
        ),
        (
            "search_traces",
            json!({"service_name": "a", "duration_min": "5"}),
            "invalid duration_min",
        ),
        (
            "search_traces",
            json!({"service_name": "a", "duration_min": "2s", "duration_max": "1s"}),
            "duration_max must not be less",
        ),
        (
            "search_traces",
            json!({"service_name": "a", "attributes": {"n": 1}}),
            "invalid type: integer",
        ),
        (
            "get_trace_topology",
            json!({"trace_id": "xyz"}),
            "invalid trace_id",
        ),
        (
            "get_trace_topology",
            json!({"trace_id": "1"}),
            "trace not found",
        ),
        (
            "get_critical_path",
            json!({"trace_id": TRACE.repeat(1_000)}),
            "invalid trace_id",
        ),
        (
            "get_trace_errors",
            json!({"trace_id": null}),
            "invalid type: null",
        ),
        (
            "get_span_details",
            json!({"trace_id": TRACE, "span_ids": []}),
            "from 1 to 20 ids",
        ),
        (
            "get_span_details",
            json!({"trace_id": TRACE, "span_ids": vec!["1"; 21]}),
            "from 1 to 20 ids",
        ),
        (
            "get_span_details",
            json!({"trace_id": TRACE, "span_ids": ["0"]}),
            "invalid span_ids",
        ),
        (
            "get_service_dependencies",
            json!({"start_time": "1h"}),
            "invalid start_time",
        ),
    ] {
        let told = complaint(&server, tool, &arguments);
        assert!(
            told.starts_with(reason) || told.contains(reason),
            "{tool} {arguments}: {told}"
        );
        assert!(told.len() < 2_000, "{tool}: {} bytes", told.len());
    }
}

#[test]
fn answers_about_large_and_hostile_traces_are_bounded() {
    let server = start();
    // A chain, whose paths would have the ids of all spans before each, and spans with more than fits an answer.
    let chain =
        (1..=3_000).map(|n| span(1, "deep", "call", n, n - 1, (n as i64, 6_000 - n as i64)));
    server.add(Trace::of(chain));
    let long = "é\0\u{2028}".repeat(1_000);
    let hostile = (1..=30).map(|n| {
        let mut span = span(
            2,
            "deep",
            HOSTILE[n as usize % HOSTILE.len()],
            n,
            0,
            (0, 10),
        );
        span.tags = vec![Tag::new("error", true)];
        span.tags
            .extend((0..20).map(|n| Tag::new(format!("{n}{}", HOSTILE[0]), long.clone())));
        span.logs = vec![LogRecord::new(span.start, span.tags.clone()); 3];
        span
    });
    server.add(Trace::of(hostile));
    let ids: Vec<String> = (1..=20).map(|n| format!("{n:x}")).collect();
    for (tool, arguments) in [
        ("get_trace_topology", json!({"trace_id": "1"})),
        ("get_critical_path", json!({"trace_id": "1"})),
        ("get_trace_topology", json!({"trace_id": "2"})),
        ("get_trace_errors", json!({"trace_id": "2"})),
        (
            "get_span_details",
            json!({"trace_id": "2", "span_ids": ids}),
        ),
        ("search_traces", json!({"service_name": "deep"})),
        ("get_span_names", json!({"service_name": "deep"})),
    ] {
        let answer = call(&server, tool, arguments);
        // A control character takes six bytes in JSON.
        let bytes = answer.to_string().len();
        assert!(bytes < 6 * (256 << 10), "{tool}: {bytes} bytes");
        let is_cut = answer.get("error").is_some();
        let is_large = ["get_trace_errors", "get_span_details"].contains(&tool)
            || answer["trace_id"].as_str() == Some(&format!("{:0>32}", 1));
        assert_eq!(is_cut, is_large, "{tool}: {:?}", answer.get("error"));
    }
    let errors = call(&server, "get_trace_errors", json!({"trace_id": "2"}));
    assert_eq!(errors["total_error_count"], 30);
}

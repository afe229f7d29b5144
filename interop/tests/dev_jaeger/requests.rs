//! Requests to the query API, as Jaeger's user interface and Grafana make them, and wrong ones.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;
use tracehound::prelude::*;
use tracehound_interop::Way;

use crate::{
    Result,
    maker::Maker,
    senders::sender,
    shown::{Three, get, post, query_address},
};

/// Requests whose answers have one status and shape.
const ALIKE: &[&str] = &[
    "/api/services",
    "/api/services/library/operations",
    "/api/services/nobody/operations",
    "/api/operations?service=library",
    "/api/operations?service=library&spanKind=server",
    "/api/operations?service=library&spanKind=consumer",
    "/api/operations",
    "/api/traces?service=library",
    "/api/traces?service=nobody",
    "/api/traces?service=library&operation=root",
    "/api/traces?service=library&operation=none",
    "/api/traces?service=library&limit=20&lookback=1h&start={start}&end={end}&maxDuration&minDuration",
    "/api/traces?service=library&start={end}&end={end}",
    "/api/traces?service=library&tags=%7B%22answer%22%3A%2242%22%7D",
    "/api/traces?service=library&tags=%7B%22answer%22%3A%2243%22%7D",
    "/api/traces?service=library&tag=answer:42&prettyPrint=true",
    "/api/traces?service=library&minDuration=1us&maxDuration=1h",
    "/api/traces?service=library&minDuration=1h",
    "/api/traces?service=library&raw=true",
    "/api/traces?traceID={id}",
    "/api/traces?traceID={id}&traceID=abc",
    "/api/traces?traceID=abc",
    "/api/traces?traceID=xyz",
    "/api/traces?service=library&limit=many",
    "/api/traces?service=library&start=now",
    "/api/traces?service=library&end=1.5",
    "/api/traces?service=library&minDuration=5",
    "/api/traces?service=library&minDuration=2s&maxDuration=1s",
    "/api/traces?service=library&tags=answer",
    "/api/traces?service=library&tags=%7B%22answer%22%3A42%7D",
    "/api/traces?service=library&tag=answer",
    "/api/traces?service=library&raw=maybe",
    "/api/traces/{id}",
    "/api/traces/{id}?raw=true&prettyPrint=true",
    "/api/traces/{id}?raw=maybe",
    "/api/traces/{id}?start=now",
    "/api/traces/abc",
    "/api/traces/0",
    "/api/traces/xyz",
    "/api/traces/1234567890123456789012345678901234567890",
    "/api/dependencies?endTs={end_ms}&lookback=3600000",
    "/api/dependencies",
    "/api/dependencies?endTs=now",
    "/api/dependencies?endTs={end_ms}&lookback=1h",
    "/api/metrics/calls?service=library&endTs={end_ms}&lookback=3600000&quantile=0.95&ratePer=3600000&spanKind=server&\
     step=60000",
    "/api/metrics/errors?service=library&groupByOperation=true&spanKind=server",
    "/api/metrics/latencies?service=library&quantile=0.95",
    "/api/metrics/latencies?service=library",
    "/api/metrics/calls",
    "/api/metrics/calls?service=library&spanKind=none",
    "/api/metrics/calls?service=library&step=1h",
    "/api/metrics/minstep",
    "/api/v3/services",
    "/api/v3/operations?service=library&span_kind=server",
    "/api/v3/traces/{id}",
    "/api/v3/traces/abc",
    "/api/v3/traces/xyz",
    "/api/v3/traces/{id}?start_time=now",
    "/api/v3/traces?query.service_name=library&query.start_time_min=2020-01-01T00:00:00Z&\
     query.start_time_max=2100-01-01T00:00:00.5%2B01:00&query.num_traces=20",
    "/api/v3/traces?query.service_name=nobody&query.start_time_min=2020-01-01T00:00:00Z&\
     query.start_time_max=2100-01-01T00:00:00Z&query.num_traces=20",
    "/api/v3/traces?query.service_name=library",
    "/api/v3/traces?query.service_name=library&query.start_time_min=2020&query.start_time_max=2100",
    "/api/v3/traces?query.service_name=library&query.start_time_min=2020-01-01T00:00:00Z&\
     query.start_time_max=2100-01-01T00:00:00Z&query.num_traces=20&query.duration_min=5",
];

/// Requests that are answered otherwise, with the statuses of the embedded agent and of Jaeger, and the reason.
const OTHERWISE: &[(&str, u16, u16, &str)] = &[
    ("/api/traces", 200, 400, "a search may do without a service"),
    (
        "/api/traces?service=library&limit=0",
        200,
        500,
        "Jaeger's store fails where nothing is wanted",
    ),
    (
        "/api/traces?service=library&limit=1000000",
        200,
        500,
        "Jaeger's store fails where more is wanted than it can hold",
    ),
    (
        "/api/deep-dependencies?service=library",
        404,
        200,
        "Jaeger's answer is a sample that it makes up",
    ),
    (
        "/api/quality-metrics",
        404,
        200,
        "Jaeger's answer is a sample that it makes up",
    ),
    (
        "/api/v3/operations?service=library",
        200,
        200,
        "Jaeger 2.13 leaves out the kind of a span without one, which newer ones call internal",
    ),
    (
        "/api/nothing",
        404,
        200,
        "Jaeger answers every unknown path with its page",
    ),
    (
        "/api/v3/traces?query.service_name=library&query.start_time_min=2020-01-01T00:00:00Z&\
         query.start_time_max=2100-01-01T00:00:00Z",
        200,
        500,
        "Jaeger 2.13 needs a number of traces",
    ),
];

#[test]
fn the_query_api_answers_as_that_of_jaeger() -> Result {
    let Some(three) = Three::start_or_skip()? else {
        return Ok(());
    };
    let sender = sender(Way::OtlpHttp, three.tee.endpoints().otlp_http)?;
    let maker = Maker::new(sender, |tracer| tracer.trace_id_128bit(true))?;
    let root = maker
        .tracer()
        .build_span("root")
        .tag("span.kind", "server")
        .start();
    root.set_tag("answer", 42).log_event("asked");
    let child = maker.tracer().build_span("child").child_of(&root).start();
    child.set_tag("error", true);
    child.finish();
    root.finish();
    maker.assert_all_sent(&maker.flush());
    let (id, _) = maker.made().pop_first().ok_or("no trace")?;
    three.trace(id, 2)?;

    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as u64;
    let filled = |path: &str| {
        path.replace("{id}", &format!("{id:032x}"))
            .replace("{start}", &(now - 3_600_000_000).to_string())
            .replace("{end}", &(now + 60_000_000).to_string())
            .replace("{end_ms}", &(now / 1_000 + 60_000).to_string())
    };
    let (dev, v2) = (query_address(&three.dev), three.v2.endpoints().query_http);
    let mut problems = Vec::new();
    for path in ALIKE {
        let path = filled(path);
        let (own, others) = (get(dev, &path)?, get(v2, &path)?);
        compare(&path, &own, &others, &mut problems);
    }
    for (path, status, of_jaeger, reason) in OTHERWISE {
        let statuses = (get(dev, &filled(path))?.0, get(v2, &filled(path))?.0);
        if statuses != (*status, *of_jaeger) {
            problems.push(format!("{path}: {statuses:?}, though {reason}"));
        }
    }
    for path in ["/api/archive/{id}", "/api/archive/abc", "/api/archive/xyz"] {
        let path = filled(path);
        let (own, others) = (post(dev, &path, "")?, post(v2, &path, "")?);
        compare(&path, &own, &others, &mut problems);
    }
    for body in ["", "{}", "{\"resourceSpans\":1}", "[]"] {
        let path = "/api/transform";
        let (own, others) = (post(dev, path, body)?, post(v2, path, body)?);
        compare(&format!("{path} {body}"), &own, &others, &mut problems);
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

fn compare(path: &str, own: &(u16, Json), others: &(u16, Json), problems: &mut Vec<String>) {
    let (shape, expected) = (shape(&own.1), shape(&others.1));
    if own.0 != others.0 || shape != expected {
        problems.push(format!(
            "{path}\n    agent  {} {shape} {}\n    Jaeger {} {expected} {}",
            own.0, own.1["errors"], others.0, others.1["errors"]
        ));
    }
}

/// Returns the names and types of a document. Of a list it has the types that occur, and an empty list counts as null,
/// which Go writes for it. Jaeger 2 shows no flags of spans.
fn shape(json: &Json) -> String {
    match json {
        Json::Null => "null".to_owned(),
        Json::Bool(_) => "bool".to_owned(),
        Json::Number(_) => "number".to_owned(),
        Json::String(_) => "text".to_owned(),
        Json::Array(list) => {
            let mut types: Vec<String> = list.iter().map(shape).collect();
            types.sort();
            types.dedup();
            match types.is_empty() {
                true => "null".to_owned(),
                false => format!("[{}]", types.join(" or ")),
            }
        }
        Json::Object(members) => {
            let members = members
                .iter()
                .filter(|(name, _)| *name != "flags")
                .map(|(name, json)| format!("{name}: {}", shape(json)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
    }
}

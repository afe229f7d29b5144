//! Jaeger's query API.

use serde_json::{Value, json};
use tracehound::dev::DevServer;
use tracehound::prelude::*;

use super::{PATIENCE, get, post, start};

/// Returns a server with a trace of two services, and the id of the trace.
fn with_order() -> (DevServer, String) {
    let server = start();
    let (shop, pay) = (
        server.tracer("shop").unwrap(),
        server.tracer("pay").unwrap(),
    );
    let checkout = shop
        .build_span("checkout")
        .tag("span.kind", "server")
        .start();
    checkout.set_tag("items", 3).log_event("began");
    let charge = pay.build_span("charge").child_of(&checkout).start();
    charge.set_tag("error", true);
    charge.finish();
    let id = checkout.context().trace_id().unwrap().to_string();
    checkout.finish();
    for tracer in [shop, pay] {
        tracer.flush(PATIENCE);
    }
    (server, id)
}

#[test]
fn operations_have_kinds() {
    let (server, _) = with_order();
    let data = |path| get(server.query_address(), path).json()["data"].take();
    let checkout = json!([{"name": "checkout", "spanKind": "server"}]);
    assert_eq!(data("/api/operations?service=shop"), checkout);
    assert_eq!(
        data("/api/operations?service=shop&spanKind=server"),
        checkout
    );
    assert_eq!(
        data("/api/operations?service=shop&spanKind=client"),
        json!([])
    );
    let charge = json!([{"name": "charge", "spanKind": ""}]);
    assert_eq!(data("/api/operations?service=pay"), charge);
    assert_eq!(get(server.query_address(), "/api/operations").status, 400);
}

#[test]
fn traces_are_found_by_several_ids_and_missing_ones_are_named() {
    let (server, id) = with_order();
    let path = format!("/api/traces?traceID={id}&traceID=abc");
    let answer = get(server.query_address(), &path);
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    assert_eq!(answer["data"][0]["traceID"], id);
    let missing = json!([{"msg": "trace not found", "traceID": "0000000000000abc"}]);
    assert_eq!(answer["errors"], missing);
}

#[test]
fn answers_are_indented_on_request() {
    let (server, id) = with_order();
    let path = format!("/api/traces/{id}");
    let plain = get(server.query_address(), &path);
    let pretty = get(
        server.query_address(),
        &(path + "?prettyPrint=true&raw=true"),
    );
    assert!(
        pretty.text().starts_with("{\n    \"data\": ["),
        "{}",
        pretty.text()
    );
    assert_eq!(plain.json(), pretty.json());
}

#[test]
fn calls_are_those_of_traces_within_the_time() {
    let (server, _) = with_order();
    let calls = |query: &str| {
        let answer = get(
            server.query_address(),
            &format!("/api/dependencies?{query}"),
        );
        answer.json()["data"].as_array().unwrap().len()
    };
    assert_eq!(calls(""), 1);
    assert_eq!(calls("service=pay"), 1);
    assert_eq!(calls("service=cart"), 0);
    assert_eq!(calls("endTs=1700000000000&lookback=3600000"), 0);
    let refused = get(server.query_address(), "/api/dependencies?endTs=now");
    assert_eq!(refused.status, 400);
}

#[test]
fn there_is_no_archive_and_no_store_of_metrics() {
    let (server, id) = with_order();
    let query = server.query_address();
    let archive = post(
        query,
        &format!("/api/archive/{id}"),
        "application/json",
        b"",
    );
    assert_eq!(
        (archive.status, &archive.json()["data"]),
        (500, &Value::Null)
    );
    for (path, status) in [
        ("/api/metrics/minstep", 501),
        ("/api/metrics/calls?service=shop", 501),
        (
            "/api/metrics/errors?service=shop&spanKind=server&step=60000",
            501,
        ),
        ("/api/metrics/latencies?service=shop&quantile=0.95", 501),
        ("/api/metrics/latencies?service=shop", 400),
        ("/api/metrics/calls", 400),
        ("/api/metrics/calls?service=shop&spanKind=none", 400),
    ] {
        let answer = get(query, path);
        let code = answer.json()["errors"][0]["code"].take();
        assert_eq!((answer.status, code), (status, json!(status)), "{path}");
    }
}

#[test]
fn the_third_version_has_traces_in_otlp() {
    let (server, id) = with_order();
    let query = server.query_address();
    let times = "query.start_time_min=2020-01-01T00:00:00Z&query.startTimeMax=2100-01-01T00:00:00Z";
    for path in [
        format!("/api/v3/traces/{id}"),
        format!("/api/v3/traces?query.service_name=pay&{times}"),
        format!("/api/v3/traces?query.serviceName=pay&query.searchDepth=5&{times}"),
    ] {
        let answer = get(query, &path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let transformed = answer.json()["result"].to_string();
        let read = post(
            query,
            "/api/transform",
            "application/json",
            transformed.as_bytes(),
        );
        let spans = read.json()["data"][0]["spans"].take();
        assert_eq!(
            spans.as_array().map(Vec::len),
            Some(2),
            "{path}: {transformed}"
        );
        assert_eq!(spans[0]["traceID"], id, "{path}");
    }
    let names = get(query, "/api/v3/services").json();
    assert_eq!(names, json!({"services": ["pay", "shop"]}));
    for (service, name, kind) in [
        ("shop", "checkout", "server"),
        ("pay", "charge", "internal"),
    ] {
        let expected = json!({"operations": [{"name": name, "spanKind": kind}]});
        for filter in ["", "&spanKind=", &format!("&spanKind={kind}")] {
            let path = format!("/api/v3/operations?service={service}{filter}");
            assert_eq!(get(query, &path).json(), expected, "{path}");
        }
    }
    for (path, status) in [
        ("/api/v3/traces/abc", 404),
        ("/api/v3/traces/xyz", 400),
        ("/api/v3/traces?query.service_name=pay", 400),
    ] {
        let answer = get(query, path);
        let code = answer.json()["error"]["httpCode"].take();
        assert_eq!((answer.status, code), (status, json!(status)), "{path}");
    }
}

/// The requests of Jaeger's user interface and of Grafana, and what their readers demand of the answers.
#[test]
fn newer_user_interfaces_search_by_summaries() {
    let (server, id) = with_order();
    let query = server.query_address();
    let times =
        "query.startTimeMin=2020-01-01T00:00:00.000Z&query.startTimeMax=2100-01-01T00:00:00.000Z";
    for (conditions, found) in [
        ("", 1),
        ("query.serviceName=shop&query.searchDepth=20&", 1),
        (
            "query.serviceName=shop&query.operationName=checkout&query.durationMax=1h&",
            1,
        ),
        ("query.serviceName=shop&query.operationName=charge&", 0),
        ("query.serviceName=shop&query.spanName=charge&", 0),
        (
            "query.service_name=shop&query.span_name=checkout&query.num_traces=20&",
            1,
        ),
        ("query.serviceName=shop&query.search_depth=0&", 0),
        ("query.serviceName=shop&query.pagination.pageSize=5&", 1),
        (
            "query.serviceName=shop&query.attributes=%7B%22items%22%3A%223%22%7D&",
            1,
        ),
        (
            "query.serviceName=shop&query.attributes=%7B%22items%22%3A%224%22%7D&",
            0,
        ),
        ("query.serviceName=nobody&", 0),
    ] {
        let path = format!("/api/v3/trace-summaries?{conditions}{times}");
        let answer = get(query, &path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let summaries = answer.json()["summaries"].take();
        let summaries = summaries.as_array().expect(&path);
        assert_eq!(summaries.len(), found, "{path}");
        for summary in summaries {
            assert_eq!(summary["traceId"], format!("{id:0>32}"));
            assert_eq!(summary["rootServiceName"], "shop");
            assert_eq!(summary["rootOperationName"], "checkout");
            let time = |name: &str| summary[name].as_str().unwrap().parse::<u64>().unwrap();
            assert!(time("minStartTimeUnixNano") <= time("maxEndTimeUnixNano"));
            let counts = ["spanCount", "errorSpanCount", "orphanSpanCount"].map(|it| &summary[it]);
            assert_eq!(counts, [2, 1, 0]);
            let services = json!([
                {"name": "pay", "spanCount": 1, "errorSpanCount": 1},
                {"name": "shop", "spanCount": 1, "errorSpanCount": 0},
            ]);
            assert_eq!(summary["services"], services);
        }
    }
    // Grafana does not escape the plus of its offset.
    let path = "/api/v3/trace-summaries?query.start_time_min=2020-01-01T00:00:00.5+02:00&\
                query.start_time_max=2100-01-01T00:00:00+02:00";
    assert_eq!(
        get(query, path).json()["summaries"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    for (parameters, status) in [
        ("", 400),
        ("query.startTimeMin=2020-01-01T00:00:00Z", 400),
        (
            "query.startTimeMin=soon&query.startTimeMax=2100-01-01T00:00:00Z",
            400,
        ),
        (
            "query.attributes=%7B%22a%22%3A1%7D&query.startTimeMin=2020-01-01T00:00:00Z&query.startTimeMax=2100-01-01T00:00:00Z",
            400,
        ),
    ] {
        let answer = get(query, &format!("/api/v3/trace-summaries?{parameters}"));
        let code = answer.json()["error"]["httpCode"].take();
        assert_eq!(
            (answer.status, code),
            (status, json!(status)),
            "{parameters}"
        );
    }
}

/// The names and values of Jaeger's own answer, as its message is written in JSON: what is false is left out.
#[test]
fn a_user_interface_can_ask_which_searches_there_are() {
    let (server, id) = with_order();
    let query = server.query_address();
    let capabilities = get(query, "/api/v3/capabilities").json();
    let search = json!({"withoutServiceName": true, "sameSpanConjunction": true});
    assert_eq!(capabilities, json!({ "search": search }));
    let times = "query.startTimeMin=2020-01-01T00:00:00Z&query.startTimeMax=2100-01-01T00:00:00Z";
    let found = |conditions: &str| {
        let path = format!("/api/v3/trace-summaries?{conditions}{times}");
        let summaries = get(query, &path).json()["summaries"].take();
        let ids = summaries.as_array().unwrap().iter();
        ids.map(|it| it["traceId"].clone()).collect::<Vec<_>>()
    };
    // Both are true: no service need be named, and one span has to meet all conditions.
    assert_eq!(found(""), [format!("{id:0>32}")]);
    let of_two_spans = "query.operationName=charge&query.attributes=%7B%22items%22%3A%223%22%7D&";
    assert_eq!(found(of_two_spans), [""; 0]);
    // A filter is not among them, and is refused rather than left out of the search.
    for path in ["trace-summaries", "traces"] {
        let filter = "query.filter=%7B%22op%22%3A%22eq%22%7D";
        let answer = get(query, &format!("/api/v3/{path}?{filter}&{times}"));
        assert_eq!(answer.status, 400, "{path}");
    }
}

#[test]
fn the_third_version_has_calls_within_a_time() {
    let (server, _) = with_order();
    let query = server.query_address();
    let calls = json!({"dependencies": [{"parent": "shop", "child": "pay", "callCount": "1"}]});
    for (parameters, expected) in [
        (
            "startTime=2020-01-01T00:00:00Z&endTime=2100-01-01T00:00:00Z",
            &calls,
        ),
        (
            "start_time=2020-01-01T00:00:00Z&end_time=2100-01-01T00:00:00Z",
            &calls,
        ),
        (
            "startTime=2020-01-01T00:00:00Z&endTime=2020-01-02T00:00:00Z",
            &json!({"dependencies": []}),
        ),
    ] {
        let answer = get(query, &format!("/api/v3/dependencies?{parameters}"));
        assert_eq!(
            (answer.status, &answer.json()),
            (200, expected),
            "{parameters}"
        );
    }
    for parameters in [
        "",
        "startTime=2020-01-01T00:00:00Z",
        "endTime=2020-01-01T00:00:00Z",
        "startTime=now&endTime=2020-01-01T00:00:00Z",
        "startTime=2020-01-01T00:00:00Z&endTime=2020-01-01T00:00:00Z",
    ] {
        let answer = get(query, &format!("/api/v3/dependencies?{parameters}"));
        assert_eq!(answer.status, 400, "{parameters}");
    }
}

//! Spans of Zipkin in each form that clients send, as published clients wrote them (`tests/vectors/spans_zipkin.json`).

use serde_json::{Value, json};
use tracehound::dev::DevServer;
use tracehound::model::TagValue;
use tracehound::view::ReceivedSpan;

use super::vectors::all;
use super::{get, post, quiet, unhex};

fn server() -> DevServer {
    DevServer::start(quiet().zipkin_port(0)).unwrap()
}

#[test]
fn bodies_of_published_clients_are_read_in_each_form() {
    let server = server();
    let address = server.zipkin_address().unwrap();
    let mut forms = Vec::new();
    for (title, input, request) in all("spans_zipkin", "requests") {
        let path = request["path"].as_str().unwrap();
        let content_type = request["content_type"].as_str().unwrap();
        let title = format!("{title}, {path} {content_type}");
        server.clear();
        let body = unhex(request["body_hex"].as_str().unwrap());
        let answer = post(address, path, content_type, &body);
        assert_eq!((answer.status, answer.text()), (202, ""), "{title}");
        let traces = server.traces();
        let [trace] = &*traces else {
            panic!("{title}: {} traces", traces.len());
        };
        assert_eq!(trace.spans.len(), 1, "{title}");
        check(&trace.spans[0], &input["span"], path.contains("v1"), &title);
        forms.push(format!("{path} {content_type}"));
    }
    let count = |form: &str| forms.iter().filter(|it| *it == form).count();
    assert_eq!(count("/api/v2/spans application/json"), 17);
    assert_eq!(count("/api/v2/spans application/x-protobuf"), 17);
    assert_eq!(count("/api/v1/spans application/json"), 9);
    assert_eq!(count("/api/v1/spans application/x-thrift"), 10);
    assert_eq!(server.totals().undecodable, 0);
}

/// Checks a span against what the client was told to send.
fn check(received: &ReceivedSpan, sent: &Value, is_v1: bool, title: &str) {
    let span = &received.span;
    let text = |name: &str| sent[name].as_str().unwrap_or_default();
    let trace_id = format!("{:0>32}", text("traceId"));
    assert_eq!(span.trace_id.to_string().len(), text("traceId").len());
    assert_eq!(
        format!("{:0>32}", span.trace_id.to_string()),
        trace_id,
        "{title}"
    );
    assert_eq!(span.span_id.to_string(), text("id"), "{title}");
    let parent = span.parent_id.map(|id| id.to_string());
    assert_eq!(parent.unwrap_or_default(), text("parentId"), "{title}");
    assert_eq!(span.operation_name, text("name"), "{title}");
    assert_eq!(
        Some(span.start.as_micros()),
        sent["timestamp"].as_i64(),
        "{title}"
    );
    assert_eq!(
        Some(span.duration.as_micros() as u64),
        sent["duration"].as_u64(),
        "{title}"
    );
    let local = &sent["localEndpoint"];
    assert_eq!(
        received.process.service_name, local["serviceName"],
        "{title}"
    );
    // The two clients in Python do not write the flag in version 1.
    if sent["debug"] == true && !title.contains("py_zipkin") {
        assert!(span.flags.is_debug(), "{title}");
    }

    let mut expected = json!({});
    for (key, value) in sent["tags"].as_object().unwrap() {
        // An error has its text and, as in Jaeger, the mark.
        if key == "error" {
            expected["otel.status_code"] = json!("ERROR");
        } else {
            expected[key] = value.clone();
        }
    }
    let kind = match sent["kind"].as_str() {
        Some(kind) => Some(kind.to_ascii_lowercase()),
        // The old client in Python writes a local span as client and server at once. The first counts, as in Jaeger.
        None => title
            .contains("py_zipkin 0.20.0")
            .then(|| "client".to_owned()),
    };
    if let Some(kind) = kind {
        expected["span.kind"] = kind.into();
    }
    let mut put = |endpoint: &Value, ip: &str, port: &str| {
        for name in ["ipv4", "ipv6"] {
            if endpoint[name].is_string() {
                expected[ip] = endpoint[name].clone();
            }
        }
        if endpoint["port"].is_number() {
            expected[port] = endpoint["port"].clone();
        }
    };
    put(&sent["remoteEndpoint"], "net.peer.ip", "net.peer.port");
    if !is_v1 {
        put(local, "net.host.ip", "net.host.port");
    }
    if let Some(peer) = sent["remoteEndpoint"]["serviceName"].as_str() {
        expected["peer.service"] = peer.into();
    }
    let mut read = json!({});
    for tag in &span.tags {
        if tag.key != "error" {
            read[&*tag.key] = match &tag.value {
                TagValue::Long(long) => json!(long),
                value => json!(value.to_string()),
            };
        }
    }
    assert_eq!(read, expected, "{title}");
    let is_error = span
        .tags
        .iter()
        .any(|tag| tag.key == "error" && tag.value == true.into());
    assert_eq!(is_error, sent["tags"].get("error").is_some(), "{title}");

    let logs: Vec<_> = span
        .logs
        .iter()
        .map(|log| (log.timestamp.as_micros(), log.fields[0].value.to_string()))
        // The client in Java writes those of messages as an event, too.
        .filter(|(_, event)| {
            !(is_v1 && sent["annotations"].is_null() && ["ws", "wr"].contains(&&**event))
        })
        .collect();
    let annotations = sent["annotations"].as_array().cloned().unwrap_or_default();
    let expected: Vec<_> = annotations
        .iter()
        .map(|it| {
            (
                it["timestamp"].as_i64().unwrap(),
                it["value"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    assert_eq!(logs, expected, "{title}");
}

#[test]
fn a_service_without_a_name_is_called_alike_in_each_form() {
    let server = server();
    let address = server.zipkin_address().unwrap();
    let proto = b"\x0a\x14\x0a\x08\0\0\0\0\0\0\0\x0a\x1a\x08\0\0\0\0\0\0\0\x0b";
    // One struct: the trace id in field 1, the id in field 4.
    let thrift = b"\x0c\0\0\0\x01\x0a\0\x01\0\0\0\0\0\0\0\x0a\x0a\0\x04\0\0\0\0\0\0\0\x0b\0";
    let json = br#"[{"traceId":"a","id":"b"}]"#;
    let unnamed = br#"[{"traceId":"a","id":"b","localEndpoint":{"serviceName":""}}]"#;
    let rows: [(&str, &str, &[u8]); 5] = [
        ("/api/v2/spans", "application/json", json),
        ("/api/v2/spans", "application/json", unnamed),
        ("/api/v2/spans", "application/x-protobuf", proto),
        ("/api/v1/spans", "application/json", json),
        ("/api/v1/spans", "application/x-thrift", thrift),
    ];
    for (path, content_type, body) in rows {
        server.clear();
        let answer = post(address, path, content_type, body);
        assert_eq!(answer.status, 202, "{path} {content_type}");
        let services = server.services();
        assert_eq!(services, ["missing-service-name"], "{path} {content_type}");
    }
}

#[test]
fn a_body_of_zipkin_that_makes_no_sense_is_refused_and_counted() {
    let server = server();
    let address = server.zipkin_address().unwrap();
    let span = "/api/v2/spans";
    let former = "/api/v1/spans";
    let proto = "application/x-protobuf";
    let thrift = "application/x-thrift";
    // Lists of one struct: one that is empty, one with a list of empty annotations, and more than there are.
    let no_ids = b"\x0c\0\0\0\x01\0";
    let no_value = b"\x0c\0\0\0\x01\x0f\0\x06\x0c\0\0\0\x01\0\0";
    let many = b"\x0c\x7f\xff\xff\xff\0";
    let rows: [(&str, &str, &[u8], u16); 11] = [
        (span, proto, b"\x0a\xff", 400),
        (span, proto, b"\x0a\0", 400),
        (span, thrift, b"", 415),
        (former, "application/json", b"[{}]", 400),
        (former, "application/json", b"{}", 400),
        (former, thrift, b"", 400),
        (former, thrift, no_ids, 400),
        (former, thrift, no_value, 400),
        (former, thrift, many, 400),
        (former, thrift, b"\x08\0\0\0\x01\0\0\0\0", 400),
        (former, proto, b"", 415),
    ];
    let mut refused = 0;
    for (path, content_type, body, status) in rows {
        let answer = post(address, path, content_type, body);
        assert_eq!(
            answer.status,
            status,
            "{path} {content_type} {body:?}: {}",
            answer.text()
        );
        refused += u64::from(status == 400);
        assert_eq!(server.totals().undecodable, refused);
    }
    // Nothing to read is no fault.
    for (path, content_type, body) in [(span, proto, &b""[..]), (former, thrift, b"\x0c\0\0\0\0")] {
        assert_eq!(
            post(address, path, content_type, body).status,
            202,
            "{path}"
        );
    }
    assert_eq!(server.totals().received, 0);
}

/// Bytes of Thrift at each length, and with each byte changed: no answer but a success or a refusal.
#[test]
fn a_list_in_thrift_that_is_cut_or_changed_is_answered() {
    let server = server();
    let address = server.zipkin_address().unwrap();
    let of_thrift = |(_, _, request): (String, Value, Value)| {
        (request["content_type"] == "application/x-thrift")
            .then(|| unhex(request["body_hex"].as_str().unwrap()))
    };
    let body = all("spans_zipkin", "requests")
        .into_iter()
        .find_map(of_thrift)
        .unwrap();
    for end in 0..body.len() {
        let answer = post(
            address,
            "/api/v1/spans",
            "application/x-thrift",
            &body[..end],
        );
        assert_eq!(answer.status, 400, "{end}");
    }
    for place in 0..body.len() {
        let mut changed = body.clone();
        changed[place] ^= 0x80;
        let answer = post(address, "/api/v1/spans", "application/x-thrift", &changed);
        assert!(
            [202, 400].contains(&answer.status),
            "{place}: {}",
            answer.status
        );
    }
}

#[test]
fn a_server_with_the_id_of_its_client_has_one_of_its_own_in_answers() {
    let server = server();
    let span = |name: &str, kind: &str| {
        json!({
            "traceId": "7f3c", "id": "7", "parentId": "1", "name": name, "kind": kind,
            "timestamp": 5, "duration": 1, "localEndpoint": { "serviceName": name },
        })
    };
    let mut below = span("below", "CLIENT");
    (below["id"], below["parentId"]) = (json!("8"), json!("7"));
    let spans = json!([span("call", "CLIENT"), span("answer", "SERVER"), below]);
    let address = server.zipkin_address().unwrap();
    for _ in 0..2 {
        let sent = post(
            address,
            "/api/v2/spans",
            "application/json",
            spans.to_string().as_bytes(),
        );
        assert_eq!(sent.status, 202);
    }
    // A request that comes again adds nothing.
    assert_eq!((server.totals().received, server.totals().repeated), (6, 3));
    let raw = [
        ["answer", "0000000000000007", "0000000000000001"],
        ["below", "0000000000000008", "0000000000000007"],
        ["call", "0000000000000007", "0000000000000001"],
    ];
    let mut own = raw;
    (own[0][1], own[0][2]) = ("0000000000000001", raw[2][1]);
    own[1][2] = own[0][1];
    for (parameter, expected) in [("raw=false", own), ("raw=true", raw)] {
        for target in ["/api/traces/7f3c?", "/api/traces?service=call&"] {
            let target = format!("{target}{parameter}");
            let answer = get(server.query_address(), &target);
            let answer: Value = serde_json::from_str(answer.text()).unwrap();
            let mut shape: Vec<_> = answer["data"][0]["spans"]
                .as_array()
                .unwrap()
                .iter()
                .map(|span| {
                    let parent = &span["references"][0]["spanID"];
                    [&span["operationName"], &span["spanID"], parent]
                })
                .collect();
            shape.sort_by_key(|[name, ..]| name.as_str());
            assert_eq!(shape, expected, "{target}");
        }
        let target = format!(
            "/api/v3/traces/7f3c?{}",
            parameter.replace("raw", "rawTraces")
        );
        let answer = get(server.query_address(), &target);
        let [id, parent] = [1, 2].map(|part| format!("\"{}\"", expected[0][part]));
        let hits = answer
            .text()
            .matches(&format!(r#""parentSpanId":{parent}"#))
            .count();
        assert!(
            answer.text().contains(&format!(r#""spanId":{id}"#)) && hits > 0,
            "{target}"
        );
    }
}

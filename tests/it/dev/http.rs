//! The HTTP side: collector, sampling strategies, viewer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use tracehound::prelude::*;

use super::{Answer, GOLDEN, GOLDEN_TRACE, PATIENCE, exchange, get, post, send, start, unhex};
use crate::support::until;

/// A batch without spans, of the service `a`.
const EMPTY_BATCH: &str = "0c00010b00010000000161000f00020c0000000000";

#[test]
fn a_trace_is_answered_in_the_json_of_jaeger() {
    let server = start();
    send(&server, server.agent_address(), &unhex(GOLDEN));
    let answer = get(
        server.query_address(),
        &format!("/api/traces/{GOLDEN_TRACE}"),
    );
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: application/json"));
    let expected = json!({
        "data": [{
            "traceID": GOLDEN_TRACE,
            "spans": [{
                "traceID": GOLDEN_TRACE,
                "spanID": "1112131415161718",
                "flags": 1,
                "operationName": "GET /",
                "references": [
                    {"refType": "CHILD_OF", "traceID": GOLDEN_TRACE, "spanID": "0000000000000005"},
                ],
                "startTime": 1_700_000_000_000_000u64,
                "duration": 1500,
                "tags": [
                    {"key": "s", "type": "string", "value": "v"},
                    {"key": "d", "type": "float64", "value": 0.5},
                    {"key": "b", "type": "bool", "value": true},
                    {"key": "f", "type": "bool", "value": false},
                    {"key": "l", "type": "int64", "value": -3},
                    {"key": "y", "type": "binary", "value": "AH8="},
                ],
                "logs": [{
                    "timestamp": 1_700_000_000_000_001u64,
                    "fields": [{"key": "event", "type": "string", "value": "e"}],
                }],
                "processID": "p1",
                "warnings": null,
            }],
            "processes": {
                "p1": {"serviceName": "svc", "tags": [{"key": "k", "type": "string", "value": "v"}]},
            },
            "warnings": null,
        }],
        "total": 0, "limit": 0, "offset": 0, "errors": null,
    });
    assert_eq!(answer.json(), expected);
    let same = get(
        server.query_address(),
        &format!("/trace/{GOLDEN_TRACE}?format=jaeger"),
    );
    assert_eq!(same.json(), expected);
    let unpadded = get(
        server.query_address(),
        &format!("/api/traces/{}", &GOLDEN_TRACE[1..]),
    );
    assert_eq!(unpadded.json(), expected);
}

#[test]
fn services_are_listed() {
    let server = start();
    let services = |answer: Answer| (answer.status, answer.json());
    let expected = |data: Value| {
        let total = data.as_array().unwrap().len();
        (
            200,
            json!({"data": data, "total": total, "limit": 0, "offset": 0, "errors": null}),
        )
    };
    assert_eq!(
        services(get(server.query_address(), "/api/services")),
        expected(json!([]))
    );
    send(&server, server.agent_address(), &unhex(GOLDEN));
    assert_eq!(
        services(get(server.query_address(), "/api/services")),
        expected(json!(["svc"]))
    );
}

#[test]
fn an_unknown_trace_is_404_and_a_bad_id_is_400() {
    let server = start();
    let query = server.query_address();
    let bare = json!([{"code": 404, "msg": "trace not found"}]);
    let named = json!([{"code": 404, "msg": "trace not found", "traceID": "0000000000000abc"}]);
    for (path, errors) in [
        ("/api/traces/abc", &bare),
        ("/api/traces/0", &bare),
        ("/trace/abc", &named),
    ] {
        let answer = get(query, path);
        assert_eq!(
            (answer.status, &answer.json()["errors"]),
            (404, errors),
            "{path}"
        );
    }
    for id in ["xyz", "+1", "%00", &"1".repeat(33)] {
        let answer = get(query, &format!("/api/traces/{id}"));
        assert_eq!(
            (answer.status, &answer.json()["errors"][0]["code"]),
            (400, &json!(400)),
            "{id}"
        );
    }
    for path in ["/api/nothing", "/etc/passwd", "//"] {
        assert_eq!(get(query, path).status, 404, "{path}");
    }
}

#[test]
fn a_browser_gets_the_picture_as_text() {
    let server = start();
    send(&server, server.agent_address(), &unhex(GOLDEN));
    let page = get(server.query_address(), &format!("/trace/{GOLDEN_TRACE}"));
    assert_eq!(page.status, 200);
    assert!(
        page.head
            .contains("content-type: text/plain; charset=utf-8"),
        "{}",
        page.head
    );
    assert!(page.head.contains("x-content-type-options: nosniff"));
    assert!(
        page.head
            .contains("content-security-policy: default-src 'none'")
    );
    assert!(
        page.text()
            .starts_with("GET /  trace 0102…ffff   1.5ms   1 service"),
        "{}",
        page.text()
    );
    assert!(!page.text().contains('\x1b'));
    // The span is on the critical path, which plain text can show by characters alone.
    assert!(page.text().contains("┝━━━━"), "{}", page.text());
    let index = get(server.query_address(), "/");
    assert!(
        index
            .text()
            .contains(&format!("/trace/{GOLDEN_TRACE}  GET /")),
        "{}",
        index.text()
    );
}

#[test]
fn an_embedded_agent_says_who_it_is() {
    let server = start();
    let answer = get(server.query_address(), "/api/identity");
    let expected = json!({
        "name": "tracehound",
        "version": env!("CARGO_PKG_VERSION"),
        "agent": server.agent_address(),
    });
    assert_eq!((answer.status, answer.json()), (200, expected));
}

#[test]
fn every_service_is_told_to_keep_everything() {
    let server = start();
    let keep = r#"{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":1}}"#;
    for path in [
        "/sampling?service=shop",
        "/?service=shop",
        "/?service=",
        "/sampling?x=1&service=a%20b",
    ] {
        let answer = get(server.sampling_address(), path);
        assert_eq!((answer.status, answer.text()), (200, keep), "{path}");
        assert!(answer.head.contains("content-type: application/json"));
    }
    for path in [
        "/sampling",
        "/",
        "/?services=a",
        "/sampling?service=a&service=b",
    ] {
        let answer = get(server.sampling_address(), path);
        let expected = (400, "'service' parameter must be provided once\n");
        assert_eq!((answer.status, answer.text()), expected, "{path}");
    }
    assert_eq!(
        get(server.sampling_address(), "/baggageRestrictions?service=a").status,
        404
    );
}

#[test]
fn a_collector_takes_thrift_and_nothing_else() {
    let server = start();
    let collector = server.collector_address();
    let body = unhex(EMPTY_BATCH);
    for content_type in [
        "application/x-thrift",
        "application/vnd.apache.thrift.binary",
        "APPLICATION/X-THRIFT; charset=utf-8",
    ] {
        let answer = post(
            collector,
            "/api/traces?format=jaeger.thrift",
            content_type,
            &body,
        );
        assert_eq!((answer.status, answer.text()), (202, ""), "{content_type}");
    }
    for (content_type, why) in [
        ("", "Cannot parse content type\n"),
        ("application/json", "Unsupported content type\n"),
        ("text/plain", "Unsupported content type\n"),
    ] {
        let answer = post(collector, "/api/traces", content_type, &body);
        assert_eq!((answer.status, answer.text()), (400, why), "{content_type}");
    }
    assert_eq!(server.totals().undecodable, 0);
    for body in [&unhex(GOLDEN)[..], b"", b"{}", &body[..10]] {
        let answer = post(collector, "/api/traces", "application/x-thrift", body);
        assert_eq!(answer.status, 400);
        assert!(
            answer
                .text()
                .starts_with("Unable to process request body: ")
        );
    }
    assert_eq!(server.totals().undecodable, 4);
    assert_eq!(get(collector, "/api/traces").status, 405);
    assert_eq!(
        post(collector, "/", "application/x-thrift", &body).status,
        404
    );
}

#[test]
fn a_body_that_is_too_long_is_refused() {
    let server = start();
    let body = vec![0; 4 * 1024 * 1024 + 1];
    let answer = post(
        server.collector_address(),
        "/api/traces",
        "application/x-thrift",
        &body,
    );
    assert_eq!(answer.status, 413);
    assert_eq!(server.totals().received, 0);
}

#[test]
fn a_request_for_another_host_name_is_refused() {
    let server = start();
    send(&server, server.agent_address(), &unhex(GOLDEN));
    let paths = [
        (server.query_address(), "/api/services"),
        (server.query_address(), "/nowhere"),
        (server.sampling_address(), "/sampling?service=a"),
        (server.collector_address(), "/api/traces"),
    ];
    for (address, path) in paths {
        let status = |hosts: &str| {
            let request = format!("GET {path} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
            exchange(address, request.as_bytes()).status
        };
        let port = address.port();
        let own = status(&format!("Host: {address}\r\n"));
        assert_ne!(own, 403, "{path}");
        for host in [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1",
            "127.8.9.10:80",
            "[::1]:9",
        ] {
            assert_eq!(status(&format!("Host: {host}\r\n")), own, "{path} {host}");
        }
        for host in [
            "evil.example",
            &format!("evil.example:{port}"),
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "0.0.0.0",
            "[::]",
            "localhost@evil.example",
            "",
        ] {
            assert_eq!(status(&format!("Host: {host}\r\n")), 403, "{path} {host:?}");
        }
        assert_eq!(
            status("Host: localhost\r\nHost: evil.example\r\n"),
            403,
            "{path}"
        );
        let old = format!("GET {path} HTTP/1.0\r\n\r\n");
        assert_eq!(
            exchange(address, old.as_bytes()).status,
            403,
            "{path} without a host"
        );
        let absolute = format!(
            "GET http://evil.example{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(
            exchange(address, absolute.as_bytes()).status,
            403,
            "{path} absolute"
        );
    }
}

#[test]
fn connections_beyond_the_bound_wait() {
    let server = start();
    let query = server.query_address();
    let idle: Vec<_> = (0..100)
        .map(|_| TcpStream::connect(query).unwrap())
        .collect();
    // Each answers a request and stays open, so all of them are accepted.
    for mut stream in &idle {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET / HTTP/1.1\r\nHost: {query}\r\n\r\n").unwrap();
        assert_ne!(stream.read(&mut [0; 64]).unwrap(), 0);
    }
    let mut one_more = TcpStream::connect(query).unwrap();
    write!(
        one_more,
        "GET / HTTP/1.1\r\nHost: {query}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    one_more
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    assert!(
        one_more.read(&mut [0; 64]).is_err(),
        "answered beside 100 others"
    );
    drop(idle);
    one_more.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_ne!(one_more.read(&mut [0; 64]).unwrap(), 0);
}

#[test]
fn requests_beyond_the_bound_wait() {
    let server = start();
    let collector = server.collector_address();
    let request = |body: &str| {
        let mut stream = TcpStream::connect(collector).unwrap();
        write!(
            stream,
            "POST /api/traces HTTP/1.1\r\nHost: {collector}\r\nContent-Type: application/x-thrift\r\n\
             Connection: close\r\nContent-Length: 9\r\n\r\n{body}"
        )
        .unwrap();
        stream.set_nonblocking(true).unwrap();
        stream
    };
    let halves: Vec<_> = (0..32).map(|_| request("half")).collect();
    // The server may not have read all of them yet.
    let mut one_more = request("123456789");
    until("a request that waits", || {
        // The server has one thread. While it answers these, it would answer the other one, too.
        for _ in 0..5 {
            assert_eq!(get(server.query_address(), "/api/services").status, 200);
        }
        let read = one_more.read(&mut [0; 64]);
        if read.is_ok() {
            one_more = request("123456789");
        }
        read.is_err()
    });
    drop(halves);
    one_more.set_nonblocking(false).unwrap();
    one_more.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_ne!(one_more.read(&mut [0; 64]).unwrap(), 0);
}

#[test]
fn an_open_connection_does_not_delay_the_end_of_the_server() {
    let server = start();
    let mut half = TcpStream::connect(server.collector_address()).unwrap();
    half.write_all(b"POST /api/traces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n")
        .unwrap();
    drop(server);
    half.set_read_timeout(Some(PATIENCE)).unwrap();
    // The system closes or resets it.
    assert!(matches!(half.read(&mut [0; 64]), Ok(0) | Err(_)));
}

#[test]
fn open_spans_of_this_program_are_listed_until_they_end() {
    let server = start();
    let tracer = server.tracer("shop").expect("named");
    let list = || {
        let answer = get(server.query_address(), "/api/open-spans");
        assert_eq!(answer.status, 200);
        answer.json()
    };
    assert_eq!(list()["data"], json!([]));
    let (checkout, line) = (tracer.build_span("checkout"), line!());
    let checkout = checkout.tag("span.kind", "server").start();
    let context = checkout.context();
    let answer = list();
    assert_eq!(answer["total"], 1);
    let span = &answer["data"][0];
    let id = |id: Option<String>| Value::String(id.expect("a trace"));
    assert_eq!(
        span["traceID"],
        id(context.trace_id().map(|id| id.to_string()))
    );
    assert_eq!(
        span["spanID"],
        id(context.span_id().map(|id| id.to_string()))
    );
    for (key, expected) in [
        ("operationName", json!("checkout")),
        ("serviceName", json!("shop")),
        ("kind", json!("server")),
        ("place", json!({"file": file!(), "line": line})),
    ] {
        assert_eq!(span[key], expected, "{key}");
    }
    assert!(span["startTime"].as_u64() > Some(1_700_000_000_000_000));
    assert!(span["age"].is_u64() && span["thread"].is_string());
    let page = get(server.query_address(), "/open-spans");
    assert!(page.text().starts_with(
        "spans that are open now, the oldest first: 1\nshop  \"checkout\" (server) for "
    ));
    let index = get(server.query_address(), "/");
    assert!(
        index
            .text()
            .starts_with("spans open now: 1, see /open-spans\n")
    );
    checkout.finish();
    assert_eq!(list()["data"], json!([]));
}

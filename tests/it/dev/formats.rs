//! Spans come in every format that a Jaeger takes.

use std::io::Write;
use std::net::SocketAddr;

use flate2::Compression;
use flate2::write::GzEncoder;
use tracehound::JaegerTracer;
use tracehound::dev::DevServer;
use tracehound::prelude::*;
use tracehound::reporter::RemoteReporter;
use tracehound::reporter::sender::{
    GrpcSender, HttpSender, OtlpGrpcSender, OtlpSender, ZipkinSender,
};
use tracehound::sampler::ConstSampler;

use crate::dev::{PATIENCE, exchange, post, quiet};

fn server() -> DevServer {
    let options = quiet()
        .otlp_port(0)
        .otlp_grpc_port(0)
        .jaeger_grpc_port(0)
        .zipkin_port(0)
        .jaeger_query_port(0);
    DevServer::start(options).unwrap()
}

#[test]
fn a_trace_comes_by_each_format_as_it_was_made() {
    let server = server();
    let http = |address: Option<SocketAddr>| format!("http://{}", address.unwrap());
    let collector = format!("http://{}/api/traces", server.collector_address());
    let otlp = http(server.otlp_address()) + "/v1/traces";
    let zipkin = http(server.zipkin_address()) + "/api/v2/spans";
    let ways: [(&str, RemoteReporter); 6] = [
        (
            "Thrift",
            RemoteReporter::new(HttpSender::new(&collector).unwrap()),
        ),
        ("OTLP", RemoteReporter::new(OtlpSender::new(&otlp).unwrap())),
        (
            "OTLP, packed",
            RemoteReporter::new(OtlpSender::new(&otlp).unwrap().gzip(true)),
        ),
        (
            "OTLP over gRPC",
            RemoteReporter::new(OtlpGrpcSender::new(&http(server.otlp_grpc_address())).unwrap()),
        ),
        (
            "Jaeger's gRPC",
            RemoteReporter::new(GrpcSender::new(&http(server.jaeger_grpc_address())).unwrap()),
        ),
        (
            "Zipkin",
            RemoteReporter::new(ZipkinSender::new(&zipkin).unwrap()),
        ),
    ];
    for (way, reporter) in ways {
        server.clear();
        let before = server.totals().received;
        let tracer = JaegerTracer::builder("shop")
            .sampler(ConstSampler::new(true))
            .reporter(reporter)
            .build()
            .unwrap();
        let checkout = tracer
            .build_span("checkout")
            .tag("span.kind", "server")
            .start();
        let charge = tracer.build_span("charge").child_of(&checkout).start();
        charge.set_tag("cents", 4_200).log_event("declined");
        charge.finish();
        checkout.finish();
        let account = tracer.close(PATIENCE);
        assert!(account.is_complete(), "{way}: {account}");
        assert!(server.wait_for_spans(before + 2, PATIENCE), "{way}");
        assert_eq!(server.totals().undecodable, 0, "{way}");

        let trace = server.traces().remove(0);
        assert_eq!(trace.services(), ["shop"], "{way}");
        let find = |name: &str| {
            let mut spans = trace.spans.iter();
            let span = spans.find(|span| span.span.operation_name == name);
            &span.expect(name).span
        };
        let (checkout, charge) = (find("checkout"), find("charge"));
        assert_eq!(charge.parent_id, Some(checkout.span_id), "{way}");
        assert_eq!(charge.tag_text("cents"), "4200", "{way}");
        assert_eq!(checkout.tag_text("span.kind"), "server", "{way}");
        assert_eq!(charge.logs.len(), 1, "{way}");
    }
}

#[test]
fn a_body_that_makes_no_sense_is_refused_and_counted() {
    let server = server();
    let otlp = server.otlp_address().unwrap();
    let zipkin = server.zipkin_address().unwrap();
    let protobuf = "application/x-protobuf";
    let rows: [(SocketAddr, &str, &str, &[u8], u16); 5] = [
        (otlp, "/v1/traces", protobuf, b"\x0a\xff", 400),
        (otlp, "/v1/traces", "application/json", b"[]", 400),
        (otlp, "/v1/traces", "text/html", b"{}", 415),
        (zipkin, "/api/v2/spans", "application/json", b"[{}]", 400),
        (zipkin, "/api/v2/spans", "application/json", b"[", 400),
    ];
    for (address, path, content_type, body, status) in rows {
        let answer = post(address, path, content_type, body);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
    assert_eq!(server.totals().undecodable, 4);
    assert_eq!(server.totals().received, 0);
}

#[test]
fn otlp_comes_in_json_too() {
    let server = server();
    let body = br#"{"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeSpans": [{"scope": {"name": "by hand"}, "spans": [{
            "traceId": "0000000000000000000000000000000a", "spanId": "000000000000000b", "name": "checkout",
            "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000000001500000"}]}]}]}"#;
    let otlp = server.otlp_address().unwrap();
    let answer = post(otlp, "/v1/traces", "application/json; charset=utf-8", body);
    assert_eq!(
        (answer.status, answer.text()),
        (200, r#"{"partialSuccess":{}}"#)
    );
    assert!(
        answer.head.contains("content-type: application/json"),
        "{}",
        answer.head
    );
    let trace = server.traces().remove(0);
    let span = &trace.spans[0];
    assert_eq!(
        (span.service_name(), &*span.span.operation_name),
        ("shop", "checkout")
    );
    assert_eq!(span.span.duration.as_micros(), 1_500);
    assert_eq!(span.span.tag_text("otel.scope.name"), "by hand");
}

#[test]
fn a_packed_body_has_a_bound() {
    let server = server();
    let otlp = server.otlp_address().unwrap();
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(&vec![0; 17 << 20]).unwrap();
    let bomb = packer.finish().unwrap();
    // A frame of blocks that are one byte 128 Ki times.
    let mut frame = b"\x28\xb5\x2f\xfd\0\x58".to_vec();
    frame.extend(b"\x02\0\x10x".repeat(200));
    for (encoding, body, status) in [
        ("gzip", &*bomb, 413),
        ("zstd", &frame, 413),
        ("zstd", &frame[..9], 400),
        ("gzip", b"no gzip", 400),
        ("br", b"", 400),
    ] {
        let answer = exchange(otlp, &upload(otlp, "/v1/traces", PROTOBUF, encoding, body));
        assert_eq!(answer.status, status, "{encoding}: {}", answer.text());
    }
    assert_eq!(server.totals().undecodable, 5);
}

#[test]
fn a_body_that_is_too_long_is_refused_by_each_receiver() {
    let server = server();
    let (collector, otlp) = (server.collector_address(), server.otlp_address().unwrap());
    let zipkin = server.zipkin_address().unwrap();
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(&vec![b' '; (4 << 20) + 1]).unwrap();
    let packed_json = packer.finish().unwrap();
    let long = vec![b' '; (4 << 20) + 1];
    let rows: [(SocketAddr, &str, &str, &str, &[u8]); 6] = [
        (collector, "/api/traces", "application/x-thrift", "", &long),
        (otlp, "/v1/traces", PROTOBUF, "", &long),
        (otlp, "/v1/traces", JSON, "", &long),
        (otlp, "/v1/traces", JSON, "gzip", &packed_json),
        (zipkin, "/api/v2/spans", JSON, "", &long),
        (zipkin, "/api/v2/spans", JSON, "gzip", &packed_json),
    ];
    let mut refused = 0;
    for (address, path, content_type, encoding, body) in rows {
        let request = upload(address, path, content_type, encoding, body);
        let answer = exchange(address, &request);
        assert_eq!(answer.status, 413, "{path} {content_type} {encoding:?}");
        refused += 1;
        assert_eq!(server.totals().undecodable, refused, "{path}");
        // One byte less is read.
        if encoding.is_empty() {
            let request = upload(address, path, content_type, encoding, &body[1..]);
            let answer = exchange(address, &request);
            assert_ne!(answer.status, 413, "{path} {content_type}");
        }
        refused = server.totals().undecodable;
    }
}

#[test]
fn a_page_may_send_json_as_a_beacon() {
    let server = server();
    let otlp = server.otlp_address().unwrap();
    let zipkin = server.zipkin_address().unwrap();
    let span = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[
        {"traceId":"0000000000000000000000000000000a","spanId":"000000000000000b"}]}]}]}"#;
    let answer = post(otlp, "/v1/traces", "text/plain;charset=UTF-8", span);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let twice = "application/json, application/json";
    let answer = post(
        zipkin,
        "/api/v2/spans",
        twice,
        br#"[{"traceId":"a","id":"c"}]"#,
    );
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(server.totals().received, 2);
}

#[test]
fn a_page_of_this_machine_may_ask_and_send() {
    let server = server();
    let otlp = server.otlp_address().unwrap();
    let ask = |origin: &str| {
        let question = format!(
            "OPTIONS /v1/traces HTTP/1.1\r\nHost: {otlp}\r\nOrigin: {origin}\r\n\
             Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type,x-key\r\n\
             Connection: close\r\n\r\n"
        );
        exchange(otlp, question.as_bytes())
    };
    let answer = ask("http://localhost:3000");
    assert_eq!(answer.status, 204);
    for line in [
        "access-control-allow-origin: http://localhost:3000",
        "access-control-allow-methods: post",
        "access-control-allow-headers: content-type,x-key",
        "access-control-allow-credentials: true",
        "vary: origin",
    ] {
        assert!(answer.head.contains(line), "{line}: {}", answer.head);
    }
    assert_eq!(ask("https://evil.example").status, 403);
    for (body, status) in [("{}", 200), ("[", 400)] {
        let request = format!(
            "POST /v1/traces HTTP/1.1\r\nHost: {otlp}\r\nOrigin: http://localhost:3000\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = exchange(otlp, request.as_bytes());
        assert_eq!(answer.status, status, "{body}");
        let line = "access-control-allow-origin: http://localhost:3000";
        assert!(answer.head.contains(line), "{body}: {}", answer.head);
    }
    let answer = post(otlp, "/v1/traces", "application/json", b"{}");
    assert!(!answer.head.contains("access-control"), "{}", answer.head);
}

#[test]
fn spans_without_ids_are_left_out_and_the_answer_says_so() {
    let server = server();
    let otlp = server.otlp_address().unwrap();
    let spans = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[
        {"traceId":"0000000000000000000000000000000a","spanId":"000000000000000b"},
        {"traceId":"00000000000000000000000000000000","spanId":"000000000000000c"},{}]}]}]}"#;
    let answer = post(otlp, "/v1/traces", JSON, spans).json();
    let partial = &answer["partialSuccess"];
    assert_eq!(partial["rejectedSpans"], "2", "{answer}");
    assert!(partial["errorMessage"].is_string(), "{answer}");
    // Two spans without ids, in protobuf.
    let spans = b"\x0a\x06\x12\x04\x12\0\x12\0";
    for media_type in [PROTOBUF, "application/protobuf"] {
        let answer = post(otlp, "/v1/traces", media_type, spans);
        assert_eq!(answer.status, 200, "{media_type}");
        assert!(answer.body.starts_with(b"\x0a\x3b\x08\x02"), "{media_type}");
    }
    let totals = server.totals();
    assert_eq!((totals.received, totals.dropped), (7, 6));
}

fn upload(
    address: SocketAddr,
    path: &str,
    content_type: &str,
    encoding: &str,
    body: &[u8],
) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: {content_type}\r\n\
         Content-Encoding: {encoding}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

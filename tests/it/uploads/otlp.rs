//! OTLP over HTTP.

use std::io::Read as _;

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message as _;
use tracehound::reporter::sender::OtlpSender;

use super::*;

fn otlp_sender_to(server: &CollectorServer) -> OtlpSender {
    OtlpSender::new(&server.url("")).expect("a URL")
}

/// Returns an answer with status 200 that says how many spans were not taken.
fn partial(rejected_spans: i64, message: &str) -> Act {
    let reply = ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans,
            error_message: message.to_owned(),
        }),
    };
    Act::Reply(200, String::new(), reply.encode_to_vec())
}

/// Finishes five spans, flushes, and returns what became of them, the lines, and the number of requests.
fn after(act: Act) -> (FlushReport, Vec<String>, usize) {
    let server = CollectorServer::start(act);
    let shop = Shop::new(otlp_sender_to(&server));
    let report = shop.finish(5).flush();
    (report, shop.lines(), server.begun())
}

fn span_count(body: &[u8]) -> usize {
    let request = ExportTraceServiceRequest::decode(body).expect("a request");
    let scopes = request.resource_spans.iter().flat_map(|it| &it.scope_spans);
    scopes.map(|scope| scope.spans.len()).sum()
}

#[test]
fn a_batch_arrives_as_a_request_of_the_trace_service() {
    let server = CollectorServer::start(Act::status(200));
    let report = Shop::new(otlp_sender_to(&server)).finish(5).flush();
    assert!(report.is_complete(), "{report}");
    let request = &server.received()[0];
    assert_eq!(request.line, "POST /v1/traces HTTP/1.1");
    let content_type = request.header("content-type");
    assert_eq!(content_type, Some("application/x-protobuf"));
    assert_eq!(request.header("content-encoding"), None);
    assert_eq!(span_count(&request.body), 5);
}

#[test]
fn a_compressed_batch_says_so_and_is_smaller() {
    let server = CollectorServer::start(Act::status(200));
    let shop = Shop::new(otlp_sender_to(&server).gzip(true));
    assert_eq!(shop.finish(500).flush().sent, 500);
    let requests = server.received();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].header("content-encoding"), Some("gzip"));
    let mut body = Vec::new();
    let mut decoder = GzDecoder::new(&requests[0].body[..]);
    decoder.read_to_end(&mut body).expect("gzip");
    assert_eq!(span_count(&body), 500);
    assert!(requests[0].body.len() < body.len() / 2);
}

#[test]
fn spans_that_were_not_taken_are_rejected() {
    for (said, expected) in [
        (0, 0),
        (2, 2),
        (5, 5),
        (6, 5),
        (i64::MAX, 5),
        (-1, 0),
        (i64::MIN, 0),
    ] {
        let (report, lines, requests) = after(partial(said, "too old"));
        assert_eq!(report.dropped.get(DropCause::Rejected), expected, "{said}");
        assert_eq!(report.sent, 5 - expected, "{said}: {report}");
        assert_eq!(requests, 1, "{said}");
        let is_told = lines.iter().any(|line| line.contains("(too old)"));
        assert_eq!(is_told, expected > 0, "{lines:?}");
    }
}

#[test]
fn an_answer_that_says_nothing_about_spans_leaves_the_status() {
    for act in [
        Act::text(200, ""),
        Act::text(202, "{}"),
        Act::text(200, r#"{"partialSuccess":{}}"#),
        Act::text(204, ""),
        Act::text(200, "<html>ok</html>"),
        Act::Reply(200, String::new(), b"\x0a\xff\xff".to_vec()),
    ] {
        let what = format!("{act:?}");
        let (report, _, requests) = after(act);
        assert_eq!((report.sent, requests), (5, 1), "{what}: {report}");
    }
}

#[test]
fn a_page_of_html_is_no_receipt() {
    assert_pages_are_no_receipt(
        |server| Box::new(otlp_sender_to(server)),
        "is it a receiver of OTLP?",
    );
    // A page is told as one however long it is.
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n".to_vec();
    let (report, ..) = after(Act::Endless(head, vec![b'<'; 8_192], Duration::ZERO));
    assert_lost(&report, DropCause::Rejected);
}

#[test]
fn an_answer_that_is_not_whole_leaves_the_fate_unknown() {
    let head = b"HTTP/1.1 200 OK\r\n";
    let with = |rest: &[u8]| [head, rest].concat();
    for act in [
        Act::text(200, &"x".repeat((64 << 10) + 1)),
        Act::Raw(with(b"content-length: 9\r\n\r\n\x0a\x02\x08\x03")),
        Act::Raw(with(b"transfer-encoding: chunked\r\n\r\n2\r\n\x0a\x02\r\n")),
        Act::Endless(with(b"\r\n"), vec![0; 8_192], Duration::ZERO),
    ] {
        let what = format!("{:.100}", format!("{act:?}"));
        let (report, lines, requests) = after(act);
        assert_lost(&report, DropCause::Unknown);
        assert_eq!((lines.len(), requests), (1, 1), "{what}: {lines:?}");
    }
    let (report, ..) = after(Act::text(200, &"x".repeat(64 << 10)));
    assert_eq!(report.sent, 5, "just the limit: {report}");
}

#[test]
fn only_the_statuses_of_the_specification_are_tried_again() {
    for (status, tries, cause) in [
        (400, 1, DropCause::Rejected),
        (500, 1, DropCause::SendFailed),
        (501, 1, DropCause::SendFailed),
        (429, 3, DropCause::SendFailed),
        (502, 3, DropCause::SendFailed),
        (503, 3, DropCause::SendFailed),
        (504, 3, DropCause::SendFailed),
    ] {
        let (report, _, requests) = after(Act::status(status));
        assert_lost(&report, cause);
        assert_eq!(requests, tries, "{status}");
    }
}

#[test]
fn a_line_tells_the_message_of_a_status_and_the_cure() {
    // The code 3 and a message, as a receiver of protobuf answers.
    let status = Act::Reply(400, String::new(), b"\x08\x03\x12\x08no spans".to_vec());
    let (_, lines, _) = after(status);
    assert!(lines[0].contains("it answered 400 (no spans)"), "{lines:?}");
    let (_, lines, _) = after(Act::text(404, "404 page not found"));
    assert!(lines[0].contains("/v1/traces of port 4318"), "{lines:?}");
    for status in [401, 403] {
        let (_, lines, _) = after(Act::status(status));
        assert!(lines[0].contains("OTEL_EXPORTER_OTLP_HEADERS"), "{lines:?}");
        assert!(!lines[0].contains("JAEGER_"), "{lines:?}");
    }
    let server = CollectorServer::start(Act::status(404));
    for (path, is_doubled) in [
        ("/v1/traces/v1/traces", true),
        ("/in/v1/traces/v1/traces", true),
        ("/in/v1/traces", false),
    ] {
        let sender = OtlpSender::new(&server.url(path)).expect("a URL");
        let shop = Shop::new(sender);
        shop.finish(1).flush();
        let lines = shop.lines();
        let is_told = lines[0].contains("OTEL_EXPORTER_OTLP_ENDPOINT gets /v1/traces by itself");
        assert_eq!(is_told, is_doubled, "{path}: {lines:?}");
    }
    let server = CollectorServer::start(Act::status(400));
    let shop = Shop::new(otlp_sender_to(&server).gzip(true));
    shop.finish(1).flush();
    let lines = shop.lines();
    assert!(lines[0].contains("may not take gzip"), "{lines:?}");
}

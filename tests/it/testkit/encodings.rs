//! Spans that this crate sends, read back by the receivers of the test kit.

use std::io::Write as _;
use std::time::Duration;

use tracehound::model::{
    Flags, LogRecord, Process, ReferenceType, ReportedReference, SpanId, Tag, Timestamp, TraceId,
};
use tracehound::reporter::sender::BatchFormat;
use tracehound::reporter::{OwnedSpan, RemoteReporter};
use tracehound::testkit::{MockCollector, ReceivedBatch, assert_trace, span};

use super::{connect, post, reply};
use crate::support::batches::{Capture, report_all};

/// Returns a server's span with all that a span can have, and a child of it.
fn spans() -> Vec<OwnedSpan> {
    let trace_id = TraceId::new(0x463a, 0x5af7).expect("not zero");
    let id = |n| SpanId::new(n).expect("not zero");
    let mut server = OwnedSpan::new(trace_id, id(1), "GET /cart");
    server.start = Timestamp::from_micros(1_700_000_000_123_456);
    server.duration = Duration::from_micros(1_500);
    server.flags = Flags::SAMPLED;
    server.tags = vec![
        Tag::new("span.kind", "server"),
        Tag::new("http.status_code", 503),
        Tag::new("error", true),
    ];
    let fields = vec![Tag::new("event", "retry"), Tag::new("message", "again")];
    server.logs = vec![LogRecord::new(server.start, fields)];
    let mut child = OwnedSpan::new(trace_id, id(2), "query");
    child.start = Timestamp::from_micros(1_700_000_000_123_500);
    child.parent_id = Some(id(1));
    let parent = ReportedReference::new(ReferenceType::ChildOf, trace_id, id(1));
    child.references = vec![parent];
    vec![child, server]
}

/// Sends the spans of a service to a collector in this format.
fn received(format: BatchFormat, path: &str, media_type: &str) -> ReceivedBatch {
    let capture = Capture::new(format, 1 << 20);
    let mut reporter = RemoteReporter::new(capture.clone());
    let process = Process::new("shop", vec![Tag::new("zone", "eu-1")]);
    report_all(&mut reporter, process, &spans());
    let collector = MockCollector::start().expect("a port");
    let mut connection = connect(collector.address());
    let messages = capture.messages();
    let request = post(path, media_type, "", &messages[0]);
    connection.write_all(&request).expect("sent");
    let reply = reply(&mut connection);
    assert!(reply.starts_with("HTTP/1.1 20"), "{reply}");
    let mut batches = collector.batches();
    assert_eq!((messages.len(), batches.len()), (1, 1));
    batches.remove(0)
}

#[test]
fn thrift_gives_back_each_span_as_it_was() {
    let batch = received(
        BatchFormat::BinaryBatch,
        "/api/traces",
        "application/x-thrift",
    );
    assert_eq!(batch.format, BatchFormat::BinaryBatch);
    assert_eq!(batch.process.service_name, "shop");
    assert_eq!(batch.process.tags, [Tag::new("zone", "eu-1")]);
    for (mut received, sent) in batch.spans.into_iter().zip(spans()) {
        received.process = None;
        assert_eq!(received, sent);
    }
}

#[test]
fn otlp_gives_back_each_span_with_its_tags_in_another_order() {
    let batch = received(BatchFormat::Otlp, "/v1/traces", "application/x-protobuf");
    assert_eq!(batch.format, BatchFormat::Otlp);
    assert_eq!(batch.process.service_name, "shop");
    assert!(batch.process.tags.contains(&Tag::new("zone", "eu-1")));
    for (mut received, mut sent) in batch.spans.into_iter().zip(spans()) {
        received.process = None;
        // As a Jaeger shows it: an error is a status, too.
        if sent.tag("error").is_some() {
            sent.tags.push(Tag::new("otel.status_code", "ERROR"));
        }
        for span in [&mut received, &mut sent] {
            span.tags.sort_by(|a, b| a.key.cmp(&b.key));
        }
        assert_eq!(received, sent);
    }
}

#[test]
fn zipkin_gives_back_the_shape_of_a_trace_with_values_as_text() {
    let batch = received(BatchFormat::ZipkinJson, "/api/v2/spans", "application/json");
    assert_eq!(batch.format, BatchFormat::ZipkinJson);
    let server = span("GET /cart")
        .service("shop")
        .failed()
        .tag("span.kind", "server")
        .tag("http.status_code", "503")
        .event("retry")
        .child("query");
    assert_trace(&batch.spans, server);
    assert_eq!(batch.spans[0].start, spans()[0].start);
    assert_eq!(batch.spans[1].duration, Duration::from_micros(1_500));
}

/// The way of a program: a tracer, its sender, and a collector that asks for a token.
#[test]
#[cfg(feature = "collector")]
fn a_tracer_reaches_a_collector_that_asks_for_a_token() {
    use tracehound::JaegerTracer;
    use tracehound::prelude::*;
    use tracehound::reporter::sender::HttpSender;
    use tracehound::sampler::ConstSampler;
    use tracehound::testkit::Fault;

    let collector = MockCollector::start().expect("a port");
    collector.on_request(|request| match request.header("authorization") {
        Some("Bearer t0ken") => Fault::none(),
        _ => Fault::status(401),
    });
    for (token, sent) in [("wrong", 0), ("t0ken", 1)] {
        let sender = HttpSender::new(&collector.url("/api/traces")).expect("a URL");
        let sender = sender.bearer_token(token).expect("a token");
        let tracer = JaegerTracer::builder("shop")
            .sampler(ConstSampler::new(true))
            .reporter(RemoteReporter::new(sender))
            .build()
            .expect("the service has a name");
        tracer.start_span("checkout").finish();
        let report = tracer.close(super::LONG);
        assert_eq!((report.finished, report.sent), (1, sent), "{report}");
    }
    assert_eq!(collector.request_count(), 2);
    assert_trace(&collector.spans(), span("checkout").service("shop"));
}

//! Formats other than Thrift, as another program writes them.

use proptest::collection::vec;
use proptest::prelude::*;
use std::io::Write as _;
use std::time::Duration;

use tracehound::model::{
    Flags, LogRecord, Process, ReferenceType, ReportedReference, SpanId, Tag, TagValue, Timestamp,
    TraceId,
};
use tracehound::reporter::OwnedSpan;
use tracehound::testkit::{MockCollector, ReceivedBatch};

use super::{connect, post, reply};

/// Sends a request that is taken, and returns its batches.
fn taken(path: &str, media_type: &str, body: &[u8]) -> Vec<ReceivedBatch> {
    let collector = MockCollector::start().expect("a port");
    let mut connection = connect(collector.address());
    let request = post(path, media_type, "", body);
    connection.write_all(&request).expect("sent");
    let reply = reply(&mut connection);
    assert!(reply.starts_with("HTTP/1.1 20"), "{reply}");
    assert_eq!(collector.errors(), [""; 0]);
    collector.batches()
}

/// Returns a field of the wire type 2.
fn bytes(id: u8, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    let mut field = vec![id << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        field.push(length as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend(bytes);
    field
}

fn message(id: u8, fields: &[Vec<u8>]) -> Vec<u8> {
    bytes(id, fields.concat())
}

fn fixed64(id: u8, value: u64) -> Vec<u8> {
    [&[id << 3 | 1][..], &value.to_le_bytes()].concat()
}

fn attribute(id: u8, key: &str, value: &[u8]) -> Vec<u8> {
    message(id, &[bytes(1, key), bytes(2, value)])
}

fn ids(trace_id: u64, span_id: u64) -> (TraceId, SpanId) {
    let trace_id = TraceId::new(0, trace_id).expect("not zero");
    (trace_id, SpanId::new(span_id).expect("not zero"))
}

#[test]
fn otlp_is_read_as_jaeger_reads_it() {
    let (trace_id, span_id) = ids(7, 8);
    let (parent_id, linked) = (SpanId::new(9).expect("not zero"), ids(7, 10).1);
    let id = |id: SpanId| id.get().to_be_bytes();
    let array = [message(1, &[bytes(1, "a")]), message(1, &[vec![0x18, 5]])].concat();
    let span = [
        bytes(1, trace_id.to_bytes()),
        bytes(2, id(span_id)),
        bytes(3, "k=v"),
        bytes(4, id(parent_id)),
        bytes(5, "pay"),
        vec![0x30, 3],
        fixed64(7, 1_700_000_000_123_456_789),
        fixed64(8, 1_700_000_000_123_958_789),
        attribute(9, "text", &bytes(1, "v")),
        attribute(9, "yes", &[0x10, 1]),
        attribute(
            9,
            "minus",
            &[
                0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
            ],
        ),
        attribute(9, "half", &fixed64(4, 0.5f64.to_bits())),
        attribute(9, "bytes", &bytes(7, [0, 1])),
        attribute(9, "list", &bytes(5, array)),
        attribute(9, "nothing", &[]),
        message(
            11,
            &[
                fixed64(1, 1_700_000_000_123_500_000),
                bytes(2, "retry"),
                attribute(3, "n", &[0x18, 2]),
            ],
        ),
        message(13, &[bytes(1, trace_id.to_bytes()), bytes(2, id(linked))]),
        message(15, &[bytes(2, "no money"), vec![0x18, 2]]),
        vec![0x85, 0x01, 1, 3, 0, 0],
        // A field of the future.
        bytes(15, [0x28, 1]),
    ];
    let resource = message(
        1,
        &[
            attribute(1, "service.name", &bytes(1, "shop")),
            attribute(1, "zone", &bytes(1, "eu-1")),
        ],
    );
    let scope = message(
        2,
        &[message(1, &[bytes(1, "a library")]), message(2, &span)],
    );
    let body = message(1, &[resource, scope]);
    let batches = taken("/v1/traces", "application/x-protobuf", &body);
    let [batch] = &batches[..] else {
        panic!("{batches:?}")
    };
    assert_eq!(
        *batch.process,
        Process::new("shop", vec![Tag::new("zone", "eu-1")])
    );

    let mut expected = OwnedSpan::new(trace_id, span_id, "pay");
    expected.parent_id = Some(parent_id);
    expected.flags = Flags::SAMPLED;
    expected.start = Timestamp::from_micros(1_700_000_000_123_456);
    expected.duration = Duration::from_micros(502);
    expected.tags = vec![
        Tag::new("otel.scope.name", "a library"),
        Tag::new("text", "v"),
        Tag::new("yes", true),
        Tag::new("minus", -1),
        Tag::new("half", 0.5),
        Tag::new("bytes", TagValue::Binary(vec![0, 1])),
        Tag::new("list", r#"["a",5]"#),
        Tag::new("nothing", ""),
        Tag::new("span.kind", "client"),
        Tag::new("otel.status_code", "ERROR"),
        Tag::new("error", true),
        Tag::new("otel.status_description", "no money"),
        Tag::new("w3c.tracestate", "k=v"),
    ];
    let fields = vec![Tag::new("event", "retry"), Tag::new("n", 2)];
    expected.logs = vec![LogRecord::new(
        Timestamp::from_micros(1_700_000_000_123_500),
        fields,
    )];
    expected.references = vec![
        ReportedReference::new(ReferenceType::ChildOf, trace_id, parent_id),
        ReportedReference::new(ReferenceType::FollowsFrom, trace_id, linked),
    ];
    expected.process = Some(batch.process.clone());
    assert_eq!(batch.spans, [expected]);
}

#[test]
fn an_otlp_link_to_the_parent_tells_the_type_of_its_reference() {
    let (trace_id, span_id) = ids(7, 8);
    let parent_id = [0, 0, 0, 0, 0, 0, 0, 9];
    let link = [bytes(1, trace_id.to_bytes()), bytes(2, parent_id)];
    let child_of = attribute(4, "opentracing.ref_type", &bytes(1, "child_of"));
    for (attribute, kind) in [
        (Vec::new(), ReferenceType::FollowsFrom),
        (child_of, ReferenceType::ChildOf),
    ] {
        let span = [
            bytes(1, trace_id.to_bytes()),
            bytes(2, span_id.get().to_be_bytes()),
            bytes(4, parent_id),
            message(13, &[link.concat(), attribute]),
        ];
        let body = message(1, &[message(2, &[message(2, &span)])]);
        let batches = taken("/v1/traces", "application/x-protobuf", &body);
        let references = &batches[0].spans[0].references;
        assert_eq!(references.len(), 1);
        assert_eq!(references[0].kind, kind);
        assert_eq!(batches[0].process.service_name, "missing-service-name");
    }
}

#[test]
fn an_otlp_span_without_ids_is_left_out() {
    let span = message(2, &[bytes(1, [0; 16]), bytes(2, [0; 8])]);
    let body = message(1, &[message(2, &[span, message(2, &[])])]);
    let batches = taken("/v1/traces", "application/x-protobuf", &body);
    assert!(batches[0].spans.is_empty());
}

#[test]
fn zipkin_is_read_as_jaeger_reads_it() {
    let body = r#"[
        {"traceId":"0000000000000007","id":"0000000000000008","parentId":"0000000000000009","name":"pay",
         "kind":"CLIENT","timestamp":1700000000123456,"duration":502,"debug":true,
         "localEndpoint":{"serviceName":"shop","ipv4":"10.0.0.1"},
         "remoteEndpoint":{"serviceName":"bank","ipv4":"10.0.0.2","port":443},
         "annotations":[{"timestamp":1,"value":"retry"},{"timestamp":2,"value":"{\"event\":\"e\",\"n\":2}"}],
         "tags":{"cents":"4200","error":"true","peer.service":"bank"}},
        {"traceId":"7","id":"a","parentId":null,"localEndpoint":{"serviceName":"bank"}},
        {"traceId":"7","id":"b","localEndpoint":{"serviceName":"shop"}}
    ]"#;
    let batches = taken("/api/v2/spans", "application/json", body.as_bytes());
    let shape: Vec<_> = batches
        .iter()
        .map(|batch| (batch.process.service_name.as_str(), batch.spans.len()))
        .collect();
    assert_eq!(shape, [("shop", 2), ("bank", 1)]);

    let (trace_id, span_id) = ids(7, 8);
    let parent_id = SpanId::new(9).expect("not zero");
    let mut expected = OwnedSpan::new(trace_id, span_id, "pay");
    expected.parent_id = Some(parent_id);
    expected.flags = Flags::SAMPLED.with(Flags::DEBUG);
    expected.start = Timestamp::from_micros(1_700_000_000_123_456);
    expected.duration = Duration::from_micros(502);
    expected.tags = vec![
        Tag::new("cents", "4200"),
        Tag::new("net.host.ip", "10.0.0.1"),
        Tag::new("peer.service", "bank"),
        Tag::new("net.peer.ip", "10.0.0.2"),
        Tag::new("net.peer.port", 443),
        Tag::new("span.kind", "client"),
        Tag::new("otel.status_code", "ERROR"),
        Tag::new("error", true),
    ];
    expected.logs = vec![
        LogRecord::new(Timestamp::from_micros(1), vec![Tag::new("event", "retry")]),
        LogRecord::new(
            Timestamp::from_micros(2),
            vec![Tag::new("event", "e"), Tag::new("n", 2)],
        ),
    ];
    let parent = ReportedReference::new(ReferenceType::ChildOf, trace_id, parent_id);
    expected.references = vec![parent];
    expected.process = Some(batches[0].process.clone());
    assert!(expected.is_error());
    assert_eq!(batches[0].spans[0], expected);
    assert_eq!(batches[1].spans[0].parent_id, None);
}

/// Sends requests that need not be readable, and then a good one.
fn survives(bodies: &[Vec<u8>]) {
    let collector = MockCollector::start().expect("a port");
    let mut connection = connect(collector.address());
    for (path, media_type) in [
        ("/api/traces", "application/x-thrift"),
        ("/v1/traces", "application/x-protobuf"),
        ("/api/v2/spans", "application/json"),
    ] {
        for body in bodies {
            let request = post(path, media_type, "", body);
            connection.write_all(&request).expect("sent");
            let reply = reply(&mut connection);
            let statuses = ["HTTP/1.1 200", "HTTP/1.1 202", "HTTP/1.1 400"];
            assert!(
                statuses.iter().any(|status| reply.starts_with(status)),
                "{reply}"
            );
        }
    }
    assert_eq!(collector.request_count(), 3 * bodies.len() as u64);
}

#[test]
fn deep_nesting_is_refused() {
    let mut value = bytes(1, "deep");
    for _ in 0..40 {
        value = bytes(5, bytes(1, value));
    }
    let resource = message(1, &[attribute(1, "deep", &value)]);
    let otlp = message(1, &[resource]);
    let json = "[".repeat(100_000).into_bytes();
    survives(&[otlp, json]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn random_bodies_are_refused_or_taken(bodies in vec(vec(any::<u8>(), 0..300), 1..8)) {
        survives(&bodies);
    }

    #[test]
    fn an_otlp_body_with_changed_bytes_is_refused_or_taken(
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let span = [
            bytes(1, [7; 16]),
            bytes(2, [8; 8]),
            attribute(9, "list", &bytes(5, message(1, &[bytes(1, "a")]))),
            message(11, &[bytes(2, "retry")]),
            message(13, &[bytes(1, [7; 16]), bytes(2, [9; 8])]),
        ];
        let mut body = message(1, &[message(2, &[message(2, &span)])]);
        for (at, value) in changes {
            let at = at.index(body.len());
            body[at] = value;
        }
        survives(&[body]);
    }
}

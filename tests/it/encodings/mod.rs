//! Batches in the formats beside Thrift's messages, read by code that is not ours and compared field by field.

mod jaeger_proto;
mod otlp;
mod zipkin;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tracehound::metrics::{Counter, DropCause};
use tracehound::model::{
    Flags, LogRecord, Process, ReferenceType, ReportedReference, SpanId, Tag, TagRef, TagValue,
    Timestamp, TraceId, tags,
};
use tracehound::reporter::sender::BatchFormat;
use tracehound::reporter::{OwnedSpan, RemoteReporter, Reporter};

use crate::packets::{any_span, runner, with_times_of_the_wire};
use crate::support::batches::{Capture, input, listening_worker, report, report_all, soon};
use crate::support::vectors::entries;

/// Returns the one message with these spans.
fn message(format: BatchFormat, process: Process, spans: &[OwnedSpan]) -> Vec<u8> {
    let capture = Capture::new(format, 1 << 30);
    let unsent = report_all(&mut RemoteReporter::new(capture.clone()), process, spans);
    assert_eq!((unsent.dropped.total(), unsent.queued), (0, 0));
    let mut messages = capture.messages();
    assert_eq!(messages.len(), 1);
    messages.remove(0)
}

/// Calls `check` with many batches: those of the vectors, one with everything in it, and random ones.
fn for_each_batch(check: impl Fn(&Process, &[OwnedSpan])) {
    for entry in entries("spans_compact") {
        let (process, spans) = input(&entry.input);
        check(&process, &spans);
    }
    check(&process(), &[rich_span(), bare_span()]);
    let run = |spans: Vec<_>| {
        check(&process(), &spans);
        Ok(())
    };
    runner(64).run(&vec(meaningful_span(), 1..8), run).unwrap();
}

const FORMATS: [BatchFormat; 3] = [
    BatchFormat::Otlp,
    BatchFormat::JaegerProto,
    BatchFormat::ZipkinJson,
];

/// Returns the ids of the spans in a message.
fn span_ids(format: BatchFormat, bytes: &[u8]) -> Vec<u64> {
    match format {
        BatchFormat::Otlp => otlp::span_ids(bytes),
        BatchFormat::JaegerProto => jaeger_proto::span_ids(bytes),
        _ => zipkin::span_ids(bytes),
    }
}

#[test]
fn messages_keep_their_limit_and_hold_every_span_but_those_counted_as_lost() {
    let spans = vec(meaningful_span(), 1..12);
    let input = (spans, prop_oneof![100..800_usize, 2_000..30_000_usize]);
    let met = Cell::new([0, 0]);
    let check = |(spans, limit): (Vec<OwnedSpan>, usize)| {
        for format in FORMATS {
            let capture = Capture::new(format, limit);
            let (worker, _) = listening_worker();
            let mut reporter = RemoteReporter::new(capture.clone());
            reporter.attach(&worker);
            report(&mut reporter, &spans);
            let unsent = reporter.flush(soon());

            let mut given = spans.iter().map(|span| span.span_id.get());
            let mut sent = 0;
            for message in capture.messages() {
                prop_assert!(
                    message.len() <= limit,
                    "{format:?}: {} bytes",
                    message.len()
                );
                for id in span_ids(format, &message) {
                    prop_assert!(given.any(|given| given == id), "{format:?}: out of order");
                    sent += 1;
                }
            }
            let too_large = unsent.dropped.get(DropCause::TooLarge);
            prop_assert_eq!(sent + too_large, spans.len() as u64);
            prop_assert_eq!((unsent.dropped.total(), unsent.queued), (too_large, 0));
            let degraded = worker.metrics().get(Counter::DegradedSpans);
            let [all_degraded, all_too_large] = met.get();
            met.set([all_degraded + degraded, all_too_large + too_large]);
        }
        Ok(())
    };
    runner(32).run(&input, check).unwrap();
    let [degraded, too_large] = met.take();
    assert!(
        degraded > 20 && too_large > 20,
        "{degraded} and {too_large} were met"
    );
}

/// A span with tags that mean something to some format. Each key occurs once, as on every span of a tracer.
fn meaningful_span() -> impl Strategy<Value = OwnedSpan> {
    (any_span(), vec(meaningful_tag(), 0..8), any::<u8>()).prop_map(|(mut span, more, flags)| {
        span = with_times_of_the_wire(&span);
        span.flags = Flags::from_bits(flags);
        if flags % 3 == 0 {
            span.parent_id = None;
        }
        if let Some(reference) = span.references.first_mut() {
            let same_trace = flags % 2 == 0;
            if same_trace {
                reference.trace_id = span.trace_id;
                reference.span_id = span.parent_id.unwrap_or(reference.span_id);
            }
        }
        span.tags.splice(0..0, more);
        let mut keys = BTreeSet::new();
        span.tags.retain(|tag| keys.insert(tag.key.clone()));
        span
    })
}

fn meaningful_tag() -> impl Strategy<Value = Tag> {
    let text = |key, values: &'static [&'static str]| {
        proptest::sample::select(values).prop_map(move |value| Tag::new(key, value))
    };
    prop_oneof![
        2 => text(tags::SPAN_KIND, &["client", "server", "producer", "consumer", "internal", "odd"]),
        2 => any::<bool>().prop_map(|value| Tag::new(tags::ERROR, value)),
        1 => text(tags::ERROR, &["true", "false", "no"]),
        2 => text("otel.status_code", &["OK", "error", "UNSET"]),
        2 => text("otel.status_description", &["broken", ""]),
        1 => text("http.status_message", &["Not Found"]),
        1 => text("w3c.tracestate", &["a=1,b=2"]),
        1 => text(tags::PEER_SERVICE, &["shop"]),
        1 => text(tags::PEER_HOSTNAME, &["shop.example"]),
        1 => text(tags::PEER_ADDRESS, &["10.0.0.1:80"]),
        1 => text(tags::PEER_IPV4, &["10.0.0.1", "::1", "none"]),
        1 => text(tags::PEER_IPV6, &["2001:db8::1"]),
        1 => (-1..70_000_i64).prop_map(|port| Tag::new(tags::PEER_PORT, port)),
    ]
}

fn process() -> Process {
    Process::new(
        "shop \"1\"",
        vec![
            Tag::new("zone", "eu-1"),
            Tag::new("n", f64::NAN),
            Tag::new("cores", 8),
            Tag::new(tags::HOSTNAME, "host-1"),
            Tag::new(tags::IP, "10.1.2.3"),
            Tag::new(tags::JAEGER_VERSION, "Rust-0.1.0"),
            Tag::new(tags::CLIENT_UUID, "4f1b2c3d"),
        ],
    )
}

fn id(id: u64) -> SpanId {
    SpanId::new(id).expect("not zero")
}

/// A span with everything that a format may know.
fn rich_span() -> OwnedSpan {
    let trace_id = TraceId::new(0x0102_0304_0506_0708, u64::MAX).expect("not zero");
    let mut span = OwnedSpan::new(trace_id, id(0x1112_1314_1516_1718), "GET /é\n\"\\\u{1}");
    span.parent_id = Some(id(5));
    span.flags = Flags::SAMPLED.with(Flags::DEBUG);
    span.start = Timestamp::from_micros(1_700_000_000_000_000);
    span.duration = Duration::from_micros(1_500);
    span.references = vec![
        ReportedReference::new(ReferenceType::ChildOf, trace_id, id(5)),
        ReportedReference::new(ReferenceType::FollowsFrom, trace_id, id(6)),
    ];
    span.tags = vec![
        Tag::new("s", "v"),
        Tag::new("d", 0.5),
        Tag::new("b", true),
        Tag::new("l", -3),
        Tag::new("y", TagValue::Binary(vec![0, 0x7f])),
        Tag::new(tags::SPAN_KIND, "client"),
        Tag::new(tags::ERROR, true),
        Tag::new("otel.status_description", "refused"),
        Tag::new("w3c.tracestate", "ot=th:8"),
        Tag::new(tags::SAMPLER_TYPE, "const"),
        Tag::new(tags::PEER_SERVICE, "db"),
        Tag::new(tags::PEER_IPV4, "10.0.0.9"),
        Tag::new(tags::PEER_PORT, 5432),
    ];
    let log = |micros: i64, fields| {
        let time = Timestamp::from_micros(1_700_000_000_000_000 + micros);
        LogRecord::new(time, fields)
    };
    span.logs = vec![
        log(1, vec![Tag::new("event", "sent")]),
        log(
            2,
            vec![
                Tag::new("event", "retry"),
                Tag::new("attempt", 2),
                Tag::new("why", "\"busy\""),
            ],
        ),
        log(3, vec![]),
    ];
    span
}

/// A span with as little as there can be.
fn bare_span() -> OwnedSpan {
    OwnedSpan::new(TraceId::new(0, 1).expect("not zero"), id(1), "")
}

/// Reads an id of eight bytes.
fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().expect("eight bytes"))
}

/// Returns the value as it is sent: a double that no JSON can hold as text.
fn sent(value: &TagValue) -> TagValue {
    value.as_ref().to_value().expect("a value")
}

/// Returns the text of a tag that is text.
fn text<'a>(span: &'a OwnedSpan, key: &str) -> Option<&'a str> {
    match span.tag(key) {
        Some(TagRef::String(text)) => Some(text),
        _ => None,
    }
}

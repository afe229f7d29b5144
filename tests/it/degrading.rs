//! Marks and counts of tags, logs and values that found no room on a span or in a packet.

use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::metrics::Counter;
use tracehound::model::{field, tags};
use tracehound::prelude::*;
use tracehound::reporter::RemoteReporter;
use tracehound::reporter::sender::BatchFormat;
use tracehound::sampler::ConstSampler;
use tracehound::span::Limits;

use crate::support::batches::Capture;
use crate::support::jaeger_thrift::{Span, Value};

const FORMATS: [BatchFormat; 2] = [BatchFormat::Compact, BatchFormat::Binary];

/// Sends the one span that `make` finishes, in a packet of at most `max_bytes`.
fn send(
    format: BatchFormat,
    max_bytes: usize,
    limits: Limits,
    make: impl FnOnce(&JaegerTracer),
) -> (Span, JaegerTracer) {
    let capture = Capture::new(format, max_bytes);
    let tracer = JaegerTracer::builder("test")
        .sampler(ConstSampler::new(true))
        .reporter(RemoteReporter::new(capture.clone()))
        .limits(limits)
        .build()
        .unwrap();
    make(&tracer);
    tracer.flush(Duration::from_secs(60));
    let mut messages = capture.decoded();
    assert_eq!(messages.len(), 1);
    let span = messages.remove(0).batch.spans.remove(0);
    (span, tracer)
}

fn value<'s>(span: &'s Span, key: &str) -> Option<&'s Value> {
    let mut found = span.tags.iter().filter(|tag| tag.key == key);
    let value = found.next().map(|tag| &tag.value);
    assert_eq!(found.count(), 0, "{key} is there once");
    value
}

fn dropped_items(span: &Span) -> u64 {
    match value(span, tags::DROPPED_ITEMS) {
        None => 0,
        Some(Value::Long(items)) => items.unsigned_abs(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn tags_that_a_limit_and_the_packet_leave_out_are_counted_together() {
    for format in FORMATS {
        for (count, max_bytes) in [(5_000, 65_000), (4_000, 65_000), (5_000, 1_400)] {
            let (span, tracer) = send(format, max_bytes, Limits::default(), |tracer| {
                let span = tracer.start_span("s");
                for n in 0..count {
                    span.set_tag(&format!("key-{n}"), "v".repeat(40));
                }
            });
            let arrived = span.tags.iter().filter(|tag| tag.key.starts_with("key-"));
            let missing = count - arrived.count() as u64;
            assert!(missing > 1_000, "{missing}");
            assert_eq!(
                dropped_items(&span),
                missing,
                "{format:?} {count} {max_bytes}"
            );
            let counted = tracer.metrics().get(Counter::DroppedItems);
            assert_eq!(counted, missing, "{format:?} {count} {max_bytes}");
        }
    }
}

#[test]
fn logs_that_a_limit_and_the_packet_leave_out_are_counted_together() {
    // A limit of records, a limit of bytes, and no limit.
    for limits in [
        Limits::default().logs(4),
        Limits::default().logs(0).span_bytes(20_000),
        Limits::default().logs(0),
    ] {
        // The packet keeps a few records, or none, not even the one that tells how many are missing.
        for max_bytes in [2_000, 600, 300] {
            let count = 200;
            let (span, tracer) = send(BatchFormat::Compact, max_bytes, limits.clone(), |tracer| {
                let span = tracer.start_span("s");
                for n in 0..count {
                    span.log([field("event", &"e".repeat(400)), field("n", n)]);
                }
            });
            let event = |n: usize| &span.logs[n].fields[0].value;
            let marks = (0..span.logs.len())
                .filter(|&n| *event(n) == Value::String("dropped Span logs".to_owned()));
            let marked: u64 = marks
                .map(|n| match span.logs[n].fields[1].value {
                    Value::Long(count) => count.unsigned_abs() - 1,
                    _ => panic!("a number"),
                })
                .sum();
            let missing = count - span.logs.len() as u64;
            let place = format!("{limits:?} {max_bytes}: {span:?}");
            assert_eq!(dropped_items(&span) + marked, missing, "{place}");
            let in_marked_place = u64::from(marked > 0);
            let counted = tracer.metrics().get(Counter::DroppedItems);
            assert_eq!(counted, missing + in_marked_place, "{place}");
        }
    }
}

#[test]
fn values_cut_for_a_packet_are_counted_and_binary_ones_are_listed() {
    let limits = Limits::default().tag_value_bytes(3_000);
    let (span, tracer) = send(BatchFormat::Compact, 1_400, limits, |tracer| {
        let span = tracer.start_span("s");
        span.set_tag("limit", &[1; 3_001][..])
            .set_tag("packet", &[1; 2_000][..])
            .set_tag("short", &[1; 10][..])
            .set_tag("text", "x".repeat(2_000));
    });
    let listed = Value::String("limit, packet".to_owned());
    assert_eq!(value(&span, tags::TRUNCATED_BINARY), Some(&listed));
    let done = Value::String("values".to_owned());
    assert_eq!(value(&span, tags::DEGRADED), Some(&done));
    assert_eq!(value(&span, tags::DROPPED_ITEMS), None);
    // The limit cuts one, and the packet then three.
    assert_eq!(tracer.metrics().get(Counter::TruncatedValues), 4);
}

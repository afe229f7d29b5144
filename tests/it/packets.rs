//! Spans in packets, as the `thrift` crate reads them: sizes and splitting. No sockets.

use std::cell::Cell;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use tracehound::metrics::{Counter, DropCause};
use tracehound::model::{
    LogRecord, ReferenceType, ReportedReference, SpanId, Tag, TagValue, Timestamp, TraceId, tags,
};
use tracehound::reporter::sender::BatchFormat;
use tracehound::reporter::{OwnedSpan, RemoteReporter, Reporter};

use crate::support::batches::{
    Capture, listening_worker, process, report, report_all, soon, span, wire_process, wire_span,
};

const FORMATS: [BatchFormat; 2] = [BatchFormat::Compact, BatchFormat::Binary];

fn any_text(most: usize) -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..most).prop_map(|chars| chars.into_iter().collect())
}

fn any_value() -> impl Strategy<Value = TagValue> {
    prop_oneof![
        4 => any_text(20).prop_map(TagValue::from),
        1 => (any_text(4), 50..700_usize).prop_map(|(text, n)| TagValue::from(text.repeat(n))),
        1 => any::<bool>().prop_map(TagValue::Bool),
        2 => any::<i64>().prop_map(TagValue::Long),
        2 => any::<f64>().prop_map(TagValue::Double),
        1 => vec(any::<u8>(), 0..200).prop_map(TagValue::Binary),
    ]
}

fn any_tag() -> impl Strategy<Value = Tag> {
    let key = prop_oneof![
        any_text(10),
        Just(tags::HTTP_URL.to_owned()),
        Just(tags::ERROR.to_owned()),
    ];
    (key, any_value()).prop_map(|(key, value)| Tag::new(key, value))
}

fn any_ids() -> impl Strategy<Value = (TraceId, SpanId)> {
    (any::<u64>(), any::<u64>(), 1..=u64::MAX).prop_map(|(high, low, span_id)| {
        let trace_id = TraceId::new(high, low).unwrap_or(TraceId::new(0, 1).unwrap());
        (trace_id, SpanId::new(span_id).unwrap())
    })
}

prop_compose! {
    pub(crate) fn any_span()(
        (trace_id, span_id) in any_ids(),
        parent_id in any::<u64>(),
        name in any_text(40),
        start in any::<i64>(),
        micros in 1..i64::MAX as u64,
        tags in vec(any_tag(), 0..20),
        logs in vec((any::<i64>(), vec(any_tag(), 0..17)), 0..4),
        references in vec((any::<bool>(), any_ids()), 0..3),
    ) -> OwnedSpan {
        let mut span = OwnedSpan::new(trace_id, span_id, name);
        span.parent_id = SpanId::new(parent_id);
        span.start = Timestamp::from_micros(start);
        span.duration = Duration::from_micros(micros);
        span.tags = tags;
        for (at, fields) in logs {
            span.logs.push(LogRecord::new(Timestamp::from_micros(at), fields));
        }
        for (is_child, (trace_id, span_id)) in references {
            let kind = if is_child { ReferenceType::ChildOf } else { ReferenceType::FollowsFrom };
            span.references.push(ReportedReference::new(kind, trace_id, span_id));
        }
        span
    }
}

pub(crate) fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(0x7261_6365),
        failure_persistence: None,
        ..ProptestConfig::default()
    })
}

#[test]
fn packets_keep_their_limit_and_hold_every_span_but_those_counted_as_lost() {
    let input = (
        vec(any_span(), 1..30),
        prop_oneof![150..1_500_usize, 1_000..20_000_usize],
        prop_oneof![Just(0), 0..4_000_usize],
        any::<bool>(),
        any::<bool>(),
    );
    let met = Cell::new([0, 0]);
    let check =
        |(spans, max_bytes, more, is_compact, has_numbers): (Vec<OwnedSpan>, _, _, bool, _)| {
            let format = if is_compact {
                BatchFormat::Compact
            } else {
                BatchFormat::Binary
            };
            let mut capture = Capture::new(format, max_bytes);
            capture.max_single_bytes = max_bytes + more;
            let (worker, _) = listening_worker();
            let mut reporter = RemoteReporter::new(capture.clone()).batch_numbers(has_numbers);
            reporter.attach(&worker);
            report(&mut reporter, &spans);
            let unsent = reporter.flush(soon());

            let mut given = spans.iter();
            let mut degraded = 0;
            for (bytes, message) in capture.messages().iter().zip(capture.decoded()) {
                let limit = if message.batch.spans.len() == 1 {
                    max_bytes + more
                } else {
                    max_bytes
                };
                prop_assert!(bytes.len() <= limit, "{} bytes in {limit}", bytes.len());
                prop_assert_eq!(message.empty_lists, 0);
                prop_assert_eq!(&message.batch.process, &wire_process(&process()));
                for sent in message.batch.spans {
                    // Lost spans in between are skipped here and counted below.
                    let given = given
                        .by_ref()
                        .find(|given| given.span_id.get() as i64 == sent.span_id);
                    let given = given.expect("in the order of the input");
                    let mut expected = wire_span(&with_times_of_the_wire(given));
                    if sent.tags.iter().any(|tag| tag.key == tags::DEGRADED) {
                        degraded += 1;
                        prop_assert_eq!(&sent.references, &expected.references);
                        prop_assert!(sent.logs.len() <= expected.logs.len());
                        (expected.operation_name, expected.tags, expected.logs) = (
                            sent.operation_name.clone(),
                            sent.tags.clone(),
                            sent.logs.clone(),
                        );
                    }
                    prop_assert_eq!(sent, expected);
                }
            }
            let sent: usize = capture
                .decoded()
                .iter()
                .map(|message| message.batch.spans.len())
                .sum();
            let too_large = unsent.dropped.get(DropCause::TooLarge);
            prop_assert_eq!(sent as u64 + too_large, spans.len() as u64);
            prop_assert_eq!((unsent.dropped.total(), unsent.queued), (too_large, 0));
            prop_assert_eq!(worker.metrics().get(Counter::DegradedSpans), degraded);
            let [all_degraded, all_too_large] = met.get();
            met.set([all_degraded + degraded, all_too_large + too_large]);
            Ok(())
        };
    runner(96).run(&input, check).unwrap();
    let [degraded, too_large] = met.take();
    assert!(
        degraded > 100 && too_large > 100,
        "{degraded} and {too_large} were met"
    );
}

/// Returns the span with its times moved to where they can be sent.
pub(crate) fn with_times_of_the_wire(span: &OwnedSpan) -> OwnedSpan {
    const LATEST: i64 = i64::MAX / 2 / 1_000;
    let clamp = |time: Timestamp| Timestamp::from_micros(time.as_micros().clamp(0, LATEST));
    let mut span = span.clone();
    span.start = clamp(span.start);
    let longest = Timestamp::from_micros(LATEST).duration_since(span.start);
    span.duration = span.duration.min(longest.max(Duration::from_micros(1)));
    for log in &mut span.logs {
        log.timestamp = clamp(log.timestamp);
    }
    span
}

#[test]
fn a_packet_of_exactly_the_limit_is_sent_and_one_byte_more_is_not() {
    for format in FORMATS {
        for count in [1, 2, 13, 14, 15, 16, 127, 128, 129, 300] {
            let spans: Vec<_> = (1..=count).map(span).collect();
            let whole = Capture::new(format, 65_000);
            report_all(&mut RemoteReporter::new(whole.clone()), process(), &spans);
            let size = whole.messages()[0].len();
            assert_eq!(whole.messages().len(), 1);

            let counts = |limit: usize| {
                let capture = Capture::new(format, limit);
                let mut reporter = RemoteReporter::new(capture.clone());
                reporter.attach(&listening_worker().0);
                report(&mut reporter, &spans);
                let at_once = capture.messages().len();
                let unsent = reporter.flush(soon());
                let messages = capture.decoded();
                let counts: Vec<_> = messages.iter().map(|m| m.batch.spans.len()).collect();
                assert!(capture.messages().iter().all(|bytes| bytes.len() <= limit));
                (at_once, counts, unsent.dropped.total())
            };
            let count = count as usize;
            assert_eq!(counts(size), (1, vec![count], 0), "{format:?}");
            assert_eq!(counts(size + 1), (0, vec![count], 0), "{format:?}");
            let less = match count {
                1 => (0, vec![], 1),
                _ => (1, vec![count - 1, 1], 0),
            };
            assert_eq!(counts(size - 1), less, "{format:?}");
        }
    }
}

#[test]
fn a_span_above_the_packing_size_has_a_packet_of_its_own() {
    for format in FORMATS {
        let mut capture = Capture::new(format, 500);
        capture.max_single_bytes = 4_000;
        let mut large = span(2);
        large.tags = vec![Tag::new("sql", "x".repeat(3_000))];
        let spans = [span(1), large.clone(), span(3)];
        let mut reporter = RemoteReporter::new(capture.clone());
        reporter.attach(&listening_worker().0);
        report(&mut reporter, &spans);
        assert_eq!(capture.messages().len(), 2, "the large one does not wait");
        let unsent = reporter.flush(soon());
        assert_eq!(unsent.dropped.total(), 0);
        let sent: Vec<_> = capture
            .decoded()
            .into_iter()
            .map(|m| m.batch.spans)
            .collect();
        let expected = spans.each_ref().map(|span| vec![wire_span(span)]);
        assert_eq!(sent, expected);
    }
}

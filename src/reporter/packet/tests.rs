use std::time::Duration;

use super::*;
use crate::metrics::{DropCause, DropCounts};
use crate::model::{
    Flags, LogRecord, ReferenceType, ReportedReference, SpanId, Tag, TagValue, Timestamp, TraceId,
    tags,
};
use crate::record::{FrameHeader, ParentReference};
use crate::reporter::OwnedSpan;

const FORMATS: [BatchFormat; 6] = [
    BatchFormat::Compact,
    BatchFormat::Binary,
    BatchFormat::BinaryBatch,
    BatchFormat::Otlp,
    BatchFormat::JaegerProto,
    BatchFormat::ZipkinJson,
];

/// A message of `golden_span`, written by Apache Thrift for Python from types generated from the IDL: ONEWAY, seqid 0.
const GOLDEN_COMPACT: &str = "
    82810009656d697442617463681c1c1803737663191c18016b15001801760000191c160116909cb0d080c181820216b0
    dcb0d182c589922216001805474554202f191c1500160116909cb0d080c1818202160a001502168080f2818389850616
    b817196c180173150018017600180164150227000000000000e03f001801621504310018016615043200180
    16c150646050018017915085802007f00191c168280f28183898506191c18056576656e7415001801650000000000";

/// Like `GOLDEN_COMPACT`, but in the binary protocol.
const GOLDEN_BINARY: &str = "
    8001000400000009656d69744261746368000000000c0001
    0c00010b0001000000037376630f00020c000000010b0001000000016b080002000000000b0003000000017600000f00
    020c000000010a0001ffffffffffffffff0a000201020304050607080a000311121314151617180a0004000000000000
    00000b000500000005474554202f0f00060c00000001080001000000000a0002ffffffffffffffff0a00030102030405
    0607080a0004000000000000000500080007000000010a000800060a24181e40000a000900000000000005dc0f000a0c
    000000060b00010000000173080002000000000b00030000000176000b00010000000164080002000000010400043fe0
    000000000000000b000100000001620800020000000202000501000b0001000000016608000200000002020005000
    00b0001000000016c080002000000030a0006fffffffffffffffd000b00010000000179080002000000040b00070000
    0002007f000f000b0c000000010a000100060a24181e40010f00020c000000010b0001000000056576656e74080002
    000000000b000300000001650000000000";

/// Reads hex digits. Other characters, such as spaces, may stand between them.
pub(super) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] << 4 | pair[1]) as u8)
        .collect()
}

fn golden_span() -> OwnedSpan {
    let trace_id = TraceId::new(0x0102_0304_0506_0708, u64::MAX).expect("not zero");
    let span_id = SpanId::new(0x1112_1314_1516_1718).expect("not zero");
    let mut span = OwnedSpan::new(trace_id, span_id, "GET /");
    span.start = Timestamp::from_micros(1_700_000_000_000_000);
    span.duration = Duration::from_micros(1_500);
    span.references = vec![ReportedReference::new(
        ReferenceType::ChildOf,
        trace_id,
        SpanId::new(5).expect("not zero"),
    )];
    span.tags = vec![
        Tag::new("s", "v"),
        Tag::new("d", 0.5),
        Tag::new("b", true),
        Tag::new("f", false),
        Tag::new("l", -3),
        Tag::new("y", TagValue::Binary(vec![0, 0x7f])),
    ];
    span.logs = vec![LogRecord::new(
        Timestamp::from_micros(1_700_000_000_000_001),
        vec![Tag::new("event", "e")],
    )];
    span
}

fn process() -> Process {
    Process::new("svc", vec![Tag::new("k", "v")])
}

/// Returns the message with `golden_span`.
pub(super) fn golden_message(format: BatchFormat) -> Vec<u8> {
    message(&mut packet(format, &[golden_span()]), 0..1)
}

fn small_span(id: u64) -> OwnedSpan {
    let trace_id = TraceId::new(0, 0x5af7_183f_b1d4_cf5f).expect("not zero");
    OwnedSpan::new(trace_id, SpanId::new(id).expect("not zero"), "x")
}

fn packet(format: BatchFormat, spans: &[OwnedSpan]) -> Packet {
    let mut packet = Packet::new(format, &process());
    packet.begin(1, None, usize::MAX);
    for span in spans {
        span.view(|span| packet.push(span));
    }
    packet
}

/// Returns the bytes of the message with these spans.
fn message(packet: &mut Packet, spans: Range<usize>) -> Vec<u8> {
    packet.batch(spans).bytes.to_vec()
}

#[test]
fn messages_have_the_bytes_that_apache_thrift_writes() {
    for (format, golden) in [
        (BatchFormat::Compact, bytes(GOLDEN_COMPACT)),
        (BatchFormat::Binary, bytes(GOLDEN_BINARY)),
    ] {
        let mut packet = packet(format, &[golden_span()]);
        packet.begin(0, None, usize::MAX);
        assert_eq!(message(&mut packet, 0..1), golden, "{format:?}");
    }
    assert_eq!(bytes(GOLDEN_COMPACT).len(), 186);
    assert_eq!(bytes(GOLDEN_BINARY).len(), 422);
}

#[test]
fn the_size_of_a_message_is_exact_before_it_is_written() {
    let numbers = [
        None,
        Some(Numbers::default()),
        Some(Numbers {
            seq_no: 64,
            full_queue: 8_192,
            too_large: 1 << 40,
            failed: i64::MAX as u64,
        }),
    ];
    for format in FORMATS {
        for count in [1, 2, 14, 15, 16, 127, 128, 129, 16_383, 16_384] {
            for seqid in [0, 127, 128, 16_384, i32::MAX as u32] {
                let mut packet = packet(format, &[]);
                let span = small_span(7);
                span.view(|span| {
                    for _ in 0..count {
                        packet.push(span);
                    }
                });
                for numbers in &numbers {
                    packet.begin(seqid, numbers.as_ref(), usize::MAX);
                    let size = packet.size();
                    assert_eq!(packet.size_of(0..count), size);
                    assert_eq!(
                        message(&mut packet, 0..count).len(),
                        size,
                        "{format:?} {count}"
                    );
                    packet.restore();
                }
            }
        }
    }
}

#[test]
fn a_message_with_one_span_has_19_bytes_beside_process_and_span_or_37_in_binary() {
    // Absent numbers take no bytes. The process has 17 bytes, or 43 in the binary protocol.
    for (format, fixed) in [
        (BatchFormat::Compact, 19 + 17),
        (BatchFormat::Binary, 37 + 43),
        (BatchFormat::BinaryBatch, 12 + 43),
    ] {
        let packet = packet(format, &[small_span(1)]);
        let spans = packet.end - packet.head_room;
        assert_eq!(packet.size(), fixed + spans);
    }
}

#[test]
fn a_message_with_a_part_of_a_packet_equals_that_of_a_packet_with_those_spans() {
    let spans: Vec<_> = (1..=40).map(small_span).collect();
    for format in FORMATS {
        let mut whole = packet(format, &spans);
        let mut from = 0;
        for to in [1, 17, 18, 40] {
            let mut alone = packet(format, &spans[from..to]);
            let expected = message(&mut alone, 0..to - from);
            assert_eq!(
                message(&mut whole, from..to),
                expected,
                "{format:?} {from}..{to}"
            );
            whole.restore();
            from = to;
        }
    }
}

#[test]
fn spans_of_several_traces_keep_their_ids() {
    let spans: Vec<_> = [(7, 1), (7, 1), (7, 2), (8, 2), (0, 2), (0, 2), (7, 1)]
        .map(|(high, low)| OwnedSpan {
            trace_id: TraceId::new(high << 60, low).expect("not zero"),
            ..small_span(1)
        })
        .to_vec();
    for format in FORMATS {
        let mut whole = packet(format, &spans);
        for (n, span) in spans.iter().enumerate() {
            let expected = message(&mut packet(format, std::slice::from_ref(span)), 0..1);
            assert_eq!(message(&mut whole, n..n + 1), expected, "{format:?} {n}");
            whole.restore();
        }
    }
}

#[test]
fn a_mark_for_the_parent_becomes_the_reference_that_it_stands_for() {
    let mut span = golden_span();
    span.parent_id = SpanId::new(1 << 63 | 7);
    let parent_id = span.parent_id.expect("not zero");
    let other = ReportedReference::new(ReferenceType::ChildOf, span.trace_id, span.span_id);
    for kind in [ReferenceType::ChildOf, ReferenceType::FollowsFrom] {
        for others in [0, 1, 20] {
            let mut plain = span.clone();
            plain.references = vec![other; others];
            span.references = vec![ReportedReference::new(kind, span.trace_id, parent_id)];
            span.references.extend(&plain.references);
            plain.view(|plain| {
                let header = FrameHeader {
                    parent_reference: ParentReference::of(kind),
                    ..*plain.header()
                };
                let marked = FinishedSpan::new(header, plain.frame_bytes());
                for format in FORMATS {
                    let mut expected = packet(format, std::slice::from_ref(&span));
                    let mut whole = packet(format, &[]);
                    whole.push(&marked);
                    assert_eq!(
                        message(&mut whole, 0..1),
                        message(&mut expected, 0..1),
                        "{format:?} {kind:?} {others}"
                    );
                }
            });
        }
    }
}

#[test]
fn a_packet_asks_for_a_size_check_before_its_limit() {
    for format in FORMATS {
        let mut packet = Packet::new(format, &process());
        for limit in 0..2_000 {
            let mut is_first = true;
            loop {
                let is_asked = small_span(1).view(|span| packet.push(span));
                assert!(is_asked || !is_first, "{format:?}");
                if is_first {
                    packet.begin(1, None, limit);
                    is_first = false;
                }
                if packet.size() >= limit {
                    assert!(is_asked || packet.len() == 1, "{format:?} {limit}");
                    break;
                }
            }
            packet.remove_first(packet.len());
        }
    }
}

#[test]
fn the_spans_behind_a_message_stay_as_they_are() {
    let spans: Vec<_> = (1..=20).map(small_span).collect();
    for format in FORMATS {
        let mut whole = packet(format, &spans);
        message(&mut whole, 0..6);
        whole.restore();
        whole.remove_first(6);
        assert_eq!(whole.len(), 14);
        let mut alone = packet(format, &spans[6..]);
        assert_eq!(
            message(&mut whole, 0..14),
            message(&mut alone, 0..14),
            "{format:?}"
        );
        whole.restore();
        small_span(99).view(|span| whole.push(span));
        assert_eq!(whole.len(), 15);
    }
}

#[test]
fn a_message_takes_as_many_spans_as_fit() {
    let spans: Vec<_> = (1..=40).map(small_span).collect();
    for format in FORMATS {
        let packet = packet(format, &spans);
        for count in 1..=40 {
            let exact = packet.size_of(0..count);
            assert_eq!(packet.fitting(0, 40, exact), count, "{format:?}");
            let less = packet.fitting(0, 40, exact - 1);
            assert_eq!(less, (count - 1).max(1), "{format:?}");
        }
        assert_eq!(packet.fitting(39, 40, 0), 40);
    }
}

#[test]
fn a_span_is_made_smaller_in_steps_and_marked() {
    let mut span = golden_span();
    span.tags = vec![
        Tag::new(tags::HTTP_URL, "u".repeat(3_000)),
        Tag::new("own", "o".repeat(3_000)),
        Tag::new("own.too", TagValue::Binary(vec![7; 2_000])),
    ];
    span.logs = [200, 2_000, 100]
        .map(|len| {
            let fields = vec![Tag::new("event", "é".repeat(len / 2))];
            LogRecord::new(Timestamp::from_micros(len as i64), fields)
        })
        .to_vec();
    for (format, least) in FORMATS.into_iter().zip([340, 500, 470, 420, 420, 540]) {
        let steps = [
            (9_500, "logs"),
            (8_500, "logs"),
            (8_000, "logs, values"),
            (1_000, "logs, values"),
            (least, "logs, values, tags"),
        ];
        for (limit, done) in steps {
            let mut packet = packet(format, std::slice::from_ref(&span));
            assert_eq!(packet.operation_name(0), Some("GET /"));
            assert_eq!(packet.shrink(0, limit), Shrunk::First, "{limit}");
            let size = packet.size();
            assert!(size <= limit, "{format:?}: {size} in {limit}");
            let message = message(&mut packet, 0..1);
            let marks = [tags::DEGRADED.as_bytes(), done.as_bytes()];
            for mark in marks {
                let is_there = message.windows(mark.len()).any(|part| part == mark);
                assert!(is_there, "{format:?}: {done} at {limit}");
            }
            packet.restore();
            assert_eq!(packet.shrink(0, least), Shrunk::Again);
        }
        let mut packet = packet(format, std::slice::from_ref(&span));
        assert_eq!(packet.shrink(0, 200), Shrunk::No);
        let untouched = packet.size();
        assert!(untouched > 10_000);
    }
}

#[test]
fn the_largest_logs_and_tags_go_first() {
    let mut span = small_span(1);
    span.logs = (0..10_i64)
        .map(|n| {
            let fields = vec![Tag::new(
                "event",
                "x".repeat(if n == 4 { 900 } else { 100 }),
            )];
            LogRecord::new(Timestamp::from_micros(n), fields)
        })
        .collect();
    let mut kept = Vec::new();
    let fits = span.view(|span| {
        shrink::shrink(span, |smaller| {
            kept = smaller
                .logs()
                .map(|log| log.timestamp.as_micros())
                .collect();
            kept.len() <= 9
        })
    });
    assert_eq!(
        fits,
        Some(Loss {
            items: 1,
            values: 0
        })
    );
    assert_eq!(kept, [0, 1, 2, 3, 5, 6, 7, 8, 9]);

    span.logs.clear();
    span.tags = vec![
        Tag::new("small", "s"),
        Tag::new(tags::ERROR, true),
        Tag::new("larger", "larger"),
        Tag::new("é", "é".repeat(600)),
    ];
    let mut last = None;
    span.view(|span| {
        shrink::shrink(span, |smaller| {
            last = Some(smaller.to_owned());
            !smaller.tags().any(|(key, _)| key == "é")
        })
    });
    let last = last.expect("shown");
    let keys: Vec<_> = last.tags.iter().map(|tag| &*tag.key).collect();
    assert_eq!(
        keys,
        [
            "small",
            tags::ERROR,
            "larger",
            tags::DEGRADED,
            tags::DROPPED_ITEMS
        ]
    );
    assert_eq!(last.tag_text(tags::DEGRADED), "tags");
}

#[test]
fn a_cut_value_keeps_whole_characters_and_is_marked() {
    let mut span = small_span(1);
    span.operation_name = "o".repeat(70);
    span.tags = vec![
        Tag::new("é", "é".repeat(600)),
        Tag::new("a", "a".repeat(64)),
    ];
    let mut last = None;
    let fits = span.view(|span| {
        shrink::shrink(span, |smaller| {
            last = Some(smaller.to_owned());
            smaller.operation_name().len() < 70
        })
    });
    assert_eq!(
        fits,
        Some(Loss {
            items: 0,
            values: 2
        })
    );
    let last = last.expect("shown");
    assert_eq!(last.operation_name, format!("{}…", "o".repeat(66)));
    assert_eq!(last.tag_text("é"), format!("{}…", "é".repeat(33)));
    assert_eq!(last.tag_text("a"), "a".repeat(64));
    assert_eq!(last.tag_text(tags::DEGRADED), "values");
    assert_eq!(last.flags, Flags::SAMPLED);
}

#[test]
fn values_are_cut_no_more_than_they_must_be() {
    const LIMIT: usize = 65_000;
    let text = |len: usize| TagValue::from("x".repeat(len));
    let bytes = |len| TagValue::Binary(vec![7; len]);
    let rows = [
        vec![text(64_990)],
        vec![bytes(64_990)],
        vec![text(1_000_000)],
        vec![text(40_000), text(30_000), text(64)],
        vec![text(40_000), bytes(30_000), text(20_000)],
        (0..1_000).map(|_| text(100)).collect(),
    ];
    for (format, values) in FORMATS
        .iter()
        .flat_map(|format| rows.iter().map(|row| (*format, row)))
    {
        let mut span = small_span(1);
        for (n, value) in values.iter().enumerate() {
            span.tags.push(Tag::new(n.to_string(), value.clone()));
        }
        let mut packet = packet(format, &[span]);
        assert_eq!(packet.shrink(0, LIMIT), Shrunk::First);
        // One byte more of each value, with the longer numbers for their lengths, would not fit.
        let room = LIMIT - packet.size();
        assert!(room < 4 * values.len(), "{format:?}: {room} bytes are free");
    }
}

#[test]
fn the_numbers_tell_an_agent_of_losses_by_kind() {
    let mut queue = DropCounts::default();
    queue.add(DropCause::QueueFull, 1);
    queue.add(DropCause::AfterShutdown, 2);
    let mut sending = DropCounts::default();
    sending.add(DropCause::TooLarge, 4);
    sending.add(DropCause::Refused, 8);
    sending.add(DropCause::NoAddress, 16);
    let numbers = Numbers::new(3, &queue, &sending);
    assert_eq!(numbers.stats(), [1, 4, 24]);
}

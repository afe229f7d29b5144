use ::thrift::ProtocolErrorKind;
use ::thrift::protocol::{
    TBinaryOutputProtocol, TCompactOutputProtocol, TMessageIdentifier, TMessageType,
    TOutputProtocol, TType,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::encoder::*;
use super::*;
use crate::model::{Process, Tag, TagValue};

/// A message made by Apache Thrift for Python from the published IDL.
const GOLDEN_COMPACT: &str = "\
    82810009656d697442617463681c1c1803737663191c18016b15001801760000191c160116909cb0d080c181820216b0\
    dcb0d182c589922216001805474554202f191c1500160116909cb0d080c1818202160a001502168080f2818389850616\
    b817196c180173150018017600180164150227000000000000e03f001801621504310018016615043200180\
    16c150646050018017915085802007f00191c168280f28183898506191c18056576656e7415001801650000000000";

/// The batch of that message, as the body of an HTTP report.
const GOLDEN_BODY: &str = "\
    0c00010b0001000000037376630f00020c000000010b0001000000016b080002000000000b0003000000017600000f00\
    020c000000010a0001ffffffffffffffff0a000201020304050607080a000311121314151617180a0004000000000000\
    00000b000500000005474554202f0f00060c00000001080001000000000a0002ffffffffffffffff0a00030102030405\
    0607080a0004000000000000000500080007000000010a000800060a24181e40000a000900000000000005dc0f000a0c\
    000000060b00010000000173080002000000000b00030000000176000b00010000000164080002000000010400043fe0\
    000000000000000b000100000001620800020000000202000501000b0001000000016608000200000002020005000\
    00b0001000000016c080002000000030a0006fffffffffffffffd000b00010000000179080002000000040b00070000\
    0002007f000f000b0c000000010a000100060a24181e40010f00020c000000010b0001000000056576656e74080002\
    000000000b0003000000016500000000";

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex"))
        .collect()
}

fn golden_batch() -> Batch {
    let reference = SpanRef {
        ref_type: 0,
        trace_id_low: -1,
        trace_id_high: 0x0102_0304_0506_0708,
        span_id: 5,
    };
    Batch {
        process: Process::new("svc", vec![Tag::new("k", "v")]),
        spans: vec![Span {
            trace_id_low: -1,
            trace_id_high: 0x0102_0304_0506_0708,
            span_id: 0x1112_1314_1516_1718,
            parent_span_id: 0,
            operation_name: "GET /".to_owned(),
            references: vec![reference],
            flags: 1,
            start_time: 1_700_000_000_000_000,
            duration: 1_500,
            tags: vec![
                Tag::new("s", "v"),
                Tag::new("d", 0.5),
                Tag::new("b", true),
                Tag::new("f", false),
                Tag::new("l", -3i64),
                Tag::new("y", TagValue::Binary(vec![0, 0x7f])),
            ],
            logs: vec![Log {
                timestamp: 1_700_000_000_000_001,
                fields: vec![Tag::new("event", "e")],
            }],
        }],
        seq_no: None,
        stats: None,
    }
}

/// Returns a binary message around a bare batch, as an agent gets it.
fn binary_message(body: &[u8]) -> Vec<u8> {
    let mut bytes = unhex("8001000400000009656d69744261746368000000000c0001");
    bytes.extend_from_slice(body);
    bytes.push(0);
    bytes
}

fn both_messages() -> [(Protocol, Vec<u8>); 2] {
    [
        (Protocol::Compact, unhex(GOLDEN_COMPACT)),
        (Protocol::Binary, binary_message(&unhex(GOLDEN_BODY))),
    ]
}

#[test]
fn golden_bytes_decode_to_what_was_encoded() {
    for (protocol, bytes) in both_messages() {
        let message = decode_message(protocol, &bytes).expect("golden");
        assert_eq!(message.batch, golden_batch(), "{protocol:?}");
        assert!(message.is_oneway);
        assert_eq!(message.sequence_number, 0);
    }
    assert_eq!(
        decode_body(&unhex(GOLDEN_BODY)).expect("golden"),
        golden_batch()
    );
}

#[test]
fn a_message_cut_short_anywhere_is_an_error() {
    for (protocol, bytes) in both_messages() {
        for len in 0..bytes.len() {
            assert!(
                decode_message(protocol, &bytes[..len]).is_err(),
                "{protocol:?} {len}"
            );
        }
    }
    let body = unhex(GOLDEN_BODY);
    for len in 0..body.len() {
        assert!(decode_body(&body[..len]).is_err(), "body {len}");
    }
}

#[test]
fn bytes_behind_a_message_are_ignored() {
    for (protocol, mut bytes) in both_messages() {
        bytes.extend_from_slice(&[0xff; 100]);
        assert_eq!(
            decode_message(protocol, &bytes).expect("golden").batch,
            golden_batch()
        );
    }
}

#[test]
fn a_changed_byte_never_panics_and_never_swells() {
    for (protocol, bytes) in both_messages() {
        for at in 0..bytes.len() {
            for value in [0, 1, 0x0f, 0x7f, 0x80, 0xc9, 0xfc, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                if let Ok(message) = decode_message(protocol, &bytes) {
                    assert!(heap(&message.batch) <= allowed(bytes.len()), "{at} {value}");
                }
            }
        }
    }
}

#[test]
fn call_and_oneway_are_accepted_with_any_sequence_number() {
    for (kind, is_oneway) in [(TMessageType::Call, false), (TMessageType::OneWay, true)] {
        for sequence_number in [0, 1, 7_000, i32::MAX, -1] {
            for protocol in [Protocol::Compact, Protocol::Binary] {
                let bytes = encode(
                    protocol,
                    "emitBatch",
                    kind,
                    sequence_number,
                    &golden_batch(),
                );
                let message = decode_message(protocol, &bytes).expect("well-formed");
                assert_eq!(message.sequence_number, sequence_number);
                assert_eq!(message.is_oneway, is_oneway);
            }
        }
    }
}

#[test]
fn other_messages_are_refused() {
    for protocol in [Protocol::Compact, Protocol::Binary] {
        for name in ["emitZipkinBatch", "", "emitBatch2"] {
            let bytes = encode(protocol, name, TMessageType::OneWay, 1, &golden_batch());
            let error = decode_message(protocol, &bytes).expect_err("another method");
            assert!(matches!(error, DecodeError::UnknownMethod), "{error}");
        }
        for kind in [TMessageType::Reply, TMessageType::Exception] {
            let bytes = encode(protocol, "emitBatch", kind, 1, &golden_batch());
            let error = decode_message(protocol, &bytes).expect_err("not a call");
            assert!(matches!(error, DecodeError::NotACall), "{error}");
        }
    }
}

#[test]
fn the_old_binary_header_is_accepted() {
    let mut bytes = unhex("00000009656d69744261746368" /* name */);
    bytes.extend_from_slice(&unhex("01" /* CALL */));
    bytes.extend_from_slice(&unhex("00000007" /* sequence number */));
    bytes.extend_from_slice(&unhex("0c0001"));
    bytes.extend_from_slice(&unhex(GOLDEN_BODY));
    bytes.push(0);
    let message = decode_message(Protocol::Binary, &bytes).expect("old header");
    assert_eq!(message.batch, golden_batch());
    assert_eq!(message.sequence_number, 7);
}

#[test]
fn long_field_headers_and_any_order_are_accepted() {
    // A compact Process: field 2 first (long form, empty list), then field 1 (long form).
    let process =
        "0904" /* list, id 2 */.to_owned() + "0c" + "0802" /* string, id 1 */ + "01" + "61" + "00";
    let batch = format!("0c02{process}0904{}00", "0c");
    let message = format!("82810009656d69744261746368{}{batch}00", "0c02");
    let message = decode_message(Protocol::Compact, &unhex(&message)).expect("long headers");
    assert_eq!(message.batch.process, Process::new("a", Vec::new()));
    assert!(message.batch.spans.is_empty());
}

#[test]
fn unknown_fields_of_every_type_are_skipped() {
    let mut bytes = Vec::new();
    {
        let mut protocol = TBinaryOutputProtocol::new(&mut bytes, true);
        write_unknown_fields(&mut protocol);
    }
    let golden = unhex(GOLDEN_BODY);
    let body: Vec<u8> = bytes.iter().chain(&golden).copied().collect();
    assert_eq!(
        decode_body(&body).expect("unknown fields first"),
        golden_batch()
    );

    let mut bytes = Vec::new();
    {
        let mut protocol = TCompactOutputProtocol::new(&mut bytes);
        let name = TMessageIdentifier::new("emitBatch", TMessageType::OneWay, 1);
        protocol.write_message_begin(&name).expect("to memory");
        write_struct(&mut protocol, |protocol| {
            write_unknown_fields(protocol);
            field(protocol, 1, TType::Struct, |protocol| {
                write_batch(protocol, &golden_batch());
            });
        });
    }
    let message = decode_message(Protocol::Compact, &bytes).expect("unknown fields first");
    assert_eq!(message.batch, golden_batch());
}

#[test]
fn a_field_of_the_wrong_type_counts_as_unknown() {
    let mut bytes = Vec::new();
    let mut protocol = TBinaryOutputProtocol::new(&mut bytes, true);
    write_struct(&mut protocol, |protocol| {
        field(protocol, 3, TType::String, |protocol| {
            protocol.write_string("seven").expect("to memory");
        });
        field(protocol, 1, TType::Struct, |protocol| {
            write_process(protocol, &Process::new("a", Vec::new()));
        });
        field(protocol, 2, TType::List, |protocol| list(protocol, 0));
    });
    let batch = decode_body(&bytes).expect("the field is skipped");
    assert_eq!(batch.seq_no, None);
}

#[test]
fn required_fields_that_are_missing_are_named() {
    let name = |body: &str| match decode_body(&unhex(body)) {
        Err(DecodeError::Missing(field)) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(name("00"), "Batch.process");
    assert_eq!(
        name("0c0001 00 00".replace(' ', "").as_str()),
        "Process.serviceName"
    );
    assert_eq!(name("0c00010b000100000001610000"), "Batch.spans");
    assert_eq!(
        name(
            "0c00010b0001000000016100 0f00020c00000001 00 00"
                .replace(' ', "")
                .as_str()
        ),
        "Span.traceIdLow"
    );
}

#[test]
fn text_that_was_cut_inside_a_character_is_mended() {
    // A Process named "a" and the first byte of "é".
    let batch =
        decode_body(&unhex("0c00010b00010000000261c3000f00020c0000000000")).expect("mended");
    assert_eq!(batch.process.service_name, "a\u{fffd}");
}

#[test]
fn the_type_says_which_value_counts() {
    let tag = |kind: i32, fields: &str| {
        let tag = format!("0b0001000000016b080002{kind:08x}{fields}00");
        let body = format!("0c00010b000100000001610f00020c00000001{tag}000f00020c0000000000");
        let batch = decode_body(&unhex(&body)).expect("well-formed");
        batch.process.tags[0].value.clone()
    };
    // All five values, as the Node client writes them.
    let all = "0b00030000000173040004400000000000000002000501\
        0a000600000000000000090b00070000000162";
    assert_eq!(tag(0, all), TagValue::String("s".into()));
    assert_eq!(tag(1, all), TagValue::Double(2.0));
    assert_eq!(tag(2, all), TagValue::Bool(true));
    assert_eq!(tag(3, all), TagValue::Long(9));
    assert_eq!(tag(4, all), TagValue::Binary(b"b".to_vec()));
    assert_eq!(tag(0, ""), TagValue::String("".into()));
    assert_eq!(tag(1, ""), TagValue::Double(0.0));
    assert_eq!(tag(2, ""), TagValue::Bool(false));
    assert_eq!(tag(3, ""), TagValue::Long(0));
    assert_eq!(tag(4, ""), TagValue::Binary(Vec::new()));
    assert_eq!(
        tag(9, all),
        TagValue::String("value of the unknown type 9".into())
    );
}

#[test]
fn impossible_lengths_are_refused() {
    let head = "82810009656d697442617463681c";
    for (what, rest) in [
        ("a service name of 4 GB", "1c18ffffffff0f"),
        ("a service name longer than the message", "1c1880808004 61"),
        ("4 G spans", "1c18016100 19fcffffffff0f"),
        ("a billion spans", "1c18016100 19fc8094ebdc03"),
        ("more spans than bytes", "1c18016100 19fc8040"),
        ("an unknown map of 2 G entries", "1bffffffff0788"),
        ("an unknown text of 2 GB", "18ffffffff07"),
    ] {
        let bytes = unhex(&format!("{head}{rest}").replace(' ', ""));
        refused_for_its_size(decode_message(Protocol::Compact, &bytes), what);
    }
    for (what, body) in [
        ("a negative length", "0c00010b0001ffffffff"),
        ("2 GB of name", "0c00010b00017fffffff"),
        (
            "a negative count",
            "0c00010b00010000000161000f00020cffffffff",
        ),
        ("2 G spans", "0c00010b00010000000161000f00020c7fffffff"),
    ] {
        refused_for_its_size(decode_body(&unhex(body)), what);
    }
    for name in [
        "7fffffff",
        "00100000",
        "800100017fffffff",
        "80010001ffffffff",
    ] {
        refused_for_its_size(decode_message(Protocol::Binary, &unhex(name)), name);
    }
}

/// Asserts that a length was refused, before anything was read or allocated for it.
fn refused_for_its_size<T: fmt::Debug>(result: Result<T, DecodeError>, what: &str) {
    match kind_of_error(result) {
        ProtocolErrorKind::SizeLimit | ProtocolErrorKind::NegativeSize => {}
        other => panic!("{what}: {other:?}"),
    }
}

fn kind_of_error<T: fmt::Debug>(result: Result<T, DecodeError>) -> ProtocolErrorKind {
    match result {
        Err(DecodeError::Protocol(::thrift::Error::Protocol(error))) => error.kind,
        other => panic!("{other:?}"),
    }
}

#[test]
fn deep_nesting_is_refused() {
    for opening in ["1c", "1919", "19 1c"] {
        let opening = unhex(&opening.replace(' ', "").repeat(30_000));
        let mut bytes = unhex("82810009656d69744261746368");
        // An unknown field of the argument struct.
        bytes.push(0x2c);
        bytes.extend_from_slice(&opening);
        let result = decode_message(Protocol::Compact, &bytes);
        assert_eq!(kind_of_error(result), ProtocolErrorKind::DepthLimit);
    }
    // Struct in struct in the binary protocol, all under an unknown id.
    let bytes = binary_message(&unhex(&"0c0009".repeat(20_000)));
    let result = decode_message(Protocol::Binary, &bytes);
    assert_eq!(kind_of_error(result), ProtocolErrorKind::DepthLimit);
}

proptest! {
    #[test]
    fn random_bytes_never_panic_and_never_swell(bytes in vec(any::<u8>(), 0..2_000)) {
        for protocol in [Protocol::Compact, Protocol::Binary] {
            if let Ok(message) = decode_message(protocol, &bytes) {
                prop_assert!(heap(&message.batch) <= allowed(bytes.len()));
            }
        }
        if let Ok(batch) = decode_body(&bytes) {
            prop_assert!(heap(&batch) <= allowed(bytes.len()));
        }
    }

    #[test]
    fn random_bytes_behind_a_valid_header_never_panic(bytes in vec(any::<u8>(), 0..2_000)) {
        let mut message = unhex("82810009656d697442617463681c");
        message.extend_from_slice(&bytes);
        let _ = decode_message(Protocol::Compact, &message);
        let _ = decode_message(Protocol::Binary, &binary_message(&bytes));
    }

    #[test]
    fn a_batch_reads_back_as_the_thrift_crate_wrote_it(batch in any_batch()) {
        for protocol in [Protocol::Compact, Protocol::Binary] {
            let bytes = encode(protocol, "emitBatch", TMessageType::OneWay, 1, &batch);
            let read = decode_message(protocol, &bytes).expect("well-formed");
            prop_assert_eq!(&read.batch, &batch);
            prop_assert!(heap(&read.batch) <= allowed(bytes.len()));
        }
    }

    #[test]
    fn a_batch_with_a_few_bytes_changed_never_panics(
        batch in any_batch(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        for protocol in [Protocol::Compact, Protocol::Binary] {
            let mut bytes = encode(protocol, "emitBatch", TMessageType::OneWay, 1, &batch);
            for (at, value) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }
            if let Ok(message) = decode_message(protocol, &bytes) {
                prop_assert!(heap(&message.batch) <= allowed(bytes.len()));
            }
        }
    }
}

/// Returns how much memory a message may take. The smallest `Tag` takes five bytes on the wire and 56 in memory, and
/// a growing vector twice that.
fn allowed(len: usize) -> usize {
    40 * len + 1_024
}

fn heap(batch: &Batch) -> usize {
    fn of_tags(tags: &Vec<Tag>) -> usize {
        let contents: usize = tags
            .iter()
            .map(|tag| {
                tag.key.len()
                    + match &tag.value {
                        TagValue::String(text) => text.len(),
                        TagValue::Binary(bytes) => bytes.capacity(),
                        _ => 0,
                    }
            })
            .sum();
        tags.capacity() * size_of::<Tag>() + contents
    }
    let spans: usize = batch
        .spans
        .iter()
        .map(|span| {
            let logs: usize = span.logs.iter().map(|log| of_tags(&log.fields)).sum();
            span.operation_name.capacity()
                + span.references.capacity() * size_of::<SpanRef>()
                + of_tags(&span.tags)
                + span.logs.capacity() * size_of::<Log>()
                + logs
        })
        .sum();
    batch.process.service_name.capacity()
        + of_tags(&batch.process.tags)
        + batch.spans.capacity() * size_of::<Span>()
        + spans
}

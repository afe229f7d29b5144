//! Contexts as bytes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;
use tracehound::SpanContext;
use tracehound::metrics::{Counter, Metrics};
use tracehound::model::{Baggage, Process, SpanId, TraceId};
use tracehound::prelude::*;
use tracehound::propagation::{BinaryCodec, ExtractError};
use tracehound::services::Services;

use super::explained::{Comparison, Rule};
use super::{context, input_context, items};
use crate::support::vectors::{Entry, entries};

/// Returns a codec and the counters that it adds to.
fn counted() -> (BinaryCodec, Metrics) {
    let services = Services::detached(Process::new("test", vec![]));
    let mut codec = BinaryCodec::default();
    codec.attach(&services);
    (codec, services.metrics().clone())
}

fn written(context: &SpanContext) -> Vec<u8> {
    let mut bytes = b"of an earlier request".to_vec();
    BinaryCodec::default().inject(context, &mut bytes);
    bytes
}

fn read(bytes: &[u8]) -> Result<Option<SpanContext>, ExtractError> {
    BinaryCodec::default().extract(bytes)
}

/// Returns the bytes of `1:2:0:1` with a number of items and whatever follows it.
fn bytes(count: u32, items: &[u8]) -> Vec<u8> {
    let mut bytes = written(&context());
    bytes.truncate(33);
    bytes.extend_from_slice(&count.to_be_bytes());
    bytes.extend_from_slice(items);
    bytes
}

fn item(key: &[u8], value: &[u8]) -> Vec<u8> {
    let part = |text: &[u8]| [&(text.len() as u32).to_be_bytes(), text].concat();
    [part(key), part(value)].concat()
}

fn reason(bytes: &[u8]) -> &'static str {
    match read(bytes) {
        Err(ExtractError::CorruptedBinary { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn the_golden_bytes_are_read_and_written() {
    for (hex, text, baggage) in [
        (
            "00000000000000007518a913a0d2af347518a913a0d2af3400000000000000000100000000",
            "7518a913a0d2af34:7518a913a0d2af34:0:1",
            vec![],
        ),
        (
            "4b32888b8fb596e92bc6e6f59ded8ad02bc6e6f59ded8ad000000000000000000100000000",
            "4b32888b8fb596e92bc6e6f59ded8ad0:2bc6e6f59ded8ad0:0:1",
            vec![],
        ),
        (
            "64b75e591a66490b69e46c63601ebe705b0f77c887fdb25469e46c63601ebe700100000000",
            "64b75e591a66490b69e46c63601ebe70:5b0f77c887fdb254:69e46c63601ebe70:1",
            vec![],
        ),
        (
            "615d85e0e006d55b366b9d86aabc5c8f236306806a56df82366b9d86aabc5c8f0100000001\
             000000076b65795f6f6e650000000976616c75655f6f6e65",
            "615d85e0e006d55b366b9d86aabc5c8f:236306806a56df82:366b9d86aabc5c8f:1",
            vec![("key_one", "value_one")],
        ),
    ] {
        let context = read(&unhex(hex)).unwrap().expect(text);
        assert_eq!(context.to_string(), text);
        assert_eq!(items(&context), baggage, "{text}");
        assert!(context.is_remote());
        assert_eq!(written(&context), unhex(hex), "{text}");
    }
}

#[test]
fn bytes_that_end_early_are_malformed() {
    let whole = bytes(2, &[item(b"key", b"value"), item(b"", b"")].concat());
    assert!(read(&whole).unwrap().is_some());
    for end in 1..whole.len() {
        let reason = reason(&whole[..end]);
        assert_eq!(reason, "it ends before its last field", "{end} bytes");
    }
}

#[test]
fn a_length_beyond_the_end_is_malformed() {
    let with_length = |length: u32| bytes(1, &[&length.to_be_bytes()[..], b"abc"].concat());
    for length in [4, 100_000, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        assert_eq!(
            reason(&with_length(length)),
            "it ends before its last field"
        );
    }
    let mut value = item(b"k", b"abc");
    value.pop();
    assert_eq!(reason(&bytes(1, &value)), "it ends before its last field");
}

#[test]
fn more_than_180_items_are_malformed() {
    let items = item(b"k", b"v").repeat(200);
    assert!(read(&bytes(180, &items)).unwrap().is_some());
    for count in [181, 200, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        let reason = reason(&bytes(count, &items));
        assert_eq!(reason, "expected at most 180 baggage items", "{count}");
    }
}

#[test]
fn a_text_that_is_not_utf_8_is_malformed() {
    for item in [item(b"k", b"\xff"), item(b"\xc3", b"v")] {
        assert_eq!(reason(&bytes(1, &item)), "expected UTF-8 in the baggage");
    }
}

#[test]
fn trailing_bytes_are_ignored() {
    let mut carrier = bytes(1, &item(b"k", b"v"));
    let context = read(&carrier);
    carrier.extend_from_slice(b"\xff\xff\xff\xffgarbage");
    assert_eq!(read(&carrier), context);
}

#[test]
fn an_empty_carrier_holds_nothing() {
    assert_eq!(read(&[]), Ok(None));
}

#[test]
fn an_id_of_zero_means_that_there_is_no_trace() {
    for zeros in [0..16, 16..24, 0..24] {
        let mut carrier = bytes(1, &item(b"k", b"v"));
        carrier[zeros.clone()].fill(0);
        let context = read(&carrier).unwrap().expect("baggage");
        assert!(!context.has_trace(), "{zeros:?}");
        assert_eq!(items(&context), [("k", "v")]);
        let mut carrier = bytes(0, &[]);
        carrier[zeros].fill(0);
        assert_eq!(read(&carrier), Ok(None));
    }
    // One half of a trace id may be zero.
    let mut carrier = bytes(0, &[]);
    carrier[0] = 1;
    carrier[8..16].fill(0);
    let context = read(&carrier).unwrap().expect("a trace");
    assert_eq!(context.trace_id(), TraceId::new(1 << 56, 0));
}

#[test]
fn a_context_without_a_trace_is_written_as_zeros() {
    assert_eq!(written(&SpanContext::default()), [0; 37]);
    let context = SpanContext::default().with_baggage_item("k", "v");
    let bytes = written(&context);
    assert_eq!(bytes[..36], [0; 36]);
    assert_eq!(read(&bytes), Ok(Some(context)));
}

#[test]
fn equal_contexts_are_equal_bytes() {
    let one = context().with_baggage_item("b", "2");
    let one = one.with_baggage_item("a", "1").with_baggage_item("ab", "3");
    let other = context().with_baggage_item("ab", "3");
    let other = other
        .with_baggage_item("a", "1")
        .with_baggage_item("b", "2");
    assert_eq!(written(&one), written(&other));
    let sorted = [item(b"a", b"1"), item(b"ab", b"3"), item(b"b", b"2")];
    assert_eq!(written(&one), bytes(3, &sorted.concat()));
}

#[test]
fn items_beyond_the_limits_are_left_out_and_counted() {
    let numbered = |count: u32| {
        let items = (0..count).map(|n| item(format!("k{n}").as_bytes(), b"v"));
        bytes(count, &items.collect::<Vec<_>>().concat())
    };
    let fill = |key: &[u8], bytes: usize| item(key, &b"v".repeat(bytes - key.len()));
    let half = Baggage::MAX_BYTES / 2;
    for (carrier, kept, skipped) in [
        (numbered(64), 64, 0),
        (numbered(65), 64, 1),
        (numbered(180), 64, 116),
        (bytes(1, &fill(b"k", Baggage::MAX_BYTES)), 1, 0),
        (bytes(1, &fill(b"k", Baggage::MAX_BYTES + 1)), 0, 1),
        (bytes(1, &fill(&b"k".repeat(8_000), 8_192)), 1, 0),
        (bytes(1, &item(b"k", &b"v".repeat(1 << 20))), 0, 1),
        (
            bytes(
                3,
                &[fill(b"a", half), fill(b"b", half), fill(b"c", 1)].concat(),
            ),
            2,
            1,
        ),
        // An item that does not fit is left out, and a later one that fits is kept.
        (
            bytes(2, &[fill(b"a", 9_000), fill(b"b", half)].concat()),
            1,
            1,
        ),
    ] {
        let (codec, metrics) = counted();
        let context = codec.extract(&carrier).unwrap().expect("a trace");
        assert_eq!(context.to_string(), super::context().to_string());
        assert_eq!(context.baggage().len(), kept);
        assert_eq!(metrics.get(Counter::BaggageItemsSkipped), skipped);
    }
}

#[test]
fn an_item_that_go_refuses_is_left_out_and_counted() {
    let (codec, metrics) = counted();
    for (key, value_bytes, is_written) in [("k", 4_095, true), ("k", 4_096, false)] {
        let context = context()
            .with_baggage_item(key, &"v".repeat(value_bytes))
            .with_baggage_item("other", "1");
        let mut carrier = Vec::new();
        codec.inject(&context, &mut carrier);
        let read = codec.extract(&carrier).unwrap().expect("a trace");
        assert_eq!(read.baggage().get(key).is_some(), is_written);
        assert_eq!(read.baggage().get("other"), Some("1"));
        let skipped = u64::from(!is_written);
        assert_eq!(metrics.get(Counter::BaggageItemsSkipped), skipped);
    }
}

#[test]
fn the_last_of_several_values_counts() {
    let items_of = |items: &[Vec<u8>]| {
        let context = read(&bytes(items.len() as u32, &items.concat())).unwrap();
        let context = context.expect("a trace");
        let items = items_owned(&context);
        assert_eq!(read(&written(&context)), Ok(Some(context)));
        items
    };
    let own = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        items_of(&[item(b"k", b"1"), item(b"k", b"2")]),
        BTreeMap::from([own("k", "2")])
    );
    assert_eq!(
        items_of(&[item(b"", b"1"), item(b"K", b""), item(b"k", b"\0")]),
        BTreeMap::from([own("", "1"), own("K", ""), own("k", "\0")])
    );
}

#[test]
fn a_tracer_writes_and_reads_bytes() {
    let (tracer, _) = crate::support::recording_tracer();
    let span = tracer.start_span("send");
    span.set_baggage_item("user", "42");
    let mut bytes = b"of an earlier request".to_vec();
    tracer.inject(&span.context(), &mut bytes);
    assert_eq!(bytes, written(&span.context()));
    assert_eq!(tracer.extract(&bytes), Ok(Some(span.context())));
    assert_eq!(tracer.extract(&&bytes[..]), Ok(Some(span.context())));
    assert_eq!(tracer.extract(&Vec::<u8>::new()), Ok(None));

    let errors = || tracer.metrics().get(Counter::DecodingErrors);
    assert_eq!(errors(), 0);
    assert!(tracer.extract(&bytes[..36].to_vec()).is_err());
    assert_eq!(errors(), 1);
    // The tracer's counters are those of the codec.
    let too_many = (0..65).map(|n: u32| item(&n.to_be_bytes(), b""));
    let too_many = super::binary::bytes(65, &too_many.collect::<Vec<_>>().concat());
    assert!(tracer.extract(&too_many).is_ok());
    assert_eq!(tracer.metrics().get(Counter::BaggageItemsSkipped), 1);
}

/// The content of a carrier.
#[derive(Debug, PartialEq, Default)]
struct Seen {
    ids: Option<(u128, u64, u64, u8)>,
    baggage: BTreeMap<String, String>,
}

/// The result of reading a carrier, or `None` if it is malformed.
type Answer = Option<Seen>;

fn items_owned(context: &SpanContext) -> BTreeMap<String, String> {
    let items = context.baggage().iter();
    items
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn our_answer(bytes: &[u8]) -> Answer {
    let context = read(bytes).ok()?.unwrap_or_default();
    let ids = context.trace_id().zip(context.span_id());
    Some(Seen {
        ids: ids.map(|(trace, span)| {
            let trace = (u128::from(trace.high()) << 64) | u128::from(trace.low());
            let parent = context.parent_id().map_or(0, SpanId::get);
            (trace, span.get(), parent, context.flags().bits())
        }),
        baggage: items_owned(&context),
    })
}

/// Returns the answer of a client. A crash is none that this crate could give.
fn client_answer(result: &Value) -> Option<Answer> {
    let baggage = || {
        let items = result["baggage"].as_object().into_iter().flatten();
        items
            .map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect::<Option<_>>()
    };
    let id = |field: &str| u128::from_str_radix(result[field].as_str()?, 16).ok();
    match result["outcome"].as_str()? {
        "error" => Some(None),
        "container" => Some(Some(Seen {
            ids: None,
            baggage: baggage()?,
        })),
        "context" => {
            let (trace, span) = (id("trace_id")?, id("span_id")? as u64);
            let parent = id("parent_id").unwrap_or(0) as u64;
            let flags = result["flags"].as_u64()?.try_into().ok()?;
            let is_trace = trace != 0 && span != 0;
            if !is_trace && result["valid"] != false {
                return None;
            }
            Some(Some(Seen {
                ids: is_trace.then_some((trace, span, parent, flags)),
                baggage: baggage()?,
            }))
        }
        _ => None,
    }
}

const SOURCE: &str = include_str!("../../../src/propagation/binary.rs");

/// The lines of the documentation that explain a difference from all clients.
const READ: &[Rule<Answer>] = &[
    ("An empty carrier holds no context.", |entry, ours| {
        entry.input["hex"] == "" && *ours == Some(Seen::default())
    }),
    (
        "The limits of [`Baggage`] hold for the rest.",
        |entry, ours| {
            let has_more = |result: &Value| {
                let baggage = result["baggage"].as_object();
                baggage.is_some_and(|items| items.len() > Baggage::MAX_ITEMS)
            };
            let items = ours.as_ref().map(|ours| ours.baggage.len());
            items == Some(Baggage::MAX_ITEMS) && entry.results.iter().any(|(_, r)| has_more(r))
        },
    ),
];

#[test]
fn extract_reads_what_a_client_reads() {
    let mut comparison = Comparison::explained_by(READ);
    for entry in &entries("binary_extract") {
        let ours = our_answer(&unhex(entry.input["hex"].as_str().expect("hex")));
        // The Rust client reads no baggage and no parent.
        let equals = entry
            .results
            .iter()
            .filter(|(client, _)| !client.starts_with("rustracing"))
            .any(|(_, result)| client_answer(result).as_ref() == Some(&ours));
        comparison.compare(entry, &ours, equals);
    }
    comparison.check(SOURCE, 36);
}

#[test]
fn inject_writes_the_bytes_of_python() {
    let entries = entries("binary_inject");
    for entry in &entries {
        let theirs = result_of(entry, "jaeger-client-python");
        let theirs = theirs["binary"]["hex"].as_str().expect("bytes");
        assert_eq!(
            written(&input_context(&entry.input)),
            unhex(theirs),
            "{}",
            entry.name
        );
    }
    println!("{:4} as jaeger-client-python", entries.len());
    assert_eq!(entries.len(), 71);
}

fn result_of<'e>(entry: &'e Entry, client: &str) -> &'e Value {
    let mut results = entry.results.iter();
    let found = results.find(|(name, _)| name.starts_with(client));
    &found.expect(client).1
}

/// Bytes that look like a carrier, more or less.
fn carrier() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![9 => 0..4_u32, 1 => any::<u32>()].boxed();
    let part = (length, prop::collection::vec(any::<u8>(), 0..4))
        .prop_map(|(length, text)| [&length.to_be_bytes()[..], &text].concat());
    let count = prop_oneof![9 => 0..200_u32, 1 => any::<u32>()];
    (
        any::<[u8; 33]>(),
        count,
        prop::collection::vec(part, 0..300),
    )
        .prop_map(|(ids, count, parts)| [&ids[..], &count.to_be_bytes(), &parts.concat()].concat())
}

proptest! {
    #![proptest_config(super::properties::config())]

    #[test]
    fn extract_returns_what_inject_wrote(context in super::properties::context(".{0,20}")) {
        let (codec, metrics) = counted();
        let mut bytes = Vec::new();
        codec.inject(&context, &mut bytes);
        prop_assert_eq!(metrics.get(Counter::BaggageItemsSkipped), 0);
        let read = codec.extract(&bytes).unwrap().unwrap_or_default();
        prop_assert_eq!(read.to_string(), context.to_string());
        prop_assert_eq!(items(&read), items(&context));
    }

    #[test]
    fn any_bytes_are_read_within_the_limits(
        bytes in prop_oneof![carrier(), prop::collection::vec(any::<u8>(), 0..100)],
    ) {
        if let Ok(Some(context)) = read(&bytes) {
            super::properties::check_limits(&context);
            prop_assert_eq!(read(&written(&context)).unwrap(), Some(context));
        }
    }
}

//! The B3 codec: one table for each rule.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tracehound::JaegerTracer;
use tracehound::SpanContext;
use tracehound::metrics::{Counter, Metrics};
use tracehound::model::{Baggage, Flags, Process, SpanId, TraceId};
use tracehound::prelude::*;
use tracehound::propagation::{B3Codec, Codec, ExtractError, Extractor, Injector};
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::ConstSampler;
use tracehound::services::Services;

use super::{Headers, items, owned};

const TRACE: &str = "463ac35c9f6413ad48485a3953bb6124";
const SPAN: &str = "a2fb4a1d1a96d312";
const PARENT: &str = "0020000000000001";
const DEBUG: u8 = 3;

/// A codec and the counters that it adds to.
struct Counted {
    codec: B3Codec,
    metrics: Metrics,
}

impl Counted {
    fn new(mut codec: B3Codec) -> Self {
        let services = Services::detached(Process::new("test", vec![]));
        codec.attach(&services);
        let metrics = services.metrics().clone();
        Self { codec, metrics }
    }

    fn multiple() -> Self {
        Self::new(B3Codec::multiple_headers())
    }

    fn read(&self, headers: &[(&str, &str)]) -> Option<SpanContext> {
        self.codec.extract(&owned(headers)).expect("well-formed")
    }

    fn get(&self, counter: Counter) -> u64 {
        self.metrics.get(counter)
    }
}

fn read(headers: &[(&str, &str)]) -> Option<SpanContext> {
    Counted::multiple().read(headers)
}

/// Returns ids and flags in the form of `uber-trace-id`, with `?` where the receiver decides.
fn text(context: &SpanContext) -> String {
    let text = context.to_string();
    match (context.has_trace(), context.is_sampling_final()) {
        (true, true) => text,
        (true, false) => text[..text.len() - 1].to_owned() + "?",
        (false, _) => match context.decision_without_trace() {
            Some(flags) => format!("none:{:x}", flags.bits()),
            None => "none".to_owned(),
        },
    }
}

fn read_text(headers: &[(&str, &str)]) -> String {
    read(headers).map_or_else(|| "nothing".to_owned(), |context| text(&context))
}

fn error(headers: &[(&str, &str)]) -> (String, &'static str, String) {
    match Counted::multiple().codec.extract(&owned(headers)) {
        Err(ExtractError::Corrupted {
            header,
            reason,
            value,
        }) => (header, reason, value),
        other => panic!("{headers:?}: {other:?}"),
    }
}

fn written(codec: &B3Codec, context: &SpanContext) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    codec.inject(context, &mut headers);
    headers
}

fn context(trace: (u64, u64), span: u64, parent: u64, flags: u8) -> SpanContext {
    SpanContext::new(
        TraceId::new(trace.0, trace.1).expect("not zero"),
        SpanId::new(span).expect("not zero"),
        SpanId::new(parent),
        Flags::from_bits(flags),
    )
}

fn short() -> SpanContext {
    context((0, 1), 2, 0, 1)
}

fn map(headers: &[(&str, &str)]) -> BTreeMap<String, String> {
    owned(headers).into_iter().collect()
}

#[test]
fn several_headers_are_read() {
    let ids = [("X-B3-TraceId", TRACE), ("X-B3-SpanId", SPAN)];
    for (more, suffix) in [
        (
            &[("X-B3-ParentSpanId", PARENT), ("X-B3-Sampled", "1")][..],
            format!("{PARENT}:1"),
        ),
        (&[("X-B3-Sampled", "1")], "0:1".to_owned()),
        (
            &[("X-B3-ParentSpanId", "0"), ("X-B3-Sampled", "0")],
            "0:0".to_owned(),
        ),
        (
            &[("X-B3-ParentSpanId", "3"), ("X-B3-Flags", "1")],
            "0000000000000003:3".to_owned(),
        ),
        (&[], "0:?".to_owned()),
    ] {
        let headers = [&ids[..], more].concat();
        assert_eq!(
            read_text(&headers),
            format!("{TRACE}:{SPAN}:{suffix}"),
            "{more:?}"
        );
        let lower: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.to_lowercase(), *value))
            .collect();
        let lower: Vec<_> = lower
            .iter()
            .map(|(name, value)| (&**name, *value))
            .collect();
        assert_eq!(read_text(&lower), read_text(&headers), "{more:?}");
    }
}

#[test]
fn ids_may_be_short_padded_or_in_upper_case() {
    for (trace, span, expected) in [
        ("1", "2", "0000000000000001:0000000000000002"),
        ("abc", "DEF", "0000000000000abc:0000000000000def"),
        (
            "463AC35C9F6413AD48485A3953BB6124",
            SPAN,
            "463ac35c9f6413ad48485a3953bb6124:a2fb4a1d1a96d312",
        ),
        (
            "000000000000000048485a3953bb6124",
            SPAN,
            "48485a3953bb6124:a2fb4a1d1a96d312",
        ),
        (
            "10000000000000002",
            SPAN,
            "00000000000000010000000000000002:a2fb4a1d1a96d312",
        ),
        (" 1\t", " 2 ", "0000000000000001:0000000000000002"),
    ] {
        let several = [
            ("x-b3-traceid", trace),
            ("x-b3-spanid", span),
            ("x-b3-sampled", "1"),
        ];
        assert_eq!(read_text(&several), format!("{expected}:0:1"), "{trace:?}");
        let one = format!("{}-{}-1", trace.trim(), span.trim());
        assert_eq!(
            read_text(&[("b3", &one)]),
            format!("{expected}:0:1"),
            "{one:?}"
        );
    }
}

#[test]
fn malformed_ids_are_errors_in_both_forms() {
    let trace_rule = "expected a trace id of 1 to 32 hex digits";
    let span_rule = "expected a span id of 1 to 16 hex digits";
    let parent_rule = "expected a parent span id of 1 to 16 hex digits";
    let too_long = "1".repeat(33);
    let zeros = "0".repeat(33);
    for text in [
        "", "g", "+1", "0x1", "1_0", "%31", "1 2", "1zz", &too_long, &zeros,
    ] {
        for (header, rule, ids) in [
            ("x-b3-traceid", trace_rule, [text, SPAN, PARENT]),
            ("x-b3-spanid", span_rule, [TRACE, text, PARENT]),
            ("x-b3-parentspanid", parent_rule, [TRACE, SPAN, text]),
        ] {
            let [trace, span, parent] = ids;
            let several = [
                ("x-b3-traceid", trace),
                ("x-b3-spanid", span),
                ("x-b3-parentspanid", parent),
                ("x-b3-sampled", "1"),
            ];
            assert_eq!(error(&several), (header.to_owned(), rule, text.to_owned()));
            let one = format!("{trace}-{span}-1-{parent}");
            assert_eq!(error(&[("b3", &one)]).1, rule, "{one:?}");
        }
    }
    let span = "1".repeat(17);
    assert_eq!(error(&[("x-b3-spanid", &span)]).1, span_rule);
    // A minus sign is the dash between the parts of the one header.
    assert_eq!(
        error(&[("x-b3-traceid", "-1"), ("x-b3-spanid", SPAN)]).1,
        trace_rule
    );
}

#[test]
fn an_error_shows_the_start_of_the_value_escaped() {
    let value = "\n\"".to_owned() + &"x".repeat(100);
    let (header, _, shown) = error(&[("X-B3-TraceId", &value)]);
    assert_eq!(header, "x-b3-traceid");
    assert_eq!(shown, r#"\n\""#.to_owned() + &"x".repeat(62));
}

#[test]
fn an_id_that_is_zero_or_missing_means_that_there_is_no_trace() {
    for ids in [
        &[("x-b3-traceid", "0"), ("x-b3-spanid", SPAN)][..],
        &[("x-b3-traceid", TRACE), ("x-b3-spanid", "0000000000000000")],
        &[("x-b3-traceid", TRACE)],
        &[("x-b3-spanid", SPAN)],
        &[("x-b3-parentspanid", PARENT)],
    ] {
        assert_eq!(read_text(ids), "nothing");
        let with_state = [ids, &[("x-b3-sampled", "0")]].concat();
        assert_eq!(read_text(&with_state), "none:0");
    }
    for one in ["0-1-1", "1-0-1", "0-0-1-1"] {
        assert_eq!(read_text(&[("b3", one)]), "none:1", "{one}");
    }
    assert_eq!(read_text(&[("b3", "0-1")]), "nothing");
}

#[test]
fn every_sampling_state_is_read() {
    for (text, flags) in [
        ("1", Some(1)),
        ("true", Some(1)),
        ("True", Some(1)),
        ("TRUE", Some(1)),
        ("0", Some(0)),
        ("false", Some(0)),
        ("False", Some(0)),
        (" 1 ", Some(1)),
        ("d", Some(1)),
        ("D", None),
        ("", None),
        ("2", None),
        ("01", None),
        ("accept", None),
        ("-1", None),
    ] {
        let suffix = flags.map_or_else(|| "?".to_owned(), |flags: u8| flags.to_string());
        let ids = [("x-b3-traceid", "1"), ("x-b3-spanid", "2")];
        let with_ids = [&ids[..], &[("x-b3-sampled", text)]].concat();
        assert_eq!(
            read_text(&with_ids),
            format!("{}:{suffix}", "0000000000000001:0000000000000002:0")
        );
        let alone = flags.map_or_else(|| "nothing".to_owned(), |flags| format!("none:{flags}"));
        assert_eq!(read_text(&[("x-b3-sampled", text)]), alone, "{text:?}");
    }
}

#[test]
fn flags_of_one_are_debug_and_other_flags_say_nothing() {
    let ids = [("x-b3-traceid", "1"), ("x-b3-spanid", "2")];
    for (flags, sampled, expected) in [
        ("1", None, "3"),
        ("1", Some("1"), "3"),
        ("1", Some("0"), "3"),
        (" 1", None, "3"),
        ("0", None, "?"),
        ("0", Some("1"), "1"),
        ("0", Some("0"), "0"),
        ("2", None, "?"),
        ("2", Some("1"), "1"),
        ("01", None, "?"),
        ("11", None, "?"),
        ("true", None, "?"),
        ("", None, "?"),
    ] {
        let mut headers = ids.to_vec();
        headers.push(("x-b3-flags", flags));
        headers.extend(sampled.map(|sampled| ("x-b3-sampled", sampled)));
        let expected = format!("0000000000000001:0000000000000002:0:{expected}");
        assert_eq!(read_text(&headers), expected, "{flags:?} {sampled:?}");
    }
    assert_eq!(read_text(&[("x-b3-flags", "1")]), "none:3");
    assert_eq!(read_text(&[("x-b3-flags", "0")]), "nothing");
}

#[test]
fn one_header_is_read() {
    let ids = format!("{TRACE}-{SPAN}");
    for (rest, suffix) in [
        ("", "0:?"),
        ("-", "0:?"),
        ("-1", "0:1"),
        ("-0", "0:0"),
        ("-d", "0:3"),
        ("-true", "0:1"),
        ("-False", "0:0"),
        ("-2", "0:?"),
        ("-1-0020000000000001", "0020000000000001:1"),
        ("-0-0020000000000001", "0020000000000001:0"),
        ("-d-1", "0000000000000001:3"),
        ("-1-0", "0:1"),
        ("--1", "0000000000000001:?"),
    ] {
        let value = ids.clone() + rest;
        let expected = format!("{TRACE}:{SPAN}:{suffix}");
        assert_eq!(read_text(&[("b3", &value)]), expected, "{value}");
        let padded = format!(" {value}\t");
        assert_eq!(read_text(&[("B3", &padded)]), expected, "{value}");
    }
}

#[test]
fn a_state_alone_is_read() {
    for (value, expected) in [
        ("0", "none:0"),
        ("1", "none:1"),
        ("d", "none:3"),
        ("true", "none:1"),
        ("FALSE", "none:0"),
    ] {
        assert_eq!(read_text(&[("b3", value)]), expected, "{value}");
    }
}

#[test]
fn one_header_that_is_malformed_is_an_error() {
    let state_rule = "expected ids or a sampling state";
    for (value, rule) in [
        ("", state_rule),
        ("2", state_rule),
        (TRACE, state_rule),
        ("-", "expected a trace id of 1 to 32 hex digits"),
        ("---", "expected a trace id of 1 to 32 hex digits"),
        ("1--1", "expected a span id of 1 to 16 hex digits"),
        ("1-", "expected a span id of 1 to 16 hex digits"),
        ("1-2-1-", "expected a parent span id of 1 to 16 hex digits"),
        (
            "1-2-1-3-4",
            "expected at most four parts with dashes between them",
        ),
        (
            "1-2-1-3-",
            "expected at most four parts with dashes between them",
        ),
        (
            "00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01",
            "expected a span id of 1 to 16 hex digits",
        ),
    ] {
        assert_eq!(
            error(&[("b3", value)]),
            ("b3".to_owned(), rule, value.to_owned())
        );
    }
}

#[test]
fn one_header_wins_over_several_unless_it_is_malformed() {
    let several = |state: &'static str| {
        [
            ("x-b3-traceid", "a"),
            ("x-b3-spanid", "b"),
            ("x-b3-sampled", state),
        ]
    };
    let of_several = "000000000000000a:000000000000000b:0:1";
    for (one, expected, conflicts) in [
        ("a-b-1", of_several, 0),
        (
            "a-b-1-c",
            "000000000000000a:000000000000000b:000000000000000c:1",
            0,
        ),
        ("a-b-0", "000000000000000a:000000000000000b:0:0", 1),
        ("a-b", "000000000000000a:000000000000000b:0:?", 0),
        ("1-2-0", "0000000000000001:0000000000000002:0:0", 1),
        ("0", "none:0", 1),
        ("1", "none:1", 0),
        ("a-b-d", "000000000000000a:000000000000000b:0:3", 1),
        ("bad", of_several, 0),
        ("", of_several, 0),
        ("1-2-1-zz", of_several, 0),
    ] {
        let counted = Counted::multiple();
        let headers = [&several("1")[..], &[("b3", one)]].concat();
        let context = counted.read(&headers).expect(one);
        assert_eq!(text(&context), expected, "{one}");
        assert_eq!(
            counted.get(Counter::PropagationConflicts),
            conflicts,
            "{one}"
        );
    }
    // Several malformed headers do not matter beside a good one, and a state alone is enough beside a bad one.
    let bad = [("b3", "1-2-1"), ("x-b3-traceid", "bad!")];
    assert_eq!(read_text(&bad), "0000000000000001:0000000000000002:0:1");
    assert_eq!(read_text(&[("b3", "bad"), ("x-b3-sampled", "0")]), "none:0");
    for several in ["x-b3-parentspanid", "x-b3-spanid"] {
        assert_eq!(error(&[("b3", "bad"), (several, "1")]).0, "b3");
        assert_eq!(error(&[("b3", "bad"), (several, "zz")]).0, "b3");
    }
}

#[test]
fn the_first_of_several_values_counts() {
    let ids = [("x-b3-traceid", "1"), ("x-b3-spanid", "2")];
    let is = "0000000000000001:0000000000000002:0";
    for (more, flags, conflicts) in [
        (&[("x-b3-sampled", "1"), ("X-B3-Sampled", "1")][..], "1", 0),
        (&[("x-b3-sampled", "1"), ("x-b3-sampled", "0")], "1", 1),
        (&[("x-b3-sampled", "0"), ("x-b3-sampled", "1")], "0", 1),
        (&[("x-b3-sampled", "0, 1")], "0", 1),
        (&[("x-b3-flags", "0"), ("x-b3-flags", "1")], "?", 1),
        (&[("x-b3-flags", "1,0")], "3", 1),
        (&[("x-b3-traceid", "5"), ("x-b3-sampled", "1")], "1", 1),
        (&[("x-b3-spanid", "zz"), ("x-b3-sampled", "1")], "1", 1),
    ] {
        let counted = Counted::multiple();
        let headers = [&ids[..], more].concat();
        let context = counted.read(&headers).expect("ids");
        assert_eq!(text(&context), format!("{is}:{flags}"), "{more:?}");
        assert_eq!(
            counted.get(Counter::PropagationConflicts),
            conflicts,
            "{more:?}"
        );
    }
    for (values, expected, conflicts) in [
        (&["1-2-1", "1-2-1"][..], Some("1"), 0),
        (&["1-2-1", "1-2-0"], Some("1"), 1),
        (&["bad", "1-2-0"], Some("0"), 0),
        (&["bad,1-2-0,1-2-1"], Some("0"), 1),
        (&["1-2-d, "], Some("3"), 0),
        (&["bad", "worse"], None, 0),
    ] {
        let counted = Counted::multiple();
        let headers: Vec<_> = values.iter().map(|value| ("b3", *value)).collect();
        let read = counted.codec.extract(&owned(&headers));
        let read = read.ok().flatten().map(|context| text(&context));
        assert_eq!(
            read,
            expected.map(|flags| format!("{is}:{flags}")),
            "{values:?}"
        );
        assert_eq!(
            counted.get(Counter::PropagationConflicts),
            conflicts,
            "{values:?}"
        );
    }
    assert_eq!(error(&[("b3", "bad"), ("b3", "worse")]).2, "bad");
}

#[test]
fn several_headers_are_written_in_lower_case_and_padded() {
    let multiple = B3Codec::multiple_headers();
    for (context, expected) in [
        (
            context((0, 1), 2, 3, 1),
            &[
                ("x-b3-traceid", "0000000000000001"),
                ("x-b3-spanid", "0000000000000002"),
                ("x-b3-parentspanid", "0000000000000003"),
                ("x-b3-sampled", "1"),
            ][..],
        ),
        (
            context((0xA, 0xB), 0xC, 0, 0),
            &[
                ("x-b3-traceid", "000000000000000a000000000000000b"),
                ("x-b3-spanid", "000000000000000c"),
                ("x-b3-sampled", "0"),
            ],
        ),
        (
            context((0, 1), 2, 0, DEBUG),
            &[
                ("x-b3-traceid", "0000000000000001"),
                ("x-b3-spanid", "0000000000000002"),
                ("x-b3-flags", "1"),
                ("x-b3-sampled", "1"),
            ],
        ),
        // Debug without sampled: B3 has no such state.
        (
            context((0, 1), 2, 0, 2),
            &[
                ("x-b3-traceid", "0000000000000001"),
                ("x-b3-spanid", "0000000000000002"),
                ("x-b3-sampled", "0"),
            ],
        ),
        (
            short().with_deferred_sampling(),
            &[
                ("x-b3-traceid", "0000000000000001"),
                ("x-b3-spanid", "0000000000000002"),
            ],
        ),
        (
            SpanContext::without_trace(Flags::default()),
            &[("x-b3-sampled", "0")],
        ),
        (
            SpanContext::without_trace(Flags::SAMPLED),
            &[("x-b3-sampled", "1")],
        ),
        (
            SpanContext::without_trace(Flags::from_bits(DEBUG)),
            &[("x-b3-sampled", "1"), ("x-b3-flags", "1")],
        ),
        (SpanContext::default(), &[]),
        (
            SpanContext::default().with_baggage_item("k", "v"),
            &[("baggage-k", "v")],
        ),
    ] {
        assert_eq!(written(&multiple, &context), map(expected), "{context:?}");
    }
}

#[test]
fn one_header_is_written() {
    let single = B3Codec::single_header();
    for (context, expected) in [
        (
            context((0, 1), 2, 3, 1),
            Some("0000000000000001-0000000000000002-1-0000000000000003"),
        ),
        (
            context((0xA, 0xB), 0xC, 0, 0),
            Some("000000000000000a000000000000000b-000000000000000c-0"),
        ),
        (
            context((u64::MAX, u64::MAX), u64::MAX, u64::MAX, DEBUG),
            Some("ffffffffffffffffffffffffffffffff-ffffffffffffffff-d-ffffffffffffffff"),
        ),
        (
            context((0, 1), 2, 0, 2),
            Some("0000000000000001-0000000000000002-0"),
        ),
        (
            context((0, 1), 2, 3, 0).with_deferred_sampling(),
            Some("0000000000000001-0000000000000002"),
        ),
        (SpanContext::without_trace(Flags::default()), Some("0")),
        (SpanContext::without_trace(Flags::SAMPLED), Some("1")),
        (
            SpanContext::without_trace(Flags::from_bits(DEBUG)),
            Some("d"),
        ),
        (SpanContext::default(), None),
    ] {
        let expected: Vec<_> = expected.map(|value| ("b3", value)).into_iter().collect();
        assert_eq!(written(&single, &context), map(&expected), "{context:?}");
    }
}

#[test]
fn headers_of_an_earlier_request_are_removed() {
    let stale = || {
        Headers::from([
            ("X-B3-TraceId".to_owned(), "1".to_owned()),
            ("x-b3-parentspanid".to_owned(), "1".to_owned()),
            ("X-B3-Flags".to_owned(), "1".to_owned()),
            ("B3".to_owned(), "1-2-d".to_owned()),
            ("Baggage-Old".to_owned(), "1".to_owned()),
            ("accept".to_owned(), "*/*".to_owned()),
            ("x-b3-other".to_owned(), "kept".to_owned()),
        ])
    };
    let kept = [("accept", "*/*"), ("x-b3-other", "kept")];
    for (codec, own) in [
        (
            B3Codec::multiple_headers(),
            &[
                ("x-b3-traceid", "0000000000000001"),
                ("x-b3-spanid", "0000000000000002"),
                ("x-b3-sampled", "1"),
            ][..],
        ),
        (
            B3Codec::single_header(),
            &[("b3", "0000000000000001-0000000000000002-1")],
        ),
    ] {
        let mut headers = stale();
        codec.inject(&short(), &mut headers);
        assert_eq!(headers, owned(&[&kept[..], own].concat()));
        let mut headers = stale();
        codec.inject(&SpanContext::default(), &mut headers);
        assert_eq!(headers, owned(&kept));
    }
}

#[test]
fn baggage_values_are_plain_where_all_readers_agree_on_them() {
    for (value, on_the_wire) in [
        ("42", "42"),
        ("", ""),
        ("two words", "two words"),
        ("a+b", "a+b"),
        ("k=v;w,\"x\"\\", "k=v;w,\"x\"\\"),
        ("100%", "100%"),
        ("5% or 6%zz", "5% or 6%zz"),
        ("a%20b", "a%2520b"),
        (" padded ", "%20padded%20"),
        ("é", "%C3%A9"),
        ("🚀 go", "%F0%9F%9A%80%20go"),
        ("line\nbreak", "line%0Abreak"),
        ("\r\nx-evil: 1", "%0D%0Ax-evil%3A%201"),
        ("a\tb", "a%09b"),
        ("\0\u{7f}", "%00%7F"),
    ] {
        for codec in [B3Codec::multiple_headers(), B3Codec::single_header()] {
            let context = short().with_baggage_item("key", value);
            let headers = written(&codec, &context);
            assert_eq!(headers["baggage-key"], on_the_wire, "{value:?}");
            let read = codec.extract(&headers).unwrap().expect("ids");
            assert_eq!(read.baggage().get("key"), Some(value), "{value:?}");
        }
    }
}

#[test]
fn baggage_is_read_from_its_prefix_in_any_case() {
    let ids = [("x-b3-traceid", "1"), ("x-b3-spanid", "2")];
    let baggage = [
        ("Baggage-User", "42"),
        ("baggage-cit%79", "a+b%2Bc"),
        ("BAGGAGE-B", "1"),
        ("baggage-b", "2"),
        ("baggage", "no item"),
    ];
    let context = read(&[&ids[..], &baggage].concat()).expect("ids");
    assert_eq!(
        items(&context),
        [("b", "2"), ("cit%79", "a+b+c"), ("user", "42")]
    );
    let alone = read(&baggage).expect("baggage");
    assert_eq!(text(&alone), "none");
    assert_eq!(items(&alone), items(&context));
    let with_state = read(&[&baggage[..], &[("b3", "0")]].concat()).expect("baggage");
    assert_eq!(text(&with_state), "none:0");
    assert_eq!(items(&with_state), items(&context));
}

#[test]
fn the_baggage_prefix_can_be_set() {
    for codec in [B3Codec::multiple_headers(), B3Codec::single_header()] {
        let codec = codec.baggage_prefix("UberCtx-").expect("legal");
        let context = short().with_baggage_item("k", "v");
        let headers = written(&codec, &context);
        assert_eq!(headers["uberctx-k"], "v");
        assert_eq!(codec.extract(&headers), Ok(Some(context)));
        let other = map(&[("baggage-k", "v")]);
        assert_eq!(codec.extract(&other), Ok(None));
    }
    for illegal in ["", "a b", "é", "a:"] {
        assert!(
            B3Codec::single_header().baggage_prefix(illegal).is_err(),
            "{illegal:?}"
        );
    }
}

#[test]
fn a_baggage_key_that_cannot_stand_in_a_header_name_is_left_out_and_counted() {
    let counted = Counted::new(
        B3Codec::multiple_headers()
            .baggage_prefix("x-b3-")
            .expect("legal"),
    );
    let illegal = ["", "a b", "a:b", "é", "a\nb", "traceid", "SPANID", "flags"];
    let context = illegal
        .iter()
        .fold(short(), |context, key| context.with_baggage_item(key, "v"))
        .with_baggage_item("fine", "v");
    let headers = written(&counted.codec, &context);
    assert_eq!(
        headers.keys().collect::<Vec<_>>(),
        ["x-b3-fine", "x-b3-sampled", "x-b3-spanid", "x-b3-traceid"]
    );
    assert_eq!(
        counted.get(Counter::BaggageItemsSkipped),
        illegal.len() as u64
    );
    let read = counted.codec.extract(&headers).unwrap().expect("ids");
    assert_eq!(items(&read), [("fine", "v")]);
}

#[test]
fn baggage_beyond_the_limits_is_left_out_and_counted() {
    let ids = || owned(&[("x-b3-traceid", "1"), ("x-b3-spanid", "2")]);
    let numbered = |count: usize| (0..count).map(|n| (format!("baggage-k{n}"), "v".to_owned()));
    let one = |bytes: usize| std::iter::once(("baggage-k".to_owned(), "v".repeat(bytes)));
    let fits = Baggage::MAX_BYTES - 1;
    for (baggage, kept, skipped) in [
        (numbered(64).collect::<Vec<_>>(), 64, 0),
        (numbered(65).collect(), 64, 1),
        (numbered(1_000).collect(), 64, 936),
        (one(fits).collect(), 1, 0),
        (one(fits + 1).collect(), 0, 1),
        (one(1 << 20).chain(numbered(1)).collect(), 1, 1),
    ] {
        let counted = Counted::multiple();
        let headers: Headers = ids().into_iter().chain(baggage).collect();
        let context = counted.codec.extract(&headers).unwrap().expect("ids");
        assert_eq!(context.baggage().len(), kept);
        assert_eq!(counted.get(Counter::BaggageItemsSkipped), skipped);
    }
}

#[test]
fn a_huge_header_is_read_without_harm() {
    let commas = ",".repeat(1 << 16);
    let dashes = "-".repeat(1 << 16);
    for value in [&commas, &dashes] {
        assert_eq!(error(&[("b3", value)]).0, "b3");
        assert_eq!(
            error(&[("x-b3-traceid", value), ("x-b3-spanid", "1")]).0,
            "x-b3-traceid"
        );
        assert_eq!(read_text(&[("x-b3-sampled", value)]), "nothing");
    }
}

#[test]
fn the_codec_names_its_headers() {
    for codec in [B3Codec::multiple_headers(), B3Codec::single_header()] {
        let headers = codec.headers();
        let names: Vec<_> = headers.names().collect();
        let several = ["traceid", "spanid", "parentspanid", "sampled", "flags"];
        let several = several.map(|name| format!("x-b3-{name}"));
        assert_eq!(names, [&several[..], &["b3".to_owned()]].concat());
        assert_eq!(headers.prefixes().collect::<Vec<_>>(), ["baggage-"]);
    }
}

fn tracer(keep: bool, codec: B3Codec) -> JaegerTracer {
    JaegerTracer::builder("test")
        .sampler(ConstSampler::new(keep))
        .reporter(InMemoryReporter::new())
        .text_map_codec(codec)
        .build()
        .expect("named")
}

#[test]
fn the_receiver_decides_where_the_headers_do_not() {
    let ids = [("x-b3-traceid", "1"), ("x-b3-spanid", "2")];
    for keep in [true, false] {
        let tracer = tracer(keep, B3Codec::multiple_headers());
        for (state, is_sampled) in [
            (&[][..], keep),
            (&[("x-b3-sampled", "1")], true),
            (&[("x-b3-sampled", "0")], false),
        ] {
            let parent = tracer.extract(&owned(&[&ids[..], state].concat()));
            let parent = parent.unwrap().expect("ids");
            let span = tracer.build_span("s").child_of(&parent).start();
            assert_eq!(span.context().trace_id(), parent.trace_id());
            assert_eq!(span.context().is_sampled(), is_sampled, "{keep} {state:?}");
            // What was decided goes on.
            let mut headers = Headers::new();
            tracer.inject(&span.context(), &mut headers);
            let sent = headers.iter().find(|(name, _)| name == "x-b3-sampled");
            let sent = sent.map(|(_, value)| &**value);
            assert_eq!(sent, Some(if is_sampled { "1" } else { "0" }));
        }
    }
}

#[test]
fn a_state_alone_decides_on_the_next_root() {
    for keep in [true, false] {
        let tracer = tracer(keep, B3Codec::single_header());
        for (state, flags) in [("0", 0), ("1", 1), ("d", DEBUG)] {
            let parent = tracer.extract(&owned(&[("b3", state)])).unwrap();
            let parent = parent.expect("a state");
            let root = tracer.build_span("s").child_of(&parent).start();
            assert_eq!(root.context().parent_id(), None);
            assert_eq!(root.context().flags().bits(), flags, "{keep} {state}");
        }
    }
}

#[cfg(feature = "http")]
#[test]
fn a_header_map_is_a_carrier() {
    let mut map = http::HeaderMap::new();
    map.append("x-b3-sampled", "0".parse().unwrap());
    map.append("x-b3-sampled", "1".parse().unwrap());
    map.append("b3", "1-2-d".parse().unwrap());
    map.append(
        "baggage-raw",
        http::HeaderValue::from_bytes("é".as_bytes()).unwrap(),
    );
    map.append(
        "baggage-no-text",
        http::HeaderValue::from_bytes(b"a\xff").unwrap(),
    );
    let codec = B3Codec::multiple_headers();
    let context = codec.extract(&map).unwrap().expect("ids");
    assert_eq!(text(&context), "0000000000000001:0000000000000002:0:3");
    assert_eq!(items(&context), [("no-text", "a\u{fffd}"), ("raw", "é")]);
    codec.inject(&context, &mut map);
    assert_eq!(map.get("b3"), None);
    assert_eq!(map.get_all("x-b3-sampled").iter().count(), 1);
    assert_eq!(map["x-b3-flags"], "1");
    assert_eq!(map["baggage-raw"], "%C3%A9");
    assert_eq!(codec.extract(&map), Ok(Some(context)));
}

/// Values near to what a B3 header may hold.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9a-fA-F]{0,34}",
        "[0-9a-f]{1,33}-[0-9a-f]{1,17}(-[01dtrue]{0,2}(-[0-9a-f]{0,17})?)?",
        "[01d]|true|false",
        ".{0,40}",
        "[0-9a-f,; -]{0,80}",
    ]
}

fn headers() -> impl Strategy<Value = Headers> {
    let name = prop::sample::select(vec![
        "b3",
        "X-B3-TraceId",
        "x-b3-spanid",
        "x-b3-parentspanid",
        "X-B3-SAMPLED",
        "x-b3-flags",
        "baggage-K",
        "baggage-é",
    ]);
    prop::collection::vec((name.prop_map(str::to_owned), value()), 0..8)
}

/// Removes what B3 cannot carry: flags beyond sampled and debug.
fn carried(context: &SpanContext) -> SpanContext {
    let flags = context.flags().bits();
    let flags = Flags::from_bits(if flags & 1 == 0 { 0 } else { flags & 3 });
    match (context.trace_id(), context.span_id()) {
        (Some(trace_id), Some(span_id)) => {
            SpanContext::new(trace_id, span_id, context.parent_id(), flags)
                .with_baggage(context.baggage().clone())
        }
        _ => context.clone(),
    }
}

proptest! {
    #![proptest_config(super::properties::config())]

    #[test]
    fn extract_returns_what_inject_wrote(
        context in super::properties::context("[a-z0-9!#$%&'*+.^_`|~-]{1,40}"),
    ) {
        for codec in [B3Codec::multiple_headers(), B3Codec::single_header()] {
            let counted = Counted::new(codec);
            let mut headers = Headers::new();
            counted.codec.inject(&context, &mut headers);
            let read = counted.codec.extract(&headers).unwrap().unwrap_or_default();
            prop_assert_eq!(text(&read), text(&carried(&context)));
            prop_assert_eq!(items(&read), items(&context));
            prop_assert_eq!(counted.get(Counter::BaggageItemsSkipped), 0);
            prop_assert_eq!(counted.get(Counter::PropagationConflicts), 0);
        }
    }

    #[test]
    fn inject_writes_only_safe_ascii(context in super::properties::context(".{0,20}")) {
        for codec in [B3Codec::multiple_headers(), B3Codec::single_header()] {
            for (name, value) in written(&codec, &context) {
                prop_assert!(tracehound::propagation::Key::new(&name).is_ok(), "{name:?}");
                let is_printable = |byte: u8| matches!(byte, b' '..=b'~');
                prop_assert!(value.bytes().all(is_printable), "{name:?}: {value:?}");
                prop_assert_eq!(value.trim(), &*value);
            }
        }
    }

    #[test]
    fn any_headers_are_read_within_the_limits(headers in headers()) {
        for codec in [B3Codec::multiple_headers(), B3Codec::single_header()] {
            match codec.extract(&headers) {
                Ok(Some(context)) => {
                    super::properties::check_limits(&context);
                    let multiple = B3Codec::multiple_headers();
                    let sent_on = written(&multiple, &context);
                    let read = multiple.extract(&sent_on).unwrap().unwrap_or_default();
                    prop_assert_eq!(text(&read), text(&context));
                }
                Ok(None) => {}
                Err(error) => prop_assert!(error.to_string().len() < 400, "{error}"),
            }
        }
    }
}

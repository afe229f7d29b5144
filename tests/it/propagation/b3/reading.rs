//! What is read from B3 headers.

use tracehound::metrics::Counter;
use tracehound::propagation::Extractor;

use super::{Counted, PARENT, SPAN, TRACE, error, read_text, text};
use crate::propagation::owned;

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
            if text.is_empty() && header == "x-b3-parentspanid" {
                assert_eq!(read_text(&several), format!("{TRACE}:{SPAN}:0:1"));
            } else {
                assert_eq!(error(&several), (header.to_owned(), rule, text.to_owned()));
            }
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
fn an_empty_parent_id_is_no_parent() {
    // As a program behind Envoy sends the headers on, which copies each whether it came or not.
    let copied = [
        ("x-b3-traceid", TRACE),
        ("x-b3-spanid", SPAN),
        ("x-b3-parentspanid", " "),
        ("x-b3-sampled", "1"),
        ("x-b3-flags", ""),
    ];
    assert_eq!(read_text(&copied), format!("{TRACE}:{SPAN}:0:1"));
    assert_eq!(read_text(&[("x-b3-parentspanid", "")]), "nothing");
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

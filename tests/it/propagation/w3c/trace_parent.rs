//! The header `traceparent`.

use tracehound::SpanContext;
use tracehound::metrics::Counter;
use tracehound::model::{Flags, SpanId, TraceId};
use tracehound::propagation::{ExtractError, Extractor, Propagation};

use super::{Counted, PARENT, SPAN, TRACE};
use crate::propagation::{Headers, owned};

#[test]
fn extract_reads_a_well_formed_traceparent() {
    let (value, long) = (PARENT.to_owned(), format!("fe-{TRACE}-{SPAN}-01-x"));
    for (name, value, is_sampled, is_random) in [
        ("traceparent", &*value, true, false),
        ("TraceParent", &value, true, false),
        ("TRACEPARENT", &value, true, false),
        (
            "traceparent",
            &format!("00-{TRACE}-{SPAN}-00"),
            false,
            false,
        ),
        ("traceparent", &format!("00-{TRACE}-{SPAN}-02"), false, true),
        ("traceparent", &format!("00-{TRACE}-{SPAN}-03"), true, true),
        (
            "traceparent",
            &format!("00-{TRACE}-{SPAN}-fc"),
            false,
            false,
        ),
        ("traceparent", &format!("00-{TRACE}-{SPAN}-ff"), true, true),
        (
            "traceparent",
            &format!(" 00-{TRACE}-{SPAN}-01"),
            true,
            false,
        ),
        (
            "traceparent",
            &format!("\t00-{TRACE}-{SPAN}-01 \t"),
            true,
            false,
        ),
        // Versions to come.
        ("traceparent", &format!("01-{TRACE}-{SPAN}-01"), true, false),
        ("traceparent", &format!("cc-{TRACE}-{SPAN}-01"), true, false),
        (
            "traceparent",
            &format!("cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like"),
            true,
            false,
        ),
        (
            "traceparent",
            &format!("cc-{TRACE}-{SPAN}-00-"),
            false,
            false,
        ),
        ("traceparent", &format!("cc-{TRACE}-{SPAN}-ff"), true, false),
        ("traceparent", &long, true, false),
    ] {
        let read = Counted::new().read(&[(name, value)]);
        assert_eq!(
            read.trace_id().map(|id| id.to_string()).as_deref(),
            Some(TRACE),
            "{value}"
        );
        assert_eq!(
            read.span_id().map(|id| id.to_string()).as_deref(),
            Some(SPAN),
            "{value}"
        );
        assert_eq!(
            read.flags(),
            if is_sampled {
                Flags::SAMPLED
            } else {
                Flags::default()
            }
        );
        assert_eq!(read.has_random_trace_id(), is_random, "{value}");
        assert_eq!(read.parent_id(), None);
        assert!(read.is_remote() && read.is_sampling_final());
    }
}

#[test]
fn extract_refuses_a_malformed_traceparent_and_uses_nothing_else() {
    let (upper, zeros) = (TRACE.to_uppercase(), "0".repeat(32));
    for value in [
        "",
        " ",
        "00",
        "foo",
        "00--",
        "5af7183fb1d4cf5f:6b221d5bc9e6496c:0:1",
        &format!("ff-{TRACE}-{SPAN}-01"),
        &format!("0-{TRACE}-{SPAN}-01"),
        &format!("000-{TRACE}-{SPAN}-01"),
        &format!("0x-{TRACE}-{SPAN}-01"),
        &format!("CC-{TRACE}-{SPAN}-01"),
        &format!("00-{upper}-{SPAN}-01"),
        &format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
        &format!("00-{TRACE}-{SPAN}-0A"),
        &format!("00-{zeros}-{SPAN}-01"),
        &format!("00-{TRACE}-{}-01", &zeros[..16]),
        &format!("00-{}-{SPAN}-01", &TRACE[1..]),
        &format!("00-{}-{SPAN}-01", &TRACE[16..]),
        &format!("00-{TRACE}0-{SPAN}-01"),
        &format!("00-.{}-{SPAN}-01", &TRACE[1..]),
        &format!("00-{TRACE}-{}-01", &SPAN[1..]),
        &format!("00-{TRACE}-{SPAN}0-01"),
        &format!("00-{TRACE}-.{}-01", &SPAN[1..]),
        &format!("00-{TRACE}-{SPAN}-1"),
        &format!("00-{TRACE}-{SPAN}-001"),
        &format!("00-{TRACE}-{SPAN}-.0"),
        &format!("00-{TRACE}-{SPAN}-+1"),
        &format!("00-{TRACE}-{SPAN}-01."),
        &format!("00-{TRACE}-{SPAN}-01-"),
        &format!("00-{TRACE}-{SPAN}-01-what-the-future-will-not-be-like"),
        &format!("00-{TRACE}-{SPAN}"),
        &format!("00_{TRACE}_{SPAN}_01"),
        &format!("cc-{TRACE}-{SPAN}-01.what-the-future-will-not-be-like"),
        &format!("cc-{TRACE}-{SPAN}-0"),
        &format!("cc-{zeros}-{SPAN}-01"),
        &format!("{PARENT},{PARENT}"),
        &format!("00-{TRACE}-{SPAN}-0１"),
        &"0".repeat(65_536),
    ] {
        let headers = [
            ("traceparent", value),
            ("tracestate", "a=1"),
            ("baggage", "k=v"),
        ];
        for headers in [&headers[..1], &headers] {
            let counted = Counted::new();
            let error = counted.extract(headers).expect_err(value);
            let ExtractError::Corrupted {
                header,
                value: shown,
                ..
            } = &error
            else {
                panic!("{error}")
            };
            assert_eq!(header, "traceparent");
            assert!(shown.len() <= 4 * 64, "{shown}");
            // Whoever calls the codec counts the error.
            assert_eq!(counted.count(Counter::DecodingErrors), 0);
        }
    }
}

#[test]
fn several_traceparents_that_differ_are_an_error() {
    let other = format!("00-{TRACE}-{SPAN}-00");
    for second in [&*other, "bad"] {
        for headers in [
            [("traceparent", PARENT), ("traceparent", second)],
            [("traceparent", second), ("TraceParent", PARENT)],
        ] {
            let error = Counted::new().extract(&headers).expect_err(second);
            assert!(
                error
                    .to_string()
                    .contains("expected one header, found several"),
                "{error}"
            );
        }
    }
}

#[test]
fn several_equal_traceparents_are_one() {
    let padded = format!(" {PARENT}");
    let headers = [PARENT, &padded, PARENT].map(|value| ("traceparent", value));
    let context = Counted::new().read(&headers);
    assert_eq!(context.to_string(), format!("{TRACE}:{SPAN}:0:1"));
}

#[test]
fn the_last_valid_traceparent_of_a_message_counts_with_its_tracestate() {
    let earlier = "00-463ac35c9f6413ad48485a3953bb6124-0000000000000007-01";
    let read = |format: Propagation, headers: &[(&str, &str)]| {
        let context = format.text_map_codec().extract(&headers);
        let context = context.expect("a valid one").expect("a trace");
        (
            context.to_string(),
            context.trace_state().expect("one").to_header().into_owned(),
        )
    };
    for format in [Propagation::W3c, Propagation::TraceContext] {
        let appended = [
            ("traceparent", earlier),
            ("tracestate", "a=1,b=2"),
            ("traceparent", PARENT),
            ("tracestate", "a=3"),
            ("traceparent", "bad"),
        ];
        let (context, state) = read(format, &appended);
        assert_eq!(context, format!("{TRACE}:{SPAN}:0:1"));
        assert_eq!(state, "a=3");
        let bad = [("traceparent", "bad"), ("traceparent", "worse")];
        let error = format.text_map_codec().extract(&&bad[..]);
        assert!(error.is_err(), "{error:?}");
    }
}

#[test]
fn inject_writes_the_trace() {
    let ids = |high, low| TraceId::new(high, low).expect("not zero");
    let span = SpanId::new(0x2a).expect("not zero");
    for (trace_id, flags, is_random, expected) in [
        (
            ids(0, 1),
            0,
            false,
            "00-00000000000000000000000000000001-000000000000002a-00",
        ),
        (
            ids(0, 1),
            1,
            false,
            "00-00000000000000000000000000000001-000000000000002a-01",
        ),
        (
            ids(1, 0),
            1,
            true,
            "00-00000000000000010000000000000000-000000000000002a-03",
        ),
        (
            ids(1, 0),
            0,
            true,
            "00-00000000000000010000000000000000-000000000000002a-02",
        ),
        (
            ids(1, 2),
            0xfc,
            false,
            "00-00000000000000010000000000000002-000000000000002a-00",
        ),
        (
            ids(1, 2),
            3,
            false,
            "00-00000000000000010000000000000002-000000000000002a-01",
        ),
        (
            ids(1, 2),
            2,
            false,
            "00-00000000000000010000000000000002-000000000000002a-00",
        ),
        (
            ids(1, 2),
            8,
            false,
            "00-00000000000000010000000000000002-000000000000002a-00",
        ),
    ] {
        let context = SpanContext::new(trace_id, span, SpanId::new(9), Flags::from_bits(flags))
            .with_random_trace_id(is_random);
        assert_eq!(
            Counted::new().inject(&context),
            owned(&[("traceparent", expected)])
        );
    }
    assert_eq!(
        Counted::new().inject(&SpanContext::default()),
        Headers::new()
    );
}

#[test]
fn a_later_version_is_sent_on_as_version_00() {
    let counted = Counted::new();
    let read = counted.read(&[("traceparent", &format!("cc-{TRACE}-{SPAN}-ff-more"))]);
    assert_eq!(counted.inject(&read), owned(&[("traceparent", PARENT)]));
}

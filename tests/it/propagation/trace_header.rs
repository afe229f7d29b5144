//! The header `uber-trace-id`: accepted forms, refused forms, and several headers.

use std::collections::{BTreeMap, HashMap};

use tracehound::SpanContext;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::propagation::{
    ExtractError, Extractor, HeaderNames, HttpHeaders, Injector, JaegerCodec, TextMapReader,
};

use super::{Counted, context, owned};
use crate::support::recording_tracer;

/// Values that must be accepted, and the form in which they are sent on.
const ACCEPTED: &[(&str, &str)] = &[
    (
        "abcdef0123456789:1:0:1",
        "abcdef0123456789:0000000000000001:0:1",
    ),
    (
        "1:2:3:1",
        "0000000000000001:0000000000000002:0000000000000003:1",
    ),
    ("ABCD:EF:0:1", "000000000000abcd:00000000000000ef:0:1"),
    ("ABCDEF:1:0:0", "0000000000abcdef:0000000000000001:0:0"),
    (
        "10000000000000001:1:0:3",
        "00000000000000010000000000000001:0000000000000001:0:3",
    ),
    (
        "123456789abcdef0123456789abcdef:1:0:1",
        "0123456789abcdef0123456789abcdef:0000000000000001:0:1",
    ),
    (
        "463ac35c9f6413ad48485a3953bb6124:a2fb4a1d1a96d312:20000000000001:1",
        "463ac35c9f6413ad48485a3953bb6124:a2fb4a1d1a96d312:0020000000000001:1",
    ),
    (
        "0000000000000000000000000000000a:b:0:1",
        "000000000000000a:000000000000000b:0:1",
    ),
    (
        "1:1:0000000000000000:1",
        "0000000000000001:0000000000000001:0:1",
    ),
    ("a%3Ab%3A0%3A9", "000000000000000a:000000000000000b:0:9"),
    ("1%3A1%3A0%3A1", "0000000000000001:0000000000000001:0:1"),
    ("1%3a1%3a0%3a1", "0000000000000001:0000000000000001:0:1"),
    ("%31:1:0:1", "0000000000000001:0000000000000001:0:1"),
    (" 1:1:0:1", "0000000000000001:0000000000000001:0:1"),
    ("\t 1:1:0:1 \t", "0000000000000001:0000000000000001:0:1"),
    (" 1%3A1%3A0%3A1 ", "0000000000000001:0000000000000001:0:1"),
    ("1:1:0:01", "0000000000000001:0000000000000001:0:1"),
    ("1:1:0:0", "0000000000000001:0000000000000001:0:0"),
    ("1:1:0:a", "0000000000000001:0000000000000001:0:a"),
    ("1:1:0:10", "0000000000000001:0000000000000001:0:10"),
    ("1:1:0:ff", "0000000000000001:0000000000000001:0:ff"),
    ("1:1:0:FF", "0000000000000001:0000000000000001:0:ff"),
];

/// Values that must be refused.
const REFUSED: &[&str] = &[
    "",
    " ",
    "\t",
    ":::",
    "::::",
    "1:2:3",
    "1:2:3:4:5",
    "1:2:3:4:",
    ":1:2:3:4",
    "1::3:1",
    ":2:3:1",
    "1:2::1",
    "1:2:3:",
    "g:2:3:1",
    "xyz:1:0:1",
    "1zz:1:0:1",
    "1:2z:0:1",
    "1:2:3z:1",
    "1:2:3:1z",
    "+1:2:3:1",
    "1:+2:3:1",
    "1:2:+3:1",
    "1:2:3:+1",
    "+ff:2:3:1",
    "-1:2:3:1",
    "1:-2:3:1",
    "1:2:-3:1",
    "1:2:3:-1",
    "0x1:2:3:1",
    "1:0x2:3:1",
    "1_0:2:3:1",
    "1:2 :3:1",
    "1: 2:3:1",
    "1 :2:3:1",
    "1:2:3: 1",
    "1:2:3:100",
    "1:2:3:001",
    "1%3:2:3:1",
    "1:2:3:1%",
    "1:2:3:1%zz",
    "1:2:3:1%20",
    "%201:2:3:1",
    "1%253A2%253A3%253A1",
    "1%2C2:2:3:1",
    "1-2-3-1",
    "\"1:2:3:1\"",
    "1:2:3:1;p=1",
    "１:２:３:１",
    "\u{feff}1:2:3:1",
    "1:2:3:1\0",
    "1:2:3:1\r\n",
    "\n1:2:3:1",
    "111111111111111111111111111111111:2:3:1",
    "0000000000000000000000000000000001:2:3:1",
    "1111111111111111111111111111111111111111:2:3:1",
    "1:11111111111111111:3:1",
    "1:00000000000000001:3:1",
    "1:2:11111111111111111:1",
    "1:2:00000000000000003:1",
];

fn codecs() -> [Counted; 2] {
    [Counted::http(), Counted::text()]
}

#[test]
fn extract_accepts_every_legal_form_and_inject_writes_one() {
    for (value, sent_on) in ACCEPTED {
        for counted in codecs() {
            let context = counted
                .extract(&[("uber-trace-id", value)])
                .unwrap()
                .expect(value);
            assert!(context.is_remote() && context.is_sampling_final());
            let headers = counted.inject(&context);
            assert_eq!(headers, owned(&[("uber-trace-id", sent_on)]), "{value:?}");
            assert_eq!(counted.conflicts(), 0, "{value:?}");
        }
    }
}

#[test]
fn extract_refuses_every_other_form() {
    for value in REFUSED {
        for counted in codecs() {
            let headers = [
                ("uber-trace-id", *value),
                ("uberctx-key", "value"),
                ("jaeger-debug-id", "corr"),
                ("jaeger-baggage", "k=v"),
            ];
            let extracted = counted.extract(&headers);
            assert!(
                matches!(&extracted, Err(ExtractError::Corrupted { header, .. }) if header == "uber-trace-id"),
                "{value:?}: {extracted:?}"
            );
        }
    }
}

#[test]
fn an_id_of_zero_is_no_trace() {
    for value in [
        "0:1:0:1",
        "1:0:0:1",
        "0:0:0:0",
        "0:0:1:3",
        "00000000000000000000000000000000:0000000000000000:0:1",
    ] {
        for counted in codecs() {
            let trace = ("uber-trace-id", value);
            assert_eq!(counted.extract(&[trace]), Ok(None), "{value}");

            let context = counted
                .extract(&[trace, ("uberctx-k", "v")])
                .unwrap()
                .expect(value);
            assert!(!context.has_trace() && !context.is_sampled() && !context.is_debug());
            assert_eq!(context.baggage().get("k"), Some("v"), "{value}");

            let context = counted
                .extract(&[trace, ("jaeger-debug-id", "corr")])
                .unwrap();
            assert_eq!(context.expect(value).debug_id(), Some("corr"), "{value}");
        }
    }
}

#[test]
fn a_missing_trace_header_is_no_error() {
    for counted in codecs() {
        assert_eq!(counted.extract(&[]), Ok(None));
        let others = [
            ("content-type", "text/plain"),
            ("x-uber-trace-id", "1:2:0:1"),
            ("uber-trace-id-x", "1:2:0:1"),
            ("uber_trace_id", "1:2:0:1"),
        ];
        assert_eq!(counted.extract(&others), Ok(None));
    }
}

#[test]
fn the_last_valid_trace_header_wins() {
    for (values, chosen, conflicts) in [
        (
            &["1:1:0:1", "1:1:0:1"][..],
            "0000000000000001:0000000000000001:0:1",
            0,
        ),
        (
            &["1:1:0:1", "01:01:00:01"],
            "0000000000000001:0000000000000001:0:1",
            0,
        ),
        (
            &["1:1:0:1", "2:2:0:1"],
            "0000000000000002:0000000000000002:0:1",
            1,
        ),
        (
            &["1:1:0:1", "1:1:0:0"],
            "0000000000000001:0000000000000001:0:0",
            1,
        ),
        (
            &["1:1:0:1", "2:2:0:1", "1:1:0:1"],
            "0000000000000001:0000000000000001:0:1",
            1,
        ),
        (
            &["1:1:0:1", "garbage"],
            "0000000000000001:0000000000000001:0:1",
            1,
        ),
        (
            &["garbage", "1:1:0:1"],
            "0000000000000001:0000000000000001:0:1",
            1,
        ),
        (
            &["1:1:0:1", "0:0:0:0"],
            "0000000000000001:0000000000000001:0:1",
            1,
        ),
        (&["1:1:0:1", ""], "0000000000000001:0000000000000001:0:1", 1),
        (
            &["1:1:0:1, 1:1:0:1"],
            "0000000000000001:0000000000000001:0:1",
            0,
        ),
        (
            &["1:1:0:1, 2:2:0:1"],
            "0000000000000002:0000000000000002:0:1",
            1,
        ),
        (
            &["1:1:0:1,2%3A2%3A0%3A1"],
            "0000000000000002:0000000000000002:0:1",
            1,
        ),
        (
            &["1:1:0:1,\t2:2:0:1 ,garbage"],
            "0000000000000002:0000000000000002:0:1",
            1,
        ),
        (&["1:1:0:1,"], "0000000000000001:0000000000000001:0:1", 0),
        (&[",1:1:0:1"], "0000000000000001:0000000000000001:0:1", 0),
        (
            &["1:1:0:1", "2:2:0:1,3:3:0:1"],
            "0000000000000003:0000000000000003:0:1",
            1,
        ),
    ] {
        for counted in codecs() {
            let headers: Vec<_> = values
                .iter()
                .map(|value| ("uber-trace-id", *value))
                .collect();
            let context = counted.extract(&headers).unwrap().expect("a trace");
            assert_eq!(context.to_string(), chosen, "{values:?}");
            assert_eq!(counted.conflicts(), conflicts, "{values:?}");
        }
    }
}

#[test]
fn extract_refuses_several_invalid_trace_headers() {
    for counted in codecs() {
        for values in [
            &["x", "y"][..],
            &["x,y"],
            &["0:0:0:0", "x"],
            &[",", "x"],
            &[","],
        ] {
            let headers: Vec<_> = values
                .iter()
                .map(|value| ("uber-trace-id", *value))
                .collect();
            assert!(counted.extract(&headers).is_err(), "{values:?}");
        }
        let headers = [("uber-trace-id", "x"), ("uber-trace-id", "0:0:0:0")];
        assert_eq!(counted.extract(&headers), Ok(None));
        assert_eq!(counted.conflicts(), 0);
    }
}

#[test]
fn names_match_in_any_case() {
    fn check(carrier: &dyn TextMapReader) {
        for codec in [JaegerCodec::http_headers(), JaegerCodec::text_map()] {
            let read = codec.extract(carrier).unwrap().expect("a trace");
            assert_eq!(read.to_string(), context().to_string());
            assert_eq!(read.baggage().get("key"), Some("v"));
        }
    }
    let pairs = [("UBER-Trace-Id", "1:2:0:1"), ("UberCtx-KEY", "v")];
    check(&owned(&pairs));
    check(&owned(&pairs).into_iter().collect::<HashMap<_, _>>());
    check(&owned(&pairs).into_iter().collect::<BTreeMap<_, _>>());
    #[cfg(feature = "http")]
    {
        let mut headers = http::HeaderMap::new();
        for (name, value) in pairs {
            let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.insert(name, http::HeaderValue::from_static(value));
        }
        check(&headers);
        #[cfg(feature = "tonic")]
        check(&tonic::metadata::MetadataMap::from_headers(headers));
    }
}

#[test]
fn inject_replaces_earlier_trace_headers() {
    let mut headers = owned(&[
        ("Uber-Trace-Id", "9:9:0:0"),
        ("uber-trace-id", "8:8:0:0"),
        ("other", "o"),
    ]);
    JaegerCodec::http_headers().inject(&context(), &mut headers);
    let expected = [
        ("other", "o"),
        ("uber-trace-id", "0000000000000001:0000000000000002:0:1"),
    ];
    assert_eq!(headers, owned(&expected));
}

#[test]
fn a_context_without_a_trace_writes_no_trace_header() {
    for counted in codecs() {
        assert_eq!(counted.inject(&SpanContext::default()), []);
        let debug = SpanContext::default().with_debug_id("corr");
        assert_eq!(counted.inject(&debug), []);
        let baggage = debug.with_baggage_item("k", "v");
        assert_eq!(counted.inject(&baggage), owned(&[("uberctx-k", "v")]));
        let both = context().with_debug_id("corr");
        assert_eq!(counted.inject(&both).len(), 1);
    }
}

#[test]
fn an_error_shows_the_header_the_rule_and_a_short_value() {
    let names = HeaderNames::default().trace_id("X-Trace").unwrap();
    let counted = Counted::new(JaegerCodec::http_headers().header_names(names));
    let value = "1:2:3:\u{1b}[31m".to_owned() + &"x".repeat(100);
    let error = counted.extract(&[("x-trace", &value)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            r#"x-trace: expected flags of 1 or 2 hex digits: "1:2:3:\x1b[31m{}""#,
            "x".repeat(53)
        )
    );
}

#[test]
fn an_error_shows_no_other_header() {
    let headers = [
        ("authorization", "Bearer canary"),
        ("cookie", "canary"),
        ("uberctx-user", "canary"),
        ("jaeger-baggage", "token=canary"),
        ("jaeger-debug-id", "canary"),
        ("uber-trace-id", "malformed"),
    ];
    for counted in codecs() {
        let error = counted.extract(&headers).unwrap_err();
        assert!(
            !format!("{error} {error:?}").contains("canary"),
            "{error:?}"
        );
    }
}

#[test]
fn a_tracer_counts_what_its_codecs_refuse() {
    let (tracer, _) = recording_tracer();
    let count = |counter| tracer.metrics().get(counter);

    let malformed = owned(&[("uber-trace-id", "x"), ("uber-trace-id", "y")]);
    assert!(tracer.extract(&malformed).is_err());
    assert!(tracer.extract(&HttpHeaders(&malformed)).is_err());
    assert_eq!(count(Counter::DecodingErrors), 2);

    let long = "v".repeat(9_000);
    let several = [
        ("uber-trace-id", "1:2:0:1"),
        ("uber-trace-id", "3:4:0:1"),
        ("uberctx-long", &*long),
    ];
    let parent = tracer.extract(&owned(&several)).unwrap();
    assert_eq!(count(Counter::PropagationConflicts), 1);
    assert_eq!(count(Counter::BaggageItemsSkipped), 1);

    let span = tracer.build_span("child").child_of(&parent).start();
    span.set_baggage_item("not a header", "v");
    let mut headers = BTreeMap::new();
    tracer.inject(&span.context(), &mut HttpHeaders(&mut headers));
    assert!(headers["uber-trace-id"].starts_with("0000000000000003:"));
    assert_eq!(
        headers.into_keys().collect::<Vec<_>>(),
        ["traceparent", "uber-trace-id"]
    );
    // Each of the two formats has left the item out.
    assert_eq!(count(Counter::BaggageItemsSkipped), 3);
    assert_eq!(count(Counter::DecodingErrors), 2);
}

//! What is written as B3 headers.

use tracehound::SpanContext;
use tracehound::model::Flags;
use tracehound::propagation::{B3Codec, Codec, Injector};

use super::{DEBUG, context, map, short, written};
use crate::propagation::{Headers, owned};

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
fn the_codec_names_its_headers() {
    for codec in [B3Codec::multiple_headers(), B3Codec::single_header()] {
        let headers = codec.headers();
        let names: Vec<_> = headers.names().collect();
        let several = ["traceid", "spanid", "parentspanid", "sampled", "flags"];
        let several = several.map(|name| format!("x-b3-{name}"));
        assert_eq!(names, [&["b3".to_owned()], &several[..]].concat());
        assert_eq!(headers.prefixes().collect::<Vec<_>>(), ["baggage-"]);
    }
}

//! Baggage beside B3 headers.

use tracehound::metrics::Counter;
use tracehound::model::Baggage;
use tracehound::propagation::{B3Codec, Extractor};

use super::{Counted, map, read, short, text, written};
use crate::propagation::{Headers, items, owned};

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

#[cfg(feature = "http")]
#[test]
fn a_header_map_holds_baggage_that_is_no_ascii_or_no_text() {
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
    tracehound::propagation::Injector::inject(&codec, &context, &mut map);
    assert_eq!(map.get("b3"), None);
    assert_eq!(map.get_all("x-b3-sampled").iter().count(), 1);
    assert_eq!(map["x-b3-flags"], "1");
    assert_eq!(map["baggage-raw"], "%C3%A9");
    assert_eq!(codec.extract(&map), Ok(Some(context)));
}

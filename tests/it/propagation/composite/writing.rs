//! What a codec of several formats writes, into a fresh carrier and over the headers of an earlier request.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tracehound::SpanContext;
use tracehound::prelude::*;
use tracehound::propagation::{
    B3Codec, Codec, CompositeCodec, Extractor, Injector, JaegerCodec, Propagation, W3cCodec,
};

use super::{Listened, headers};
use crate::propagation::pairs::contexts;
use crate::propagation::properties::config;
use crate::propagation::{Headers, owned};
use Propagation::{B3, B3Single, Baggage, Jaeger, TraceContext, W3c};

const ALL: [Propagation; 6] = [Jaeger, B3, B3Single, W3c, TraceContext, Baggage];

/// Headers of an earlier request in every format, and headers of others.
const EARLIER: [(&str, &str); 18] = [
    ("host", "shop"),
    ("uber-trace-id", "e:e:0:1"),
    ("Uberctx-Earlier", "e"),
    ("jaeger-debug-id", "e"),
    ("Jaeger-Baggage", "e=e"),
    ("uberctx", "not ours"),
    ("X-B3-TraceId", "e"),
    ("x-b3-spanid", "e"),
    ("x-b3-parentspanid", "e"),
    ("x-b3-sampled", "1"),
    ("x-b3-flags", "1"),
    ("B3", "e-e-1"),
    ("baggage-earlier", "e"),
    ("Baggage", "earlier=e"),
    ("traceparent", "e"),
    ("TraceState", "e=e"),
    ("baggages", "not ours"),
    ("user-agent", "curl"),
];

/// Returns headers with names in lower case, sorted.
fn sorted(headers: impl IntoIterator<Item = (String, String)>) -> Headers {
    let lower = |(name, value): (String, String)| (name.to_lowercase(), value);
    let mut headers: Headers = headers.into_iter().map(lower).collect();
    headers.sort();
    headers
}

#[cfg(feature = "http")]
fn header_map(headers: &Headers) -> http::HeaderMap {
    let mut map = http::HeaderMap::new();
    for (name, value) in headers {
        let name = http::HeaderName::from_bytes(name.as_bytes()).expect("legal");
        map.append(name, http::HeaderValue::from_str(value).expect("legal"));
    }
    map
}

#[cfg(feature = "http")]
fn of_header_map(map: &http::HeaderMap) -> Headers {
    let text = |value: &http::HeaderValue| value.to_str().expect("ASCII").to_owned();
    sorted(
        map.iter()
            .map(|(name, value)| (name.to_string(), text(value))),
    )
}

/// Checks that the earlier headers of the codec are gone, those of others are not, and the rest is as in a fresh carrier.
fn check_reuse(codec: &dyn Codec, context: &SpanContext) {
    let others = || {
        let others = owned(&EARLIER).into_iter();
        others.filter(|(name, _)| !codec.headers().contains(name))
    };
    let mut fresh = Headers::new();
    codec.inject(context, &mut fresh);
    let expected = sorted(fresh.iter().cloned().chain(others()));

    let mut list = owned(&EARLIER);
    for _ in 0..2 {
        codec.inject(context, &mut list);
        assert_eq!(sorted(list.clone()), expected, "{context:?}");
    }
    let mut map: BTreeMap<_, _> = owned(&EARLIER).into_iter().collect();
    codec.inject(context, &mut map);
    assert_eq!(sorted(map), expected, "{context:?}");
    #[cfg(feature = "http")]
    {
        let mut map = header_map(&owned(&EARLIER));
        for _ in 0..2 {
            codec.inject(context, &mut map);
            assert_eq!(of_header_map(&map), expected, "{context:?}");
        }
        let mut map = http::HeaderMap::new();
        codec.inject(context, &mut map);
        assert_eq!(of_header_map(&map), sorted(fresh), "{context:?}");
    }
}

/// Some formats in any order, each of which only reads, only writes, or does both.
fn members() -> impl Strategy<Value = Vec<(Propagation, u8)>> {
    let formats = prop::sample::subsequence(ALL.to_vec(), 0..=ALL.len()).prop_shuffle();
    (formats, prop::collection::vec(0..4_u8, ALL.len()))
        .prop_map(|(formats, roles)| formats.into_iter().zip(roles).collect())
}

fn composite(members: &[(Propagation, u8)]) -> CompositeCodec {
    let members = members.iter();
    members.fold(CompositeCodec::new(), |codec, (format, role)| {
        let member = format.http_headers_codec();
        match role {
            0 => codec.reader(member),
            1 => codec.writer(member),
            _ => codec.member(member),
        }
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_reused_carrier_ends_as_a_fresh_one_does(members in members(), context in contexts()) {
        check_reuse(&composite(&members), &context);
    }

    #[test]
    fn a_composite_writes_what_its_members_write(members in members(), context in contexts()) {
        let mut expected = BTreeMap::new();
        for (format, role) in &members {
            let mut headers = Headers::new();
            if *role > 0 {
                format.http_headers_codec().inject(&context, &mut headers);
            }
            expected.extend(headers);
        }
        let mut written = Headers::new();
        composite(&members).inject(&context, &mut written);
        prop_assert_eq!(sorted(written), sorted(expected));
    }
}

#[test]
fn a_tracer_of_all_formats_removes_the_stale_headers_of_all() {
    let listened = Listened::new(&ALL);
    let context = listened.read(&headers(&[Jaeger]));
    let mut carrier = owned(&EARLIER);
    listened.tracer.inject(&context, &mut carrier);
    let names: Vec<_> = sorted(carrier).into_iter().map(|(name, _)| name).collect();
    let expected = [
        "b3",
        "baggages",
        "host",
        "traceparent",
        "uber-trace-id",
        "uberctx",
        "user-agent",
        "x-b3-sampled",
        "x-b3-spanid",
        "x-b3-traceid",
    ];
    assert_eq!(names, expected);
    // A context without anything leaves nothing but the headers of others.
    let mut carrier = owned(&EARLIER);
    listened
        .tracer
        .inject(&SpanContext::default(), &mut carrier);
    assert_eq!(carrier.len(), 4);
}

#[test]
fn a_reader_writes_nothing_and_a_writer_reads_nothing() {
    let codec = CompositeCodec::new()
        .reader(B3Codec::multiple_headers())
        .writer(W3cCodec::new())
        .member(JaegerCodec::http_headers());
    let received = headers(&[B3, W3c]);
    let read = codec.extract(&&received[..]).unwrap().expect("of B3");
    assert_eq!(read.to_trace_id(), super::trace_id(B3));
    assert_eq!(read.conflict(), None, "W3C's trace is not read");
    assert_eq!(codec.extract(&&headers(&[W3c])[..]), Ok(None));

    let mut carrier = owned(&received);
    codec.inject(&read, &mut carrier);
    let names: Vec<_> = sorted(carrier).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["traceparent", "uber-trace-id"]);
}

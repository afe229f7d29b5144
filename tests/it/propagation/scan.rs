//! What a carrier of this crate finds in one pass is what a carrier finds that offers every header.

use std::collections::BTreeMap;

use proptest::prelude::*;
#[cfg(feature = "http")]
use tracehound::propagation::Codec;
use tracehound::propagation::{Extractor, HeaderNames, HeaderScan, JaegerCodec, TextMapReader};

use super::{Counted, items};

/// A carrier that offers every header.
struct Offered<'h>(Vec<(&'h str, &'h [u8])>);

impl TextMapReader for Offered<'_> {
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        for (name, value) in &self.0 {
            scan.offer(name, value);
        }
    }
}

fn offered<'h>(headers: impl IntoIterator<Item = (&'h String, &'h String)>) -> Offered<'h> {
    let headers = headers.into_iter();
    Offered(
        headers
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect(),
    )
}

/// Beyond its first 256 names, a `HeaderMap` is not searched for a prefix.
#[cfg(feature = "http")]
fn offered_by_map<'h>(map: &'h http::HeaderMap, names: &HeaderNames) -> Offered<'h> {
    let codec = JaegerCodec::http_headers().header_names(names.clone());
    let is_searched =
        |n: usize, name: &str| n < 256 || codec.headers().names().any(|own| own == name);
    let keys = map.keys().enumerate();
    let keys = keys.filter(|(n, name)| is_searched(*n, name.as_str()));
    let values = keys.flat_map(|(_, name)| {
        let values = map.get_all(name).into_iter();
        values.map(|value| (name.as_str(), value.as_bytes()))
    });
    Offered(values.collect())
}

fn names() -> impl Strategy<Value = HeaderNames> {
    let names = HeaderNames::default;
    prop_oneof![
        4 => Just(names()),
        1 => Just(names().baggage_prefix("uber-").unwrap()),
        1 => Just(names().baggage_prefix("u").unwrap()),
        1 => Just(names().trace_id("Host").unwrap()),
        1 => Just(names().trace_id("h").unwrap().debug_id("H").unwrap()),
        1 => Just(names().baggage("uber-trace-id").unwrap()),
        1 => Just(names().trace_id("uberctx-trace").unwrap()),
    ]
}

fn header() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof![
        6 => Just("uber-trace-id".to_owned()),
        1 => Just("jaeger-debug-id".to_owned()),
        1 => Just("jaeger-baggage".to_owned()),
        1 => "uberctx-[a-z]{0,5}",
        4 => "(user-agent|host|uber|uberctx|uber-trace-i|uber-trace-ids|jaeger|h|j|u|[a-z]{1,9})",
    ];
    let value = prop_oneof![
        4 => "[0-9a-fA-F]{16}([0-9a-f]{16})?:[0-9a-f]{16}:(0|[0-9a-f]{16}):[0-9a-f]{1,2}",
        2 => "[0-9a-f]{1,33}:[0-9a-f]{1,17}:[0-9a-f]{1,17}:[0-9a-fg]{0,3}",
        1 => "0{16}:0{16}:0:1",
        1 => "[a-z]{1,3}=[a-z%]{0,5}, [a-z]=[a-z]",
        1 => "[ -~]{0,20}",
    ];
    (name, value)
}

/// Most requests have few headers. The scan of a `HeaderMap` gives up beyond 256.
fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let fillers = prop_oneof![8 => 0..30_usize, 2 => 230..260_usize];
    let own = prop::collection::vec(header(), 0..5).boxed();
    (own.clone(), fillers, own, any::<u64>()).prop_map(|(first, fillers, last, upper)| {
        let fillers = (0..fillers).map(|n| (format!("x-ordinary-{n}"), "v".to_owned()));
        let headers = first.into_iter().chain(fillers).chain(last).enumerate();
        let in_any_case =
            |(n, (name, value)): (usize, (String, String))| match upper >> (n % 64) & 3 {
                0 => (name.to_uppercase(), value),
                _ => (name, value),
            };
        headers.map(in_any_case).collect()
    })
}

/// Returns the extracted context and the counters.
fn read(
    names: &HeaderNames,
    carrier: &dyn TextMapReader,
) -> impl PartialEq + std::fmt::Debug + use<> {
    let counted = Counted::new(JaegerCodec::http_headers().header_names(names.clone()));
    let extracted = counted.codec.extract(carrier).map(|context| {
        context.map(|context| {
            let debug_id = context.debug_id().map(str::to_owned);
            (
                context.to_string(),
                debug_id,
                format!("{:?}", items(&context)),
            )
        })
    });
    (extracted, counted.skipped(), counted.conflicts())
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 500,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_scan_finds_what_an_offer_of_every_header_finds(names in names(), headers in headers()) {
        prop_assert_eq!(read(&names, &headers), read(&names, &offered(headers.iter().map(|(name, value)| (name, value)))));
        let map: BTreeMap<_, _> = headers.iter().cloned().collect();
        prop_assert_eq!(read(&names, &map), read(&names, &offered(&map)));

        #[cfg(feature = "http")]
        {
            let mut map = http::HeaderMap::new();
            for (name, value) in headers {
                let name = http::HeaderName::try_from(name).unwrap();
                map.append(name, http::HeaderValue::try_from(value).unwrap());
            }
            prop_assert_eq!(read(&names, &map), read(&names, &offered_by_map(&map, &names)));
        }
    }
}

#[cfg(feature = "http")]
#[test]
fn a_scan_finds_the_trace_header_at_any_index() {
    for place in 0..40_u64 {
        let mut headers = http::HeaderMap::new();
        for n in 0..40 {
            let name = if n == place {
                "uber-trace-id".to_owned()
            } else {
                format!("x-ordinary-{n}")
            };
            let value = format!("{:016x}:0000000000000002:0:1", n + 1);
            headers.insert(
                http::HeaderName::try_from(name).unwrap(),
                http::HeaderValue::try_from(value).unwrap(),
            );
        }
        let extracted = JaegerCodec::http_headers().extract(&headers).unwrap();
        let trace_id = extracted.and_then(|context| context.trace_id()).unwrap();
        assert_eq!(trace_id.low(), place + 1);
    }
}

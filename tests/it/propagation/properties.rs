//! Properties of every context and every input.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use tracehound::SpanContext;
use tracehound::model::{Baggage, Flags, SpanId, TraceId};
use tracehound::propagation::{
    ExtractError, Extractor, HeaderScan, Injector, JaegerCodec, Key, TextMapReader, TextMapWriter,
};

use super::{Headers, items};

pub(super) fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Keys that a header name may hold.
const HEADER_KEY: &str = "[a-z0-9!#$%&'*+.^_`|~-]{1,40}";

/// A few items mostly, and sometimes more than the limits allow.
fn baggage(key: &'static str) -> impl Strategy<Value = Baggage> {
    let short = || (key, ".{0,16}".boxed());
    let long = (key, "[ -~é€🚀]{0,600}".boxed());
    let items = prop_oneof![
        20 => prop::collection::vec(short(), 0..6),
        2 => prop::collection::vec(long, 0..12),
        1 => prop::collection::vec(short(), 60..70),
    ];
    items.prop_map(|items| {
        items
            .iter()
            .fold(Baggage::default(), |baggage, (key, value)| {
                // Extracting turns keys into lower case.
                baggage.with(&key.to_lowercase(), value).unwrap_or(baggage)
            })
    })
}

fn id() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0..3_u64,
        (0..64_u32).prop_map(|shift| u64::MAX >> shift)
    ]
}

/// A context with baggage, and mostly with a trace.
pub(super) fn context(key: &'static str) -> impl Strategy<Value = SpanContext> {
    (id(), id(), id(), id(), any::<u8>(), baggage(key)).prop_map(
        |(high, low, span, parent, flags, baggage)| {
            let ids = TraceId::new(high, low).zip(SpanId::new(span));
            ids.map_or_else(SpanContext::default, |(trace, span)| {
                SpanContext::new(trace, span, SpanId::new(parent), Flags::from_bits(flags))
            })
            .with_baggage(baggage)
        },
    )
}

fn check_round_trip<C>(codec: &JaegerCodec, context: &SpanContext, mut carrier: C)
where
    C: TextMapWriter + TextMapReader,
{
    codec.inject(context, &mut carrier);
    let read = codec.extract(&carrier).unwrap().unwrap_or_default();
    assert_eq!(read.to_string(), context.to_string());
    assert_eq!(items(&read), items(context));
}

/// Headers whose values are any bytes.
#[derive(Debug)]
struct Raw(Vec<(String, Vec<u8>)>);

impl TextMapReader for Raw {
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        for (name, value) in &self.0 {
            scan.offer(name, value);
        }
    }
}

fn raw() -> impl Strategy<Value = Raw> {
    let bytes = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..200),
        3 => "[0-9a-fA-F:, %]{0,80}".prop_map(String::into_bytes),
        3 => "([a-zA-Z%+ ]{0,9}=[a-z%0-9+]{0,9},){0,99}".prop_map(String::into_bytes),
        1 => (0..70_000_usize, any::<[u8; 3]>()).prop_map(|(len, bytes)| bytes.repeat(len / 3)),
        1 => (0..70_000_usize).prop_map(|len| b"%".repeat(len)),
    ]
    .boxed();
    let name = prop_oneof![
        Just("uber-trace-id".to_owned()),
        Just("jaeger-baggage".to_owned()),
        Just("jaeger-debug-id".to_owned()),
        any::<String>().prop_map(|key| format!("uberctx-{key}")),
        (0..300_usize).prop_map(|len| format!("uberctx-{}", "K".repeat(len))),
    ]
    .boxed();
    let few = prop::collection::vec((name.clone(), bytes.clone()), 0..6);
    prop_oneof![9 => few, 1 => prop::collection::vec((name, bytes), 60..90)].prop_map(Raw)
}

fn wire_bytes(key: &str, value: &str) -> usize {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let value = value
        .bytes()
        .map(|byte| if is_unreserved(byte) { 1 } else { 3 });
    key.len() + value.sum::<usize>()
}

pub(super) fn check_limits(context: &SpanContext) {
    let sizes: Vec<_> = context
        .baggage()
        .iter()
        .map(|(key, value)| wire_bytes(key, value))
        .collect();
    assert!(sizes.len() <= Baggage::MAX_ITEMS);
    assert!(sizes.iter().sum::<usize>() <= Baggage::MAX_BYTES);
    let debug_id = context.debug_id().unwrap_or_default();
    assert!(debug_id.len() <= 4_096);
}

/// The rules for one value, written for clarity and not for speed.
fn is_legal(value: &str) -> bool {
    let value = value.trim_matches([' ', '\t']);
    let bytes = percent_encoding::percent_decode_str(value).collect::<Vec<_>>();
    let escapes = value.split('%').skip(1);
    let good =
        |escape: &str| escape.len() > 1 && escape.bytes().take(2).all(|b| b.is_ascii_hexdigit());
    if !escapes.into_iter().all(good) {
        return false;
    }
    let parts: Vec<_> = bytes.split(|byte| *byte == b':').collect();
    parts.len() == 4
        && parts.iter().zip([32, 16, 16, 2]).all(|(part, max)| {
            (1..=max).contains(&part.len()) && part.iter().all(u8::is_ascii_hexdigit)
        })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn extract_returns_what_inject_wrote(http in context(HEADER_KEY), text in context(".{0,20}")) {
        let codec = JaegerCodec::http_headers();
        check_round_trip(&codec, &http, Headers::new());
        check_round_trip(&codec, &http, HashMap::new());
        check_round_trip(&codec, &http, BTreeMap::new());
        #[cfg(feature = "http")]
        check_round_trip(&codec, &http, http::HeaderMap::new());

        let codec = JaegerCodec::text_map();
        for context in [&http, &text] {
            check_round_trip(&codec, context, Headers::new());
            check_round_trip(&codec, context, HashMap::new());
            check_round_trip(&codec, context, BTreeMap::new());
        }
    }

    #[cfg(feature = "tonic")]
    #[test]
    fn extract_returns_what_inject_wrote_into_grpc_metadata(context in context("[a-z0-9_.-]{1,40}")) {
        prop_assume!(context.baggage().iter().all(|(key, _)| !key.ends_with("-bin")));
        check_round_trip(
            &JaegerCodec::http_headers(),
            &context,
            tonic::metadata::MetadataMap::new(),
        );
    }

    #[test]
    fn inject_writes_only_safe_ascii_over_http(context in context(".{0,20}")) {
        let mut headers = Headers::new();
        JaegerCodec::http_headers().inject(&context, &mut headers);
        for (name, value) in headers {
            prop_assert!(Key::new(&name).is_ok(), "{name:?}");
            let is_legal = |byte: u8| match &*name {
                "uber-trace-id" => b"0123456789abcdef:".contains(&byte),
                _ => byte.is_ascii_alphanumeric() || b"-_.~%".contains(&byte),
            };
            prop_assert!(value.bytes().all(is_legal), "{name:?}: {value:?}");
        }
    }

    #[test]
    fn extract_keeps_any_input_within_the_limits(headers in raw()) {
        for codec in [JaegerCodec::http_headers(), JaegerCodec::text_map()] {
            match codec.extract(&headers) {
                Ok(Some(context)) => {
                    check_limits(&context);
                    check_round_trip(&JaegerCodec::text_map(), &context, Headers::new());
                }
                Ok(None) => {}
                Err(error @ ExtractError::Corrupted { .. }) => {
                    let text = error.to_string();
                    prop_assert!(text.len() < 400 && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()));
                }
                Err(error) => prop_assert!(false, "{error:?}"),
            }
        }
    }

    #[test]
    fn extract_accepts_exactly_the_legal_trace_headers(
        value in prop_oneof![
            "[0-9a-f]{0,33}:[0-9A-F]{0,17}:[0-9a-f]{0,17}:[0-9a-f]{0,3}",
            "[ \t]{0,2}[0-9a-f]{1,32}(:|%3A|%3a)[0-9a-f]{1,16}(:|%3A)[0-9]{1,16}(:|%3)[0-9a-f]{1,2}[ \t]{0,2}",
            "[0-9a-gx+ _:%-]{0,40}",
        ]
    ) {
        let headers = vec![("uber-trace-id".to_owned(), value.clone())];
        for codec in [JaegerCodec::http_headers(), JaegerCodec::text_map()] {
            prop_assert_eq!(codec.extract(&headers).is_ok(), is_legal(&value), "{:?}", value);
        }
    }
}

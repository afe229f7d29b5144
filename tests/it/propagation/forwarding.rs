//! Carriers that hold the headers of an earlier request.

use std::collections::{BTreeMap, HashMap};

use tracehound::SpanContext;
use tracehound::model::{Baggage, Flags, SpanId, TraceId};
use tracehound::prelude::*;
use tracehound::propagation::{
    HeaderNames, HttpHeaders, InjectCarrier, Injector, JaegerCodec, TextMapWriter,
};

use crate::support::recording_tracer;

const RECEIVED: [(&str, &str); 9] = [
    ("host", "shop"),
    ("uber-trace-id", "1:2:0:1"),
    ("uberctx-secret", "s3cret"),
    ("Uberctx-Other", "o"),
    ("jaeger-debug-id", "d"),
    ("Jaeger-Baggage", "a=b"),
    ("user-agent", "curl"),
    ("uberctx", "not ours"),
    ("jaeger-baggage-x", "not ours"),
];

const FOREIGN: [&str; 4] = ["host", "jaeger-baggage-x", "uberctx", "user-agent"];

fn context() -> SpanContext {
    let baggage = Baggage::default().with("kept", "1").expect("short");
    SpanContext::new(
        TraceId::new(0, 7).expect("not zero"),
        SpanId::new(8).expect("not zero"),
        None,
        Flags::SAMPLED,
    )
    .with_baggage(baggage)
}

/// Injects `context` into a carrier with the headers of an earlier request, and returns the sorted keys.
fn keys_after<C: InjectCarrier>(
    context: &SpanContext,
    mut carrier: C,
    keys: impl FnOnce(&C) -> Vec<String>,
) -> Vec<String> {
    let (tracer, _) = recording_tracer();
    tracer.inject(context, &mut carrier);
    let mut keys = keys(&carrier);
    keys.iter_mut().for_each(|key| key.make_ascii_lowercase());
    keys.sort();
    keys
}

fn received<C: FromIterator<(String, String)>>() -> C {
    let own = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    RECEIVED.into_iter().map(own).collect()
}

#[test]
fn inject_removes_the_headers_of_an_earlier_request() {
    let trace_alone = context().with_baggage(Baggage::default());
    let rows: [(SpanContext, &[&str]); 3] = [
        (
            context(),
            &["uber-trace-id", "uberctx-kept", "traceparent", "baggage"],
        ),
        (trace_alone, &["uber-trace-id", "traceparent"]),
        (SpanContext::default(), &[]),
    ];
    for (context, own) in rows {
        let mut expected = [own, &FOREIGN].concat();
        expected.sort_unstable();
        let map = keys_after(&context, received::<HashMap<_, _>>(), |map| {
            map.keys().cloned().collect()
        });
        assert_eq!(map, expected);
        let map = keys_after(&context, received::<BTreeMap<_, _>>(), |map| {
            map.keys().cloned().collect()
        });
        assert_eq!(map, expected);
        let list = keys_after(&context, received::<Vec<_>>(), |list| {
            list.iter().map(|(key, _)| key.clone()).collect()
        });
        assert_eq!(list, expected);
        let wrapped = HttpHeaders(received::<HashMap<_, _>>());
        let wrapped = keys_after(&context, wrapped, |map| map.0.keys().cloned().collect());
        assert_eq!(wrapped, expected);
        #[cfg(feature = "http")]
        {
            let map = keys_after(&context, header_map(), |map| {
                map.keys().map(ToString::to_string).collect()
            });
            assert_eq!(map, expected);
        }
        #[cfg(feature = "tonic")]
        {
            let metadata = tonic::metadata::MetadataMap::from_headers(header_map());
            let left = keys_after(&context, metadata, |metadata| {
                metadata.as_ref().keys().map(ToString::to_string).collect()
            });
            assert_eq!(left, expected);
        }
    }
}

#[cfg(feature = "http")]
fn header_map() -> http::HeaderMap {
    let mut headers = http::HeaderMap::new();
    for (key, value) in RECEIVED {
        let name = http::HeaderName::from_bytes(key.as_bytes()).expect("legal");
        headers.append(name.clone(), http::HeaderValue::from_static(value));
        if !FOREIGN.contains(&key) {
            headers.append(name, http::HeaderValue::from_static("twice"));
        }
    }
    headers
}

#[test]
fn inject_removes_headers_by_the_configured_names() {
    let names = HeaderNames::default()
        .baggage_prefix("X-Ctx-")
        .and_then(|names| names.debug_id("x-debug"))
        .expect("legal");
    let codec = JaegerCodec::text_map().header_names(names);
    let keys = ["x-ctx-a", "X-DEBUG", "uberctx-kept", "jaeger-debug-id"];
    let mut carrier: Vec<_> = keys.map(|key| (key.to_owned(), String::new())).into();
    codec.inject(&SpanContext::default(), &mut carrier);
    let left: Vec<_> = carrier.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(left, ["uberctx-kept", "jaeger-debug-id"]);
}

/// A carrier that implements `set` alone.
struct Sets(Vec<String>);

impl TextMapWriter for Sets {
    fn set(&mut self, key: &str, _: &str) -> bool {
        self.0.push(key.to_owned());
        true
    }
}

#[test]
fn inject_writes_into_a_carrier_that_cannot_remove() {
    let mut carrier = Sets(vec!["uberctx-secret".to_owned()]);
    JaegerCodec::text_map().inject(&context(), &mut carrier);
    assert_eq!(
        carrier.0,
        ["uberctx-secret", "uber-trace-id", "uberctx-kept"]
    );
}

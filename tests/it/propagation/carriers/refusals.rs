//! Carriers that refuse a key or a value lose that item alone, and it is counted.

use std::process::Command;

use tracehound::metrics::Counter;
use tracehound::model::{Flags, SpanId, TraceId};
use tracehound::prelude::*;
use tracehound::propagation::{
    ChildEnvironment, InjectCarrier, Propagation, TextMapWriter, WriteTo,
};
use tracehound::{JaegerTracer, SpanContext};

use crate::propagation::{Headers, owned};
use crate::support::recording_builder;

/// A list that refuses one name.
struct Refusing<'r> {
    headers: Headers,
    refused: &'r str,
}

impl TextMapWriter for Refusing<'_> {
    fn set(&mut self, key: &str, value: &str) -> bool {
        key != self.refused && self.headers.set(key, value)
    }

    fn remove_where(&mut self, is_stale: &dyn Fn(&str) -> bool) {
        self.headers.remove_where(is_stale);
    }
}

impl InjectCarrier for Refusing<'_> {
    fn write(&mut self) -> WriteTo<'_> {
        WriteTo::HttpHeaders(self)
    }
}

fn tracer(formats: &[Propagation]) -> JaegerTracer {
    let (builder, _) = recording_builder();
    let builder = builder.propagation(formats.iter().copied());
    builder.build().expect("named")
}

/// A context that every format writes in as many headers as it has.
fn context() -> SpanContext {
    let trace = TraceId::new(1, 2).expect("not zero");
    let span = SpanId::new(3).expect("not zero");
    SpanContext::new(trace, span, SpanId::new(4), Flags::from_bits(3))
        .with_trace_state("congo=t61".parse().expect("legal"))
        .with_baggage_item("a", "1")
        .with_baggage_item("b", "2")
}

fn names(headers: &Headers) -> Vec<&str> {
    let mut names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_refused_header_is_lost_alone_and_counted() {
    use Propagation::{B3, B3Single, Jaeger, W3c};

    for formats in [
        &[Jaeger][..],
        &[B3],
        &[B3Single],
        &[W3c],
        &[Jaeger, W3c, B3, B3Single],
    ] {
        let mut whole = Headers::new();
        tracer(formats).inject(&context(), &mut whole);
        for refused in names(&whole) {
            for earlier in [&[][..], &[(refused, "earlier"), ("host", "shop")]] {
                let tracer = tracer(formats);
                let mut carrier = Refusing {
                    headers: owned(earlier),
                    refused,
                };
                tracer.inject(&context(), &mut carrier);
                let mut expected = names(&whole);
                // Without `traceparent`, `tracestate` says nothing.
                let is_lost = |name: &str| {
                    name == refused || (refused == "traceparent" && name == "tracestate")
                };
                expected.retain(|name| !is_lost(name));
                let mut left = names(&carrier.headers);
                left.retain(|name| *name != "host");
                assert_eq!(left, expected, "{formats:?} {refused} {earlier:?}");

                let is_baggage = refused.contains("ctx-") || refused.contains("baggage");
                let items = match refused {
                    "baggage" => 2,
                    // Both codecs of B3 would write it.
                    _ if refused.starts_with("baggage-")
                        && formats.contains(&B3Single)
                        && formats.len() > 1 =>
                    {
                        2
                    }
                    _ => u64::from(is_baggage),
                };
                let metrics = tracer.metrics();
                let counts = [Counter::BaggageItemsSkipped, Counter::EncodingErrors];
                let counts = counts.map(|counter| metrics.get(counter));
                let errors = u64::from(!is_baggage);
                assert_eq!(counts, [items, errors], "{formats:?} {refused}");
            }
        }
    }
}

#[test]
fn a_variable_refuses_names_and_values_that_no_process_can_have() {
    let mut command = Command::new("child");
    let mut carrier = ChildEnvironment(&mut command);
    for (key, value, is_set) in [
        ("a-b", "v", true),
        ("", "v", false),
        ("a=b", "v", false),
        ("a\0", "v", false),
        ("c", "v\0", false),
    ] {
        assert_eq!(carrier.set(key, value), is_set, "{key:?} {value:?}");
    }
    let set: Vec<_> = command
        .get_envs()
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(set, ["A_B"]);
}

#[cfg(feature = "tonic")]
#[test]
fn grpc_metadata_refuses_text_under_binary_keys() {
    use tonic::metadata::{MetadataMap, MetadataValue};
    use tracehound::propagation::{HeaderNames, JaegerCodec};

    let names = HeaderNames::default()
        .trace_id("x-trace-bin")
        .expect("legal");
    let (builder, _) = recording_builder();
    let codec = JaegerCodec::http_headers().header_names(names);
    let tracer = builder.http_headers_codec(codec).build().expect("named");
    let context = context().with_baggage_item("c-bin", "3");
    let mut metadata = MetadataMap::new();
    let foreign = ["grpc-trace-bin", "uberctx-d-bin", "x-trace-bin"];
    for key in foreign {
        metadata.insert_bin(key, MetadataValue::from_bytes(b"not ours"));
    }
    tracer.inject(&context, &mut metadata);
    let mut left: Vec<_> = metadata.as_ref().keys().map(|key| key.as_str()).collect();
    left.sort_unstable();
    let mut expected = [&foreign[..], &["uberctx-a", "uberctx-b"]].concat();
    expected.sort_unstable();
    assert_eq!(left, expected);
    assert_eq!(tracer.metrics().get(Counter::EncodingErrors), 1);
    assert_eq!(tracer.metrics().get(Counter::BaggageItemsSkipped), 1);

    let read = tracer.extract(&metadata).unwrap().expect("baggage");
    assert_eq!(read.baggage().len(), 2);
}

#[cfg(feature = "http")]
#[test]
fn a_full_header_map_keeps_what_it_holds_and_loses_what_it_cannot() {
    use http::{HeaderMap, HeaderName, HeaderValue};

    let full = |last: &'static str| {
        let mut map = HeaderMap::new();
        let mut names =
            (0..).map(|n| HeaderName::from_bytes(format!("h{n}").as_bytes()).expect("legal"));
        map.insert(last, HeaderValue::from_static("earlier"));
        while map
            .try_insert(
                names.next().expect("endless"),
                HeaderValue::from_static("v"),
            )
            .is_ok()
        {}
        map
    };
    let tracer = tracer(&Propagation::DEFAULT);
    // A header that is there already is replaced.
    let mut map = full("uber-trace-id");
    let len = map.len();
    tracer.inject(&context(), &mut map);
    assert_eq!(map["uber-trace-id"], context().to_string());
    assert_eq!(map.len(), len);
    assert_eq!(tracer.metrics().get(Counter::EncodingErrors), 1, "of W3C");
    assert_eq!(tracer.metrics().get(Counter::BaggageItemsSkipped), 4);
}

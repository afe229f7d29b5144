//! The headers `traceparent`, `tracestate` and `baggage`.

mod baggage;
mod properties;
mod trace_parent;
mod trace_state;
mod tracer;

use tracehound::SpanContext;
use tracehound::metrics::{Counter, Metrics};
use tracehound::model::{Flags, Process, SpanId, TraceId};
use tracehound::propagation::{Codec, ExtractError, Extractor, Injector, W3cCodec};
use tracehound::services::Services;

use super::{Headers, owned};

const TRACE: &str = "463ac35c9f6413ad48485a3953bb6124";
const SPAN: &str = "a2fb4a1d1a96d312";
const PARENT: &str = "00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01";

/// A codec and its counters.
struct Counted {
    codec: W3cCodec,
    metrics: Metrics,
}

impl Counted {
    fn new() -> Self {
        Self::of(W3cCodec::new())
    }

    fn of(mut codec: W3cCodec) -> Self {
        let services = Services::detached(Process::new("test", vec![]));
        codec.attach(&services);
        let metrics = services.metrics().clone();
        Self { codec, metrics }
    }

    /// Reads the headers from every kind of carrier that can hold them.
    fn extract(&self, headers: &[(&str, &str)]) -> Result<Option<SpanContext>, ExtractError> {
        let answer = self.codec.extract(&headers);
        #[cfg(feature = "http")]
        if let Some(map) = header_map(headers) {
            let of_map = W3cCodec::new().extract(&map);
            assert_eq!(
                all(&of_map),
                all(&W3cCodec::new().extract(&headers)),
                "{headers:?}"
            );
        }
        answer
    }

    fn read(&self, headers: &[(&str, &str)]) -> SpanContext {
        self.extract(headers)
            .expect("well-formed")
            .expect("a context")
    }

    fn inject(&self, context: &SpanContext) -> Headers {
        let mut headers = Headers::new();
        self.codec.inject(context, &mut headers);
        headers
    }

    fn count(&self, counter: Counter) -> u64 {
        self.metrics.get(counter)
    }
}

/// Everything that can be told of an answer.
#[cfg(feature = "http")]
fn all(answer: &Result<Option<SpanContext>, ExtractError>) -> String {
    let context = answer.as_ref().ok().and_then(Option::as_ref);
    let is_random = context.map(SpanContext::has_random_trace_id);
    let items: Vec<_> = context
        .into_iter()
        .flat_map(|context| context.baggage().iter_with_properties())
        .collect();
    format!("{answer:?} {is_random:?} {items:?}")
}

#[cfg(feature = "http")]
fn header_map(headers: &[(&str, &str)]) -> Option<http::HeaderMap> {
    let mut map = http::HeaderMap::new();
    for (name, value) in headers {
        let name = http::HeaderName::from_bytes(name.as_bytes()).ok()?;
        map.append(name, http::HeaderValue::from_bytes(value.as_bytes()).ok()?);
    }
    Some(map)
}

fn trace_state(context: &SpanContext) -> String {
    context
        .trace_state()
        .map_or_else(String::new, ToString::to_string)
}

fn sampled() -> SpanContext {
    SpanContext::new(
        TraceId::new(0x463a_c35c_9f64_13ad, 0x4848_5a39_53bb_6124).expect("not zero"),
        SpanId::new(0xa2fb_4a1d_1a96_d312).expect("not zero"),
        None,
        Flags::SAMPLED,
    )
}

#[test]
fn other_names_are_not_read() {
    for headers in [
        &[][..],
        &[("trace-parent", PARENT)],
        &[("trace.parent", PARENT)],
        &[("traceparent2", PARENT)],
        &[("parent", PARENT)],
        &[("trace-state", "a=1"), ("correlation-context", "k=v")],
        &[("uber-trace-id", "1:2:0:1")],
    ] {
        assert_eq!(Counted::new().extract(headers), Ok(None), "{headers:?}");
    }
}

#[test]
fn each_half_leaves_the_other_alone() {
    let received = [
        ("traceparent", PARENT),
        ("tracestate", "a=1"),
        ("baggage", "k=v"),
    ];
    let trace = Counted::of(W3cCodec::trace_context());
    let read = trace.codec.extract(&received).unwrap().expect("a trace");
    assert_eq!(
        (read.baggage().len(), trace_state(&read).as_str()),
        (0, "a=1")
    );
    let baggage = Counted::of(W3cCodec::baggage());
    let read = baggage.codec.extract(&received).unwrap().expect("baggage");
    assert!(!read.has_trace() && read.trace_state().is_none());
    assert_eq!(read.baggage().len(), 1);

    let both = Counted::new().read(&received);
    let old = [
        ("traceparent", "old"),
        ("Tracestate", "old"),
        ("Baggage", "old"),
        ("x", "old"),
    ];
    for (codec, written) in [
        (W3cCodec::new(), [PARENT, "a=1", "k=v", "old"]),
        (W3cCodec::trace_context(), [PARENT, "a=1", "old", "old"]),
        (W3cCodec::baggage(), ["old", "old", "k=v", "old"]),
    ] {
        let mut carrier = owned(&old);
        codec.inject(&both, &mut carrier);
        carrier
            .iter_mut()
            .for_each(|(name, _)| name.make_ascii_lowercase());
        carrier.sort_by_key(|(name, _)| {
            ["traceparent", "tracestate", "baggage", "x"]
                .iter()
                .position(|known| known == name)
        });
        let values: Vec<_> = carrier.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, written);
    }
    for (codec, left) in [
        (W3cCodec::new(), 1),
        (W3cCodec::trace_context(), 2),
        (W3cCodec::baggage(), 3),
    ] {
        let mut carrier = owned(&old);
        codec.inject(&SpanContext::default(), &mut carrier);
        assert_eq!(carrier.len(), left);
    }
}

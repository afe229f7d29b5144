//! Injecting and extracting contexts.

mod b3;
mod b3_vectors;
mod baggage;
mod binary;
mod borrowed;
mod carriers;
mod composite;
mod explained;
mod forwarding;
mod hostile;
mod limits;
mod losses;
mod pairs;
mod properties;
mod scan;
mod together;
mod trace_header;
mod trust;
mod unknown_carriers;
mod vectors;
mod w3c;
mod w3c_vectors;
mod whole;
mod words;

use serde_json::Value;
use tracehound::SpanContext;
use tracehound::metrics::{Counter, Metrics};
use tracehound::model::{Baggage, Flags, Process, SpanId, TraceId};
use tracehound::propagation::{Codec, ExtractError, Extractor, Injector, JaegerCodec};
use tracehound::services::Services;

use crate::support::vectors::pairs;

type Headers = Vec<(String, String)>;

/// A codec and the counters that it adds to.
struct Counted {
    codec: JaegerCodec,
    metrics: Metrics,
}

impl Counted {
    fn http() -> Self {
        Self::new(JaegerCodec::http_headers())
    }

    fn text() -> Self {
        Self::new(JaegerCodec::text_map())
    }

    fn new(mut codec: JaegerCodec) -> Self {
        let services = Services::detached(Process::new("test", vec![]));
        codec.attach(&services);
        let metrics = services.metrics().clone();
        Self { codec, metrics }
    }

    fn extract(&self, headers: &[(&str, &str)]) -> Result<Option<SpanContext>, ExtractError> {
        self.codec.extract(&owned(headers))
    }

    fn inject(&self, context: &SpanContext) -> Headers {
        let mut headers = Headers::new();
        self.codec.inject(context, &mut headers);
        headers
    }

    fn skipped(&self) -> u64 {
        self.metrics.get(Counter::BaggageItemsSkipped)
    }

    fn conflicts(&self) -> u64 {
        self.metrics.get(Counter::PropagationConflicts)
    }
}

fn owned(headers: &[(&str, &str)]) -> Headers {
    headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// Returns `0000000000000001:0000000000000002:0:1`.
fn context() -> SpanContext {
    SpanContext::new(
        TraceId::new(0, 1).expect("not zero"),
        SpanId::new(2).expect("not zero"),
        None,
        Flags::SAMPLED,
    )
}

/// Returns the baggage of a context, in the order of the keys.
fn items(context: &SpanContext) -> Vec<(&str, &str)> {
    let mut items: Vec<_> = context.baggage().iter().collect();
    items.sort_unstable();
    items
}

/// Returns the context that a recording names as its input.
fn input_context(input: &Value) -> SpanContext {
    let id = |field: &str| u128::from_str_radix(input[field].as_str().expect(field), 16).unwrap();
    let trace = id("trace_id");
    SpanContext::new(
        TraceId::new((trace >> 64) as u64, trace as u64).expect("not zero"),
        SpanId::new(id("span_id") as u64).expect("not zero"),
        SpanId::new(id("parent_id") as u64),
        Flags::from_bits(input["flags"].as_u64().unwrap().try_into().unwrap()),
    )
    .with_baggage(input_baggage(input))
}

fn input_baggage(input: &Value) -> Baggage {
    let items = pairs(&input["baggage"]);
    items
        .iter()
        .fold(Baggage::default(), |baggage, (key, value)| {
            baggage.with(key, value).expect("within the limits")
        })
}

//! The B3 codec: one table for each rule.

mod baggage;
mod properties;
mod reading;
mod tracer;
mod writing;

use std::collections::BTreeMap;

use tracehound::SpanContext;
use tracehound::metrics::{Counter, Metrics};
use tracehound::model::{Flags, Process, SpanId, TraceId};
use tracehound::propagation::{B3Codec, Codec, ExtractError, Extractor, Injector};
use tracehound::services::Services;

use super::owned;

const TRACE: &str = "463ac35c9f6413ad48485a3953bb6124";
const SPAN: &str = "a2fb4a1d1a96d312";
const PARENT: &str = "0020000000000001";
const DEBUG: u8 = 3;

/// A codec and the counters that it adds to.
struct Counted {
    codec: B3Codec,
    metrics: Metrics,
}

impl Counted {
    fn new(mut codec: B3Codec) -> Self {
        let services = Services::detached(Process::new("test", vec![]));
        codec.attach(&services);
        let metrics = services.metrics().clone();
        Self { codec, metrics }
    }

    fn multiple() -> Self {
        Self::new(B3Codec::multiple_headers())
    }

    fn read(&self, headers: &[(&str, &str)]) -> Option<SpanContext> {
        self.codec.extract(&owned(headers)).expect("well-formed")
    }

    fn get(&self, counter: Counter) -> u64 {
        self.metrics.get(counter)
    }
}

fn read(headers: &[(&str, &str)]) -> Option<SpanContext> {
    Counted::multiple().read(headers)
}

/// Returns ids and flags in the form of `uber-trace-id`, with `?` where the receiver decides.
fn text(context: &SpanContext) -> String {
    let text = context.to_string();
    match (context.has_trace(), context.is_sampling_final()) {
        (true, true) => text,
        (true, false) => text[..text.len() - 1].to_owned() + "?",
        (false, _) => match context.decision_without_trace() {
            Some(flags) => format!("none:{:x}", flags.bits()),
            None => "none".to_owned(),
        },
    }
}

fn read_text(headers: &[(&str, &str)]) -> String {
    read(headers).map_or_else(|| "nothing".to_owned(), |context| text(&context))
}

fn error(headers: &[(&str, &str)]) -> (String, &'static str, String) {
    match Counted::multiple().codec.extract(&owned(headers)) {
        Err(ExtractError::Corrupted {
            header,
            reason,
            value,
        }) => (header, reason, value),
        other => panic!("{headers:?}: {other:?}"),
    }
}

fn written(codec: &B3Codec, context: &SpanContext) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    codec.inject(context, &mut headers);
    headers
}

fn context(trace: (u64, u64), span: u64, parent: u64, flags: u8) -> SpanContext {
    SpanContext::new(
        TraceId::new(trace.0, trace.1).expect("not zero"),
        SpanId::new(span).expect("not zero"),
        SpanId::new(parent),
        Flags::from_bits(flags),
    )
}

fn short() -> SpanContext {
    context((0, 1), 2, 0, 1)
}

fn map(headers: &[(&str, &str)]) -> BTreeMap<String, String> {
    owned(headers).into_iter().collect()
}

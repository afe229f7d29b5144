//! Databases themselves: a Redis on a socket of its own, and SQLite in memory.

mod redis_server;
mod redis_spans;
mod sqlite_spans;

use std::{error::Error, sync::Arc};

use tracehound::{
    JaegerTracer, model::Recording, reporter::InMemoryReporter, sampler::ConstSampler,
};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Returns a tracer that keeps every span in memory.
fn tracer(recording: Recording) -> Result<(JaegerTracer, InMemoryReporter)> {
    let spans = InMemoryReporter::new();
    let tracer = JaegerTracer::builder("databases")
        .sampler(ConstSampler::new(true))
        .reporter(spans.clone())
        .recording(recording)
        .build()?;
    Ok((tracer, spans))
}

/// Returns the names of the spans since the last call, and all that is in them.
fn taken(spans: &InMemoryReporter) -> (Vec<String>, Arc<str>) {
    let spans = spans.take();
    let names = spans.iter().map(|span| span.operation_name.clone());
    (names.collect(), format!("{spans:?}").into())
}

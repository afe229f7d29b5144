//! Databases themselves: a Redis and a PostgreSQL on sockets of their own, and SQLite in memory.

mod deadpool_recipe;
mod deadpool_spans;
mod diesel_recipe;
mod diesel_spans;
mod guide;
mod postgres_server;
mod postgres_spans;
mod redis_server;
mod redis_spans;
mod sqlite_spans;
mod sqlx_recipe;
mod tokio_postgres_recipe;
mod tokio_postgres_spans;

use std::{error::Error, sync::Arc};

use tracehound::{
    JaegerTracer,
    model::{Recording, TagNames},
    reporter::{InMemoryReporter, OwnedSpan},
    sampler::ConstSampler,
};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Returns a tracer that keeps every span in memory.
fn tracer(recording: Recording) -> Result<(JaegerTracer, InMemoryReporter)> {
    tracer_with(recording, TagNames::OpenTracing)
}

/// Like [`tracer`], with tags in this vocabulary.
fn tracer_with(recording: Recording, names: TagNames) -> Result<(JaegerTracer, InMemoryReporter)> {
    let spans = InMemoryReporter::new();
    let tracer = JaegerTracer::builder("databases")
        .sampler(ConstSampler::new(true))
        .reporter(spans.clone())
        .recording(recording)
        .tag_names(names)
        .build()?;
    Ok((tracer, spans))
}

/// Returns the only span since the last call.
fn only(spans: &InMemoryReporter) -> OwnedSpan {
    let mut spans = spans.take();
    assert_eq!(spans.len(), 1, "{spans:?}");
    spans.remove(0)
}

/// Returns the names of the spans since the last call, and all that is in them.
fn taken(spans: &InMemoryReporter) -> (Vec<String>, Arc<str>) {
    let spans = spans.take();
    let names = spans.iter().map(|span| span.operation_name.clone());
    (names.collect(), format!("{spans:?}").into())
}

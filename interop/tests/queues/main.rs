//! Queues themselves: a NATS server with JetStream, and peers over the published clients of other languages.

mod jetstream;
mod languages;
mod program;

use std::error::Error;

use tokio::runtime::Runtime;
use tracehound::{
    JaegerTracer,
    reporter::{InMemoryReporter, Reporter},
    sampler::ConstSampler,
};

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Returns a tracer that keeps every trace.
fn tracer(reporter: impl Reporter + 'static) -> Result<JaegerTracer> {
    let tracer = JaegerTracer::builder("queues-rust")
        .sampler(ConstSampler::new(true))
        .reporter(reporter)
        .build()?;
    Ok(tracer)
}

fn in_memory() -> Result<(JaegerTracer, InMemoryReporter)> {
    let spans = InMemoryReporter::new();
    Ok((tracer(spans.clone())?, spans))
}

fn runtime() -> Result<Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    Ok(runtime)
}

//! Queues themselves: a NATS server with JetStream, a RabbitMQ, a cluster of Kafka in memory, and peers over the
//! published clients of other languages.

mod amqp_recipe;
mod amqp_spans;
mod guide;
mod jetstream;
mod kafka_recipe;
mod kafka_spans;
mod languages;
mod program;
mod rabbitmq_server;

use std::error::Error;

use tokio::runtime::Runtime;
use tracehound::{
    JaegerTracer,
    model::{ReferenceType, SpanId},
    reporter::{InMemoryReporter, OwnedSpan, Reporter},
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

/// Returns the one span that was reported since the last look.
fn only(spans: &InMemoryReporter) -> Result<OwnedSpan> {
    let [span] =
        <[OwnedSpan; 1]>::try_from(spans.take()).map_err(|spans| format!("one: {spans:#?}"))?;
    Ok(span)
}

/// Returns the events of a span's log, in order.
fn events(span: &OwnedSpan) -> Vec<String> {
    let fields = span.logs.iter().flat_map(|log| &log.fields);
    let events = fields.filter(|field| field.key == "event");
    events.map(|field| field.value.to_string()).collect()
}

/// Returns the spans to which a span refers, all by FollowsFrom and in its trace.
fn follows(span: &OwnedSpan) -> Vec<SpanId> {
    let references = span.references.iter();
    let spans = references.map(|reference| {
        assert_eq!(reference.kind, ReferenceType::FollowsFrom);
        assert_eq!(reference.trace_id, span.trace_id);
        reference.span_id
    });
    spans.collect()
}

fn runtime() -> Result<Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    Ok(runtime)
}

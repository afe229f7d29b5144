//! Fixtures of several tests.

#[cfg(all(feature = "remote-sampler", feature = "testkit"))]
pub(crate) mod agent;
pub(crate) mod batches;
#[cfg(feature = "collector")]
pub(crate) mod collector_server;
#[cfg(all(feature = "tonic", feature = "hyper"))]
pub(crate) mod grpc;
#[cfg(all(feature = "grpc", feature = "collector", feature = "otlp"))]
pub(crate) mod grpc_collector;
#[cfg(all(feature = "tonic", feature = "hyper"))]
pub(crate) mod grpc_streams;
pub(crate) mod jaeger_proto;
pub(crate) mod jaeger_thrift;
#[cfg(any(
    feature = "collector",
    feature = "remote-sampler",
    feature = "nats",
    feature = "redis"
))]
#[allow(
    dead_code,
    reason = "a build may lack the features of some of its tests"
)]
pub(crate) mod loopback_server;
#[cfg(feature = "nats")]
pub(crate) mod nats_server;
#[cfg(feature = "redis")]
pub(crate) mod redis_server;
#[cfg(any(feature = "collector", feature = "remote-sampler"))]
#[allow(
    dead_code,
    reason = "a build may lack the features of some of its tests"
)]
pub(crate) mod strategy_server;
#[allow(
    dead_code,
    reason = "a build may lack the features of some of its tests"
)]
pub(crate) mod tag_keys;
#[cfg(all(
    feature = "tls",
    any(feature = "collector", feature = "remote-sampler")
))]
pub(crate) mod tls;
pub(crate) mod vectors;
#[cfg(feature = "tower")]
pub(crate) mod web;
#[cfg(all(feature = "axum", feature = "hyper"))]
pub(crate) mod websocket;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::clock::ManualClock;
use tracehound::diagnostics::Diagnostics;
use tracehound::model::{LogField, LogRecord, Tag};
use tracehound::reporter::{InMemoryReporter, OwnedSpan};
use tracehound::sampler::ConstSampler;
use tracehound::tracer::TracerBuilder;

/// Returns a builder whose spans are all kept in memory.
pub(crate) fn recording_builder() -> (TracerBuilder, InMemoryReporter) {
    let spans = InMemoryReporter::new();
    let builder = JaegerTracer::builder("test").sampler(ConstSampler::new(true));
    let builder = match tag_keys::notes_of(&spans) {
        Some((names, notes)) => builder.tag_names(names).reporter(notes),
        None => builder.reporter(spans.clone()),
    };
    (builder, spans)
}

/// Returns a tracer whose spans are all kept in memory.
pub(crate) fn recording_tracer() -> (JaegerTracer, InMemoryReporter) {
    let (builder, spans) = recording_builder();
    (builder.build().expect("the service has a name"), spans)
}

/// Like [`recording_tracer`], with ids 1, 2, 3… and a clock that stands at 1 500 000 000 s.
pub(crate) fn fixed_tracer() -> (JaegerTracer, InMemoryReporter, ManualClock) {
    let (builder, spans) = recording_builder();
    let clock = ManualClock::at_micros(1_500_000_000_000_000);
    let tracer = builder
        .clock(clock.clone())
        .id_source(counting_ids())
        .build()
        .expect("the service has a name");
    (tracer, spans, clock)
}

/// Returns diagnostics, and the lines that they write.
pub(crate) fn kept_lines() -> (Diagnostics, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let diagnostics =
        Diagnostics::with_handler(move |line| sink.lock().unwrap().push(line.to_owned()));
    (diagnostics, lines)
}

/// Polls `is_done` until it holds.
pub(crate) fn until(what: &str, mut is_done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_done() {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        thread::yield_now();
    }
}

/// Returns a source of ids 1, 2, 3…
pub(crate) fn counting_ids() -> impl Fn() -> u64 + Send + Sync + 'static {
    let next = AtomicU64::new(1);
    move || next.fetch_add(1, Ordering::Relaxed)
}

/// Returns the names of the reported spans, in the order of their ends.
pub(crate) fn names(spans: &InMemoryReporter) -> Vec<String> {
    let spans = spans.spans().into_iter();
    spans.map(|span| span.operation_name).collect()
}

/// Returns tags as `key=value`, without those of the sampler.
pub(crate) fn texts(tags: &[Tag]) -> Vec<String> {
    tags.iter()
        .filter(|tag| !tag.key.starts_with("sampler."))
        .map(|tag| format!("{}={}", tag.key, tag.value))
        .collect()
}

/// Returns fields as `key=value`.
pub(crate) fn log_texts(log: &LogRecord) -> Vec<String> {
    log.fields
        .iter()
        .map(|field| format!("{}={}", field.key, field.value))
        .collect()
}

/// Returns the `event` fields of a span's logs.
pub(crate) fn events(span: &OwnedSpan) -> Vec<String> {
    let fields = span.logs.iter().flat_map(|log| &log.fields);
    fields
        .filter(|field| field.key == "event")
        .map(|field| field.value.to_string())
        .collect()
}

/// Returns a field of the log record of an event.
pub(crate) fn log_field(span: &OwnedSpan, event: &str, key: &str) -> Option<String> {
    let find = |fields: &[LogField], key: &str| {
        let field = fields.iter().find(|field| field.key == key);
        field.map(|field| field.value.to_string())
    };
    let log = span
        .logs
        .iter()
        .find(|log| find(&log.fields, "event").as_deref() == Some(event));
    find(&log?.fields, key)
}

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{
    Span as _, SpanKind, TraceContextExt, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue, Value, global};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, SpanData,
    SpanExporter,
};

use crate::contender::{Contender, Mode};
use crate::request::Request;

struct OpenTelemetry {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    propagator: TraceContextPropagator,
    delivered: Arc<AtomicU64>,
}

pub fn prepare(mode: Mode) -> Option<Box<dyn Contender>> {
    let (provider, delivered) = provider(mode);
    Some(Box::new(OpenTelemetry {
        tracer: provider.tracer("compare"),
        provider,
        propagator: TraceContextPropagator::new(),
        delivered,
    }))
}

/// A provider that exports in batches to a sink, and the sink's count.
pub(super) fn provider(mode: Mode) -> (SdkTracerProvider, Arc<AtomicU64>) {
    let delivered = Arc::new(AtomicU64::new(0));
    let sampler = match mode {
        Mode::Sampled => Sampler::ParentBased(Box::new(Sampler::AlwaysOn)),
        Mode::Unsampled | Mode::Off => Sampler::AlwaysOff,
    };
    // Its usual queue, of 2048 spans, would lose some of a burst.
    let queue = BatchConfigBuilder::default()
        .with_max_queue_size(65_536)
        .build();
    let processor = BatchSpanProcessor::builder(Sink(delivered.clone()))
        .with_batch_config(queue)
        .build();
    let provider = SdkTracerProvider::builder()
        .with_sampler(sampler)
        .with_span_processor(processor)
        .build();
    (provider, delivered)
}

#[derive(Debug)]
struct Sink(Arc<AtomicU64>);

impl SpanExporter for Sink {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        for span in &batch {
            let length = |pair: &KeyValue| match &pair.value {
                Value::String(text) => pair.key.as_str().len() + text.as_str().len(),
                _ => pair.key.as_str().len(),
            };
            let bytes: usize = span.attributes.iter().map(length).sum();
            black_box((span.name.len(), span.end_time, bytes, span.events.len()));
        }
        self.0.fetch_add(batch.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

impl Contender for OpenTelemetry {
    fn roots(&self, n: u64) {
        let nothing = Context::new();
        for _ in 0..n {
            self.tracer.start_with_context("root", &nothing).end();
        }
    }

    fn children(&self, n: u64) {
        let root = self.tracer.start_with_context("root", &Context::new());
        let context = Context::new().with_span(root);
        let _active = context.attach();
        for _ in 0..n {
            self.tracer.start("child").end();
        }
    }

    fn requests(&self, n: u64, request: &mut Request) {
        for _ in 0..n {
            let headers = HeaderExtractor(&request.headers);
            let caller = self
                .propagator
                .extract_with_context(&Context::new(), &headers);
            let mut server = self
                .tracer
                .span_builder("GET /orders")
                .with_kind(SpanKind::Server)
                .with_attributes([
                    KeyValue::new("http.method", "GET"),
                    KeyValue::new("component", "shop"),
                    KeyValue::new("http.url", request.url.clone()),
                    KeyValue::new("user.id", request.user.clone()),
                    KeyValue::new("http.status_code", request.status),
                    KeyValue::new("http.response_size", request.response_size),
                ])
                .start_with_context(&self.tracer, &caller);
            let fields = vec![
                KeyValue::new("event", "cache_miss"),
                KeyValue::new("bytes", request.bytes_read),
            ];
            server.add_event("event", fields);
            let server = caller.with_span(server);
            let client = self
                .tracer
                .span_builder("GET /backend")
                .with_kind(SpanKind::Client)
                .start_with_context(&self.tracer, &server);
            let client = server.with_span(client);
            self.propagator
                .inject_context(&client, &mut HeaderInjector(&mut request.next));
            client.span().end();
            server.span().end();
        }
    }

    fn off(&self, n: u64) {
        let tracer = global::tracer("compare");
        let nothing = Context::new();
        for i in 0..n {
            let mut span = tracer.start_with_context("root", &nothing);
            span.set_attribute(KeyValue::new("items", i as i64));
            span.end();
        }
    }

    fn flush(&self) {
        self.provider
            .force_flush()
            .expect("the sink takes everything");
    }

    fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }
}

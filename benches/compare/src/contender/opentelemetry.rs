use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{
    Span as _, SpanKind, TraceContextExt, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue, Value, global};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, SpanData,
    SpanExporter,
};
use prost::Message;

use crate::contender::{Account, Batches, Contender, Destination, Mode, QUEUE, Tally};
use crate::request::Request;

struct OpenTelemetry {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    propagator: TraceContextPropagator,
    tally: Arc<Tally>,
}

pub fn prepare(mode: Mode, destination: Destination) -> Option<Box<dyn Contender>> {
    let (provider, tally) = provider(mode, destination);
    Some(Box::new(OpenTelemetry {
        tracer: provider.tracer("compare"),
        provider,
        propagator: TraceContextPropagator::new(),
        tally,
    }))
}

/// Returns a provider that exports in batches, and the counts of its exporter in this process.
pub(super) fn provider(mode: Mode, destination: Destination) -> (SdkTracerProvider, Arc<Tally>) {
    let tally = Arc::new(Tally::new());
    let resource = Resource::builder_empty()
        .with_service_name("compare")
        .build();
    let processor = match destination {
        Destination::Memory => in_batches(Reader(tally.clone()), Batches::Usual),
        Destination::Bytes => {
            let encoder = Encoder {
                tally: tally.clone(),
                resource: ResourceAttributesWithSchema::from(&resource),
            };
            in_batches(encoder, Batches::Usual)
        }
        Destination::Network(addresses, batches) => {
            let exporter = opentelemetry_otlp::SpanExporter::builder()
                .with_http()
                .with_endpoint(format!("http://{}/v1/traces", addresses.collector))
                .build()
                .expect("a URL");
            let tally = tally.clone();
            in_batches(Answered { exporter, tally }, batches)
        }
    };
    let sampler = match mode {
        Mode::Sampled => Sampler::ParentBased(Box::new(Sampler::AlwaysOn)),
        Mode::Unsampled | Mode::Off => Sampler::AlwaysOff,
    };
    let provider = SdkTracerProvider::builder()
        .with_sampler(sampler)
        .with_resource(resource)
        .with_span_processor(processor)
        .build();
    (provider, tally)
}

/// Makes a processor with a larger queue. The default queue, of 2048 spans, would lose some of a burst.
fn in_batches(exporter: impl SpanExporter + 'static, batches: Batches) -> BatchSpanProcessor {
    let queue = BatchConfigBuilder::default().with_max_queue_size(QUEUE);
    let queue = match batches {
        Batches::Usual => queue,
        Batches::Large => queue.with_max_export_batch_size(QUEUE / 4),
    };
    BatchSpanProcessor::builder(exporter)
        .with_batch_config(queue.build())
        .build()
}

/// An exporter that counts the spans of requests that the collector has answered.
#[derive(Debug)]
struct Answered {
    exporter: opentelemetry_otlp::SpanExporter,
    tally: Arc<Tally>,
}

impl SpanExporter for Answered {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.exporter.export(batch).await;
        if result.is_ok() {
            self.tally.add(spans);
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// Returns what a program can read about its spans. The SDK only logs how many its queue dropped.
pub(super) fn account(tally: &Tally) -> Account {
    Account {
        sent: Some(tally.delivered()),
        ..Account::default()
    }
}

#[derive(Debug)]
struct Reader(Arc<Tally>);

impl SpanExporter for Reader {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        for span in &batch {
            let length = |pair: &KeyValue| match &pair.value {
                Value::String(text) => pair.key.as_str().len() + text.as_str().len(),
                _ => pair.key.as_str().len(),
            };
            let bytes: usize = span.attributes.iter().map(length).sum();
            black_box((span.name.len(), span.end_time, bytes, span.events.len()));
        }
        self.0.add(batch.len());
        Ok(())
    }
}

#[derive(Debug)]
struct Encoder {
    tally: Arc<Tally>,
    resource: ResourceAttributesWithSchema,
}

impl SpanExporter for Encoder {
    /// As its exporter of OTLP does.
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.tally.encoded(batch.len(), || {
            let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
            ExportTraceServiceRequest { resource_spans }.encode_to_vec()
        });
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

    fn tagged_root(&self, request: &Request) {
        let root = self.tracer.span_builder("GET /orders").with_attributes([
            KeyValue::new("http.method", "GET"),
            KeyValue::new("component", "shop"),
            KeyValue::new("http.url", request.url.clone()),
            KeyValue::new("http.status_code", request.status),
            KeyValue::new("http.response_size", request.response_size),
        ]);
        root.start_with_context(&self.tracer, &Context::new()).end();
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

    fn tally(&self) -> &Tally {
        &self.tally
    }

    fn account(&self) -> Account {
        account(&self.tally)
    }
}

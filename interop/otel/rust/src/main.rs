//! A crossdock service over the OpenTelemetry SDK for Rust.

mod sampler;
mod service;

use std::{collections::HashMap, env, error::Error, process, time::Duration};

use opentelemetry::{
    propagation::{TextMapCompositePropagator, TextMapPropagator},
    trace::TracerProvider,
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::{BaggagePropagator, TraceContextPropagator},
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider},
};
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};

use crate::{sampler::PrioritySampler, service::Service};

fn main() -> Result<(), Box<dyn Error>> {
    let flags = flags();
    let flag = |name: &str| {
        let value = flags.get(name);
        value.map_or_else(|| Err(format!("no --{name}")), |value| Ok(value.as_str()))
    };
    let format: Box<dyn TextMapPropagator + Send + Sync> = match flag("format")? {
        "w3c" => Box::new(TraceContextPropagator::new()),
        "b3" => Box::new(b3()),
        format => {
            eprintln!("OpenTelemetry for Rust has no format {format}");
            process::exit(3)
        }
    };
    // Baggage is a format of its own here, and goes along with each.
    let propagator =
        TextMapCompositePropagator::new(vec![format, Box::new(BaggagePropagator::new())]);
    let provider = provider(flag("service")?, flag("otlp")?)?;
    let service = Service::new(provider.tracer("crossdock"), propagator);
    let address = format!("{}:{}", flag("host")?, flag("port")?);
    Runtime::new()?.block_on(serve(service, &address))?;
    // The exporter blocks, so this is for a thread outside of the runtime.
    provider.shutdown()?;
    Ok(())
}

#[expect(
    deprecated,
    reason = "its crate is, for the exporter; nothing else has these headers"
)]
fn b3() -> opentelemetry_zipkin::Propagator {
    let encoding = opentelemetry_zipkin::B3Encoding::MultipleHeader;
    opentelemetry_zipkin::Propagator::with_encoding(encoding)
}

/// Reads pairs of `--name` and value. Every service gets the same ones, and uses those that it needs.
fn flags() -> HashMap<String, String> {
    let mut arguments = env::args().skip(1);
    let mut flags = HashMap::new();
    while let (Some(name), Some(value)) = (arguments.next(), arguments.next()) {
        flags.insert(name.trim_start_matches("--").to_owned(), value);
    }
    flags
}

fn provider(service: &str, otlp: &str) -> Result<SdkTracerProvider, Box<dyn Error>> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{otlp}/v1/traces"))
        .build()?;
    let config = BatchConfigBuilder::default().with_scheduled_delay(Duration::from_millis(100));
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(config.build());
    let resource = Resource::builder().with_service_name(service.to_owned());
    Ok(SdkTracerProvider::builder()
        .with_resource(resource.build())
        .with_sampler(Sampler::ParentBased(Box::new(PrioritySampler)))
        .with_span_processor(processor.build())
        .build())
}

/// Serves until SIGTERM.
async fn serve(service: Service, address: &str) -> Result<(), Box<dyn Error>> {
    let mut end = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(address).await?;
    tokio::select! {
        ended = async { axum::serve(listener, service.routes()).await } => Ok(ended?),
        _ = end.recv() => Ok(()),
    }
}

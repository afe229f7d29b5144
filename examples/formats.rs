//! A gateway between services that speak different formats: B3 or W3C outside, Jaeger inside.
//!
//! Learnt: a composite codec reads several formats and writes one, so a trace goes on from a partner's Zipkin or
//! OpenTelemetry service to a Jaeger service. How much of a caller's context is believed is set for each listener:
//! partners may have their trace go on, sampling decision and baggage included; strangers start a new trace.
//!
//! Run: `cargo run --example formats --features full`.
//!
//! Change: believe the ids of strangers, but no more, by `Trust::ids_only()`. Their trace then goes on, and the
//! gateway's sampler decides on it.

use std::error::Error;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use tokio::net::TcpListener;
use tracehound::JaegerTracer;
use tracehound::middleware::{SendTraced, ServerLayer};
use tracehound::propagation::{B3Codec, CompositeCodec, JaegerCodec, Trust, W3cCodec};
use tracehound::reporter::NullReporter;
use tracehound::sampler::ConstSampler;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let tracer = JaegerTracer::builder("gateway")
        .sampler(ConstSampler::new(false))
        .reporter(NullReporter::new())
        .http_headers_codec(
            CompositeCodec::new()
                .reader(B3Codec::multiple_headers())
                .reader(W3cCodec::new())
                .writer(JaegerCodec::http_headers()),
        )
        .build()?;

    let inside = serve(Router::new().route("/", get(show))).await?;
    let partners = serve(gateway(&inside, &tracer, Trust::full())?).await?;
    let strangers = serve(gateway(&inside, &tracer, Trust::restart())?).await?;

    let http = reqwest::Client::builder().no_proxy().build()?;
    let w3c = [
        (
            "traceparent",
            "00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01",
        ),
        ("baggage", "tenant=eu%201"),
    ];
    let b3 = [("b3", "463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-d")];
    for (who, url, headers) in [
        ("a partner, W3C", &partners, &w3c[..]),
        ("a partner, B3 debug", &partners, &b3),
        ("a stranger, W3C", &strangers, &w3c),
        ("a stranger, B3 debug", &strangers, &b3),
    ] {
        let mut request = http.get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        println!("{who}\n{}", request.send().await?.text().await?);
    }
    Ok(())
}

/// Returns a service that passes each request on.
fn gateway(inside: &str, tracer: &JaegerTracer, trust: Trust) -> Result<Router, Box<dyn Error>> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let (inside, client_tracer) = (inside.to_owned(), tracer.clone());
    let pass_on = async move || {
        let reply = http.get(inside).send_traced(&client_tracer).await;
        match reply {
            Ok(reply) => reply.text().await.unwrap_or_default(),
            Err(error) => error.to_string(),
        }
    };
    let layer = ServerLayer::new(tracer.clone()).trust(trust);
    Ok(Router::new().route("/", get(pass_on)).layer(layer))
}

/// Returns the headers that a Jaeger client inside would read.
async fn show(headers: HeaderMap) -> String {
    let names = ["uber-trace-id", "uberctx-tenant", "traceparent", "b3"];
    let lines = names.into_iter().filter_map(|name| {
        let value = headers.get(name)?.to_str().ok()?;
        Some(format!("  {name}: {value}\n"))
    });
    lines.collect()
}

async fn serve(app: Router) -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(url)
}

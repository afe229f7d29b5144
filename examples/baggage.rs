//! A user id and the label of a test run travel through three services that know nothing of each other.
//!
//! Learnt: a baggage item of a span reaches every service below it, by headers, even if the trace is not kept (here
//! none is). Services above do not see the items that one below sets. Each item is sent with each request, so keep it
//! short, and never put a secret into it.
//!
//! Run: `cargo run --example baggage --features full`.
//!
//! Change: remove the item `user-id` in the shop, by `remove_baggage_item`. Who still sees it?

use std::error::Error;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use tokio::net::TcpListener;
use tracehound::JaegerTracer;
use tracehound::middleware::{RequestSpan, SendTraced, ServerLayer};
use tracehound::prelude::*;
use tracehound::reporter::NullReporter;
use tracehound::sampler::ConstSampler;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let stock = serve("stock", None).await?;
    let shop = serve("shop", Some(stock)).await?;
    let gate = serve("gate", Some(shop)).await?;

    let tracer = tracer("phone")?;
    let span = tracer.start_span("tap");
    span.set_baggage_item("user-id", "4711");
    span.set_baggage_item("test-run", "friday 17:00 ☂");
    let ask = reqwest::Client::builder().no_proxy().build()?.get(gate);
    let reply = ask.send_traced(&tracer).in_span(span).await?;
    print!("{}", reply.text().await?);
    Ok(())
}

/// Makes a tracer that keeps no trace.
fn tracer(name: &str) -> Result<JaegerTracer, Box<dyn Error>> {
    let builder = JaegerTracer::builder(name).sampler(ConstSampler::new(false));
    Ok(builder.reporter(NullReporter::new()).build()?)
}

/// Starts a service that lists the items it sees, and asks the next service.
async fn serve(name: &'static str, next: Option<String>) -> Result<String, Box<dyn Error>> {
    let tracer = tracer(name)?;
    let layer = ServerLayer::new(tracer.clone());
    let http = reqwest::Client::builder().no_proxy().build()?;
    let handle = async move |headers: HeaderMap, span: RequestSpan| {
        let mut text = see(name, &headers, &span);
        if name == "shop" {
            span.set_baggage_item("cart", "3");
        }
        if let Some(next) = next {
            match http.get(next).send_traced(&tracer).await {
                Ok(reply) => text += &reply.text().await.unwrap_or_default(),
                Err(error) => text += &error.to_string(),
            }
        }
        text
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let app = Router::new().route("/", get(handle)).layer(layer);
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(url)
}

/// Lists the items of a request, and the headers that carried them.
fn see(name: &str, headers: &HeaderMap, span: &Span) -> String {
    let mut text = format!("{name} sees\n");
    for (key, value) in span.context().baggage().iter() {
        let header = headers.get(format!("uberctx-{key}"));
        text += &format!("  {key} = {value:?}, as {header:?}\n");
    }
    text
}

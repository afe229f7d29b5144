//! A framework of one's own, with a chain of middleware around servers and clients: trace, log, metrics, rate limit.
//!
//! Learnt: how to trace what has no layer yet. `trace.rs` is all there is to it: extract, start, inject, and tag the
//! outcome. It comes first in the chain, so the span is active in the others: the log writes its trace id, and the
//! rate limit records on the span why a request was not served.
//!
//! Run: `cargo run --example koala --features full`.
//!
//! Change: put `Log` before `Trace` in the koala's chain, and look at its lines.

mod chain;
mod log;
mod metrics;
mod rate_limit;
mod trace;
mod wire;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use tracehound::JaegerTracer;
use tracehound::dev::{DevOptions, DevServer, Waterfall};
use tracehound::prelude::*;

use chain::{Reply, Service, Side, chain};
use log::Log;
use metrics::Metrics;
use rate_limit::RateLimit;
use trace::Trace;
use wire::Http;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = DevOptions::new().any_ports().waterfall(Waterfall::Always);
    let agent = DevServer::start(options)?;
    let (keeper, koala) = (agent.tracer("keeper")?, agent.tracer("koala")?);

    let side = Side::Server;
    let served = Arc::new(Metrics::default());
    let service = chain(
        [
            Arc::new(Trace {
                side,
                tracer: koala.clone(),
            }),
            Arc::new(Log(side)),
            served.clone(),
            Arc::new(RateLimit::new(side, 2)),
        ],
        Koala(koala),
    );
    let address = wire::serve(service).await?;

    let side = Side::Client;
    let sent = Arc::new(Metrics::default());
    let client = chain(
        [
            Arc::new(Trace {
                side,
                tracer: keeper.clone(),
            }),
            Arc::new(Log(side)),
            sent.clone(),
            Arc::new(RateLimit::new(side, 3)),
        ],
        Http::new(),
    );
    let span = keeper.start_span("feed_koala");
    let meals = async {
        for meal in ["breakfast", "lunch", "dinner", "supper"] {
            let uri = format!("http://{address}/leaves/{meal}");
            let request = Request::put(uri).body(Bytes::from("eucalyptus"))?;
            // The log has a line about a failure already.
            let _ = client.call(request).await;
        }
        Ok::<_, http::Error>(())
    };
    meals.in_span(span).await?;
    println!("keeper: {sent}\nkoala: {served}\n");
    Ok(())
}

/// The service itself. It knows nothing of the chain.
struct Koala(JaegerTracer);

#[async_trait]
impl Service for Koala {
    async fn call(&self, request: Request<Bytes>) -> Reply {
        let span = self.0.start_span("eat");
        span.set_tag("bytes", request.body().len());
        let eat = tokio::time::sleep(Duration::from_millis(5));
        eat.in_span(span).await;
        Ok(Response::new(Bytes::from("burp")))
    }
}

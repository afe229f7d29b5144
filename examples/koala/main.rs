//! A framework of one's own: chains of middleware around servers, clients, producers and consumers, for logs, metrics,
//! a rate limit and traces.
//!
//! Learnt: how to trace what has no layer yet, and what that gives. `trace.rs` is all there is to it: extract, start,
//! inject, and tag the outcome. `framework.rs` puts it first in each chain, so its span is active in the others and in
//! the service: lines of the log have its ids, the rate limit records on it why a request was not served, calls of the
//! database are its children, and spans are the metrics.
//!
//! Run: `cargo run --example koala --features full`.
//!
//! Change: put `AccessLog` before `Trace` in `framework.rs`, and look at its lines.

mod access_log;
mod chain;
mod framework;
mod queue;
mod rate_limit;
mod services;
mod trace;
mod wire;

use std::error::Error;

use bytes::Bytes;
use http::Request;
use tracehound::dev::{DevOptions, DevServer, Waterfall};
use tracehound::prelude::*;

use chain::Side;
use framework::Framework;
use services::{Gardener, Koala};
use wire::Http;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    framework::log_to_stdout()?;
    let options = DevOptions::new().any_ports().waterfall(Waterfall::Always);
    let agent = DevServer::start(options)?;
    let start = |name| Framework::new(agent.tracer_builder(name));
    let (keeper, koala, gardener) = (start("keeper")?, start("koala")?, start("gardener")?);

    let (garden, orders) = queue::queue();
    let garden = koala.around(Side::Producer, 60, garden);
    let gardening = queue::consume(orders, gardener.around(Side::Consumer, 60, Gardener));

    let service = Koala::new(koala.database("sqlite"), garden);
    let (address, server) = wire::serve(koala.around(Side::Server, 2, service)).await?;

    let client = keeper.around(Side::Client, 3, Http::new());
    let span = keeper.tracer().start_span("feed_koala");
    let meals = async {
        for meal in ["breakfast", "lunch", "dinner", "supper"] {
            let uri = format!("http://{address}/meals/{meal}");
            let request = Request::put(uri).body(Bytes::from("eucalyptus"))?;
            // The log has a line about a failure already.
            let _ = client.call(request).await;
        }
        Ok::<_, http::Error>(())
    };
    meals.in_span(span).await?;

    // The last message is handled before the program ends: its producer goes first.
    drop(client);
    server.abort();
    gardening.await?;
    println!();
    for (name, framework) in [("keeper", keeper), ("koala", koala), ("gardener", gardener)] {
        for operation in framework.metrics() {
            let (count, failed) = (operation.count(), operation.errors);
            let micros = operation.total.as_micros() / u128::from(count);
            let operation = operation.operation;
            println!("{name}: {operation} x {count}, {failed} failed, {micros} us each");
        }
    }
    println!();
    Ok(())
}

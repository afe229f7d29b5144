//! Two services that know nothing but `tracing`: `#[instrument]`, `info!`. Only this file knows tracehound.
//!
//! Learnt: `TracingLayer` makes spans of `tracing` spans of the trace, and events log records on them. The layers
//! around the server and the client join the two services by headers. `WithTraceIds` gives the ids of the trace to each
//! line.
//!
//! Run: `cargo run --example tracing --features full`.
//!
//! Change: order a `samovar`, which is not in stock. Which spans have a `!`, and which one says why?

mod shop;
mod stock;

use std::error::Error;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use axum::Router;
use reqwest_middleware::ClientBuilder;
use tokio::runtime;
use tracehound::JaegerTracer;
use tracehound::bridge::{TracingLayer, WithTraceIds};
use tracehound::dev::{DevOptions, DevServer, Waterfall};
use tracehound::middleware::{ServerLayer, TracingMiddleware};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::{fmt, prelude::*};

fn main() -> Result<(), Box<dyn Error>> {
    let options = DevOptions::new().any_ports().waterfall(Waterfall::Always);
    let server = DevServer::start(options)?;
    let tracers = [server.tracer("stock")?, server.tracer("shop")?];

    let browser = reqwest::Client::builder().no_proxy().build()?;
    let stock = serve(stock::routes(), &tracers[0])?;
    let client =
        ClientBuilder::new(browser.clone()).with(TracingMiddleware::new(tracers[1].clone()));
    let shop = serve(shop::routes(client.build(), stock), &tracers[1])?;

    let order = async {
        let url = format!("http://{shop}/orders/teapot");
        browser.get(url).send().await?.text().await
    };
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    println!("\n{}\n", runtime.block_on(order)?);
    for tracer in tracers {
        tracer.flush(Duration::from_secs(1));
    }
    server.wait_until_printed(Duration::from_secs(5));
    Ok(())
}

/// Serves `app` on a free port. Two services are in this program, so each has a thread with a subscriber of its own; a
/// program that is one service calls `init` instead.
fn serve(app: Router, tracer: &JaegerTracer) -> Result<SocketAddr, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let app = app.layer(ServerLayer::new(tracer.clone()));
    let lines = fmt::layer().without_time().with_ansi(false);
    let subscriber = tracing_subscriber::registry()
        .with(LevelFilter::INFO)
        .with(TracingLayer::new(tracer.clone()))
        .with(lines.map_event_format(WithTraceIds::text));
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    thread::spawn(move || {
        let _subscriber = subscriber.set_default();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, app).await
        })
    });
    Ok(address)
}

//! A service as a careful team runs it, under a load of its own, with its ledger at the end.
//!
//! Learnt: what goes into `main` before the first request (`traced.rs`), what a listener for strangers and a client
//! need (`shop.rs`), in which order a service ends (below), and what to look at then (`ledger.rs`): each span that
//! finished was sent, or is named with the reason for its loss.
//!
//! Run: `cargo run --release --example production --features full`. It takes a minute, or as many seconds as its
//! argument says; SIGTERM or Ctrl-C end it earlier, and as well. Spans go where variables say. Without any, an agent
//! within the process stands for Jaeger.
//!
//! Change: `OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9`, where nobody listens. Which lines name the loss?

mod ledger;
mod load;
mod shop;
mod stand_in;
mod stop;
mod traced;

use std::env;
use std::error::Error;
use std::time::Duration;

use crate::shop::Shop;
use crate::stand_in::StandIn;
use crate::traced::Traced;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let seconds = match env::args().nth(1).as_deref() {
        None => 60,
        Some("-h" | "--help") => {
            println!("{USAGE}");
            return Ok(());
        }
        Some(text) => text
            .parse()
            .map_err(|_| format!("expected seconds, found {text:?}"))?,
    };
    traced::log_to_stderr()?;
    let stop = stop::told_to_stop()?;
    let config = traced::settings();
    let stand_in = if traced::names_a_receiver(&config) {
        None
    } else {
        Some(StandIn::start()?)
    };
    let config = match &stand_in {
        Some(stand_in) => stand_in.receives(config),
        None => config,
    };
    let traced = Traced::start(config)?;
    traced::send_spans_at_a_panic(traced.tracer.clone());

    let shop = Shop::open(&traced).await?;
    println!("{}\n{}", shop.orders_url("ada"), shop.metrics_url());
    let asked = tokio::select! {
        asked = load::run(&shop, Duration::from_secs(seconds)) => asked?,
        () = stop => load::Asked::default(),
    };
    // First no more requests, then the last spans: a span of an answer that is still on its way would be lost.
    let leaks = shop.close().await?;
    let report = traced.tracer.close_async(Duration::from_secs(10)).await;
    ledger::print(&traced, &report, &asked, &leaks, stand_in.as_ref());
    Ok(())
}

const USAGE: &str = "\
usage: production [SECONDS]

A service under a load of its own, for a minute or for SECONDS. SIGTERM or Ctrl-C end it earlier. At the end it prints
what became of every span. Spans go where variables say, such as OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318, and
without any to an agent within the process.";

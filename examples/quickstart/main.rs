//! A shop of three services takes three orders: one is fine, one fails, one is slow.
//!
//! Learnt: spans of several services make one trace; where the time goes, and where an error comes from. `shop.rs`,
//! `cart.rs` and `pay.rs` are what you would write: a layer around each server and each client, and your
//! own spans around the work that matters.
//!
//! Run: `cargo run --example quickstart --features full`. With `JAEGER_AGENT_HOST=localhost` before it the spans go
//! to the Jaeger there. With `-- --stay` after it the services stay, for orders by curl.
//!
//! Change: `-- --index` gives a database the index that it lacks. Which lines of the third picture change?

mod backend;
mod cart;
mod pay;
mod shop;
#[path = "../grpc/text.rs"]
mod text;

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::dev::{DevOptions, Waterfall};

use backend::Backend;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);

    let options = DevOptions::new().waterfall(Waterfall::Always);
    let backend = Backend::choose(if has("--stay") {
        options // on Jaeger's ports, which other programs send to
    } else {
        options.any_ports()
    })?;
    let [shop, cart, pay] = ["shop", "cart", "pay"].map(|name| backend.tracer(name));
    let tracers = [shop?, cart?, pay?];
    let [shop, cart, pay] = tracers.clone();
    let cart = cart::start(cart, has("--index")).await?;
    let pay = pay::start(pay).await?;
    let shop = shop::start(shop, cart, pay).await?;

    introduce(&backend);
    for (customer, story) in STORIES {
        println!("{story}");
        let trace_id = order(shop, customer).await?;
        show(&backend, &trace_id, &tracers);
    }
    if has("--stay") {
        stay(&backend, shop)?;
    }
    backend::print_ledger(&tracers);
    Ok(())
}

const STORIES: [(&str, &str); 3] = [
    ("ada", "1. Ada orders a teapot. All is well:"),
    (
        "bob",
        "2. Bob's bank is on strike. Follow the `!` to where it began:",
    ),
    (
        "carol",
        "3. Carol waits. Who keeps her waiting? The critical path (`━`, or `=` in ASCII) tells:",
    ),
];

fn introduce(backend: &Backend) {
    let agent = backend.name();
    println!(
        "\
Welcome to the teapot shop! Three services run in this program: `shop` takes an order by HTTP, asks `cart` what
is in it, by HTTP, and has `pay` charge the customer, by gRPC. Each has a tracer of its own, and sends its spans
by UDP to {agent}.
Three orders are coming in. When you have seen them, try

  cargo run --example quickstart --features full -- --index   what an index in cart's database changes
  cargo run --example quickstart --features full -- --stay    orders of your own, and links that stay alive
  JAEGER_AGENT_HOST=localhost cargo run --example quickstart --features full   the same in your Jaeger
"
    );
}

/// Sends an order as a browser would, without a span, and returns the id of the trace that the shop began.
async fn order(shop: SocketAddr, customer: &str) -> Result<String, Box<dyn Error>> {
    let browser = reqwest::Client::builder().no_proxy().build()?;
    let reply = browser
        .post(format!("http://{shop}/orders/{customer}"))
        .send()
        .await?;
    let trace_id = reply.headers().get("trace-id");
    let trace_id = trace_id.map_or(Ok(""), |id| id.to_str())?.to_owned();
    println!(
        "   POST /orders/{customer} -> {}: {}\n",
        reply.status(),
        reply.text().await?
    );
    Ok(trace_id)
}

/// Shows a trace, or says where to see it. Blocks the thread of `main`; the services run on others.
fn show(backend: &Backend, trace_id: &str, tracers: &[JaegerTracer]) {
    for tracer in tracers {
        tracer.flush(Duration::from_secs(1));
    }
    match backend {
        Backend::Embedded(server) => {
            server.wait_until_printed(Duration::from_secs(5));
        }
        Backend::Agent(_) if trace_id.is_empty() => println!("No trace: tracing is off.\n"),
        Backend::Agent(_) => println!("trace {trace_id}\nlook: {}{trace_id}\n", backend.pages()),
    }
}

fn stay(backend: &Backend, shop: SocketAddr) -> io::Result<()> {
    println!("The shop is open: curl -X POST http://{shop}/orders/ada");
    if let Backend::Embedded(server) = backend {
        println!("All traces: http://{}/", server.query_address());
    }
    println!("Enter closes it.");
    io::stdin().read_line(&mut String::new())?;
    Ok(())
}

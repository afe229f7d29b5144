//! Knows what is in the carts: HTTP by axum.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use tokio::net::TcpListener;
use tracehound::JaegerTracer;
use tracehound::middleware::ServerLayer;
use tracehound::model::{field, tags};
use tracehound::prelude::*;

#[derive(Clone)]
struct Cart {
    tracer: JaegerTracer,
    has_index: bool,
}

pub(crate) async fn start(tracer: JaegerTracer, has_index: bool) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let layer = ServerLayer::new(tracer.clone());
    let app = Router::new()
        .route("/cart/{customer}", get(read))
        .with_state(Cart { tracer, has_index })
        .layer(layer);
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(address)
}

async fn read(State(cart): State<Cart>, Path(customer): Path<String>) -> String {
    let span = cart.tracer.start_span("query_items");
    span.set_tag(tags::DB_TYPE, "sql");
    let items = query_items(&customer, cart.has_index).in_span(span).await;
    format!("{items} items")
}

async fn query_items(customer: &str, has_index: bool) -> u32 {
    let items = if customer == "carol" { 40_000 } else { 3 };
    let is_scan = items > 1_000 && !has_index;
    if is_scan {
        active_span().log([field("event", "full table scan"), field("rows", 4_000_000)]);
    }
    tokio::time::sleep(Duration::from_millis(if is_scan { 300 } else { 15 })).await;
    items
}

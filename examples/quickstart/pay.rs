//! Takes the money: gRPC by tonic.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tonic::Status;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tracehound::JaegerTracer;
use tracehound::middleware::ServerLayer;
use tracehound::prelude::*;

use crate::text;

pub(crate) const CHARGE: &str = "/pay.Payments/Charge";

pub(crate) async fn start(tracer: JaegerTracer) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let layer = ServerLayer::new(tracer.clone());
    let charge = move |customer| charge(tracer.clone(), customer);
    let server = Server::builder()
        .layer(layer)
        .add_routes(text::method(CHARGE, charge))
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
    tokio::spawn(server);
    Ok(address)
}

async fn charge(tracer: JaegerTracer, customer: String) -> Result<String, Status> {
    let span = tracer.start_span("ask_bank");
    span.set_tag("customer", &customer);
    ask_bank(&customer).in_span(span).await
}

async fn ask_bank(customer: &str) -> Result<String, Status> {
    tokio::time::sleep(Duration::from_millis(40)).await;
    if customer != "bob" {
        return Ok("paid".to_owned());
    }
    let error = io::Error::other("bank on strike");
    active_span().log_error(&error);
    Err(Status::unavailable(error.to_string()))
}

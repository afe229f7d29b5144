//! Charges customers: gRPC by tonic. It is too busy for the first request.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::net::TcpListener;
use tonic::{
    Status,
    transport::{Server, server::TcpIncoming},
};
use tracehound::{JaegerTracer, middleware::ServerLayer};

use crate::{Result, text};

pub(crate) const CHARGE: &str = "/bank.Bank/Charge";

pub(crate) async fn start(tracer: JaegerTracer) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let is_busy = Arc::new(AtomicBool::new(true));
    let charge = move |customer| {
        let is_busy = is_busy.swap(false, Ordering::Relaxed);
        async move {
            match is_busy {
                true => Err(Status::unavailable("too busy")),
                false => Ok(format!("{customer} paid")),
            }
        }
    };
    let server = Server::builder()
        .layer(ServerLayer::new(tracer))
        .add_routes(text::method(CHARGE, charge))
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
    tokio::spawn(server);
    Ok(address)
}

//! A gRPC client and server: one call succeeds, one fails.
//!
//! Learnt: `ServerLayer` on tonic's server, `ClientLayer` around its channel. Calls are named after their method. The
//! gRPC status, which comes last, decides what is an error: on a client, every status but `OK` and `Canceled`; on a
//! server, only a status that is the server's own fault. `GrpcDetails` counts the messages each way and gives the first
//! ones log events: with a stream, that shows how far it has come.
//!
//! Run: `cargo run --example grpc --features full`.
//!
//! Change: let the greeter answer `Status::internal` in place of `Status::not_found`. Whose fault is it now?

mod text;

use std::error::Error;

use tokio::net::TcpListener;
use tonic::Status;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tracehound::dev::{DevOptions, DevServer, Waterfall};
use tracehound::middleware::{ClientLayer, GrpcDetails, ServerLayer};
use tracehound::prelude::*;

const GREET: &str = "/greeter.Greeter/Greet";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = DevOptions::new().any_ports().waterfall(Waterfall::Always);
    let agent = DevServer::start(options)?;

    let details = GrpcDetails::new().message_events(5);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = Server::builder()
        .layer(ServerLayer::new(agent.tracer("greeter")?).grpc(details))
        .add_routes(text::method(GREET, greet))
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
    tokio::spawn(server);

    let tracer = agent.tracer("guest")?;
    let channel = Endpoint::try_from(format!("http://{address}"))?.connect_lazy();
    let channel = ClientLayer::new(tracer.clone()).grpc(details).wrap(channel);

    let span = tracer.start_span("arrive");
    let calls = async {
        for name in ["Ada", "Nobody"] {
            match text::call(channel.clone(), GREET, name).await {
                Ok(greeting) => println!("{greeting}"),
                Err(status) => println!("{:?}: {}", status.code(), status.message()),
            }
        }
    };
    calls.in_span(span).await;
    println!();
    Ok(())
}

async fn greet(name: String) -> Result<String, Status> {
    active_span().set_tag("guest", &name);
    match name.as_str() {
        "Nobody" => Err(Status::not_found("nobody is there")),
        name => Ok(format!("Hello, {name}!")),
    }
}

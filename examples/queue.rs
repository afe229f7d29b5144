//! A queue between a shop and its warehouse, in which a message is delivered twice.
//!
//! Learnt: the context of a trace goes along in the headers of a message. The shop's span ends when the queue has taken
//! the message. The warehouse's span follows from it, is active while the handler runs, and tells how often the message
//! came before. A handler that fails gives its message back.
//!
//! Run: `cargo run --example queue --features full`.
//!
//! Change: give the warehouse's bus `.relation(ReferenceType::ChildOf)`, as if the shop waited for the parcel.

use std::error::Error;
use std::io;

use tokio::sync::mpsc;
use tracehound::dev::{DevOptions, DevServer, Waterfall};
use tracehound::middleware::MessageBus;
use tracehound::prelude::*;
use tracehound::propagation::MessageHeaders;

/// A message, as most brokers have it.
struct Message {
    headers: Vec<(String, Vec<u8>)>,
    payload: &'static str,
    redeliveries: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = DevOptions::new().any_ports().waterfall(Waterfall::Always);
    let server = DevServer::start(options)?;
    let shop = server.tracer("shop")?;
    let warehouse = MessageBus::new(server.tracer("warehouse")?, "channel");

    let (queue, inbox) = mpsc::channel(8);
    let packing = tokio::spawn(pack_all(warehouse, queue.clone(), inbox));
    let checkout = shop.start_span("checkout");
    order(&MessageBus::new(shop, "channel"), &queue, "one teapot")
        .in_span(checkout)
        .await?;
    packing.await?;
    Ok(())
}

async fn order(
    bus: &MessageBus,
    queue: &mpsc::Sender<Message>,
    payload: &'static str,
) -> Result<(), mpsc::error::SendError<Message>> {
    let mut headers = Vec::new();
    let sending = bus.send("orders").payload(payload.as_bytes());
    let sending = sending.start(&mut MessageHeaders(&mut headers));
    let message = Message {
        headers,
        payload,
        redeliveries: 0,
    };
    sending.run(queue.send(message)).await
}

/// Handles messages until one is packed.
async fn pack_all(
    bus: MessageBus,
    queue: mpsc::Sender<Message>,
    mut inbox: mpsc::Receiver<Message>,
) {
    while let Some(mut message) = inbox.recv().await {
        let handling = bus
            .receive("orders")
            .payload(message.payload.as_bytes())
            .redeliveries(message.redeliveries)
            .start(&MessageHeaders(&message.headers[..]));
        match handling.run(pack(&message)).await {
            Ok(()) => {
                handling.span().log_event("ack");
                println!("packed {}\n", message.payload);
                return;
            }
            Err(error) => {
                println!("{error}: {} goes back", message.payload);
                message.redeliveries += 1;
                let back = queue.send(message);
                if handling.settle("nak", back).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn pack(message: &Message) -> io::Result<()> {
    match message.redeliveries {
        0 => Err(io::Error::other("no paper")),
        _ => Ok(()),
    }
}

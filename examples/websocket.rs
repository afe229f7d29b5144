//! Three ends of a WebSocket, and who ended it: the application, the client, or the proxy between them.
//!
//! Learnt: a session has a span on both sides, with one trace. Each tells who ended its connection. If both say that
//! their peer did, it was the proxy, and the silence before the end is the proxy's time-out.
//!
//! Run: `cargo run --example websocket --features full`.
//!
//! Change: let the application say goodbye (`Message::Close`) where it panics now, and print `websocket.close_code`.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::any;
use futures_util::{SinkExt, StreamExt};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tracehound::JaegerTracer;
use tracehound::middleware::{ServerLayer, SessionSpan, Sessions, WebSocketClient};
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::ConstSampler;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    std::panic::set_hook(Box::new(|_| println!("(the application panics)")));
    let spans = InMemoryReporter::new();
    let tracer = |service| {
        let builder = JaegerTracer::builder(service).sampler(ConstSampler::new(true));
        builder.reporter(spans.clone()).build()
    };
    let proxy = proxy(serve(tracer("chat")?).await?).await?;
    let client = WebSocketClient::new(tracer("client")?);
    for word in ["fail", "leave", "wait"] {
        let (mut socket, _) = client.connect(format!("ws://{proxy}/chat")).await?;
        socket.send(word.into()).await?;
        // The proxy gives up a connection after 300 ms.
        while word != "leave" && matches!(socket.next().await, Some(Ok(_))) {}
        drop(socket);

        // Handshake and session of both sides.
        while spans.spans().len() < 4 {
            sleep(Duration::from_millis(1)).await;
        }
        println!("{word}:");
        for span in spans.take() {
            let service = span
                .process
                .as_ref()
                .map_or("", |process| &process.service_name);
            if span.tag("session.ending").is_some() {
                println!(
                    "  {service:7} {} by {}, silent for {} ms",
                    span.tag_text("session.ending"),
                    span.tag_text("session.ended_by"),
                    span.tag_text("session.last_silence_ms"),
                );
            }
        }
    }
    Ok(())
}

/// The application: a WebSocket that echoes, and panics if it is told so.
async fn serve(tracer: JaegerTracer) -> Result<SocketAddr, Box<dyn Error>> {
    let chat = async |upgrade: WebSocketUpgrade, session: SessionSpan| {
        upgrade.on_upgrade(|socket| session.run(talk(socket)))
    };
    let layer = ServerLayer::new(tracer).sessions(Sessions::new());
    let app = Router::new().route("/chat", any(chat)).layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(address)
}

async fn talk(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        assert_ne!(message, Message::text("fail"));
        let _ = socket.send(message).await;
    }
}

/// A proxy that passes bytes on for at most 300 ms.
async fn proxy(target: SocketAddr) -> Result<SocketAddr, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut far = TcpStream::connect(target).await?;
                let both = copy_bidirectional(&mut near, &mut far);
                timeout(Duration::from_millis(300), both).await?
            });
        }
    });
    Ok(address)
}

//! An HTTP service that ends well: at SIGTERM, which Kubernetes and systemd send, or at Ctrl-C.
//!
//! Learnt: `axum::serve` does not return by itself. With a graceful shutdown it takes no more requests, answers those
//! that it has, and returns. Then `close` sends the last spans, and reports what became of all of them.
//!
//! Run: `cargo run --example shutdown --features full`, open the address that it prints, then press Ctrl-C. A
//! service in production takes its name and sampler from `JAEGER_*` variables instead of naming them in the code.
//!
//! Change: leave out `with_graceful_shutdown`. Which lines are never printed, and which span is never sent?

use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tracehound::Config;
use tracehound::middleware::ServerLayer;
use tracehound::prelude::*;
use tracehound::sampler::ConstSampler;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let tracer = Config::from_env()?
        .service_name("clock")
        .sampler(ConstSampler::new(true))
        .build()?;

    let app = Router::new()
        .route("/time", get(time))
        .layer(ServerLayer::new(tracer.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let stop = told_to_stop()?;
    println!("http://{}/time", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(stop)
        .await?;

    println!("no more requests");
    // Blocks for at most five seconds; Kubernetes waits 30 s after SIGTERM before it kills.
    println!("{}", tracer.close(Duration::from_secs(5)));
    Ok(())
}

async fn time() -> &'static str {
    active_span().set_tag("zone", "teatime");
    "five o'clock"
}

/// Ends with the first signal. Signals are caught from now on, before the future is polled.
#[cfg(unix)]
fn told_to_stop() -> Result<impl Future<Output = ()>, Box<dyn Error>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn told_to_stop() -> Result<impl Future<Output = ()>, Box<dyn Error>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

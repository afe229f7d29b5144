//! Computes how long drivers need: HTTP by axum, with workers for the hard part.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tracehound::JaegerTracer;
use tracehound::middleware::ServerLayer;
use tracehound::prelude::*;

use crate::fixes::Fixes;
use crate::pool::Pool;

#[derive(Clone)]
struct Routes {
    tracer: JaegerTracer,
    workers: Arc<Pool>,
}

pub(crate) async fn start(tracer: JaegerTracer, fixes: Fixes) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let layer = ServerLayer::new(tracer.clone());
    let workers = Arc::new(Pool::new(fixes.workers()));
    let app = Router::new()
        .route("/routes/{from}/{to}", get(minutes))
        .with_state(Routes { tracer, workers })
        .layer(layer);
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(address)
}

async fn minutes(
    State(routes): State<Routes>,
    Path((from, to)): Path<(String, String)>,
) -> Result<String, StatusCode> {
    let free = routes.workers.take().await;
    let _worker = free.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let span = routes.tracer.start_span("compute_route");
    let minutes = compute(&from, &to).in_span(span).await;
    minutes.ok_or(StatusCode::BAD_REQUEST)
}

async fn compute(from: &str, to: &str) -> Option<String> {
    sleep(Duration::from_millis(20)).await;
    let ((a, b), (c, d)) = (point(from)?, point(to)?);
    Some((a.abs_diff(c) + b.abs_diff(d)).to_string())
}

fn point(text: &str) -> Option<(u32, u32)> {
    let (x, y) = text.split_once(',')?;
    Some((x.parse().ok()?, y.parse().ok()?))
}

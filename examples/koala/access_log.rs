//! A line for each request. The logger adds the ids of the trace, as to all lines that are written meanwhile.

use async_trait::async_trait;
use bytes::Bytes;
use http::Request;
use log::{info, warn};
use tokio::time::Instant;

use crate::chain::{Middleware, Reply, Service, Side};

pub(crate) struct AccessLog(pub(crate) Side);

#[async_trait]
impl Middleware for AccessLog {
    async fn call(&self, request: Request<Bytes>, next: &dyn Service) -> Reply {
        let side = self.0;
        let what = format!("{side:?} {} {}", request.method(), request.uri().path());
        let start = Instant::now();
        let reply = next.call(request).await;
        let micros = start.elapsed().as_micros();
        match &reply {
            Ok(response) => info!("{what}: {} ({micros} us)", response.status()),
            Err(error) => warn!("{what}: {error} ({micros} us)"),
        }
        reply
    }
}

//! A line for each request, with the id of its trace: from a line to the picture.

use async_trait::async_trait;
use bytes::Bytes;
use http::Request;
use tokio::time::Instant;
use tracehound::scope::active_span;

use crate::chain::{Middleware, Reply, Service, Side};

pub(crate) struct Log(pub(crate) Side);

#[async_trait]
impl Middleware for Log {
    async fn call(&self, request: Request<Bytes>, next: &dyn Service) -> Reply {
        let what = format!("{} {}", request.method(), request.uri().path());
        let start = Instant::now();
        let reply = next.call(request).await;
        let result = match &reply {
            Ok(response) => response.status().to_string(),
            Err(error) => error.to_string(),
        };
        let trace_id = active_span().context().to_trace_id();
        let (side, micros) = (self.0, start.elapsed().as_micros());
        println!("{trace_id} {side:?} {what}: {result} ({micros} us)");
        reply
    }
}

//! Lets a number of requests a minute through, and refuses the rest.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use tokio::time::Instant;
use tracehound::model::field;
use tracehound::scope::active_span;

use crate::chain::{Middleware, Reply, Service, Side};

pub(crate) struct RateLimit {
    side: Side,
    a_minute: u32,
    /// The start of the present minute, and the number of requests since then.
    window: Mutex<(Instant, u32)>,
}

impl RateLimit {
    pub(crate) fn new(side: Side, a_minute: u32) -> Self {
        Self {
            side,
            a_minute,
            window: Mutex::new((Instant::now(), 0)),
        }
    }

    fn lets_through(&self) -> bool {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.0.elapsed() > Duration::from_secs(60) {
            *window = (Instant::now(), 0);
        }
        window.1 += 1;
        window.1 <= self.a_minute
    }
}

#[async_trait]
impl Middleware for RateLimit {
    async fn call(&self, request: Request<Bytes>, next: &dyn Service) -> Reply {
        if self.lets_through() {
            return next.call(request).await;
        }
        active_span().log([
            field("event", "rate limited"),
            field("a minute", self.a_minute),
        ]);
        if self.side != Side::Server {
            return Err("beyond the limit".into());
        }
        let mut response = Response::default();
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        Ok(response)
    }
}

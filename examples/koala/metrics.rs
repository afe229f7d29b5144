//! Counts requests by their outcome.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::Request;

use crate::chain::{Middleware, Reply, Service};

#[derive(Default)]
pub(crate) struct Metrics(Mutex<BTreeMap<String, u32>>);

#[async_trait]
impl Middleware for Metrics {
    async fn call(&self, request: Request<Bytes>, next: &dyn Service) -> Reply {
        let reply = next.call(request).await;
        let result = match &reply {
            Ok(response) => response.status().as_str().to_owned(),
            Err(_) => "failed".to_owned(),
        };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(result).or_default() += 1;
        reply
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts: Vec<_> = counts
            .iter()
            .map(|(what, n)| format!("{what} x {n}"))
            .collect();
        f.write_str(&counts.join(", "))
    }
}

//! A queue: the end of a producer's chain, and the loop before a consumer's.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;

use crate::chain::{Reply, Service};

pub(crate) struct Queue(Sender<Request<Bytes>>);

/// Returns both ends.
pub(crate) fn queue() -> (Queue, Receiver<Request<Bytes>>) {
    let (sender, receiver) = mpsc::channel(16);
    (Queue(sender), receiver)
}

#[async_trait]
impl Service for Queue {
    async fn call(&self, message: Request<Bytes>) -> Reply {
        self.0.send(message).await?;
        let mut accepted = Response::default();
        *accepted.status_mut() = StatusCode::ACCEPTED;
        Ok(accepted)
    }
}

/// Hands each message to `service`, until there are no more producers.
pub(crate) fn consume(
    mut messages: Receiver<Request<Bytes>>,
    service: Arc<dyn Service>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Some(message) = messages.recv().await {
            // The log has a line about a failure already.
            let _ = service.call(message).await;
        }
    })
}

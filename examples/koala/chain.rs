//! The idea of the framework: a service takes a request and gives a response, and middleware stands around services.
//! A message of a queue is a request whose response is of no interest.

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};

pub(crate) type Reply = Result<Response<Bytes>, Box<dyn Error + Send + Sync>>;

#[async_trait]
pub(crate) trait Service: Send + Sync {
    async fn call(&self, request: Request<Bytes>) -> Reply;
}

#[async_trait]
pub(crate) trait Middleware: Send + Sync {
    /// May look at the request, change it, pass it to `next` or not, and look at the reply.
    async fn call(&self, request: Request<Bytes>, next: &dyn Service) -> Reply;
}

/// The place of a chain: before a service, or behind a caller, of requests or of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Server,
    Client,
    Producer,
    Consumer,
}

/// Puts middleware around a service. The first one sees requests first.
pub(crate) fn chain<const N: usize>(
    middleware: [Arc<dyn Middleware>; N],
    service: impl Service + 'static,
) -> Arc<dyn Service> {
    let around = |inner, middleware| -> Arc<dyn Service> { Arc::new(Link { middleware, inner }) };
    middleware.into_iter().rev().fold(Arc::new(service), around)
}

struct Link {
    middleware: Arc<dyn Middleware>,
    inner: Arc<dyn Service>,
}

#[async_trait]
impl Service for Link {
    async fn call(&self, request: Request<Bytes>) -> Reply {
        self.middleware.call(request, &*self.inner).await
    }
}

use std::fmt::Display;

use http::{Request, Response};
use http_body::Body;
use hyper::service::Service;

use crate::middleware::http::{client, server};
use crate::middleware::{ClientService, ServerService, TracedBody, TracedFuture};

impl<S, B, R> Service<Request<B>> for ServerService<S>
where
    S: Service<Request<B>, Response = Response<R>, Error: Display + 'static>,
    R: Body,
{
    type Response = Response<TracedBody<R>>;
    type Error = S::Error;
    type Future = TracedFuture<S::Future>;

    fn call(&self, request: Request<B>) -> Self::Future {
        TracedFuture::call(
            &self.settings,
            request,
            |request| server::begin(&self.settings, COMPONENT, request),
            |request| self.inner.call(request),
        )
    }
}

impl<S, B, R> Service<Request<B>> for ClientService<S>
where
    S: Service<Request<B>, Response = Response<R>, Error: Display + 'static>,
    R: Body,
{
    type Response = Response<TracedBody<R>>;
    type Error = S::Error;
    type Future = TracedFuture<S::Future>;

    fn call(&self, request: Request<B>) -> Self::Future {
        TracedFuture::call(
            &self.settings,
            request,
            |request| client::begin(&self.settings, COMPONENT, request),
            |request| self.inner.call(request),
        )
    }
}

/// Value of the `component` tag.
const COMPONENT: &str = "hyper";

//! A span for each request. This file is all that a framework needs to be traced.

use async_trait::async_trait;
use bytes::Bytes;
use http::Request;
use tracehound::JaegerTracer;
use tracehound::model::tags;
use tracehound::prelude::*;

use crate::chain::{Middleware, Reply, Service, Side};

pub(crate) struct Trace {
    pub(crate) side: Side,
    pub(crate) tracer: JaegerTracer,
}

#[async_trait]
impl Middleware for Trace {
    async fn call(&self, mut request: Request<Bytes>, next: &dyn Service) -> Reply {
        let span = self.start(&request);
        if self.side == Side::Client {
            self.tracer.inject(&span.context(), request.headers_mut());
        }
        // A handle that does not own the span: the span must stay open until its last tags are set below.
        let reply = next.call(request).in_span(span.downgrade()).await;
        match &reply {
            Ok(response) => {
                span.set_tag(tags::HTTP_STATUS_CODE, response.status().as_u16());
                if response.status().is_server_error() {
                    span.set_tag(tags::ERROR, true);
                }
            }
            Err(error) => {
                span.log_error(&**error);
            }
        }
        reply
    }
}

impl Trace {
    /// Starts the span: on a server as a child of the caller's span, on a client as a child of the active span.
    fn start(&self, request: &Request<Bytes>) -> Span {
        // The framework has no routes to name spans for. Never the whole path: there are too many.
        let place = request.uri().path().split('/').nth(1);
        let name = format!("{} /{}", request.method(), place.unwrap_or_default());
        let span = self.tracer.build_span(name);
        let span = match self.side {
            Side::Server => {
                // A malformed header counts as none. The tracer has counted and logged it.
                let caller = self.tracer.extract(request.headers()).ok().flatten();
                span.child_of(&caller)
                    .ignore_active_span()
                    .tag(tags::SPAN_KIND, tags::SPAN_KIND_SERVER)
            }
            Side::Client => span.tag(tags::SPAN_KIND, tags::SPAN_KIND_CLIENT),
        };
        span.start()
    }
}

//! A span for each request and message. This file is all that a framework needs to be traced.

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
        if matches!(self.side, Side::Client | Side::Producer) {
            self.tracer.inject(&span.context(), request.headers_mut());
        }
        // A handle that does not own the span: the span must stay open until its last tags are set below.
        let reply = next.call(request).in_span(span.downgrade()).await;
        match &reply {
            Ok(response) if self.is_http() => {
                span.set_tag(tags::HTTP_STATUS_CODE, response.status().as_u16());
                if response.status().is_server_error() {
                    span.set_tag(tags::ERROR, true);
                }
            }
            Ok(_) => {}
            Err(error) => {
                span.log_error(&**error);
            }
        }
        reply
    }
}

impl Trace {
    fn is_http(&self) -> bool {
        matches!(self.side, Side::Server | Side::Client)
    }

    /// Starts the span: where something comes in, it refers to the caller's span; where something goes out, it is a
    /// child of the active one.
    fn start(&self, request: &Request<Bytes>) -> Span {
        // The framework has no routes to name spans for. Never the whole path: there are too many.
        let place = request.uri().path().split('/').nth(1).unwrap_or_default();
        let (name, kind) = match self.side {
            Side::Server => (http_name(request, place), tags::SPAN_KIND_SERVER),
            Side::Client => (http_name(request, place), tags::SPAN_KIND_CLIENT),
            Side::Producer => (format!("To_{place}"), tags::SPAN_KIND_PRODUCER),
            Side::Consumer => (format!("From_{place}"), tags::SPAN_KIND_CONSUMER),
        };
        let span = self.tracer.build_span(name).tag(tags::SPAN_KIND, kind);
        // A malformed header counts as none. The tracer has counted and logged it.
        let caller = self.tracer.extract(request.headers()).ok().flatten();
        match self.side {
            Side::Server => span.child_of(&caller).ignore_active_span().start(),
            // The producer has not waited for this.
            Side::Consumer => span.follows_from(&caller).ignore_active_span().start(),
            Side::Client | Side::Producer => span.start(),
        }
    }
}

fn http_name(request: &Request<Bytes>, place: &str) -> String {
    format!("{} /{place}", request.method())
}

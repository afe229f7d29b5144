use http::{HeaderMap, request};

use crate::middleware::grpc;
use crate::propagation::GrpcHeaders;
use crate::span::SpanContext;
use crate::tracer::Tracer;

/// The protocol that a request speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http,
    /// gRPC, which travels as HTTP.
    Grpc,
}

impl Protocol {
    /// Recognizes a gRPC call by its method, its path and its content type.
    pub(super) fn of(request: &request::Parts) -> Self {
        if grpc::status::is_call(request) {
            Self::Grpc
        } else {
            Self::Http
        }
    }

    /// Returns the value of the `component` tag. HTTP is told by the library, which is `http`.
    pub(super) fn component(self, http: &'static str) -> &'static str {
        match self {
            Self::Http => http,
            Self::Grpc => grpc::status::COMPONENT,
        }
    }

    pub(super) fn inject(
        self,
        tracer: &dyn Tracer,
        context: &SpanContext,
        headers: &mut HeaderMap,
    ) {
        match self {
            Self::Http => tracer.inject(context, headers),
            Self::Grpc => tracer.inject(context, &mut GrpcHeaders(headers)),
        }
    }

    /// Returns the context of the caller.
    ///
    /// The tracer counts a malformed one; the request goes on without it.
    pub(super) fn extract(self, tracer: &dyn Tracer, headers: &HeaderMap) -> Option<SpanContext> {
        let context = match self {
            Self::Http => tracer.extract(headers),
            Self::Grpc => tracer.extract(&GrpcHeaders(headers)),
        };
        context.ok().flatten()
    }
}

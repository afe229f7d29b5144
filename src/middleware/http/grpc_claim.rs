use std::sync::Arc;

use http::Method;

use crate::middleware::grpc::Methods;
use crate::middleware::http::{names, span_tags};
use crate::middleware::side::Side;
use crate::model::tags;
use crate::span::Span;

/// The claim of a request to be a gRPC call, of a method that is not known yet.
///
/// Until the response decides, the span has no HTTP tags and is named as an HTTP request.
#[derive(Debug)]
pub(super) struct GrpcClaim {
    /// The path of the request, which is the method if the claim is true.
    pub(super) path: Box<str>,
    /// The value of the `http.url` tag, if it turns out to be needed.
    pub(super) url: Option<String>,
    /// The value of the `component` tag of an HTTP request, unless the user has set one.
    pub(super) component: Option<&'static str>,
    /// Whether the user has named the span.
    pub(super) is_named: bool,
    pub(super) methods: Arc<Methods>,
}

impl GrpcClaim {
    /// Records an HTTP request: the response was not gRPC, or there was none.
    #[cold]
    pub(super) fn refute(&self, span: &Span) {
        span.set_tag(tags::COMPONENT, self.component);
        self.record_url(span);
    }

    /// Names the span after the method, which has answered and is known from now on.
    ///
    /// If too many methods are known, the path becomes a tag instead.
    #[cold]
    pub(super) fn accept(&self, span: &Span) {
        if !self.methods.learn(&self.path) {
            return self.record_url(span);
        }
        let name = span.slot().map(|slot| slot.operation_name());
        let is_ours = name.is_some_and(|name| names::is_name_of_post(&name));
        if is_ours && !self.is_named {
            span.set_operation_name(self.path.to_string());
        }
    }

    /// Records the path as a tag: the server speaks gRPC, but perhaps it has no such method.
    #[cold]
    pub(super) fn record_url(&self, span: &Span) {
        span_tags::http(span, Side::Server, &Method::POST, self.url.as_deref(), None);
    }
}

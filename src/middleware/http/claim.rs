//! What a caller says that its request is, until the answer tells.

use std::sync::Arc;

use http::Method;

use crate::middleware::grpc::KnownMethods;
use crate::middleware::http::names;
use crate::model::tags;
use crate::span::Span;

/// A request that claims to be a gRPC call, to a method that no answer has vouched for yet.
///
/// Its span has no tags of HTTP, and the name that it would have without the claim.
#[derive(Debug)]
pub(super) struct Claim {
    /// The method, as a name.
    pub(super) path: Box<str>,
    /// The value of the `http.url` tag, should it be needed.
    pub(super) url: Option<String>,
    /// The value of the `component` tag if the answer is not gRPC's, unless the user has chosen one.
    pub(super) component: Option<&'static str>,
    /// Whether the user has given the span its name.
    pub(super) is_named: bool,
    pub(super) methods: Arc<KnownMethods>,
}

impl Claim {
    /// The answer was not gRPC's, or there was none.
    #[cold]
    pub(super) fn refute(&self, span: &Span) {
        span.set_tag(tags::COMPONENT, self.component);
        self.record_url(span);
    }

    /// A method has answered: the span is named for it, and later ones from the start.
    ///
    /// A server that passes on whatever it is asked for vouches for every path, so there is a limit.
    #[cold]
    pub(super) fn accept(&self, span: &Span) {
        if !self.methods.learn(&self.path) {
            return self.record_url(span);
        }
        let name = span.cell().map(|cell| cell.operation_name());
        let is_ours = name.is_some_and(|name| names::is_name_of_post(&name));
        if is_ours && !self.is_named {
            span.set_operation_name(self.path.to_string());
        }
    }

    /// A gRPC server has answered, but perhaps none of its methods: the path stays off the name, and is told by a tag.
    #[cold]
    pub(super) fn record_url(&self, span: &Span) {
        span.set_tag(tags::HTTP_METHOD, Method::POST.as_str())
            .set_tag(tags::HTTP_URL, self.url.as_ref());
    }
}

//! What a caller says that its request is, until the answer tells.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use http::Method;

use crate::middleware::http::span_tags;
use crate::model::tags;
use crate::span::Span;
use crate::sync::PerProcess;

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
    pub(super) methods: Arc<Methods>,
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
        let is_ours = name.is_some_and(|name| span_tags::is_name_of_post(&name));
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

/// The gRPC methods of a server that have answered before. Their paths are names; those that callers make up are not.
pub(super) struct Methods(PerProcess<RwLock<HashSet<Box<str>>>>);

impl Methods {
    /// How many there may be.
    const LIMIT: usize = 1_000;

    pub(super) fn has(&self, path: &str) -> bool {
        let known = self.known().read();
        known.unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    /// Whether the path is known from now on.
    fn learn(&self, path: &str) -> bool {
        let known = self.known().write();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        if known.contains(path) {
            return true;
        }
        known.len() < Self::LIMIT && known.insert(path.into())
    }

    fn known(&self) -> &RwLock<HashSet<Box<str>>> {
        self.0.get(|_| RwLock::default())
    }
}

impl Default for Methods {
    fn default() -> Self {
        Self(PerProcess::new(RwLock::default()))
    }
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Methods")
    }
}

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::tags;
use crate::span::Span;
use crate::tracer::Tracer;

/// The settings of a client.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) tracer: Arc<dyn Tracer>,
    pub(super) operation_name: Option<Cow<'static, str>>,
    pub(super) peer_address: Option<Cow<'static, str>>,
    pub(super) peer_service: Option<Cow<'static, str>>,
}

impl Settings {
    /// Records what is known of the server.
    pub(super) fn describe_peer(&self, span: &Span) {
        span.set_tag(tags::PEER_ADDRESS, self.peer_address.as_deref())
            .set_tag(tags::PEER_SERVICE, self.peer_service.as_deref());
    }
}

use std::borrow::Cow;

use crate::sampler::SamplingRate;

/// The settings of the spans of sessions, which are the connections that requests are upgraded to.
///
/// A [`ServerLayer`](crate::middleware::ServerLayer) or a [`ClientLayer`](crate::middleware::ClientLayer) takes them by
/// its setter `sessions`. The page of [the module](crate::middleware#what-becomes-of-an-upgraded-connection) tells what such a span records.
///
/// ```
/// use tracehound::NoopTracer;
/// use tracehound::middleware::{ServerLayer, Sessions};
/// use tracehound::sampler::SamplingRate;
///
/// let sessions = Sessions::new()
///     .operation_name("chat")
///     .message_spans(SamplingRate::new(0.01)?);
/// let layer = ServerLayer::new(NoopTracer).sessions(sessions);
/// # Ok::<(), tracehound::sampler::SamplingRateError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    pub(super) operation_name: Option<Cow<'static, str>>,
    pub(super) is_child: bool,
    /// From 0 to 1.
    pub(super) message_share: f64,
}

impl Sessions {
    /// Makes settings that all have their defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the name of the spans.
    ///
    /// Defaults to `WebSocket session` or, for another protocol, to `HTTP session`, with the route behind if a router
    /// has told it: `WebSocket session /chat/{room}`.
    #[must_use]
    pub fn operation_name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.operation_name = Some(name.into());
        self
    }

    /// Sets whether the session's span is a child of the request's span (`ChildOf`). Defaults to false: it follows
    /// from the request's span (`FollowsFrom`), which has ended when the session begins.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::{ClientLayer, Sessions};
    ///
    /// let sessions = Sessions::new().child_of_request(true); // as one bar below the other in Jaeger
    /// let layer = ClientLayer::new(NoopTracer).sessions(sessions);
    /// ```
    #[must_use]
    pub fn child_of_request(mut self, is_child: bool) -> Self {
        self.is_child = is_child;
        self
    }

    /// Sets which share of the messages of a WebSocket get a span of their own, evenly spread: at 0.1 every tenth in
    /// each direction. Defaults to none.
    ///
    /// Such a span, `WebSocket receive` or `WebSocket send`, is a child of the session's span. It covers the time in
    /// which the bytes of the message pass, not the work on it, and tells the opcode (`websocket.opcode`: `text` or
    /// `binary`) and the bytes of payload on the wire (`websocket.message_size`). What a message says is never
    /// recorded.
    #[must_use]
    pub fn message_spans(mut self, share: SamplingRate) -> Self {
        self.message_share = share.get();
        self
    }
}

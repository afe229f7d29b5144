/// The settings of what the span of a gRPC call tells beyond its status: messages, the deadline, who ended it early.
///
/// A [`ServerLayer`](crate::middleware::ServerLayer) or a [`ClientLayer`](crate::middleware::ClientLayer) takes them by
/// its setter `grpc`. The page of [the module](crate::middleware#grpc) has the tags.
///
/// ```
/// use tracehound::NoopTracer;
/// use tracehound::middleware::{ClientLayer, GrpcDetails};
///
/// let layer = ClientLayer::new(NoopTracer).grpc(GrpcDetails::new().message_events(20));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct GrpcDetails {
    pub(crate) message_events: u32,
}

impl GrpcDetails {
    /// Makes settings that all have their defaults: messages are counted, and have no events.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many messages of a call get a log event, in each direction.
    ///
    /// The event, `message_sent` or `message_received`, is logged when the last byte of the message passes. It tells
    /// the position of the message in its direction, from 1 (`grpc.message_number`), and the bytes of its payload on
    /// the wire, perhaps compressed (`grpc.message_size`). What a message says is not recorded. Messages beyond the
    /// limit are counted in the tag `grpc.messages_unlogged`.
    ///
    /// Defaults to 0. A tracer keeps at most [`logs`](crate::span::Limits::logs) log records of a span in any case.
    #[must_use]
    pub fn message_events(mut self, per_direction: u32) -> Self {
        self.message_events = per_direction;
        self
    }
}

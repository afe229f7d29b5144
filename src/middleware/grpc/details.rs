use crate::sampler::SamplingRate;

/// The settings of what the span of a gRPC call tells beyond its status: messages, the deadline, who ended it early.
///
/// A [`ServerLayer`](crate::middleware::ServerLayer) or a [`ClientLayer`](crate::middleware::ClientLayer) takes them by
/// its setter `grpc`. The page of [the module](crate::middleware#what-is-different-for-grpc) has the tags.
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
    /// From 0 to 1.
    pub(crate) message_share: f64,
}

impl GrpcDetails {
    /// Makes settings that all have their defaults: messages are counted, and have neither events nor spans.
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

    /// Sets which share of the messages of a call get a span of their own, evenly spread: at 0.1 every tenth in each
    /// direction. Defaults to none.
    ///
    /// Such a span, `gRPC send` or `gRPC receive`, is a child of the call's span. It covers the time in which the bytes
    /// of the message pass, not the work on it, and tells its position (`grpc.message_number`) and the bytes of its
    /// payload on the wire (`grpc.message_size`). A message that is cut off has the log event `cancelled`.
    ///
    /// ```
    /// use tracehound::middleware::GrpcDetails;
    /// use tracehound::sampler::SamplingRate;
    ///
    /// let details = GrpcDetails::new().message_spans(SamplingRate::new(0.01)?);
    /// # Ok::<(), tracehound::sampler::SamplingRateError>(())
    /// ```
    #[must_use]
    pub fn message_spans(mut self, share: SamplingRate) -> Self {
        self.message_share = share.get();
        self
    }
}

use crate::model::{SpanId, TraceId};

/// The part that this program has in a request whose span is active.
#[cfg_attr(
    not(feature = "tower"),
    expect(dead_code, reason = "this build has no requests")
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It sends the request.
    Client,
    /// It answers the request.
    Server {
        /// Whether the route would be a better name than the present one.
        wants_route: bool,
        /// The trace id and the span id that the caller has sent, believed or not.
        caller: Option<(TraceId, SpanId)>,
    },
    /// It answers the request, which carries its span along. So a request that carries none is another one.
    Carrier,
}

use crate::model::{SpanId, TraceId};

/// The way in which a span depends on another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the wire fixes the two types")]
pub enum ReferenceType {
    /// The other span depends on this one's outcome.
    ChildOf,
    /// The other span caused this one but does not wait for it.
    FollowsFrom,
}

/// A reference of a finished span: its type, and the two ids of the other span.
///
/// A span that starts takes a [`span::Reference`](crate::span::Reference) instead, which has a whole context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ReportedReference {
    /// The way in which the finished span depends on the other one.
    pub kind: ReferenceType,
    /// The trace of the other span.
    pub trace_id: TraceId,
    /// The other span.
    pub span_id: SpanId,
}

impl ReportedReference {
    /// Makes a reference to a span from its ids.
    pub fn new(kind: ReferenceType, trace_id: TraceId, span_id: SpanId) -> Self {
        Self {
            kind,
            trace_id,
            span_id,
        }
    }
}

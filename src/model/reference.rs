use crate::model::{SpanId, TraceId};

/// How a span depends on another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the wire fixes the two types")]
pub enum ReferenceType {
    /// The other span depends on this one's outcome.
    ChildOf,
    /// The other span caused this one and does not wait for it.
    FollowsFrom,
}

/// A reference as it is reported: a type and the two ids of the span that is referred to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ReportedReference {
    /// How this span depends on it.
    pub kind: ReferenceType,
    /// Its trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
}

impl ReportedReference {
    /// Joins a type and the ids.
    pub fn new(kind: ReferenceType, trace_id: TraceId, span_id: SpanId) -> Self {
        Self {
            kind,
            trace_id,
            span_id,
        }
    }
}

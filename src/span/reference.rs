use crate::model::ReferenceType;
use crate::span::{SpanContext, ToSpanContext};

/// How a span that is about to start depends on another one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Reference {
    /// How it depends on it.
    pub kind: ReferenceType,
    /// The other span.
    pub context: SpanContext,
}

impl Reference {
    /// The other span depends on this one's outcome: a request that waits for its answer.
    pub fn child_of(parent: &impl ToSpanContext) -> Self {
        Self {
            kind: ReferenceType::ChildOf,
            context: parent.to_span_context(),
        }
    }

    /// The other span caused this one and does not wait for it: a message in a queue.
    pub fn follows_from(parent: &impl ToSpanContext) -> Self {
        Self {
            kind: ReferenceType::FollowsFrom,
            context: parent.to_span_context(),
        }
    }
}

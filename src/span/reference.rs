use crate::model::ReferenceType;
use crate::span::{SpanContext, ToSpanContext};

/// A reference from a span that is about to start to another one. For
/// [`SpanBuilder::reference`](crate::tracer::SpanBuilder::reference).
///
/// A finished span has a [`ReportedReference`](crate::model::ReportedReference) in its place.
///
/// ```
/// use tracehound::NoopTracer;
/// use tracehound::prelude::*;
/// use tracehound::span::Reference;
///
/// let message = NoopTracer.start_span("send");
/// let reference = Reference::follows_from(&message);
/// let span = NoopTracer.build_span("receive").reference(reference).start();
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Reference {
    /// The way in which the new span depends on the other one.
    pub kind: ReferenceType,
    /// The context of the other span.
    pub context: SpanContext,
}

impl Reference {
    /// Returns a reference to a span that depends on the new one, such as a request that waits for its answer.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::model::ReferenceType;
    /// use tracehound::prelude::*;
    /// use tracehound::span::Reference;
    ///
    /// let reference = Reference::child_of(&NoopTracer.start_span("checkout"));
    /// assert_eq!(reference.kind, ReferenceType::ChildOf);
    /// assert!(reference.context.is_empty());
    /// ```
    pub fn child_of(parent: &impl ToSpanContext) -> Self {
        Self {
            kind: ReferenceType::ChildOf,
            context: parent.to_span_context(),
        }
    }

    /// Returns a reference to a span that caused the new one but does not wait for it, such as the sender of a message.
    pub fn follows_from(parent: &impl ToSpanContext) -> Self {
        Self {
            kind: ReferenceType::FollowsFrom,
            context: parent.to_span_context(),
        }
    }
}

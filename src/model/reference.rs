use crate::model::{SpanId, TraceId};

/// The way in which a span depends on another one.
///
/// ```
/// use tracehound::model::ReferenceType;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let checkout = tracer.start_span("checkout");
/// // The checkout waits for the charge, and not for the mail.
/// tracer.build_span("charge").child_of(&checkout).start().finish();
/// tracer.build_span("send mail").follows_from(&checkout).start().finish();
/// let kinds: Vec<_> = spans.spans().iter().map(|span| span.references[0].kind).collect();
/// assert_eq!(kinds, [ReferenceType::ChildOf, ReferenceType::FollowsFrom]);
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
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
///
/// ```
/// use tracehound::model::{ReferenceType, ReportedReference, SpanId, TraceId};
///
/// let trace_id = TraceId::new(0, 1).expect("not zero");
/// let parent = SpanId::new(2).expect("not zero");
/// let reference = ReportedReference::new(ReferenceType::ChildOf, trace_id, parent);
/// assert_eq!((reference.trace_id, reference.span_id), (trace_id, parent));
/// ```
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

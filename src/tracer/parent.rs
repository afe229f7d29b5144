//! The parent of a new span, and what the span inherits from it.
//!
//! There are three descriptions, because the fast path can pass the first one in registers:
//!
//! * [`FastParent`] is plain data: ids and decided flags, or a root. It exists only if nothing else is inherited.
//! * [`RicherParent`] adds what a trace carries, baggage and `tracestate`, and a decision that is still open.
//! * [`Inherited`] holds everything: a debug id, one of several references.

use crate::model::{Carried, Flags, Randomness, ReferenceType, ReportedReference, SpanId, TraceId};
use crate::record::{DecisionRef, SpanSlot};
use crate::scope::{ActiveRef, with_active_parent};
use crate::span::{Decision, Reference, SpanContext};
use crate::tracer::StartSpanOptions;

/// The parent that most spans have: none, or a single one with a final decision and without baggage.
#[derive(Clone, Copy)]
pub(super) enum FastParent {
    Root,
    Child(FastParentSpan),
}

/// The ids and the decided flags of a fast parent.
#[derive(Clone, Copy)]
pub(super) struct FastParentSpan {
    pub(super) reference: ReportedReference,
    pub(super) flags: Flags,
    pub(super) randomness: Randomness,
    pub(super) is_remote: bool,
    pub(super) anchor: Option<i64>,
}

impl FastParent {
    /// Returns the parent that the options name, or `None` if [`Inherited`] must describe it.
    #[inline(always)]
    pub(super) fn find(options: &StartSpanOptions<'_>) -> Option<Self> {
        if !options.are_simple() {
            return None;
        }
        match options.only_reference() {
            Some(Reference { kind, context }) => Self::of_context(context, *kind),
            None if options.ignores_active_span() => Some(Self::Root),
            None => Self::active(),
        }
    }

    /// Returns the active parent, or `None` if [`Inherited`] must describe it.
    #[inline(always)]
    pub(super) fn active() -> Option<Self> {
        // Read in place: the facts are copied out, and no user code runs.
        with_active_parent(|active| match active {
            Some(ActiveRef::Span(span)) => Self::of_slot(span.slot()?),
            Some(ActiveRef::Context(context)) => Self::of_context(context, ReferenceType::ChildOf),
            None => Some(Self::Root),
        })
    }

    #[inline(always)]
    fn of_slot(slot: &SpanSlot) -> Option<Self> {
        slot.fix_decision();
        let flags = slot.simple_flags()?;
        Some(Self::Child(FastParentSpan::of_slot(slot, flags)))
    }

    #[inline(always)]
    fn of_context(context: &SpanContext, kind: ReferenceType) -> Option<Self> {
        if !context.is_simple() {
            return None;
        }
        FastParentSpan::of_context(context, kind).map(Self::Child)
    }
}

impl FastParentSpan {
    #[inline(always)]
    fn of_slot(slot: &SpanSlot, flags: Flags) -> Self {
        Self {
            reference: ReportedReference::new(
                ReferenceType::ChildOf,
                slot.header.trace_id,
                slot.header.span_id,
            ),
            flags,
            randomness: slot.randomness,
            is_remote: false,
            anchor: Some(slot.anchor),
        }
    }

    #[inline(always)]
    fn of_context(context: &SpanContext, kind: ReferenceType) -> Option<Self> {
        let (trace_id, span_id) = (context.trace_id()?, context.span_id()?);
        Some(Self {
            reference: ReportedReference::new(kind, trace_id, span_id),
            flags: context.flags(),
            randomness: context.randomness(),
            is_remote: context.is_remote(),
            anchor: context.anchor(),
        })
    }
}

/// A parent, what its trace carries, and the decision of its trace if it is still open.
pub(super) struct RicherParent {
    pub(super) span: FastParentSpan,
    pub(super) carried: Carried,
    pub(super) undecided: Option<DecisionRef>,
}

impl RicherParent {
    /// Returns the parent that the options name, or `None` if [`Inherited`] must describe it.
    #[inline]
    pub(super) fn find(options: &StartSpanOptions<'_>) -> Option<Self> {
        if !options.are_simple() {
            return None;
        }
        match options.only_reference() {
            Some(Reference { kind, context }) => Self::of_context(context, *kind),
            None if options.ignores_active_span() => None,
            // Read in place: the facts are copied out, and no user code runs.
            None => with_active_parent(|active| match active? {
                ActiveRef::Span(span) => Some(Self::of_slot(span.slot()?)),
                ActiveRef::Context(context) => Self::of_context(context, ReferenceType::ChildOf),
            }),
        }
    }

    fn of_slot(slot: &SpanSlot) -> Self {
        slot.fix_decision();
        // Before the flags: if it is made between the two reads, the child still shares it.
        let undecided = slot
            .shared_decision()
            .filter(|decision| !decision.is_final())
            .cloned();
        Self {
            span: FastParentSpan::of_slot(slot, slot.flags()),
            carried: slot.carried(),
            undecided,
        }
    }

    #[inline(always)]
    fn of_context(context: &SpanContext, kind: ReferenceType) -> Option<Self> {
        if !context.is_decided_or_undecided() {
            return None;
        }
        // Before the flags, as above.
        let undecided = context.shared_ref().filter(|decision| !decision.is_final());
        Some(Self {
            span: FastParentSpan::of_context(context, kind)?,
            carried: context.carried().clone(),
            undecided,
        })
    }
}

/// The parent span, with a decision that may still be open.
pub(super) struct Parent {
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    pub(super) parent_id: Option<SpanId>,
    pub(super) flags: Flags,
    pub(super) randomness: Randomness,
    pub(super) decision: Decision,
    pub(super) is_remote: bool,
    pub(super) anchor: Option<i64>,
}

impl Parent {
    fn from_slot(slot: &SpanSlot) -> Self {
        slot.fix_decision();
        // Before the flags, as above.
        let decision = match slot.shared_decision() {
            Some(trace) if !trace.is_final() => Decision::Shared(trace.clone()),
            _ => Decision::Made,
        };
        Self {
            trace_id: slot.header.trace_id,
            span_id: slot.header.span_id,
            parent_id: slot.header.parent_id,
            flags: slot.flags(),
            randomness: slot.randomness,
            decision,
            is_remote: false,
            anchor: Some(slot.anchor),
        }
    }

    fn from_context(context: &SpanContext) -> Option<Self> {
        // Before the flags, as above.
        let decision = match context.decision() {
            Decision::Shared(trace) if trace.is_final() => Decision::Made,
            decision => decision,
        };
        Some(Self {
            trace_id: context.trace_id()?,
            span_id: context.span_id()?,
            parent_id: context.parent_id(),
            flags: context.flags(),
            randomness: context.randomness(),
            decision,
            is_remote: context.is_remote(),
            anchor: context.anchor(),
        })
    }
}

/// Everything that a new span inherits. The slow counterpart of [`FastParent`].
#[derive(Default)]
pub(super) struct Inherited {
    pub(super) parent: Option<Parent>,
    pub(super) carried: Carried,
    pub(super) debug_id: Option<String>,
    /// The flags of a new root, if they came without a trace.
    pub(super) decision: Option<Flags>,
    /// A note on other formats of the request that disagree.
    pub(super) conflict: Option<String>,
}

impl Inherited {
    #[inline(always)]
    pub(super) fn find(options: &StartSpanOptions<'_>) -> Self {
        if let Some(seed) = options.seed_of_new_trace() {
            return Self::of_context(seed);
        }
        if let [reference] = options.references() {
            return Self::of_context(&reference.context);
        }
        if !options.references().is_empty() {
            return Self::of_references(options.references());
        }
        if options.ignores_active_span() {
            return Self::default();
        }
        // Read in place: the facts are copied out, and no user code runs.
        with_active_parent(|active| match active {
            Some(ActiveRef::Span(span)) => span.slot().map_or_else(Self::default, Self::of_slot),
            Some(ActiveRef::Context(context)) => Self::of_context(context),
            None => Self::default(),
        })
    }

    /// Returns whether a caller without a trace asks that the new root is kept as a debug trace.
    pub(super) fn forces_debug(&self) -> bool {
        let is_debug = self.debug_id.is_some() || self.decision.is_some_and(Flags::is_debug);
        is_debug && self.parent.is_none()
    }

    fn of_slot(slot: &SpanSlot) -> Self {
        Self {
            parent: Some(Parent::from_slot(slot)),
            carried: slot.carried(),
            ..Self::default()
        }
    }

    /// Inherits from a context. If the context has no trace, a new root inherits its baggage, its debug id
    /// and its decision.
    fn of_context(context: &SpanContext) -> Self {
        let parent = Parent::from_context(context);
        Self {
            debug_id: match &parent {
                Some(_) => None,
                None => context.debug_id().map(str::to_owned),
            },
            parent,
            carried: context.carried().clone(),
            decision: context.decision_without_trace(),
            conflict: context.conflict().map(str::to_owned),
        }
    }

    /// Inherits from several references. The parent is the first `ChildOf` with a trace, else the first `FollowsFrom`
    /// with one. If no reference has a trace, a new root inherits from the first context.
    #[cold]
    fn of_references(references: &[Reference]) -> Self {
        let with_trace = || {
            references
                .iter()
                .filter(|reference| reference.context.has_trace())
        };
        let parent = with_trace()
            .find(|reference| reference.kind == ReferenceType::ChildOf)
            .or_else(|| with_trace().next());
        let Some(parent) = parent else {
            return references
                .first()
                .map_or_else(Self::default, |first| Self::of_context(&first.context));
        };
        let mut inherited = Self::of_context(&parent.context);
        let mut baggage = inherited.carried.baggage().clone();
        for other in with_trace() {
            baggage = baggage.or_also(other.context.baggage());
        }
        inherited.carried.set_baggage(baggage);
        inherited
    }
}

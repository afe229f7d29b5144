use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use crate::model::{Baggage, Flags, SpanId, TraceId};
use crate::record::SharedDecision;

/// The identity of a span across processes: ids, flags and baggage.
///
/// A context is immutable and outlives its span. The default context is empty; no-op spans have it. A context from
/// headers may hold baggage or a debug id without a trace: a child of it starts a new trace with them.
///
/// ```
/// use tracehound::SpanContext;
/// use tracehound::model::{Flags, SpanId, TraceId};
///
/// let context = SpanContext::new(
///     TraceId::new(0, 1).expect("not zero"),
///     SpanId::new(2).expect("not zero"),
///     None,
///     Flags::SAMPLED,
/// );
/// assert!(context.is_sampled());
/// assert_eq!(context.to_string(), "0000000000000001:0000000000000002:0:1");
/// ```
// One cache line, because a request moves it several times.
#[derive(Clone, Default)]
pub struct SpanContext {
    ids: Option<Ids>,
    /// The frozen wall time of the local trace, or 0: see [`crate::clock`].
    anchor: i64,
    baggage: Baggage,
    rare: Option<Arc<Rare>>,
    flags: Flags,
    is_remote: bool,
    is_deferred: bool,
}

const _: () = assert!(size_of::<SpanContext>() == 64);

/// The parts that few contexts have.
#[derive(Clone, Default)]
struct Rare {
    shared: Option<Arc<SharedDecision>>,
    debug_id: Option<Box<str>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Ids {
    trace_id: TraceId,
    span_id: SpanId,
    parent_id: Option<SpanId>,
}

/// The owner of the sampling decision.
#[derive(Clone, Default)]
pub(crate) enum Decision {
    /// The flags hold the decision.
    #[default]
    Made,
    /// The sampler of the receiver decides (B3 without a sampling state).
    Deferred,
    /// The spans of this trace in this process share a decision.
    Shared(Arc<SharedDecision>),
}

impl SpanContext {
    /// Returns the context of a span in another process. Its sampling decision is final.
    pub fn new(
        trace_id: TraceId,
        span_id: SpanId,
        parent_id: Option<SpanId>,
        flags: Flags,
    ) -> Self {
        Self {
            ids: Some(Ids {
                trace_id,
                span_id,
                parent_id,
            }),
            flags,
            is_remote: true,
            ..Self::default()
        }
    }

    /// Returns the context of a span in this process.
    #[inline(always)]
    pub(crate) fn local(
        (trace_id, span_id, parent_id): (TraceId, SpanId, Option<SpanId>),
        flags: Flags,
        anchor: i64,
    ) -> Self {
        Self {
            ids: Some(Ids {
                trace_id,
                span_id,
                parent_id,
            }),
            anchor,
            flags,
            ..Self::default()
        }
    }

    /// Returns this context with a decision that is still open, if there is one.
    pub(crate) fn with_shared(mut self, trace: Option<&Arc<SharedDecision>>) -> Self {
        if let Some(trace) = trace {
            let rare = Arc::make_mut(self.rare.get_or_insert_default());
            rare.shared = Some(trace.clone());
        }
        self
    }

    /// Returns this context with other baggage.
    #[must_use]
    pub fn with_baggage(mut self, baggage: Baggage) -> Self {
        self.baggage = baggage;
        self
    }

    /// Returns this context with one baggage item added or replaced, or unchanged if a limit of [`Baggage`] forbids the
    /// item.
    #[must_use]
    pub fn with_baggage_item(&self, key: &str, value: &str) -> Self {
        let mut context = self.clone();
        if let Ok(baggage) = self.baggage.with(key, value) {
            context.baggage = baggage;
        }
        context
    }

    /// Returns this context with a debug id.
    ///
    /// The id has an effect only in a context without a trace: a child of it starts a new trace that is always kept,
    /// with the id in its tag `jaeger-debug-id`.
    #[must_use]
    pub fn with_debug_id(mut self, debug_id: &str) -> Self {
        let rare = Arc::make_mut(self.rare.get_or_insert_default());
        rare.debug_id = Some(debug_id.into());
        self
    }

    /// Returns this context with the sampling decision left to the sampler of the receiver, as B3 asks if it has no
    /// sampling state.
    #[must_use]
    pub fn with_deferred_sampling(mut self) -> Self {
        self.is_deferred = true;
        if let Some(rare) = &mut self.rare {
            Arc::make_mut(rare).shared = None;
        }
        self
    }

    /// Returns the id of the trace, if there is one.
    #[inline]
    pub fn trace_id(&self) -> Option<TraceId> {
        self.ids.map(|ids| ids.trace_id)
    }

    /// Returns the id of the span, if there is one.
    #[inline]
    pub fn span_id(&self) -> Option<SpanId> {
        self.ids.map(|ids| ids.span_id)
    }

    /// Returns the id of the span's parent, if there is one.
    #[inline]
    pub fn parent_id(&self) -> Option<SpanId> {
        self.ids.and_then(|ids| ids.parent_id)
    }

    /// Returns the flags. They may still change while the sampling of the trace is undecided.
    #[inline]
    pub fn flags(&self) -> Flags {
        match self.shared() {
            Some(trace) => trace.flags(),
            None => self.flags,
        }
    }

    /// Returns whether the trace is kept.
    pub fn is_sampled(&self) -> bool {
        self.flags().is_sampled()
    }

    /// Returns whether a caller asked for this trace explicitly.
    pub fn is_debug(&self) -> bool {
        self.flags().is_debug()
    }

    /// Returns whether the sampling decision can no longer change.
    pub fn is_sampling_final(&self) -> bool {
        match self.shared() {
            Some(trace) => trace.is_final(),
            None => !self.is_deferred,
        }
    }

    /// Returns whether the context came from another process.
    pub fn is_remote(&self) -> bool {
        self.is_remote
    }

    /// Returns whether the context has a trace. A context without one may have baggage or a debug id.
    pub fn has_trace(&self) -> bool {
        self.ids.is_some()
    }

    /// Returns whether the context has no trace, no baggage and no debug id.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ids.is_none() && self.baggage.is_empty() && self.debug_id().is_none()
    }

    /// Returns the baggage.
    pub fn baggage(&self) -> &Baggage {
        &self.baggage
    }

    /// Returns the debug id, if one came with the request.
    pub fn debug_id(&self) -> Option<&str> {
        self.rare.as_ref()?.debug_id.as_deref()
    }

    /// Returns the trace id in the form of the headers, or an empty text if there is no trace.
    pub fn to_trace_id(&self) -> String {
        self.trace_id()
            .map_or_else(String::new, |id| id.to_string())
    }

    /// Returns the span id in the form of the headers, or an empty text if there is no trace.
    pub fn to_span_id(&self) -> String {
        self.span_id().map_or_else(String::new, |id| id.to_string())
    }

    #[inline(always)]
    pub(crate) fn anchor(&self) -> Option<i64> {
        (self.anchor != 0).then_some(self.anchor)
    }

    /// Returns whether the flags decide on sampling and the context has nothing but ids and flags.
    #[inline(always)]
    pub(crate) fn is_simple(&self) -> bool {
        self.rare.is_none() && !self.is_deferred && self.baggage.is_empty()
    }

    pub(crate) fn decision(&self) -> Decision {
        match self.shared() {
            Some(trace) => Decision::Shared(trace.clone()),
            None if self.is_deferred => Decision::Deferred,
            None => Decision::Made,
        }
    }

    /// Returns the decision that this context shares with others.
    #[inline(always)]
    pub(crate) fn shared(&self) -> Option<&Arc<SharedDecision>> {
        self.rare.as_ref()?.shared.as_ref()
    }
}

/// A context is immutable except for a shared decision, which no panic leaves half changed.
impl UnwindSafe for SpanContext {}
impl RefUnwindSafe for SpanContext {}

impl PartialEq for SpanContext {
    /// Compares ids, flags and baggage.
    fn eq(&self, other: &Self) -> bool {
        self.ids == other.ids && self.flags() == other.flags() && self.baggage == other.baggage
    }
}

impl fmt::Display for SpanContext {
    /// Writes `{trace-id}:{span-id}:{parent-span-id}:{flags}`, the form of the `uber-trace-id` header, or nothing
    /// without a trace.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Ids {
            trace_id,
            span_id,
            parent_id,
        }) = self.ids
        else {
            return Ok(());
        };
        write!(f, "{trace_id}:{span_id}:")?;
        match parent_id {
            Some(parent_id) => write!(f, "{parent_id}")?,
            None => f.write_str("0")?,
        }
        write!(f, ":{:x}", self.flags().bits())
    }
}

impl fmt::Debug for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpanContext({self}")?;
        if !self.baggage.is_empty() {
            write!(f, " {:?}", self.baggage)?;
        }
        if let Some(debug_id) = self.debug_id() {
            write!(f, " debug id {debug_id:?}")?;
        }
        f.write_str(")")
    }
}

/// A possible parent of a span: a span, a context, or an `Option` of either.
///
/// Implement it for a type of your own that holds a span or a context:
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::span::ToSpanContext;
/// use tracehound::{NoopTracer, SpanContext};
///
/// struct Job {
///     cause: SpanContext,
/// }
///
/// impl ToSpanContext for Job {
///     fn to_span_context(&self) -> SpanContext {
///         self.cause.clone()
///     }
/// }
///
/// let job = Job { cause: SpanContext::default() };
/// NoopTracer.build_span("work").follows_from(&job).start();
/// ```
pub trait ToSpanContext {
    /// Returns the context, which is empty if there is none.
    fn to_span_context(&self) -> SpanContext;

    /// Passes the context to `to`, unless it is empty. No program can name `TakeContext`, so none can override this.
    #[doc(hidden)]
    #[inline]
    fn give_span_context(&self, to: impl TakeContext)
    where
        Self: Sized,
    {
        let context = self.to_span_context();
        if !context.is_empty() {
            to.take(|| context);
        }
    }
}

/// A destination in which a context is constructed in place.
///
/// Returning the context instead would copy it right after it was written. That costs 16 instructions a reference and
/// defeats store forwarding.
pub trait TakeContext {
    /// Stores the context that `make` returns.
    fn take(self, make: impl FnOnce() -> SpanContext);
}

impl ToSpanContext for SpanContext {
    #[inline]
    fn to_span_context(&self) -> SpanContext {
        self.clone()
    }

    #[inline(always)]
    fn give_span_context(&self, to: impl TakeContext) {
        if !self.is_empty() {
            to.take(|| self.clone());
        }
    }
}

impl<T: ToSpanContext> ToSpanContext for Option<T> {
    #[inline]
    fn to_span_context(&self) -> SpanContext {
        self.as_ref()
            .map_or_else(SpanContext::default, ToSpanContext::to_span_context)
    }

    #[inline]
    fn give_span_context(&self, to: impl TakeContext) {
        if let Some(parent) = self {
            parent.give_span_context(to);
        }
    }
}

impl<T: ToSpanContext + ?Sized> ToSpanContext for &T {
    #[inline]
    fn to_span_context(&self) -> SpanContext {
        (**self).to_span_context()
    }
}

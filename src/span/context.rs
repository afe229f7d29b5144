use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use crate::model::{Baggage, Flags, SpanId, TraceId};
use crate::record::LocalTrace;

/// What identifies a span across processes: ids, flags, baggage. Immutable; it outlives its span.
///
/// The default context is empty: a no-op span has it. A context taken from headers may also hold baggage or a
/// debug id without a trace; the span that has it for a parent begins a new trace with them.
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
// A cache line: it is handed on by value, several times a request.
#[derive(Clone, Default)]
pub struct SpanContext {
    ids: Option<Ids>,
    /// The frozen wall time of the local trace, 0 where there is none: see [`crate::clock`].
    anchor: i64,
    baggage: Baggage,
    rare: Option<Arc<Rare>>,
    flags: Flags,
    is_remote: bool,
    is_deferred: bool,
}

const _: () = assert!(size_of::<SpanContext>() == 64);

/// What hardly any context has.
#[derive(Clone, Default)]
struct Rare {
    shared: Option<Arc<LocalTrace>>,
    debug_id: Option<Box<str>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Ids {
    trace_id: TraceId,
    span_id: SpanId,
    parent_id: Option<SpanId>,
}

/// Who has the last word on sampling.
#[derive(Clone, Default)]
pub(crate) enum Decision {
    /// The flags.
    #[default]
    Made,
    /// Nobody yet: the receiver's sampler decides (B3 without a sampling state).
    Deferred,
    /// The spans of this trace in this process, together.
    Shared(Arc<LocalTrace>),
}

impl SpanContext {
    /// A context that came from another process: its sampling decision is final.
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

    /// The context of a span of this process.
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

    /// This context with a decision that is still open, if there is one.
    pub(crate) fn with_shared(mut self, trace: Option<&Arc<LocalTrace>>) -> Self {
        if let Some(trace) = trace {
            let rare = Arc::make_mut(self.rare.get_or_insert_default());
            rare.shared = Some(trace.clone());
        }
        self
    }

    /// This context with other baggage.
    #[must_use]
    pub fn with_baggage(mut self, baggage: Baggage) -> Self {
        self.baggage = baggage;
        self
    }

    /// This context with one baggage item more, or replaced; unchanged where a limit of [`Baggage`] forbids it.
    #[must_use]
    pub fn with_baggage_item(&self, key: &str, value: &str) -> Self {
        let mut context = self.clone();
        if let Ok(baggage) = self.baggage.with(key, value) {
            context.baggage = baggage;
        }
        context
    }

    /// This context with a debug id. It has an effect only where there is no trace: the span that has this
    /// context for a parent then begins a new trace that is kept, with the id in its `jaeger-debug-id` tag.
    #[must_use]
    pub fn with_debug_id(mut self, debug_id: &str) -> Self {
        let rare = Arc::make_mut(self.rare.get_or_insert_default());
        rare.debug_id = Some(debug_id.into());
        self
    }

    /// This context with the sampling decision left to the receiver's sampler, as B3 without a state asks.
    #[must_use]
    pub fn with_deferred_sampling(mut self) -> Self {
        self.is_deferred = true;
        if let Some(rare) = &mut self.rare {
            Arc::make_mut(rare).shared = None;
        }
        self
    }

    /// The trace, if there is one.
    #[inline]
    pub fn trace_id(&self) -> Option<TraceId> {
        self.ids.map(|ids| ids.trace_id)
    }

    /// The span, if there is one.
    #[inline]
    pub fn span_id(&self) -> Option<SpanId> {
        self.ids.map(|ids| ids.span_id)
    }

    /// The span's parent, if there is one.
    #[inline]
    pub fn parent_id(&self) -> Option<SpanId> {
        self.ids.and_then(|ids| ids.parent_id)
    }

    /// The flags. Of an undecided trace they may still change.
    #[inline]
    pub fn flags(&self) -> Flags {
        match self.shared() {
            Some(trace) => trace.flags(),
            None => self.flags,
        }
    }

    /// Whether the trace is kept.
    pub fn is_sampled(&self) -> bool {
        self.flags().is_sampled()
    }

    /// Whether the trace was asked for explicitly.
    pub fn is_debug(&self) -> bool {
        self.flags().is_debug()
    }

    /// Whether the sampling decision can no longer change.
    pub fn is_sampling_final(&self) -> bool {
        match self.shared() {
            Some(trace) => trace.is_final(),
            None => !self.is_deferred,
        }
    }

    /// Whether it came from another process.
    pub fn is_remote(&self) -> bool {
        self.is_remote
    }

    /// Whether it has a trace. One without may have baggage or a debug id.
    pub fn has_trace(&self) -> bool {
        self.ids.is_some()
    }

    /// Whether there is nothing in it at all.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ids.is_none() && self.baggage.is_empty() && self.debug_id().is_none()
    }

    /// What travels with the trace.
    pub fn baggage(&self) -> &Baggage {
        &self.baggage
    }

    /// The debug id, if one came with the request.
    pub fn debug_id(&self) -> Option<&str> {
        self.rare.as_ref()?.debug_id.as_deref()
    }

    /// The trace id as it is propagated; empty where there is none.
    pub fn to_trace_id(&self) -> String {
        self.trace_id()
            .map_or_else(String::new, |id| id.to_string())
    }

    /// The span id as it is propagated; empty where there is none.
    pub fn to_span_id(&self) -> String {
        self.span_id().map_or_else(String::new, |id| id.to_string())
    }

    #[inline(always)]
    pub(crate) fn anchor(&self) -> Option<i64> {
        (self.anchor != 0).then_some(self.anchor)
    }

    /// Whether the flags have the last word on sampling, and nothing else travels with them.
    #[inline(always)]
    pub(crate) fn is_plain(&self) -> bool {
        self.rare.is_none() && !self.is_deferred && self.baggage.is_empty()
    }

    pub(crate) fn decision(&self) -> Decision {
        match self.shared() {
            Some(trace) => Decision::Shared(trace.clone()),
            None if self.is_deferred => Decision::Deferred,
            None => Decision::Made,
        }
    }

    /// The decision that this context shares with others.
    #[inline(always)]
    pub(crate) fn shared(&self) -> Option<&Arc<LocalTrace>> {
        self.rare.as_ref()?.shared.as_ref()
    }
}

/// Immutable, but for the decision that the spans of a trace share, which a panic leaves whole.
impl UnwindSafe for SpanContext {}
impl RefUnwindSafe for SpanContext {}

impl PartialEq for SpanContext {
    /// Ids, flags and baggage.
    fn eq(&self, other: &Self) -> bool {
        self.ids == other.ids && self.flags() == other.flags() && self.baggage == other.baggage
    }
}

impl fmt::Display for SpanContext {
    /// `{trace-id}:{span-id}:{parent-span-id}:{flags}`, the form of the `uber-trace-id` header; empty without a trace.
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

/// A destination in which a context is made.
///
/// A context that is returned is copied right after it was written, which costs 16 instructions a reference and makes the
/// processor wait for its stores.
pub trait TakeContext {
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

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use crate::model::{Baggage, Carried, Flags, Randomness, SpanId, TraceId, TraceState};
use crate::record::{ContextExtras, DecisionRef, RequestTexts, SharedDecision};
use crate::span::marks::Marks;

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
    carried: Carried,
    extras: Option<Arc<ContextExtras>>,
    marks: Marks,
}

const _: () = assert!(size_of::<SpanContext>() == 64);

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
    Shared(DecisionRef),
}

/// A context that is made by hand, as a codec or a bridge makes it:
///
/// ```
/// use tracehound::SpanContext;
/// use tracehound::model::{Baggage, Flags, SpanId, TraceId, TraceState};
///
/// let trace_id: TraceId = "5b2b4e1f9d3a7c60".parse()?;
/// let span_id: SpanId = "6ad04c2b18e7f935".parse()?;
/// let state: TraceState = "congo=t61rcWkgMzE".parse()?;
/// let context = SpanContext::new(trace_id, span_id, None, Flags::default())
///     .with_flags(Flags::SAMPLED.with(Flags::DEBUG))
///     .with_baggage(Baggage::default().with("user", "42")?)
///     .with_baggage_item("zone", "eu-1")
///     .with_trace_state(state)
///     .with_random_trace_id(true);
/// assert_eq!((context.trace_id(), context.span_id()), (Some(trace_id), Some(span_id)));
/// assert_eq!((context.parent_id(), context.flags().bits()), (None, 3));
/// assert!(context.is_debug() && context.is_sampling_final() && context.is_remote());
/// assert_eq!(context.baggage().get("zone"), Some("eu-1"));
/// assert_eq!(context.trace_state().and_then(|state| state.get("congo")), Some("t61rcWkgMzE"));
/// assert!(context.has_random_trace_id());
/// assert_eq!(context.conflict(), None);
///
/// // For a log line.
/// assert_eq!(context.to_trace_id(), "5b2b4e1f9d3a7c60");
/// assert_eq!(context.to_span_id(), "6ad04c2b18e7f935");
///
/// // Left to the sampler of the receiver, and without a trace but with the wish for one.
/// assert!(!context.with_deferred_sampling().is_sampling_final());
/// assert_eq!(SpanContext::default().with_debug_id("ticket 7").debug_id(), Some("ticket 7"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
            marks: Marks::new(flags, Marks::REMOTE),
            ..Self::default()
        }
    }

    /// Returns a sampling decision that came without a trace, as B3 can send it (`b3: 0`). A child of this context is
    /// the root of a new trace that has these flags. The sampler is not asked.
    ///
    /// ```
    /// use tracehound::SpanContext;
    /// use tracehound::model::Flags;
    ///
    /// let context = SpanContext::without_trace(Flags::SAMPLED);
    /// assert!(!context.has_trace());
    /// assert_eq!(context.decision_without_trace(), Some(Flags::SAMPLED));
    /// ```
    pub fn without_trace(flags: Flags) -> Self {
        Self {
            marks: Marks::new(flags, Marks::REMOTE | Marks::DECIDED),
            ..Self::default()
        }
    }

    /// Returns the context of a span in this process.
    #[inline(always)]
    pub(crate) fn local(
        (trace_id, span_id, parent_id): (TraceId, SpanId, Option<SpanId>),
        flags: Flags,
        randomness: Randomness,
        anchor: i64,
    ) -> Self {
        Self {
            ids: Some(Ids {
                trace_id,
                span_id,
                parent_id,
            }),
            anchor,
            marks: Marks::new(flags, randomness.bits()),
            ..Self::default()
        }
    }

    /// Returns the context of a span in this process whose trace is undecided.
    #[inline]
    pub(crate) fn undecided(
        ids: (TraceId, SpanId, Option<SpanId>),
        randomness: Randomness,
        anchor: i64,
        decision: DecisionRef,
    ) -> Self {
        Self {
            extras: Some(decision.into_extras()),
            ..Self::local(ids, Flags::default(), randomness, anchor)
        }
    }

    /// Returns this context with other baggage.
    #[must_use]
    pub fn with_baggage(mut self, baggage: Baggage) -> Self {
        self.carried.set_baggage(baggage);
        self
    }

    /// Returns this context with one baggage item added or replaced, or unchanged if a limit of [`Baggage`] forbids the
    /// item.
    #[must_use]
    pub fn with_baggage_item(&self, key: &str, value: &str) -> Self {
        let mut context = self.clone();
        if let Ok(baggage) = self.baggage().with(key, value) {
            context.carried.set_baggage(baggage);
        }
        context
    }

    /// Returns this context with what a trace carries.
    pub(crate) fn with_carried(mut self, carried: Carried) -> Self {
        self.carried = carried;
        self
    }

    /// Returns this context with W3C's `tracestate`. Every span of the trace keeps it and passes it on.
    #[must_use]
    pub fn with_trace_state(mut self, trace_state: TraceState) -> Self {
        self.carried.set_trace_state(trace_state);
        self
    }

    /// Returns this context with W3C's random flag set or not: whether the lower 56 bits of the trace id are random.
    #[must_use]
    pub fn with_random_trace_id(mut self, is_random: bool) -> Self {
        let randomness = self.randomness().with_random_id(is_random);
        self.marks = self.marks.with_randomness(randomness);
        self
    }

    /// Returns this context with a note on other formats of the carrier that say something else.
    pub(crate) fn with_conflict(mut self, conflict: String) -> Self {
        self.change_texts(|texts| texts.conflict = Some(conflict.into()));
        self
    }

    /// Returns this context with what it lacks and `other` has: the caller has compared the trace ids.
    ///
    /// It takes `tracestate` and the random flag; without a trace, a decision and a debug id, too.
    pub(crate) fn joined_with(mut self, other: &Self) -> Self {
        if let (None, Some(trace_state)) = (self.trace_state(), other.trace_state()) {
            self = self.with_trace_state(trace_state.clone());
        }
        if other.has_random_trace_id() {
            self = self.with_random_trace_id(true);
        }
        if self.has_trace() {
            return self;
        }
        if let (None, Some(flags)) = (
            self.decision_without_trace(),
            other.decision_without_trace(),
        ) {
            self = self.with_flags(flags);
            self.marks = self.marks.with(Marks::REMOTE | Marks::DECIDED);
        }
        if let (None, Some(debug_id)) = (self.debug_id(), other.debug_id()) {
            self = self.with_debug_id(debug_id);
        }
        self
    }

    /// Returns this context with other flags, as its final sampling decision.
    #[must_use]
    pub fn with_flags(mut self, flags: Flags) -> Self {
        self.marks = self.marks.decided_by(flags);
        self.forget_shared();
        self
    }

    /// Returns this context with a debug id.
    ///
    /// The id has an effect only in a context without a trace: a child of it starts a new trace that is always kept,
    /// with the id in its tag `jaeger-debug-id`.
    #[must_use]
    pub fn with_debug_id(mut self, debug_id: &str) -> Self {
        self.change_texts(|texts| texts.debug_id = Some(debug_id.into()));
        self
    }

    /// Returns this context with the sampling decision left to the sampler of the receiver, as B3 asks if it has no
    /// sampling state.
    #[must_use]
    pub fn with_deferred_sampling(mut self) -> Self {
        self.marks = self.marks.with(Marks::DEFERRED);
        self.forget_shared();
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
            None => self.marks.flags(),
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
            None => !self.is_deferred(),
        }
    }

    /// Returns whether the context came from another process.
    #[inline]
    pub fn is_remote(&self) -> bool {
        self.marks.has(Marks::REMOTE)
    }

    #[inline(always)]
    pub(crate) fn is_deferred(&self) -> bool {
        self.marks.has(Marks::DEFERRED)
    }

    /// Returns the flags that decide on the next root, if the context has them without a trace:
    /// see [`without_trace`](Self::without_trace).
    pub fn decision_without_trace(&self) -> Option<Flags> {
        let is_decided = self.ids.is_none() && self.marks.has(Marks::DECIDED);
        is_decided.then_some(self.marks.flags())
    }

    /// Returns whether the context has a trace. A context without one may have baggage, a debug id or a decision.
    pub fn has_trace(&self) -> bool {
        self.ids.is_some()
    }

    /// Returns whether the context has no trace, no baggage, no debug id and no decision.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ids.is_none()
            && self.carried.is_empty()
            && !self.marks.has(Marks::DECIDED)
            && self.debug_id().is_none()
    }

    /// Returns the baggage.
    pub fn baggage(&self) -> &Baggage {
        self.carried.baggage()
    }

    /// Returns W3C's `tracestate`, if one came with the trace.
    pub fn trace_state(&self) -> Option<&TraceState> {
        self.carried.trace_state()
    }

    /// Returns W3C's random flag: whether the lower 56 bits of the trace id are known to be random.
    pub fn has_random_trace_id(&self) -> bool {
        self.randomness().is_random_id()
    }

    /// Returns what other formats of the carrier said, if that was something else.
    pub fn conflict(&self) -> Option<&str> {
        self.texts()?.conflict.as_deref()
    }

    #[inline(always)]
    pub(crate) fn carried(&self) -> &Carried {
        &self.carried
    }

    #[inline(always)]
    pub(crate) fn randomness(&self) -> Randomness {
        self.marks.randomness()
    }

    /// Returns the debug id, if one came with the request.
    pub fn debug_id(&self) -> Option<&str> {
        self.texts()?.debug_id.as_deref()
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
        self.extras.is_none() && !self.is_deferred() && self.carried.is_empty()
    }

    /// Returns whether a span inherits nothing but what the trace carries and a decision, which may be open.
    #[inline]
    pub(crate) fn is_decided_or_undecided(&self) -> bool {
        self.texts().is_none() && !self.is_deferred()
    }

    pub(crate) fn decision(&self) -> Decision {
        match self.shared_ref() {
            Some(decision) => Decision::Shared(decision),
            None if self.is_deferred() => Decision::Deferred,
            None => Decision::Made,
        }
    }

    /// Returns the decision that this context shares with others.
    #[inline(always)]
    pub(crate) fn shared(&self) -> Option<&SharedDecision> {
        self.extras.as_ref()?.decision()
    }

    /// Returns a reference to the decision that this context shares with others.
    #[inline]
    pub(crate) fn shared_ref(&self) -> Option<DecisionRef> {
        DecisionRef::of_extras(self.extras.as_ref()?)
    }

    fn texts(&self) -> Option<&RequestTexts> {
        match &**self.extras.as_ref()? {
            ContextExtras::Undecided(_) => None,
            ContextExtras::Request(texts) => Some(texts),
        }
    }

    /// Changes the texts, of which this context then has a copy of its own.
    fn change_texts(&mut self, change: impl FnOnce(&mut RequestTexts)) {
        let mut texts = self.texts().cloned().unwrap_or_else(|| RequestTexts {
            decision: self.shared_ref(),
            ..RequestTexts::default()
        });
        change(&mut texts);
        self.extras = Some(Arc::new(ContextExtras::Request(texts)));
    }

    /// Leaves a decision that this context shares with others.
    fn forget_shared(&mut self) {
        if self.texts().is_none() {
            self.extras = None;
        } else if self.shared().is_some() {
            self.change_texts(|texts| texts.decision = None);
        }
    }
}

/// A context is immutable except for a shared decision, which no panic leaves half changed.
impl UnwindSafe for SpanContext {}
impl RefUnwindSafe for SpanContext {}

impl PartialEq for SpanContext {
    /// Compares ids, flags and baggage.
    fn eq(&self, other: &Self) -> bool {
        self.ids == other.ids && self.flags() == other.flags() && self.baggage() == other.baggage()
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
        if !self.baggage().is_empty() {
            write!(f, " {:?}", self.baggage())?;
        }
        if let Some(trace_state) = self.trace_state() {
            write!(f, " {trace_state:?}")?;
        }
        if let Some(debug_id) = self.debug_id() {
            write!(f, " debug id {debug_id:?}")?;
        }
        f.write_str(")")
    }
}

//! The core of a tracer, which its clones and its open spans share.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::diagnostics::Diagnostics;
use crate::metrics::{Counter, Metrics};
use crate::model::{Flags, Place, Process, Randomness, SpanId};
use crate::observer::{ObservedSpan, SpanObserver};
use crate::panics::caught;
use crate::poller::Poller;
use crate::propagation::{
    Codecs, ExtractCarrier, ExtractError, HeaderSet, InjectCarrier, NO_HEADERS,
};
use crate::record::{
    Decider, EncodedTags, FrameKind, Limits, Observation, Question, Recorder, SpanSlot, StartFacts,
    random_id, release_slots, try_random_id,
};
use crate::restrictions::{BaggageRestrictions, Restriction};
use crate::sampler::{Interests, Sampler, SamplingDecision, SpanView};
use crate::span::SpanContext;
use crate::throttler::Throttler;

/// The parts of a tracer that starting, filling and finishing a span use.
pub(super) struct Core {
    pub(super) recorder: Arc<Recorder>,
    pub(super) sampler: Guarded<Box<dyn Sampler>>,
    pub(super) throttler: Option<Guarded<Box<dyn Throttler>>>,
    pub(super) priority_sets_debug: bool,
    pub(super) restrictions: Option<Guarded<Box<dyn BaggageRestrictions>>>,
    pub(super) is_closed: AtomicBool,
    pub(super) root_decision: RootDecision,
    /// The sampler weighs traces that the caller has dropped.
    pub(super) weighs_dropped: bool,
    pub(super) zipkin_shared_rpc_span: bool,
    /// Either of the two above is set: a parent in another process keeps a span off the fast path.
    pub(super) inspects_remote_parents: bool,
    pub(super) process: Arc<Process>,
    pub(super) diagnostics: Diagnostics,
    pub(super) poller: Poller,
    pub(super) id_source: Option<Box<dyn Fn() -> u64 + Send + Sync>>,
    pub(super) observers: Vec<Guarded<Box<dyn SpanObserver>>>,
    /// An observer wants to know of starts too.
    pub(super) watches_starts: bool,
    /// There is neither a source of ids that the user set nor an observer.
    pub(super) is_plain: bool,
    pub(super) is_128_bit: bool,
    /// The randomness of a new trace before its decision.
    pub(super) root_randomness: Randomness,
    pub(super) finalizes_on_inject: bool,
    pub(super) codecs: Codecs,
}

/// The facts of a start that only observers want: the place, and whether the program asked for a root.
#[derive(Clone, Copy)]
pub(super) struct Beginning {
    pub(super) place: Option<Place>,
    /// The program has named no parent and asked for no new trace, and nothing is active on the thread.
    pub(super) is_implicit: bool,
}

/// The sampler's answer for a new trace, if it is always the same.
#[repr(u8)]
pub(super) enum RootDecision {
    /// The sampler must be asked for each trace.
    Ask,
    /// Every trace is kept, with these tags of the sampler.
    Keep(Arc<EncodedTags>),
    /// No trace is kept.
    Drop,
}

impl RootDecision {
    pub(super) const KEPT: (Flags, FrameKind) = (Flags::SAMPLED, FrameKind::WithSamplerTags);
    pub(super) const DROPPED: (Flags, FrameKind) = (Flags::from_bits(0), FrameKind::Standard);

    /// Returns the flags and the kind of frame of a root, or `None` if the sampler must be asked.
    #[inline(always)]
    pub(super) fn decided(&self) -> Option<(Flags, FrameKind)> {
        match self {
            Self::Ask => None,
            Self::Keep(_) => Some(Self::KEPT),
            Self::Drop => Some(Self::DROPPED),
        }
    }

    /// Asks the sampler for its constant decision.
    pub(super) fn of(
        sampler: &Guarded<Box<dyn Sampler>>,
        metrics: &Metrics,
        limits: &Limits,
    ) -> Self {
        match sampler.call(metrics, |sampler| sampler.constant_decision()) {
            Some(Some(SamplingDecision::Sample(tags))) => {
                let is_plain = tags.flags() == Flags::SAMPLED;
                let tags = EncodedTags::new(tags, limits);
                if is_plain && tags.truncated == 0 {
                    Self::Keep(Arc::new(tags))
                } else {
                    // Truncated tags are counted with each span, so each span must write them. Other flags are no
                    // constant.
                    Self::Ask
                }
            }
            Some(Some(SamplingDecision::Drop)) => Self::Drop,
            Some(Some(SamplingDecision::Delay) | None) | None => Self::Ask,
        }
    }
}

/// Asks the sampler whether it weighs traces that the caller has dropped.
pub(super) fn weighs_dropped(sampler: &Guarded<Box<dyn Sampler>>, metrics: &Metrics) -> bool {
    let weighs = sampler.call(metrics, |sampler| sampler.weighs_dropped_traces());
    weighs.unwrap_or(false)
}

/// Asks the sampler what it wants to be asked about.
pub(super) fn interests_of(sampler: &Guarded<Box<dyn Sampler>>, metrics: &Metrics) -> Interests {
    let interests = sampler.call(metrics, |sampler| sampler.interests());
    interests.unwrap_or_else(Interests::everything)
}

/// A callback of the user that is no longer called after too many panics.
pub(super) struct Guarded<T> {
    inner: T,
    panics: AtomicU32,
}

impl<T> Guarded<T> {
    pub(super) fn new(inner: T) -> Self {
        Self {
            inner,
            panics: AtomicU32::new(0),
        }
    }

    fn call<R>(&self, metrics: &Metrics, call: impl FnOnce(&T) -> R) -> Option<R> {
        if std::thread::panicking() {
            return None;
        }
        self.call_always(metrics, call)
    }

    /// Like `call`, also while the thread unwinds: a second panic does not leave this.
    #[inline]
    pub(super) fn call_always<R>(
        &self,
        metrics: &Metrics,
        call: impl FnOnce(&T) -> R,
    ) -> Option<R> {
        if self.panics.load(Ordering::Relaxed) >= MAX_PANICS {
            return None;
        }
        let result = caught(|| call(&self.inner));
        if result.is_none() {
            self.panics.fetch_add(1, Ordering::Relaxed);
            metrics.add(Counter::CallbackPanics, 1);
        }
        result
    }

    /// Closes the callback, also while the thread unwinds: nothing leaves the guard.
    fn close(&self, metrics: &Metrics, close: impl FnOnce(&T)) {
        if caught(|| close(&self.inner)).is_none() {
            metrics.add(Counter::CallbackPanics, 1);
        }
    }
}

/// Drops the parts that are user code, each by itself: a vacant slot may hold the last reference to the core, on any
/// thread, so a panic must not leave this.
impl Drop for Core {
    fn drop(&mut self) {
        let sampler = mem::replace(&mut self.sampler.inner, Box::new(Gone));
        let throttler = self.throttler.take();
        let restrictions = self.restrictions.take();
        let id_source = self.id_source.take();
        caught(|| drop(sampler));
        caught(|| drop(throttler));
        caught(|| drop(restrictions));
        caught(|| drop(id_source));
        for observer in mem::take(&mut self.observers) {
            caught(|| drop(observer));
        }
    }
}

/// Takes the place of a part that is being dropped.
struct Gone;

impl Sampler for Gone {
    fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
        SamplingDecision::Drop
    }
}

/// The number of panics after which a callback is no longer called.
const MAX_PANICS: u32 = 100;

/// The owner of the code that runs in `inject` and `extract`, as diagnostics name it.
const CODEC: &str = "a codec or a carrier";

impl Decider for Core {
    fn decide(&self, question: Question<'_>, span: &SpanView<'_>) -> SamplingDecision {
        let ask = |sampler: &dyn Sampler| match question {
            Question::Create => sampler.on_create_span(span),
            Question::Rename => sampler.on_set_operation_name(span),
            Question::Tag(key, value) => sampler.on_set_tag(span, key, value),
            Question::Finish => sampler.on_finish_span(span),
        };
        let metrics = &self.recorder.metrics;
        let asked = if self.recorder.interests.asks_in_panics() {
            self.sampler.call_always(metrics, |sampler| ask(&**sampler))
        } else {
            self.sampler.call(metrics, |sampler| ask(&**sampler))
        };
        asked.unwrap_or(match question {
            Question::Create => SamplingDecision::Drop,
            _ => SamplingDecision::Delay,
        })
    }

    fn allows_debug(&self, operation_name: &str) -> bool {
        let Some(throttler) = &self.throttler else {
            return true;
        };
        let metrics = &self.recorder.metrics;
        let is_allowed = throttler.call(metrics, |throttler| throttler.is_allowed(operation_name));
        if is_allowed != Some(true) {
            self.count_denied_debug();
        }
        is_allowed == Some(true)
    }

    fn forced_flags(&self, operation_name: &str) -> Option<Flags> {
        let flags = match self.priority_sets_debug {
            true => Flags::SAMPLED.with(Flags::DEBUG),
            false => Flags::SAMPLED,
        };
        self.allows_debug(operation_name).then_some(flags)
    }

    fn max_baggage_bytes(&self, key: &str) -> usize {
        let Some(restrictions) = &self.restrictions else {
            return Restriction::NONE.max_value_bytes();
        };
        restrictions
            .call(&self.recorder.metrics, |asked| asked.restriction(key))
            .unwrap_or(Restriction::Denied)
            .max_value_bytes()
    }

    fn diagnostics(&self) -> Option<&Diagnostics> {
        Some(&self.diagnostics)
    }

    fn observe_finish(&self, span: &Observation<'_>) {
        let span = ObservedSpan::new(span);
        for observer in &self.observers {
            observer.call_always(&self.recorder.metrics, |observer| observer.on_finish(&span));
        }
    }
}

impl Core {
    pub(super) fn inject(&self, context: &SpanContext, carrier: &mut dyn InjectCarrier) {
        if let Some(trace) = context.shared()
            && !trace.is_final()
        {
            trace.note_refusal();
            if self.finalizes_on_inject {
                let flags = trace.flags();
                let waited = trace.decide(flags);
                if flags.is_sampled() {
                    trace.queue.push_held(&waited, flags);
                }
            }
        }
        self.guard("inject", CODEC, || self.codecs.inject(context, carrier));
    }

    pub(super) fn extract(
        &self,
        carrier: &dyn ExtractCarrier,
    ) -> Result<Option<SpanContext>, ExtractError> {
        self.guard("extract", CODEC, || self.codecs.extract(carrier))
            .unwrap_or(Ok(None))
    }

    /// Returns the headers that the codec of HTTP headers names.
    pub(super) fn http_headers(&self) -> &HeaderSet {
        let headers = || self.codecs.http_headers.headers();
        self.guard("the list of headers", CODEC, headers)
            .unwrap_or(&NO_HEADERS)
    }

    /// Asks the sampler to decide on a new trace. Also returns whether the sampler wants to decide again when the span
    /// is renamed.
    #[inline]
    pub(super) fn decide_first(&self, span: &SpanView<'_>) -> (SamplingDecision, bool) {
        let asked = self.sampler.call(&self.recorder.metrics, |sampler| {
            let decision = sampler.on_create_span(span);
            (decision, sampler.depends_on_operation_name())
        });
        asked.unwrap_or((SamplingDecision::Drop, false))
    }

    /// Asks the sampler what it would do with a new trace.
    pub(super) fn explain_sampling(&self, operation_name: &str) -> String {
        let metrics = &self.recorder.metrics;
        self.sampler
            .call(metrics, |sampler| sampler.explain(operation_name))
            .unwrap_or_else(|| "the sampler panicked, and such a trace is dropped".to_owned())
    }

    /// Closes the sampler, the throttler and the baggage restrictions at the first call.
    pub(super) fn close_parts(&self) {
        if self.is_closed.swap(true, Ordering::Relaxed) {
            return;
        }
        let metrics = &self.recorder.metrics;
        self.sampler.close(metrics, |sampler| sampler.close());
        if let Some(throttler) = &self.throttler {
            throttler.close(metrics, |throttler| throttler.close());
        }
        if let Some(restrictions) = &self.restrictions {
            restrictions.close(metrics, |restrictions| restrictions.close());
        }
    }

    #[cold]
    fn count_denied_debug(&self) {
        self.recorder.metrics.add(Counter::ThrottledDebugSpans, 1);
        self.diagnostics.warn("throttled_debug_span", || {
            let cause = "the throttler allows no more debug traces for now";
            format!("a request for a debug trace was traced as any other: {cause}")
        });
    }

    /// Frees the vacant slots, which would otherwise keep the tracer alive.
    pub(super) fn release_slots(&self) {
        release_slots(&self.recorder);
    }

    /// Returns whether observers are told of the spans.
    #[inline(always)]
    pub(super) fn is_observed(&self) -> bool {
        !self.observers.is_empty()
    }

    /// Tells the observers that asked for it that a span has started.
    #[inline(always)]
    pub(super) fn observe_start(&self, slot: &SpanSlot, beginning: Beginning) {
        if self.watches_starts {
            self.tell_of_start(slot, beginning);
        }
    }

    #[inline(never)]
    fn tell_of_start(&self, slot: &SpanSlot, beginning: Beginning) {
        let name = slot.operation_name();
        let anchor = match slot.has_explicit_start() {
            true => self.recorder.clock.anchor(),
            false => slot.anchor,
        };
        let observation = Observation {
            start: Some(StartFacts {
                ticks: slot.header.start.wrapping_sub(anchor),
                place: beginning.place,
                is_implicit_root: beginning.is_implicit && slot.header.parent_id.is_none(),
            }),
            ..slot.observation(&name, slot.is_sampled(), 0)
        };
        let span = ObservedSpan::new(&observation);
        for observer in &self.observers {
            observer.call_always(&self.recorder.metrics, |observer| {
                observer.on_start(&span);
            });
        }
    }

    /// Runs user code. If it panics, a diagnostic line says that `owner` panicked during `operation`.
    pub(super) fn guard<R>(
        &self,
        operation: &'static str,
        owner: &str,
        run: impl FnOnce() -> R,
    ) -> Option<R> {
        let result = caught(run);
        if result.is_none() {
            self.count_panic(operation, owner);
        }
        result
    }

    #[cold]
    fn count_panic(&self, operation: &'static str, owner: &str) {
        self.recorder.metrics.add(Counter::CallbackPanics, 1);
        self.diagnostics
            .warn(operation, || format!("{owner} panicked during {operation}"));
    }

    /// Returns whether a span shares the id of its parent, as in Zipkin. `joins_trace` says that it is a server span
    /// whose parent is in another process.
    #[inline(always)]
    pub(super) fn shares_span(&self, joins_trace: bool) -> bool {
        joins_trace && self.zipkin_shared_rpc_span
    }

    /// Returns whether a parent keeps a span off the fast path because it is in another process: the span may share its
    /// id, or its trace may be weighed.
    #[inline(always)]
    pub(super) fn inspects_parent(&self, is_remote: bool) -> bool {
        is_remote && self.inspects_remote_parents
    }

    /// Returns whether the trace of a local root, which another process has decided, is weighed here.
    #[inline(always)]
    pub(super) fn weighs(&self, is_local_root: bool, flags: Flags) -> bool {
        is_local_root && !flags.is_sampled() && self.weighs_dropped
    }

    /// Returns a new span id, from the source of ids that the user set, if any.
    #[inline]
    pub(super) fn new_id(&self) -> SpanId {
        match &self.id_source {
            None => random_id(),
            Some(source) => self.new_id_from(source),
        }
    }

    /// Like `try_new_id`, but also returns `None` if the tracer has observers: then no fast path may start the span.
    #[inline(always)]
    pub(super) fn try_plain_id(&self) -> Option<SpanId> {
        match self.is_plain {
            true => try_random_id(),
            false => None,
        }
    }

    /// Like `new_id`, but returns `None` if that would run user code or seed the generator of the thread.
    #[inline(always)]
    pub(super) fn try_new_id(&self) -> Option<SpanId> {
        match self.id_source {
            None => try_random_id(),
            Some(_) => None,
        }
    }

    /// Returns the upper half of a new trace id, which is 0 if trace ids have 64 bits.
    #[inline]
    pub(super) fn new_high_half(&self) -> u64 {
        if self.is_128_bit {
            self.new_id().get()
        } else {
            0
        }
    }

    #[cold]
    fn new_id_from(&self, source: &(dyn Fn() -> u64 + Send + Sync)) -> SpanId {
        self.guard("the start of a span", "the id source", source)
            .and_then(SpanId::new)
            .unwrap_or_else(random_id)
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Core({:?})", self.process.service_name)
    }
}

//! The slot that holds one open span, and the parts of its tracer that record it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::metrics::{Counter, Metrics};
use crate::model::{
    Baggage, Carried, Flags, Randomness, Recording, SpanId, TagNames, TagRef, TraceId,
};
use crate::record::open::buffer::{Added, SpanBuffer};
use crate::record::open::handle_count::HandleCount;
use crate::record::open::shared_decision::DecisionRef;
use crate::record::open::slot_limit::SlotLimit;
use crate::record::open::status::{
    CAPPED, CARRIES, EXPLICIT_START, FINISHED, OBSERVED, REVISABLE, SHARED, SpanStatus, flags_in,
};
use crate::record::open::tag_facts::TagFacts;
use crate::record::open::tracer::Decider;
use crate::record::pool::SharedPool;
use crate::record::queue::frame::FrameHeader;
use crate::record::queue::span_queue::{QueueKey, SpanQueue};
use crate::record::span_clock::SpanClock;
use crate::record::wire::limits::Limits;
use crate::sampler::Interests;
use crate::sync::byte_lock::{ByteGuard, ByteLock};

/// The memory of one open span, used again by later spans.
///
/// A slot is *vacant*, a `Box<SpanSlot>` in a pool or with the code that starts a span, or it is behind
/// [`SpanHandle`](crate::record::SpanHandle)s. The plain fields are written only while it is vacant. See
/// [`open`](super) for the layout.
pub(crate) struct SpanSlot {
    pub(crate) count: HandleCount,
    pub(crate) status: SpanStatus,
    /// Whether the span is the first of its trace in this process.
    pub(crate) is_local_root: bool,
    /// The facts of the trace that only W3C's formats tell.
    pub(crate) randomness: Randomness,
    /// The facts in the tags of an observed span, for its observers.
    pub(crate) facts: TagFacts,
    /// Identifies the queue, and the process that made the slot.
    pub(crate) key: QueueKey,
    /// The header of the frame to come. The finish adds the end.
    pub(crate) header: FrameHeader,
    /// The wall time of tick zero, in nanoseconds since the epoch, as of the start of the local root.
    pub(crate) anchor: i64,
    /// The decision that the spans of the trace share; `None` if the sampler answered at the start.
    pub(crate) shared_decision: Option<DecisionRef>,
    pub(crate) buffer: ByteLock<SpanBuffer>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) tracer: Arc<dyn Decider>,
}

/// Returns the wall time of a tick count, in nanoseconds since the epoch; `anchor` is the wall time of tick zero.
///
/// The sum does not overflow: see [`Clock::now`](crate::clock::Clock).
#[inline(always)]
pub(crate) fn wall(anchor: i64, ticks: u64) -> i64 {
    anchor.wrapping_add_unsigned(ticks)
}

impl SpanSlot {
    /// Allocates a vacant slot. It is capped if the tracer has as many slots as it may have.
    pub(crate) fn new(tracer: Arc<dyn Decider>, recorder: Arc<Recorder>) -> Box<Self> {
        let (status, buffer) = match recorder.slot_limit.try_add() {
            true => (SpanStatus::default(), SpanBuffer::new()),
            false => (SpanStatus::capped(), SpanBuffer::capped()),
        };
        Box::new(Self {
            count: HandleCount::default(),
            status,
            is_local_root: false,
            randomness: Randomness::default(),
            facts: TagFacts::default(),
            key: recorder.queue.key(),
            header: FrameHeader::new(
                TraceId::new(0, 1).expect("not zero"),
                SpanId::new(1).expect("not zero"),
            ),
            anchor: 0,
            shared_decision: None,
            buffer: ByteLock::new(buffer),
            recorder,
            tracer,
        })
    }

    /// Empties the slot for the next span. Runs no user code. The buffer keeps its memory up to a limit.
    ///
    /// Returns the decision that the span shared.
    #[inline]
    pub(crate) fn clear(&mut self) -> Option<DecisionRef> {
        self.buffer.get_mut().clear();
        self.shared_decision.take()
    }

    /// Begins a span in a vacant slot.
    #[inline(always)]
    pub(crate) fn begin(
        &mut self,
        flags: Flags,
        is_revisable: bool,
        operation_name: Cow<'static, str>,
    ) {
        self.status
            .begin(flags, if is_revisable { REVISABLE } else { 0 });
        self.buffer
            .get_mut()
            .begin(operation_name, &self.recorder.limits);
    }

    /// Marks the span of a capped slot, which has begun, as capped.
    pub(crate) fn begin_capped(&mut self) {
        self.status.add(CAPPED);
    }

    /// Sets the start time that the user gave. Only valid before the span is shared, like all `begin_…`.
    pub(crate) fn begin_at(&mut self, start: i64) {
        self.header.start = start;
        self.status.add(EXPLICIT_START);
    }

    /// Joins the span to the decision that its trace shares.
    #[inline]
    pub(crate) fn begin_shared(&mut self, decision: DecisionRef) {
        self.shared_decision = Some(decision);
        self.status.change_unshared(SHARED, 0);
    }

    /// Makes the span an observed one. No other thread can reach it yet.
    #[inline]
    pub(crate) fn begin_observed(&self, facts: Option<&TagFacts>) {
        match facts {
            Some(facts) => self.facts.set(facts),
            None => self.facts.clear(),
        }
        self.status.change_unshared(OBSERVED, 0);
    }

    /// Sets what the trace carries.
    #[inline]
    pub(crate) fn begin_with_carried(&mut self, carried: Carried) {
        if !carried.is_empty() {
            *self.buffer.get_mut().carried_mut() = carried;
            self.status.add(CARRIES);
        }
    }

    /// Sets a tag, without a lock.
    #[inline(always)]
    pub(crate) fn begin_with_tag(&mut self, key: &str, value: TagRef<'_>) -> Added {
        self.buffer
            .get_mut()
            .push_tag(key, value, &self.recorder.limits)
    }

    /// Sets tags, without a lock.
    #[inline(always)]
    pub(crate) fn begin_with_tags(&mut self, tags: &[(&str, TagRef<'_>)]) -> Added {
        self.buffer.get_mut().push_tags(tags, &self.recorder.limits)
    }

    /// Returns the buffer of a span that is not shared yet.
    #[inline]
    pub(crate) fn buffer_mut(&mut self) -> &mut SpanBuffer {
        self.buffer.get_mut()
    }

    /// Returns the flags as of now.
    #[inline(always)]
    pub(crate) fn flags(&self) -> Flags {
        match &self.shared_decision {
            Some(decision) => decision.flags(),
            None => self.status.flags(),
        }
    }

    /// Returns the flags if the span shares no decision and its trace carries nothing.
    #[inline(always)]
    pub(crate) fn simple_flags(&self) -> Option<Flags> {
        let status = self.status.get();
        (status & (SHARED | CARRIES) == 0).then_some(flags_in(status))
    }

    /// Returns the flags if they alone tell whether a tag is kept: the decision is final and not shared, and the span
    /// is neither observed nor capped.
    #[inline(always)]
    pub(crate) fn plain_flags(&self) -> Option<Flags> {
        let status = self.status.get();
        (status & (SHARED | REVISABLE | OBSERVED | CAPPED) == 0).then_some(flags_in(status))
    }

    /// Sets the flags of a span that shares no decision.
    pub(crate) fn set_flags(&self, flags: Flags) {
        self.status.set_flags(flags);
    }

    /// Returns the decision that the span shares with its trace, if it does.
    #[inline]
    pub(crate) fn shared_decision(&self) -> Option<&DecisionRef> {
        self.shared_decision.as_ref()
    }

    /// Returns a copy of what the trace carries, which child spans inherit.
    #[inline]
    pub(crate) fn carried(&self) -> Carried {
        // A caller that must see another thread's item has synchronized with that thread.
        if self.status.has(CARRIES) {
            let buffer = self.lock_if_alive();
            buffer.map_or_else(Carried::default, |buffer| buffer.carried().clone())
        } else {
            Carried::default()
        }
    }

    /// Runs `change` on the baggage if the span is open. It must not run user code: the buffer is locked.
    pub(crate) fn change_baggage<R>(&self, change: impl FnOnce(&mut Baggage) -> R) -> Option<R> {
        let mut buffer = self.open()?;
        self.status.add(CARRIES);
        let carried = buffer.carried_mut();
        let mut baggage = carried.baggage().clone();
        let result = change(&mut baggage);
        carried.set_baggage(baggage);
        Some(result)
    }

    /// Returns whether the trace still waits for the sampler's answer.
    #[inline]
    pub(crate) fn is_undecided(&self) -> bool {
        self.shared_decision
            .as_ref()
            .is_some_and(|decision| !decision.is_final())
    }

    /// Returns whether the sampler must be asked about a new name: it has not decided for good.
    pub(crate) fn asks_about_name(&self) -> bool {
        match &self.shared_decision {
            None => self.is_revisable(),
            Some(decision) => {
                let asks = self.recorder.interests.asks_about_names() || self.is_revisable();
                asks && !decision.is_final()
            }
        }
    }

    /// Returns whether a new name may still change the decision.
    #[inline(always)]
    pub(crate) fn is_revisable(&self) -> bool {
        self.status.has(REVISABLE)
    }

    /// Makes the decision final, because another span or process is about to see it.
    #[inline(always)]
    pub(crate) fn fix_decision(&self) {
        if self.is_revisable() {
            self.status.remove(REVISABLE);
        }
    }

    /// Returns whether tags and logs are kept.
    #[inline(always)]
    pub(crate) fn is_recording(&self) -> bool {
        let status = self.status.get();
        if status & (SHARED | REVISABLE | CAPPED) != 0 {
            return self.is_recording_for_now();
        }
        flags_in(status).is_sampled() && status & FINISHED == 0
    }

    /// Like [`is_recording`](Self::is_recording), for a span that is capped or whose decision may still change.
    #[inline(never)]
    fn is_recording_for_now(&self) -> bool {
        if self.is_capped() {
            return false;
        }
        let is_wanted = match &self.shared_decision {
            Some(decision) => {
                let state = decision.state();
                !state.is_final() || state.flags().is_sampled()
            }
            None => self.status.flags().is_sampled() || self.is_revisable(),
        };
        is_wanted && !self.is_finished()
    }

    /// Returns whether the span has finished.
    #[inline(always)]
    pub(crate) fn is_finished(&self) -> bool {
        self.status.has(FINISHED)
    }

    /// Returns whether the span records nothing, because too many spans were open when it started.
    pub(crate) fn is_capped(&self) -> bool {
        self.status.has(CAPPED)
    }

    /// Returns whether observers are told of the span's end.
    #[inline(always)]
    pub(crate) fn is_observed(&self) -> bool {
        self.status.has(OBSERVED)
    }

    /// Notes that an observed span has failed.
    pub(crate) fn note_error(&self) {
        if self.is_observed() && !self.is_finished() {
            self.facts.note_error(true);
        }
    }

    /// Returns whether the user gave the start time.
    #[inline]
    pub(crate) fn has_explicit_start(&self) -> bool {
        self.status.has(EXPLICIT_START)
    }

    /// Locks the buffer of an open span; `None` once the span has finished. No user code may run while it is locked.
    #[inline(always)]
    pub(crate) fn open(&self) -> Option<ByteGuard<'_, SpanBuffer>> {
        let buffer = self.lock_if_alive()?;
        (!self.is_finished()).then_some(buffer)
    }

    /// Returns the name as of now.
    pub(crate) fn operation_name(&self) -> Cow<'static, str> {
        let buffer = self.lock_if_alive();
        buffer.map_or(Cow::Borrowed(""), |buffer| buffer.operation_name().clone())
    }

    /// Locks the buffer, of a finished span too.
    ///
    /// Returns `None` if a thread of the parent process held the lock at the fork: it will never be released here.
    #[inline(always)]
    fn lock_if_alive(&self) -> Option<ByteGuard<'_, SpanBuffer>> {
        match self.buffer.try_lock() {
            Some(buffer) => Some(buffer),
            None => self.lock_contended(),
        }
    }

    #[cold]
    #[inline(never)]
    fn lock_contended(&self) -> Option<ByteGuard<'_, SpanBuffer>> {
        if self.is_inherited() {
            self.buffer.lock_soon()
        } else {
            Some(self.buffer.lock())
        }
    }

    /// Locks the buffer of a span of this process, finished or not.
    #[cfg(all(test, not(tracehound_loom)))]
    pub(crate) fn lock(&self) -> ByteGuard<'_, SpanBuffer> {
        self.buffer.lock()
    }

    /// Returns whether the span was open when this process was forked. The parent process finishes and sends it.
    #[inline]
    pub(crate) fn is_inherited(&self) -> bool {
        !self.key.is_of_this_process()
    }

    /// Finishes an inherited span. Returns true for the first call.
    pub(crate) fn finish_inherited(&self) -> bool {
        self.status.add(FINISHED)
    }

    /// Finishes the span and locks its buffer; `None` if the span has finished before.
    pub(crate) fn mark_finished(&self) -> Option<ByteGuard<'_, SpanBuffer>> {
        let buffer = self.buffer.lock();
        self.status.add(FINISHED).then_some(buffer)
    }

    /// Returns the wall time of a tick count by this span's anchor, in nanoseconds since the epoch.
    pub(crate) fn wall(&self, ticks: u64) -> i64 {
        // The user gave the start as wall time of now, so the end needs the anchor of now.
        let anchor = if self.has_explicit_start() {
            self.recorder.clock.anchor()
        } else {
            self.anchor
        };
        wall(anchor, ticks)
    }
}

/// A capped span takes this and no more.
#[cfg(not(tracehound_loom))]
const _: () = assert!(size_of::<SpanSlot>() <= 192);

impl Drop for SpanSlot {
    fn drop(&mut self) {
        if !self.is_capped() && !self.is_inherited() {
            self.recorder.slot_limit.remove();
        }
    }
}

impl fmt::Debug for SpanSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SpanSlot({}:{})",
            self.header.trace_id, self.header.span_id
        )
    }
}

/// The parts of a tracer that record its spans. All of them are library code: no call to one runs user code.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) clock: SpanClock,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) queue: Arc<SpanQueue>,
    /// The questions that the sampler wants while a trace is undecided.
    pub(crate) interests: Interests,
    /// The level up to which spans show a program's data.
    pub(crate) recording: Recording,
    /// The vocabulary of the middleware's tags.
    pub(crate) tag_names: TagNames,
    /// The number of slots, and its bound.
    pub(crate) slot_limit: SlotLimit,
    /// Vacant slots. The pool is closed with the tracer, which they keep in memory.
    pub(crate) slots: SharedPool<Box<SpanSlot>>,
    /// Vacant decisions for undecided traces.
    pub(crate) decisions: SharedPool<DecisionRef>,
}

impl Recorder {
    /// Joins the parts.
    pub(crate) fn new(
        clock: SpanClock,
        limits: Limits,
        queue: Arc<SpanQueue>,
        interests: Interests,
        recording: Recording,
        tag_names: TagNames,
        slot_limit: SlotLimit,
    ) -> Self {
        Self {
            clock,
            limits,
            metrics: queue.metrics().clone(),
            queue,
            interests,
            recording,
            tag_names,
            slot_limit,
            slots: SharedPool::new(),
            decisions: SharedPool::new(),
        }
    }

    /// Brings a buffer into the form that a frame has, and counts a name that is cut.
    #[inline(always)]
    pub(crate) fn seal(&self, buffer: &mut SpanBuffer) {
        if buffer.seal(&self.limits) {
            self.metrics.add(Counter::TruncatedValues, 1);
        }
    }

    /// Counts what was cut or left out of something that was added.
    #[inline]
    pub(crate) fn count_added(&self, added: Added) {
        if added.truncated | added.dropped != 0 {
            self.metrics.add(Counter::TruncatedValues, added.truncated);
            self.metrics.add(Counter::DroppedItems, added.dropped);
        }
    }
}

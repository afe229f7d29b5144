//! The slot that holds one open span.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::model::TagRef;
use crate::model::{Baggage, Flags, SpanId, TraceId};
use crate::record::open::buffer::{Added, SpanBuffer};
use crate::record::open::handle_count::HandleCount;
use crate::record::open::shared_decision::SharedDecision;
use crate::record::open::status::{
    BAGGAGE, EXPLICIT_START, FINISHED, REVISABLE, SHARED, SpanStatus, flags_in,
};
use crate::record::open::tracer::{Decider, Recorder};
use crate::record::pool::SharedPool;
use crate::record::queue::frame::FrameHeader;
use crate::record::queue::span_queue::QueueKey;
use crate::sync::byte_lock::{ByteGuard, ByteLock};

/// One open span.
///
/// A slot is either *vacant*, that is a `Box<SpanSlot>` in a pool or in the hands of whoever starts a span and may write
/// its plain fields, or it is behind [`SpanHandle`](super::SpanHandle)s, and then they stand still. It keeps its tracer and
/// the memory of its buffers from one span to the next, so a start touches no count that threads share.
#[repr(align(64))]
pub(crate) struct SpanSlot {
    pub(crate) count: HandleCount,
    pub(crate) status: SpanStatus,
    /// The first span of its trace in this process.
    pub(crate) is_local_root: bool,
    /// Of the queue, and of the process that made the slot.
    pub(crate) key: QueueKey,
    /// Filled but for the end.
    pub(crate) header: FrameHeader,
    /// Wall time of tick zero, frozen when the local root started.
    pub(crate) anchor: i64,
    /// The decision, while it is open or was made late.
    shared_decision: Option<Arc<SharedDecision>>,
    pub(crate) buffer: ByteLock<SpanBuffer>,
    pub(crate) recorder: Arc<Recorder>,
    /// Where vacant slots of this tracer wait that no thread keeps.
    pub(crate) pool: Arc<SharedPool<Self>>,
    pub(crate) tracer: Arc<dyn Decider>,
}

/// Nanoseconds since the epoch of a tick count, by the wall time of tick zero. Neither is so large that they could run
/// over: see [`Clock::now`](crate::clock::Clock).
#[inline(always)]
pub(crate) fn wall(anchor: i64, ticks: u64) -> i64 {
    anchor.wrapping_add_unsigned(ticks)
}

impl SpanSlot {
    /// A slot that has held no span.
    pub(crate) fn new(
        tracer: Arc<dyn Decider>,
        recorder: Arc<Recorder>,
        pool: Arc<SharedPool<Self>>,
    ) -> Box<Self> {
        Box::new(Self {
            count: HandleCount::default(),
            status: SpanStatus::default(),
            is_local_root: false,
            key: recorder.queue.key(),
            header: FrameHeader::new(
                TraceId::new(0, 1).expect("not zero"),
                SpanId::new(1).expect("not zero"),
            ),
            anchor: 0,
            shared_decision: None,
            buffer: ByteLock::default(),
            recorder,
            pool,
            tracer,
        })
    }

    /// Makes the slot vacant: what the span held is dropped, its memory is kept unless it is much. Nothing here is
    /// the user's.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.buffer.get_mut().clear();
        self.shared_decision = None;
    }

    /// Of a vacant slot: how the span begins.
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

    /// Of a span that nobody else can know of: when it started, as the user says.
    pub(crate) fn begin_at(&mut self, start: i64) {
        self.header.start = start;
        self.status.add(EXPLICIT_START);
    }

    /// Of a span that nobody else can know of: who decides whether it is kept.
    pub(crate) fn begin_shared(&mut self, trace: Arc<SharedDecision>) {
        self.shared_decision = Some(trace);
        self.status.add(SHARED);
    }

    /// Of a span that nobody else can know of.
    pub(crate) fn begin_with_baggage(&mut self, baggage: Baggage) {
        if !baggage.is_empty() {
            *self.buffer.get_mut().baggage_mut() = baggage;
            self.status.add(BAGGAGE);
        }
    }

    /// Sets a tag of a span that nobody else can know of.
    #[inline(always)]
    pub(crate) fn begin_with_tag(&mut self, key: &str, value: TagRef<'_>) -> Added {
        self.buffer
            .get_mut()
            .push_tag(key, value, &self.recorder.limits)
    }

    /// Sets tags of a span that nobody else can know of.
    #[inline(always)]
    pub(crate) fn begin_with_tags(&mut self, tags: &[(&str, TagRef<'_>)]) -> Added {
        self.buffer.get_mut().push_tags(tags, &self.recorder.limits)
    }

    /// The buffer of a span that nobody else can know of.
    #[inline]
    pub(crate) fn buffer_mut(&mut self) -> &mut SpanBuffer {
        self.buffer.get_mut()
    }

    #[inline(always)]
    pub(crate) fn flags(&self) -> Flags {
        match &self.shared_decision {
            Some(trace) => trace.flags(),
            None => self.status.flags(),
        }
    }

    /// The flags of a span that has a decision of its own, and no baggage.
    #[inline(always)]
    pub(crate) fn simple_flags(&self) -> Option<Flags> {
        let status = self.status.get();
        (status & (SHARED | BAGGAGE) == 0).then_some(flags_in(status))
    }

    /// The flags, where they are the span's own and the last word for now, and its sampler is not waiting for more.
    #[inline(always)]
    pub(crate) fn decided_flags(&self) -> Option<Flags> {
        let status = self.status.get();
        (status & (SHARED | REVISABLE) == 0).then_some(flags_in(status))
    }

    /// Of a span whose trace is decided by its own flags.
    pub(crate) fn set_flags(&self, flags: Flags) {
        self.status.set_flags(flags);
    }

    /// The decision that it shares with its local trace, while that is open or was made late.
    pub(crate) fn shared_decision(&self) -> Option<&Arc<SharedDecision>> {
        self.shared_decision.as_ref()
    }

    /// Whether there is or was any.
    #[inline]
    fn has_baggage(&self) -> bool {
        // Whoever must see an item that another thread has set has heard of it from there.
        self.status.has(BAGGAGE)
    }

    /// What spans that start from this one take over.
    #[inline]
    pub(crate) fn baggage(&self) -> Baggage {
        if self.has_baggage() {
            let buffer = self.lock_if_alive();
            buffer.map_or_else(Baggage::default, |buffer| buffer.baggage().clone())
        } else {
            Baggage::default()
        }
    }

    /// Replaces the baggage, by what `change` makes of it, if the span is open.
    pub(crate) fn change_baggage<R>(&self, change: impl FnOnce(&mut Baggage) -> R) -> Option<R> {
        let mut buffer = self.open()?;
        self.status.add(BAGGAGE);
        Some(change(buffer.baggage_mut()))
    }

    /// Whether the sampler has not answered yet.
    #[inline]
    pub(crate) fn is_undecided(&self) -> bool {
        self.shared_decision
            .as_ref()
            .is_some_and(|trace| !trace.is_final())
    }

    #[inline(always)]
    pub(crate) fn is_revisable(&self) -> bool {
        self.status.has(REVISABLE)
    }

    /// Somebody has seen the decision: it stays.
    #[inline(always)]
    pub(crate) fn fix_decision(&self) {
        if self.is_revisable() {
            self.status.remove(REVISABLE);
        }
    }

    /// Whether tags and logs are kept.
    #[inline(always)]
    pub(crate) fn is_recording(&self) -> bool {
        let status = self.status.get();
        if status & (SHARED | REVISABLE) != 0 {
            return self.is_recording_for_now();
        }
        flags_in(status).is_sampled() && status & FINISHED == 0
    }

    /// The same where somebody may still decide otherwise.
    #[cold]
    #[inline(never)]
    fn is_recording_for_now(&self) -> bool {
        (self.flags().is_sampled() || self.is_undecided() || self.is_revisable())
            && !self.is_finished()
    }

    #[inline(always)]
    pub(crate) fn is_finished(&self) -> bool {
        self.status.has(FINISHED)
    }

    /// Whether the user has said when the span started.
    #[inline]
    pub(crate) fn has_explicit_start(&self) -> bool {
        self.status.has(EXPLICIT_START)
    }

    /// The buffer, for as long as the span is open. Nothing of the user's may run while it is held.
    #[inline(always)]
    pub(crate) fn open(&self) -> Option<ByteGuard<'_, SpanBuffer>> {
        let buffer = self.lock_if_alive()?;
        (!self.is_finished()).then_some(buffer)
    }

    /// The name as of now.
    pub(crate) fn operation_name(&self) -> Cow<'static, str> {
        let buffer = self.lock_if_alive();
        buffer.map_or(Cow::Borrowed(""), |buffer| buffer.operation_name().clone())
    }

    /// The buffer, finished or not; `None` where the span is inherited from the parent of this process and somebody
    /// there held its lock at the fork.
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

    /// The buffer of a span of this process, finished or not.
    #[cfg(all(test, not(tracehound_loom)))]
    pub(crate) fn lock(&self) -> ByteGuard<'_, SpanBuffer> {
        self.buffer.lock()
    }

    /// Whether the span was open when this process was forked from another one, which finishes and sends it.
    #[inline]
    pub(crate) fn is_inherited(&self) -> bool {
        !self.key.is_of_this_process()
    }

    /// Of an inherited span: true for the first time.
    pub(crate) fn finish_inherited(&self) -> bool {
        self.status.add(FINISHED)
    }

    /// The buffer for the one who finishes the span; `None` for all others.
    pub(crate) fn finish(&self) -> Option<ByteGuard<'_, SpanBuffer>> {
        let buffer = self.buffer.lock();
        self.status.add(FINISHED).then_some(buffer)
    }

    /// Nanoseconds since the epoch of a tick count, as this span tells the time.
    pub(crate) fn wall(&self, ticks: u64) -> i64 {
        // A start that the user gave is wall time: so is the end, for the difference to make sense.
        let anchor = if self.has_explicit_start() {
            self.recorder.clock.anchor()
        } else {
            self.anchor
        };
        wall(anchor, ticks)
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

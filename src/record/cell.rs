//! The box that holds one open span.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::metrics::Counter;
use crate::model::TagRef;
use crate::model::{Baggage, Flags, SpanId, TraceId};
use crate::record::buffer::{Added, SpanBuffer};
use crate::record::frame::FrameHeader;
use crate::record::lifecycle::Lifecycle;
use crate::record::local;
use crate::record::local_trace::LocalTrace;
use crate::record::lock::{ByteGuard, ByteLock};
use crate::record::marks::{BAGGAGE, EXPLICIT_START, FINISHED, Marks, REVISABLE, SHARED, flags_in};
use crate::record::recorder::Recorder;
use crate::record::store::StoreKey;
use crate::sampler::SamplerTags;

/// One open span.
///
/// A box is either *vacant*, that is a `Box<SpanCell>` in a pool or in the hands of whoever starts a span and may write
/// its plain fields, or it is behind [`SpanRef`](super::SpanRef)s, and then they stand still. It keeps its tracer and
/// the memory of its buffers from one span to the next, so a start touches no count that threads share.
#[repr(align(64))]
pub(crate) struct SpanCell {
    pub(super) count: super::span_ref::Count,
    pub(super) marks: Marks,
    /// The first span of its trace in this process.
    pub(crate) is_local_root: bool,
    /// Of the store, and of the process that made the box.
    pub(super) key: StoreKey,
    /// Filled but for the end.
    pub(crate) header: FrameHeader,
    /// Wall time of tick zero, frozen when the local root started.
    pub(crate) anchor: i64,
    /// The decision, while it is open or was made late.
    local_trace: Option<Arc<LocalTrace>>,
    pub(super) buffer: ByteLock<SpanBuffer>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) tracer: Arc<dyn Lifecycle>,
}

/// Nanoseconds since the epoch of a tick count, by the wall time of tick zero. Neither is so large that they could run
/// over: see [`Clock::now`](crate::clock::Clock).
#[inline(always)]
pub(crate) fn wall(anchor: i64, ticks: u64) -> i64 {
    anchor.wrapping_add_unsigned(ticks)
}

impl SpanCell {
    /// A vacant box.
    pub(crate) fn vacant<L>(tracer: &Arc<L>, recorder: &Arc<Recorder>) -> Box<Self>
    where
        L: Lifecycle + 'static,
    {
        match local::take_cell(&recorder.store) {
            Some(cell) => cell,
            None => Self::allocate(tracer.clone(), recorder.clone()),
        }
    }

    /// The same if the calling thread has one at hand. Counts, too, where there is one.
    #[inline(always)]
    pub(crate) fn vacant_at_hand(
        recorder: &Recorder,
        counters: (Counter, Option<Counter>),
    ) -> Option<Box<Self>> {
        local::take_cell_at_hand(&recorder.store, counters)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn allocate(tracer: Arc<dyn Lifecycle>, recorder: Arc<Recorder>) -> Box<Self> {
        local::forget_closed();
        recorder.store.enter();
        Box::new(Self {
            count: super::span_ref::Count::default(),
            marks: Marks::default(),
            is_local_root: false,
            key: recorder.store.key(),
            header: FrameHeader::new(
                TraceId::new(0, 1).expect("not zero"),
                SpanId::new(1).expect("not zero"),
            ),
            anchor: 0,
            local_trace: None,
            buffer: ByteLock::default(),
            recorder,
            tracer,
        })
    }

    /// Makes the box vacant: what the span held is dropped, its memory is kept unless it is much. Nothing here is
    /// the user's.
    #[inline(always)]
    pub(super) fn clear(&mut self) {
        self.buffer.get_mut().clear();
        self.local_trace = None;
    }

    /// Of a vacant box: how the span begins.
    #[inline(always)]
    pub(crate) fn begin(
        &mut self,
        flags: Flags,
        is_revisable: bool,
        operation_name: Cow<'static, str>,
    ) {
        self.marks
            .begin(flags, if is_revisable { REVISABLE } else { 0 });
        self.buffer
            .get_mut()
            .begin(operation_name, &self.recorder.limits);
    }

    /// Of a span that nobody else can know of: when it started, as the user says.
    pub(crate) fn begin_at(&mut self, start: i64) {
        self.header.start = start;
        self.marks.add(EXPLICIT_START);
    }

    /// Of a span that nobody else can know of: who decides whether it is kept.
    pub(crate) fn begin_undecided(&mut self, trace: Arc<LocalTrace>) {
        self.local_trace = Some(trace);
        self.marks.add(SHARED);
    }

    /// Of a span that nobody else can know of.
    pub(crate) fn begin_with_baggage(&mut self, baggage: Baggage) {
        if !baggage.is_empty() {
            *self.buffer.get_mut().baggage_mut() = baggage;
            self.marks.add(BAGGAGE);
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

    /// Sets the sampler's tags of a span that nobody else can know of; returns how many of their parts were cut.
    #[inline(always)]
    pub(crate) fn push_sampler_tags(&mut self, tags: SamplerTags) -> u64 {
        let limits = &self.recorder.limits;
        let buffer = self.buffer.get_mut();
        local::with_sampler_tags(&self.recorder.store, tags, limits, |encoded| {
            buffer.push_encoded(encoded)
        })
    }

    /// The buffer of a span that nobody else can know of.
    #[inline(always)]
    pub(crate) fn buffer_mut(&mut self) -> &mut SpanBuffer {
        self.buffer.get_mut()
    }

    #[inline(always)]
    pub(crate) fn flags(&self) -> Flags {
        match &self.local_trace {
            Some(trace) => trace.flags(),
            None => self.marks.flags(),
        }
    }

    /// The flags of a span that has a decision of its own, and no baggage.
    #[inline(always)]
    pub(crate) fn plain_flags(&self) -> Option<Flags> {
        let marks = self.marks.get();
        (marks & (SHARED | BAGGAGE) == 0).then_some(flags_in(marks))
    }

    /// The flags, where they are the span's own and the last word for now, and its sampler is not waiting for more.
    #[inline(always)]
    pub(crate) fn decided_flags(&self) -> Option<Flags> {
        let marks = self.marks.get();
        (marks & (SHARED | REVISABLE) == 0).then_some(flags_in(marks))
    }

    /// Of a span whose trace is decided by its own flags.
    pub(crate) fn set_flags(&self, flags: Flags) {
        self.marks.set_flags(flags);
    }

    /// The decision that it shares with its local trace, while that is open or was made late.
    pub(crate) fn local_trace(&self) -> Option<&Arc<LocalTrace>> {
        self.local_trace.as_ref()
    }

    /// Whether there is or was any.
    #[inline(always)]
    fn has_baggage(&self) -> bool {
        // Whoever must see an item that another thread has set has heard of it from there.
        self.marks.has(BAGGAGE)
    }

    /// What spans that start from this one take over.
    #[inline(always)]
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
        self.marks.add(BAGGAGE);
        Some(change(buffer.baggage_mut()))
    }

    /// Whether the sampler has not answered yet.
    #[inline(always)]
    pub(crate) fn is_undecided(&self) -> bool {
        self.local_trace
            .as_ref()
            .is_some_and(|trace| !trace.is_final())
    }

    #[inline(always)]
    pub(crate) fn is_revisable(&self) -> bool {
        self.marks.has(REVISABLE)
    }

    /// Somebody has seen the decision: it stays.
    #[inline(always)]
    pub(crate) fn settle(&self) {
        if self.is_revisable() {
            self.marks.remove(REVISABLE);
        }
    }

    /// Whether tags and logs are kept.
    #[inline(always)]
    pub(crate) fn is_recording(&self) -> bool {
        let marks = self.marks.get();
        if marks & (SHARED | REVISABLE) != 0 {
            return self.is_recording_for_now();
        }
        flags_in(marks).is_sampled() && marks & FINISHED == 0
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
        self.marks.has(FINISHED)
    }

    /// Whether the user has said when the span started.
    #[inline]
    pub(crate) fn has_explicit_start(&self) -> bool {
        self.marks.has(EXPLICIT_START)
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
        self.marks.add(FINISHED)
    }

    /// The buffer for the one who finishes the span; `None` for all others.
    pub(super) fn finish(&self) -> Option<ByteGuard<'_, SpanBuffer>> {
        let buffer = self.buffer.lock();
        self.marks.add(FINISHED).then_some(buffer)
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

impl fmt::Debug for SpanCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SpanCell({}:{})",
            self.header.trace_id, self.header.span_id
        )
    }
}

//! How a span ends: its frame goes to the thread queue, its slot to a pool.
//!
//! There are three ways.
//!
//! - The *fast path*, [`SpanHandle::finish_fast`], finishes a span that has one handle and a decision of its own, on a
//!   thread that used this tracer last and has room in its queue. It takes no lock and no atomic read-modify-write.
//! - [`finish_only`] finishes any other span that has one handle, such as one of an undecided trace. It takes no lock
//!   of the span.
//! - [`finish_one_of_several`] finishes every other span, under the lock of its buffer.
//!
//! Observers are told of a span before the fast path takes it ([`finish_observed`]), or at the end of the other ways.
//!
//! If the fast path cannot finish the span, it hands it back, still open, and one of the others does the whole work.
//! The fast path is split by what the span has, only a short name or more, so that the smallest span pays least.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use crate::clock::WallTime;
use crate::metrics::{Counter, DropCause};
use crate::model::tags::PARTIAL;
use crate::model::{Flags, TagRef};
use crate::record::decide::{apply_decision, view};
use crate::record::handle::SpanHandle;
use crate::record::open::buffer::SpanBuffer;
use crate::record::open::shared_decision::{Hold, SharedDecision};
use crate::record::open::slot::{SpanSlot, wall};
use crate::record::open::status::OBSERVED;
use crate::record::open::tags::count_clamped_time;
use crate::record::open::tracer::{Observation, Question, Recorder};
use crate::record::queue::frame::{FrameEnd, FrameHeader};
use crate::record::span_clock::SpanClock;
use crate::record::thread::slots::{clear_slot, give_back, return_clear_slot};
use crate::record::thread::state::{ThreadState, current_of};
use crate::record::wire::decode::Tags;
use crate::sampler::SamplingDecision;

/// Finishes the span now. A call for a span that has finished changes nothing, and is counted if `is_explicit`: the
/// user called `finish`.
#[inline(always)]
pub(crate) fn finish_now(span: SpanHandle, is_explicit: bool) {
    if let Err(span) = span.finish_fast(SpanClock::try_now) {
        if span.slot().is_observed() {
            finish_observed(span, is_explicit);
        } else {
            finish_slowly(span, is_explicit);
        }
    }
}

/// Like [`finish_now`], after the fast path has handed the span back: finishes a span that shares its decision, or
/// reads the clock by a call, tries the fast path again, and then takes the general way.
#[cold]
#[inline(never)]
fn finish_slowly(span: SpanHandle, is_explicit: bool) {
    if span.slot().shared_decision().is_some() {
        return finish_sharing(span, is_explicit);
    }
    if let Err(span) = span.finish_fast(|clock| Some(clock.now())) {
        finish_sharing(span, is_explicit);
    }
}

/// Finishes a span now, in particular one that shares its decision.
#[inline(always)]
fn finish_sharing(span: SpanHandle, is_explicit: bool) {
    let slot = span.slot();
    let end = slot.wall(slot.recorder.clock.now());
    if slot.has_explicit_start() {
        count_clamped_time(slot, end < slot.header.start);
    }
    finish_any(span, end, is_explicit);
}

/// Finishes an observed span now: tells the observers, and then finishes it by the fast path.
#[cold]
#[inline(never)]
fn finish_observed(span: SpanHandle, is_explicit: bool) {
    let ticks = span.slot().recorder.clock.now();
    let span = match own_slot(span) {
        Ok((slot, flags)) => match finish_own(slot, flags, ticks) {
            Ok(()) => return,
            Err(span) => {
                // The observers know: the general way must not tell them again.
                span.slot().status.change_unshared(0, OBSERVED);
                span
            }
        },
        Err(span) => span,
    };
    let slot = span.slot();
    let end = slot.wall(ticks);
    count_clamped_time(slot, slot.has_explicit_start() && end < slot.header.start);
    finish_any(span, end, is_explicit);
}

/// Tells the observers of a span that no other thread can reach, and finishes it by the fast path.
#[inline(always)]
fn finish_own(mut slot: Box<SpanSlot>, flags: Flags, ticks: u64) -> Result<(), SpanHandle> {
    let duration = slot.duration(ticks);
    let fields = &mut *slot;
    let observation = Observation {
        header: &fields.header,
        facts: &fields.facts,
        // Without a lock, which must not be held while user code runs.
        operation_name: fields.buffer.get_mut().operation_name(),
        is_local_root: fields.is_local_root,
        is_sampled: Some(flags.is_sampled()),
        duration,
    };
    fields.tracer.observe_finish(&observation);
    match current_of(slot.key) {
        Some(state) => finish_slot(state, slot, flags, |_| Some(ticks)),
        None => Err(SpanHandle::new(slot)),
    }
}

/// Takes the slot of an observed span that the fast path can finish.
#[inline(always)]
fn own_slot(span: SpanHandle) -> Result<(Box<SpanSlot>, Flags), SpanHandle> {
    if span.slot().is_inherited() {
        return Err(span);
    }
    span.try_into_observed_slot()
}

/// Finishes the span at a time that the user gives.
pub(crate) fn finish_at(span: SpanHandle, end: SystemTime) {
    let end = WallTime::nearest_to(end);
    let is_early = end.nanos < span.slot().header.start;
    count_clamped_time(span.slot(), end.is_clamped || is_early);
    finish_any(span, end.nanos, true);
}

/// Finishes any span: one with several handles, with a shared decision, of another tracer than the thread's last,
/// already finished, inherited from a parent process, or without room in the queue.
#[inline(never)]
fn finish_any(span: SpanHandle, end: i64, is_explicit: bool) {
    if span.slot().is_inherited() {
        return finish_inherited(span.slot());
    }
    match span.try_into_any_slot() {
        Ok(slot) => finish_only(slot, end),
        Err(span) => finish_one_of_several(span, end, is_explicit),
    }
}

/// Finishes a span to which there is no other handle, without a lock.
fn finish_only(mut slot: Box<SpanSlot>, end: i64) {
    let duration = slot.duration_until(end);
    let is_let_go = match ask_alone(&mut slot, duration) {
        None => false,
        Some(answer) => apply_last(&slot, answer),
    };
    let flags = slot.flags();
    let SpanSlot {
        buffer,
        recorder,
        header,
        is_local_root,
        shared_decision,
        ..
    } = &mut *slot;
    let ending = Ending {
        recorder,
        header,
        duration,
        is_local_root: *is_local_root,
        flags,
        decision: shared_decision.as_deref(),
        is_let_go,
    };
    ending.conclude(buffer.get_mut());
    if slot.is_observed() {
        observe_alone(&mut slot, duration);
    }
    clear_slot(&mut slot);
    give_back(slot);
}

/// Puts the sampler's answer about the end of a span into effect. Returns true, and leaves the rest to
/// [`Ending::conclude`], if the answer is that the trace of a local root is dropped.
#[inline]
fn apply_last(slot: &SpanSlot, answer: SamplingDecision) -> bool {
    if slot.is_local_root && matches!(answer, SamplingDecision::Drop) {
        return true;
    }
    apply_decision(slot, answer);
    false
}

/// Tells the observers of the end of a span to which there is no other handle.
fn observe_alone(slot: &mut SpanSlot, duration: u64) {
    let is_sampled = (!slot.is_undecided()).then(|| slot.flags().is_sampled());
    let observation = Observation {
        header: &slot.header,
        facts: &slot.facts,
        operation_name: slot.buffer.get_mut().operation_name(),
        is_local_root: slot.is_local_root,
        is_sampled,
        duration,
    };
    slot.tracer.observe_finish(&observation);
}

/// Asks the sampler about the end of a span to which there is no other handle, if it wants that and has not decided.
///
/// The sampler is user code, and reads the buffer. It cannot reach the span.
#[inline(always)]
fn ask_alone(slot: &mut SpanSlot, duration: u64) -> Option<SamplingDecision> {
    let is_local_root = slot.is_local_root;
    let SpanSlot {
        buffer,
        recorder,
        header,
        shared_decision,
        tracer,
        ..
    } = slot;
    let decision = shared_decision.as_ref();
    let is_undecided = decision.is_some_and(|decision| !decision.is_final());
    if !is_undecided || !recorder.interests.asks_about_finish(is_local_root) {
        return None;
    }
    let buffer = buffer.get_mut();
    let tags = buffer.tags();
    let name = buffer.operation_name();
    let mut view = view(
        &recorder.queue,
        header.trace_id,
        name,
        is_local_root,
        decision,
    )
    .with_tags(&tags);
    view.duration = Some(Duration::from_nanos(duration));
    Some(tracer.decide(Question::Finish, &view))
}

/// Finishes a span that may have several handles, under the lock of its buffer.
fn finish_one_of_several(mut span: SpanHandle, end: i64, is_explicit: bool) {
    let duration = span.slot().duration_until(end);
    let answer = ask_among_several(span.slot(), duration);
    let is_let_go = answer.is_some_and(|answer| apply_last(span.slot(), answer));
    let Some((slot, mut buffer)) = span.mark_finished() else {
        if is_explicit {
            span.slot().recorder.queue.count(Counter::FinishedTwice);
        }
        return;
    };
    let observed = slot.is_observed().then(|| buffer.operation_name().clone());
    let ending = Ending {
        recorder: &slot.recorder,
        header: &slot.header,
        duration,
        is_local_root: slot.is_local_root,
        flags: slot.flags(),
        decision: slot.shared_decision().map(|decision| &**decision),
        is_let_go,
    };
    ending.conclude(&mut buffer);
    drop(buffer);
    if let Some(name) = observed {
        let is_sampled = (!slot.is_undecided()).then(|| slot.flags().is_sampled());
        let observation = slot.observation(&name, is_sampled, duration);
        slot.tracer.observe_finish(&observation);
    }
}

/// Like [`ask_alone`], but shows the sampler copies, because the buffer cannot be locked while user code runs.
fn ask_among_several(slot: &SpanSlot, duration: u64) -> Option<SamplingDecision> {
    let interests = &slot.recorder.interests;
    if !slot.is_undecided() || !interests.asks_about_finish(slot.is_local_root) {
        return None;
    }
    let decision = slot.shared_decision();
    let (name, (bytes, count)) = {
        let buffer = slot.open()?;
        (buffer.operation_name().clone(), buffer.copied_tags())
    };
    let tags = Tags::new(&bytes, count);
    let mut view = view(
        &slot.recorder.queue,
        slot.header.trace_id,
        &name,
        slot.is_local_root,
        decision,
    );
    view.duration = Some(Duration::from_nanos(duration));
    Some(slot.tracer.decide(Question::Finish, &view.with_tags(&tags)))
}

/// A span that finishes, apart from its buffer.
struct Ending<'a> {
    recorder: &'a Recorder,
    header: &'a FrameHeader,
    duration: u64,
    is_local_root: bool,
    flags: Flags,
    decision: Option<&'a SharedDecision>,
    /// The sampler has dropped the trace of this local root.
    is_let_go: bool,
}

impl Ending<'_> {
    /// Queues the span, has it wait for the decision of its trace, or counts it as not sampled.
    #[inline(always)]
    fn conclude(&self, buffer: &mut SpanBuffer) {
        let queue = &*self.recorder.queue;
        let mut flags = self.flags;
        if let Some(decision) = self.decision {
            if self.is_local_root {
                if let Some(waited) = decision.end() {
                    if self.is_let_go {
                        return queue.count(Counter::FinishedSpansUnsampled);
                    }
                    // Counts a name that is cut, as for every span that is recorded.
                    self.recorder.seal(buffer);
                    queue.drop_spans(DropCause::Delayed, waited + 1);
                    return queue.count(Counter::FinishedSpansDelayed);
                }
                self.mark_partial(decision, buffer);
            } else if !decision.is_final() {
                self.hold(decision, buffer);
                return queue.count(Counter::FinishedSpansDelayed);
            }
            flags = decision.flags();
        }
        if flags.is_sampled() {
            self.recorder.seal(buffer);
            let header = self.header_with(flags, buffer);
            queue.push(&header, &buffer.bytes(), Counter::FinishedSpansSampled);
        } else {
            queue.count(Counter::FinishedSpansUnsampled);
        }
    }

    /// Keeps the span until its trace is decided, or sends or drops it if that is not possible.
    fn hold(&self, decision: &SharedDecision, buffer: &mut SpanBuffer) {
        let queue = &*self.recorder.queue;
        if queue.id() != decision.queue.id() {
            return queue.drop_spans(DropCause::Delayed, 1);
        }
        self.recorder.seal(buffer);
        let header = self.header_with(decision.flags(), buffer);
        let bytes = buffer.bytes();
        match decision.hold(&header, &bytes) {
            Hold::Decided(flags) if flags.is_sampled() => {
                let header = FrameHeader { flags, ..header };
                queue.push_uncounted(&header, &bytes);
            }
            Hold::Held | Hold::NoRoom | Hold::Decided(_) => {}
        }
    }

    /// Marks the local root of a kept trace of which other processes have no spans.
    fn mark_partial(&self, decision: &SharedDecision, buffer: &mut SpanBuffer) {
        if decision.is_partial() && decision.flags().is_sampled() {
            let added = buffer.push_tag(PARTIAL, TagRef::Bool(true), &self.recorder.limits);
            self.recorder.count_added(added);
        }
    }

    fn header_with(&self, flags: Flags, buffer: &SpanBuffer) -> FrameHeader {
        self.header.with_end(buffer.end(flags, self.duration))
    }
}

/// Counts a span that was open at a fork and finishes in the forked child. The parent has it too, and sends it.
#[cold]
fn finish_inherited(slot: &SpanSlot) {
    if slot.finish_inherited() && slot.flags().is_sampled() {
        slot.recorder.queue.drop_spans(DropCause::Forked, 1);
    }
}

impl SpanHandle {
    /// Finishes the span by the fast path, or returns it, still open.
    ///
    /// The fast path needs: the thread used this tracer last, this is the only handle, the decision is not shared, the
    /// user gave no start, `now` tells the time (asked for sampled spans only), and the thread queue has room or gets a
    /// new chunk.
    ///
    /// Rare cases are calls at the end, so the fast path saves no registers for afterwards.
    #[inline(always)]
    pub(crate) fn finish_fast(
        self,
        now: impl FnOnce(&SpanClock) -> Option<u64>,
    ) -> Result<(), Self> {
        let Some(state) = current_of(self.slot().key) else {
            return Err(self);
        };
        let (slot, flags) = self.try_into_slot()?;
        finish_slot(state, slot, flags, now)
    }
}

/// Finishes a span whose slot this thread has for itself, or returns it, still open.
#[inline(always)]
fn finish_slot(
    state: &ThreadState,
    mut slot: Box<SpanSlot>,
    flags: Flags,
    now: impl FnOnce(&SpanClock) -> Option<u64>,
) -> Result<(), SpanHandle> {
    if !flags.is_sampled() {
        if slot.recorder.queue.is_closed() {
            return Err(SpanHandle::new(slot));
        }
        slot.buffer.get_mut().clear();
        state.counters.count(Counter::FinishedSpansUnsampled);
        if let Err(slot) = state.take_back(slot) {
            return_clear_slot(slot);
        }
        return Ok(());
    }
    let Some(ticks) = now(&slot.recorder.clock) else {
        return Err(SpanHandle::new(slot));
    };
    let buffer = slot.buffer.get_mut();
    if !buffer.is_name_only() {
        return if buffer.is_tags_only() {
            finish_filled::<true>(slot, flags, ticks)
        } else {
            finish_filled::<false>(slot, flags, ticks)
        };
    }
    let end = FrameEnd {
        duration: slot.duration(ticks),
        flags,
        tag_count: 0,
        has_repeated_keys: false,
    };
    let name = slot.buffer.get_mut().name_only_bytes();
    if !state.writer.push_if_free(&slot.header, end, &name) {
        return finish_in_next_chunk::<true>(slot, flags, ticks);
    }
    state.counters.count(Counter::FinishedSpansSampled);
    if let Err(slot) = state.take_back(slot) {
        return_clear_slot(slot);
    }
    Ok(())
}

/// Finishes a span that has more than a short name; `TAGS_ONLY` says that it has no more than tags.
#[inline(never)]
fn finish_filled<const TAGS_ONLY: bool>(
    mut slot: Box<SpanSlot>,
    flags: Flags,
    ticks: u64,
) -> Result<(), SpanHandle> {
    let Some(state) = current_of(slot.key) else {
        return Err(SpanHandle::new(slot));
    };
    let duration = slot.duration(ticks);
    let buffer = slot.buffer.get_mut();
    let bytes = if TAGS_ONLY {
        buffer.tags_only_bytes()
    } else {
        slot.recorder.seal(buffer);
        buffer.bytes()
    };
    let end = buffer.end(flags, duration);
    if !state.writer.push_if_free(&slot.header, end, &bytes) {
        return finish_in_next_chunk::<TAGS_ONLY>(slot, flags, ticks);
    }
    state.counters.count(Counter::FinishedSpansSampled);
    if TAGS_ONLY {
        buffer.clear_tags_only();
    } else {
        buffer.clear();
    }
    if let Err(slot) = state.take_back(slot) {
        return_clear_slot(slot);
    }
    Ok(())
}

/// Finishes a span after the newest chunk had no room, or the worker had claimed the thread queue: begins a new chunk.
///
/// The new chunk has room for the frame, so [`finish_filled`] calls this again only if the worker has taken that chunk
/// meanwhile.
#[cold]
#[inline(never)]
fn finish_in_next_chunk<const TAGS_ONLY: bool>(
    mut slot: Box<SpanSlot>,
    flags: Flags,
    ticks: u64,
) -> Result<(), SpanHandle> {
    let len = slot.buffer.get_mut().bytes().frame_len();
    let renewed = current_of(slot.key).and_then(|state| state.writer.renew(len));
    let Some(renewed) = renewed else {
        return Err(SpanHandle::new(slot));
    };
    slot.recorder.queue.after_push(renewed);
    finish_filled::<TAGS_ONLY>(slot, flags, ticks)
}

impl SpanSlot {
    /// Returns what observers are told about the span.
    #[inline]
    #[expect(
        clippy::ptr_arg,
        reason = "observers are told whether the name is static"
    )]
    pub(crate) fn observation<'a>(
        &'a self,
        operation_name: &'a Cow<'static, str>,
        is_sampled: Option<bool>,
        duration: u64,
    ) -> Observation<'a> {
        Observation {
            header: &self.header,
            facts: &self.facts,
            operation_name,
            is_local_root: self.is_local_root,
            is_sampled,
            duration,
        }
    }

    /// Returns the nanoseconds from the start to `end`, which is in nanoseconds since the epoch; 0 if it is earlier.
    #[inline(always)]
    pub(crate) fn duration_until(&self, end: i64) -> u64 {
        end.wrapping_sub(self.header.start).max(0).unsigned_abs()
    }

    /// Returns the nanoseconds from the start to a tick count. The user must not have given the start.
    #[inline(always)]
    fn duration(&self, ticks: u64) -> u64 {
        self.duration_until(wall(self.anchor, ticks))
    }
}

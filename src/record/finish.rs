//! How a span ends: its frame goes on its way, its slot goes home.
//!
//! There are two ways. The *fast path* ([`SpanHandle::finish_fast`]) takes a span that only one handle knows, with a final
//! decision, on a thread that has used the same tracer last; [`finish_any`] takes every other.

use std::time::SystemTime;

use crate::clock::WallTime;
use crate::metrics::{Counter, DropCause};
use crate::model::Flags;
use crate::record::decide::apply_decision;
use crate::record::handle::SpanHandle;
use crate::record::open::buffer::SpanBuffer;
use crate::record::open::shared_decision::{Hold, SharedDecision};
use crate::record::open::slot::{SpanSlot, wall};
use crate::record::open::tags::count_clamped_time;
use crate::record::open::tracer::Question;
use crate::record::queue::frame::{FrameEnd, FrameHeader};
use crate::record::span_clock::SpanClock;
use crate::record::thread::slots::return_clear_slot;
use crate::record::thread::state::current_of;
use crate::sampler::SpanView;

/// Ends the span now; the first call wins, a later one is counted if the user made it.
#[inline(always)]
pub(crate) fn finish_now(span: SpanHandle, is_explicit: bool) {
    if let Err(span) = span.finish_fast(SpanClock::try_now) {
        finish_slowly(span, is_explicit);
    }
}

/// The same where the time takes a call, or the span is not as most are.
#[cold]
#[inline(never)]
fn finish_slowly(span: SpanHandle, is_explicit: bool) {
    if let Err(span) = span.finish_fast(|clock| Some(clock.now())) {
        let slot = span.slot();
        let end = slot.wall(slot.recorder.clock.now());
        count_clamped_time(slot, slot.has_explicit_start() && end < slot.header.start);
        finish_any(span, end, is_explicit);
    }
}

/// The same at a time of the user's.
pub(crate) fn finish_at(span: SpanHandle, end: SystemTime) {
    let end = WallTime::nearest_to(end);
    let is_early = end.nanos < span.slot().header.start;
    count_clamped_time(span.slot(), end.is_clamped || is_early);
    finish_any(span, end.nanos, true);
}

/// Of a span that others may reach, that has ended before, whose trace was or is undecided, or for which the thread has
/// no room at hand.
#[cold]
#[inline(never)]
fn finish_any(mut span: SpanHandle, end: i64, is_explicit: bool) {
    let slot = span.slot();
    if slot.is_inherited() {
        return finish_inherited(slot);
    }
    if slot.is_undecided() && !slot.is_finished() && !std::thread::panicking() {
        let name = slot.operation_name();
        let view = SpanView::new(slot.header.trace_id, &name, slot.is_local_root);
        let decision = slot.tracer.decide(Question::Finish, &view);
        apply_decision(slot, decision);
    }
    let Some((slot, mut buffer)) = span.finish() else {
        if is_explicit {
            span.slot().recorder.queue.count(Counter::FinishedTwice);
        }
        return;
    };
    let queue = &*slot.recorder.queue;
    let flags = slot.flags();
    if flags.is_sampled() {
        slot.recorder.seal(&mut buffer);
        let header = header_at(slot, &buffer, flags, end);
        queue.push(&header, &buffer.bytes(), Counter::FinishedSpansSampled);
    } else if let Some(trace) = slot.shared_decision().filter(|trace| !trace.is_final()) {
        hold(slot, trace, &mut buffer, end);
        drop(buffer);
        queue.count(Counter::FinishedSpansDelayed);
    } else {
        drop(buffer);
        queue.count(Counter::FinishedSpansUnsampled);
    }
    if let Some(trace) = slot.shared_decision().filter(|_| slot.is_local_root) {
        let waited = trace.end();
        if waited.count > 0 {
            trace.queue.drop_spans(DropCause::Delayed, waited.count);
        }
        if !trace.is_final() {
            // Nobody is left who could decide: what is still open is not kept.
            trace.decide(trace.flags());
        }
    }
}

fn header_at(slot: &SpanSlot, buffer: &SpanBuffer, flags: Flags, end: i64) -> FrameHeader {
    let end = buffer.end(flags, slot.duration_until(end));
    slot.header.with_end(end)
}

/// The span was open at a fork and ends in the child: the parent, which has it too, sends it.
#[cold]
fn finish_inherited(slot: &SpanSlot) {
    if slot.finish_inherited() && slot.flags().is_sampled() {
        slot.recorder.queue.drop_spans(DropCause::Forked, 1);
    }
}

fn hold(slot: &SpanSlot, trace: &SharedDecision, buffer: &mut SpanBuffer, end: i64) {
    slot.recorder.seal(buffer);
    let header = header_at(slot, buffer, trace.flags(), end);
    let bytes = buffer.bytes();
    match trace.hold(&slot.recorder.queue, &header, &bytes) {
        Hold::Held => {}
        Hold::Decided(flags) if flags.is_sampled() => {
            let header = FrameHeader { flags, ..header };
            slot.recorder.queue.push_uncounted(&header, &bytes);
        }
        Hold::Decided(_) => {}
        Hold::NoRoom => slot.recorder.queue.drop_spans(DropCause::Delayed, 1),
    }
}

impl SpanHandle {
    /// Finishes the span if it is as most spans are, the thread has last used the same tracer and has room at hand or finds
    /// some soon, and `now` tells the time where that is of interest; gives the span back, as it was, otherwise.
    ///
    /// Whatever is seldom is left to a function that ends this one: nothing has to be kept for afterwards.
    #[inline(always)]
    pub(crate) fn finish_fast(
        self,
        now: impl FnOnce(&SpanClock) -> Option<u64>,
    ) -> Result<(), Self> {
        let Some(state) = current_of(self.slot().key) else {
            return Err(self);
        };
        let (mut slot, flags) = self.try_into_slot()?;
        if !flags.is_sampled() {
            if slot.recorder.queue.is_closed() {
                return Err(Self::new(slot));
            }
            slot.buffer.get_mut().clear();
            state.counters.count(Counter::FinishedSpansUnsampled);
            if let Err(slot) = state.take_back(slot) {
                return_clear_slot(slot);
            }
            return Ok(());
        }
        let Some(ticks) = now(&slot.recorder.clock) else {
            return Err(Self::new(slot));
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
}

/// The same for a span that has more than a short name: tags alone where it is plain.
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

/// The same where there was no room, or the thread queue was claimed.
///
/// A new chunk has room for the frame, so this comes back here only if the worker has taken the chunk meanwhile.
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
    /// Nanoseconds from the start to the end, which is in nanoseconds since the epoch.
    #[inline(always)]
    pub(crate) fn duration_until(&self, end: i64) -> u64 {
        end.wrapping_sub(self.header.start).max(0).unsigned_abs()
    }

    /// The same to a tick count, where the user has not given the start.
    #[inline(always)]
    fn duration(&self, ticks: u64) -> u64 {
        self.duration_until(wall(self.anchor, ticks))
    }
}

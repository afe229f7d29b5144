//! How a span ends: its frame goes to the thread queue, its slot to a pool.
//!
//! There are two ways.
//!
//! - The *fast path*, [`SpanHandle::finish_fast`], finishes a span that has one handle and a decision of its own, on a
//!   thread that used this tracer last and has room in its queue. It takes no lock and no atomic read-modify-write.
//! - [`finish_any`] finishes every other span.
//!
//! Observers are told of a span before the fast path takes it ([`finish_observed`]), or at the end of the other way.
//!
//! If the fast path cannot finish the span, it hands it back, still open, and `finish_any` does the whole work. The
//! fast path is split by what the span has, only a short name or more, so that the smallest span pays least.

use std::time::SystemTime;

use crate::clock::WallTime;
use crate::metrics::Counter;
use crate::model::Flags;
use crate::record::ending::{finish_any, observe_alone};
use crate::record::handle::SpanHandle;
use crate::record::open::slot::{SpanSlot, wall};
use crate::record::open::status::OBSERVED;
use crate::record::open::tags::count_clamped_time;
use crate::record::queue::frame::FrameEnd;
use crate::record::span_clock::SpanClock;
use crate::record::thread::slots::return_clear_slot;
use crate::record::thread::state::{ThreadState, current_of};

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
    observe_alone(&mut slot, Some(flags.is_sampled()), duration);
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
    /// Returns the nanoseconds from the start to a tick count. The user must not have given the start.
    #[inline(always)]
    fn duration(&self, ticks: u64) -> u64 {
        self.duration_until(wall(self.anchor, ticks))
    }
}

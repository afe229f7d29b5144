//! How a span ends: its frame goes on its way, its box goes home.
//!
//! There are two ways. The *fast path* ([`SpanRef::finish_fast`]) takes a span that only one handle knows, with a final
//! decision, on a thread that has used the same tracer last; [`finish_any`] takes every other.

use std::time::SystemTime;

use crate::clock::WallTime;
use crate::metrics::{Counter, DropCause};
use crate::model::Flags;
use crate::model::sampling::SpanView;
use crate::record::decide::apply_decision;
use crate::record::handle::SpanRef;
use crate::record::open::buffer::SpanBuffer;
use crate::record::open::decider::Question;
use crate::record::open::shared_decision::{Hold, LocalTrace};
use crate::record::open::slot::{SpanCell, wall};
use crate::record::open::tags::count_moved_time;
use crate::record::queue::frame::{FrameEnd, FrameHeader};
use crate::record::span_clock::SpanClock;
use crate::record::thread::slots::give_clear_cell;
use crate::record::thread::state::current_of;

/// Ends the span now; the first call wins, a later one is counted if the user made it.
#[inline(always)]
pub(crate) fn finish_now(span: SpanRef, is_explicit: bool) {
    if let Err(span) = span.finish_fast(SpanClock::now_at_hand) {
        finish_slowly(span, is_explicit);
    }
}

/// The same where the time takes a call, or the span is not as most are.
#[cold]
#[inline(never)]
fn finish_slowly(span: SpanRef, is_explicit: bool) {
    if let Err(span) = span.finish_fast(|clock| Some(clock.now())) {
        let cell = span.cell();
        let end = cell.wall(cell.recorder.clock.now());
        count_moved_time(cell, cell.has_explicit_start() && end < cell.header.start);
        finish_any(span, end, is_explicit);
    }
}

/// The same at a time of the user's.
pub(crate) fn finish_at(span: SpanRef, end: SystemTime) {
    let end = WallTime::nearest_to(end);
    let is_early = end.nanos < span.cell().header.start;
    count_moved_time(span.cell(), end.is_clamped || is_early);
    finish_any(span, end.nanos, true);
}

/// Of a span that others may reach, that has ended before, whose trace was or is undecided, or for which the thread has
/// no room at hand.
#[cold]
#[inline(never)]
fn finish_any(mut span: SpanRef, end: i64, is_explicit: bool) {
    let cell = span.cell();
    if cell.is_inherited() {
        return finish_inherited(cell);
    }
    if cell.is_undecided() && !cell.is_finished() && !std::thread::panicking() {
        let name = cell.operation_name();
        let view = SpanView::new(cell.header.trace_id, &name, cell.is_local_root);
        let decision = cell.tracer.decide(Question::Finish, &view);
        apply_decision(cell, decision);
    }
    let Some((cell, mut buffer)) = span.finish() else {
        if is_explicit {
            span.cell().recorder.store.count(Counter::FinishedTwice);
        }
        return;
    };
    let store = &*cell.recorder.store;
    let flags = cell.flags();
    if flags.is_sampled() {
        cell.recorder.seal(&mut buffer);
        let header = header_at(cell, &buffer, flags, end);
        store.push(&header, &buffer.bytes(), Counter::FinishedSpansSampled);
    } else if let Some(trace) = cell.local_trace().filter(|trace| !trace.is_final()) {
        hold(cell, trace, &mut buffer, end);
        drop(buffer);
        store.count(Counter::FinishedSpansDelayed);
    } else {
        drop(buffer);
        store.count(Counter::FinishedSpansUnsampled);
    }
    if let Some(trace) = cell.local_trace().filter(|_| cell.is_local_root) {
        let waited = trace.end();
        if waited.count > 0 {
            trace.store.drop_spans(DropCause::Delayed, waited.count);
        }
        if !trace.is_final() {
            // Nobody is left who could decide: what is still open is not kept.
            trace.decide(trace.flags());
        }
    }
}

fn header_at(cell: &SpanCell, buffer: &SpanBuffer, flags: Flags, end: i64) -> FrameHeader {
    let end = buffer.end(flags, cell.duration_until(end));
    cell.header.with_end(end)
}

/// The span was open at a fork and ends in the child: the parent, which has it too, sends it.
#[cold]
fn finish_inherited(cell: &SpanCell) {
    if cell.finish_inherited() && cell.flags().is_sampled() {
        cell.recorder.store.drop_spans(DropCause::Forked, 1);
    }
}

fn hold(cell: &SpanCell, trace: &LocalTrace, buffer: &mut SpanBuffer, end: i64) {
    cell.recorder.seal(buffer);
    let header = header_at(cell, buffer, trace.flags(), end);
    let bytes = buffer.bytes();
    match trace.hold(&cell.recorder.store, &header, &bytes) {
        Hold::Held => {}
        Hold::Decided(flags) if flags.is_sampled() => {
            let header = FrameHeader { flags, ..header };
            cell.recorder.store.push_again(&header, &bytes);
        }
        Hold::Decided(_) => {}
        Hold::NoRoom => cell.recorder.store.drop_spans(DropCause::Delayed, 1),
    }
}

impl SpanRef {
    /// Finishes the span if it is as most spans are, the thread has last used the same tracer and has room at hand or finds
    /// some soon, and `now` tells the time where that is of interest; gives the span back, as it was, otherwise.
    ///
    /// Whatever is seldom is left to a function that ends this one: nothing has to be kept for afterwards.
    #[inline(always)]
    pub(crate) fn finish_fast(
        self,
        now: impl FnOnce(&SpanClock) -> Option<u64>,
    ) -> Result<(), Self> {
        let Some(local) = current_of(self.cell().key) else {
            return Err(self);
        };
        let (mut cell, flags) = self.into_alone()?;
        if !flags.is_sampled() {
            if cell.recorder.store.is_closed() {
                return Err(Self::new(cell));
            }
            cell.buffer.get_mut().clear();
            local.counters.count(Counter::FinishedSpansUnsampled);
            if let Err(cell) = local.take_back(cell) {
                give_clear_cell(cell);
            }
            return Ok(());
        }
        let Some(ticks) = now(&cell.recorder.clock) else {
            return Err(Self::new(cell));
        };
        let buffer = cell.buffer.get_mut();
        if !buffer.is_bare() {
            return if buffer.is_plain() {
                finish_filled::<true>(cell, flags, ticks)
            } else {
                finish_filled::<false>(cell, flags, ticks)
            };
        }
        let end = FrameEnd {
            duration: cell.duration(ticks),
            flags,
            tag_count: 0,
            has_repeated_keys: false,
        };
        let name = cell.buffer.get_mut().bare_bytes();
        if !local.writer.push_if_free(&cell.header, end, &name) {
            return finish_in_next_chunk::<true>(cell, flags, ticks);
        }
        local.counters.count(Counter::FinishedSpansSampled);
        if let Err(cell) = local.take_back(cell) {
            give_clear_cell(cell);
        }
        Ok(())
    }
}

/// The same for a span that has more than a short name: tags alone where it is plain.
#[inline(never)]
fn finish_filled<const IS_PLAIN: bool>(
    mut cell: Box<SpanCell>,
    flags: Flags,
    ticks: u64,
) -> Result<(), SpanRef> {
    let Some(local) = current_of(cell.key) else {
        return Err(SpanRef::new(cell));
    };
    let duration = cell.duration(ticks);
    let buffer = cell.buffer.get_mut();
    let bytes = if IS_PLAIN {
        buffer.plain_bytes()
    } else {
        cell.recorder.seal(buffer);
        buffer.bytes()
    };
    let end = buffer.end(flags, duration);
    if !local.writer.push_if_free(&cell.header, end, &bytes) {
        return finish_in_next_chunk::<IS_PLAIN>(cell, flags, ticks);
    }
    local.counters.count(Counter::FinishedSpansSampled);
    if IS_PLAIN {
        buffer.clear_plain();
    } else {
        buffer.clear();
    }
    if let Err(cell) = local.take_back(cell) {
        give_clear_cell(cell);
    }
    Ok(())
}

/// The same where there was no room, or the ring was claimed.
///
/// A new chunk has room for the frame, so this comes back here only if the worker has taken the chunk meanwhile.
#[cold]
#[inline(never)]
fn finish_in_next_chunk<const IS_PLAIN: bool>(
    mut cell: Box<SpanCell>,
    flags: Flags,
    ticks: u64,
) -> Result<(), SpanRef> {
    let len = cell.buffer.get_mut().bytes().frame_len();
    let renewed = current_of(cell.key).and_then(|local| local.writer.renew(len));
    let Some(renewed) = renewed else {
        return Err(SpanRef::new(cell));
    };
    cell.recorder.store.after_push(renewed);
    finish_filled::<IS_PLAIN>(cell, flags, ticks)
}

impl SpanCell {
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

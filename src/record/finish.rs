//! The end of a span: its frame on the way, its box home.

use crate::metrics::Counter;
use crate::model::Flags;
use crate::record::handle::SpanRef;
use crate::record::open::slot::{SpanCell, wall};
use crate::record::queue::frame::FrameEnd;
use crate::record::span_clock::SpanClock;
use crate::record::thread::slots::give_clear_cell;
use crate::record::thread::state::current_of;

impl SpanRef {
    /// Finishes the span if it is as most spans are, the thread has last used the same tracer and has room at hand or finds
    /// some soon, and `now` tells the time where that is of interest; gives the span back, as it was, otherwise.
    ///
    /// Whatever is seldom is left to a function that ends this one: nothing has to be kept for afterwards.
    #[inline(always)]
    pub(crate) fn finish_alone(
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

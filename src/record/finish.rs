//! The end of a span: its frame on the way, its box home.

use crate::metrics::Counter;
use crate::model::Flags;
use crate::record::cell::{SpanCell, wall};
use crate::record::frame::FrameHeader;
use crate::record::local::{self, Local, give_cell};
use crate::record::span_ref::SpanRef;

impl SpanRef {
    /// Finishes the span if it is as most spans are, and the thread has last used the same tracer and has room at hand;
    /// gives it back, as it was, otherwise.
    #[inline(always)]
    pub(crate) fn finish_alone(self, ticks: u64) -> Result<(), Self> {
        let Some(local) = local::current_of(self.cell().key) else {
            return Err(self);
        };
        let (mut cell, flags) = self.into_alone()?;
        if !cell.buffer.get_mut().is_plain() {
            return finish_full(cell, local, flags, ticks);
        }
        if flags.is_sampled() {
            let duration = cell.duration(ticks);
            let chunk = local.writer.newest();
            let is_pushed = chunk.push_plain(
                &cell.header,
                (flags, duration),
                &cell.buffer.get_mut().plain(),
            );
            if !is_pushed {
                return Err(Self::new(cell));
            }
            local.counters.count(Counter::FinishedSpansSampled);
        } else {
            if cell.recorder.store.is_closed() {
                return Err(Self::new(cell));
            }
            local.counters.count(Counter::FinishedSpansUnsampled);
        }
        cell.buffer.get_mut().clear_plain();
        local.give_cell(cell);
        Ok(())
    }
}

/// The same for a span that has more than a name and tags.
#[inline(never)]
fn finish_full(
    mut cell: Box<SpanCell>,
    local: &Local,
    flags: Flags,
    ticks: u64,
) -> Result<(), SpanRef> {
    let duration = cell.duration(ticks);
    let buffer = cell.buffer.get_mut();
    if flags.is_sampled() {
        cell.recorder.seal(buffer);
        let header = FrameHeader {
            duration,
            flags,
            ..cell.header
        };
        let (header, bytes) = buffer.frame(header);
        if !local.writer.newest().push(&header, &bytes) {
            return Err(SpanRef::new(cell));
        }
        local.counters.count(Counter::FinishedSpansSampled);
    } else {
        local.counters.count(Counter::FinishedSpansUnsampled);
    }
    give_cell(cell);
    Ok(())
}

impl SpanCell {
    /// The header with what is known at the end; [`SpanBuffer::frame`](super::SpanBuffer::frame) adds the rest.
    pub(crate) fn header_at(&self, flags: Flags, end: i64) -> FrameHeader {
        FrameHeader {
            duration: self.duration_until(end),
            flags,
            ..self.header
        }
    }

    /// Nanoseconds from the start, which was not given by the user, to a tick count.
    #[inline(always)]
    fn duration(&self, ticks: u64) -> u64 {
        self.duration_until(wall(self.anchor, ticks))
    }

    #[inline(always)]
    fn duration_until(&self, end: i64) -> u64 {
        end.wrapping_sub(self.header.start).max(0).unsigned_abs()
    }
}

//! The end of a span: its frame on the way, its box home.

use crate::metrics::Counter;
use crate::model::Flags;
use crate::record::cell::{SpanCell, wall};
use crate::record::frame::FrameHeader;
use crate::record::local::{self, Local};
use crate::record::span_ref::SpanRef;

impl SpanRef {
    /// Finishes the span if it is as most spans are, and the thread has last used the same tracer and has room at hand;
    /// gives it back, as it was, otherwise.
    #[inline(always)]
    pub(crate) fn finish_alone(self, ticks: u64) -> Result<(), Self> {
        let Some(local) = local::current_of(self.cell().key) else {
            return Err(self);
        };
        let mut cell = self.into_alone()?;
        let flags = cell.marks.flags();
        if flags.is_sampled() {
            let duration = cell.duration(wall(cell.anchor, ticks));
            let buffer = cell.buffer.get_mut();
            let is_pushed = if buffer.is_plain() {
                let chunk = local.writer.newest();
                chunk.push_plain(&cell.header, (flags, duration), &buffer.plain())
            } else {
                cell.push_full(local, flags, duration)
            };
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
        // All that such a span can have changed.
        cell.buffer.get_mut().clear();
        local.give_cell(cell);
        Ok(())
    }
}

impl SpanCell {
    /// The header with what is known at the end; [`SpanBuffer::frame`](super::SpanBuffer::frame) adds the rest.
    pub(crate) fn header_at(&self, flags: Flags, end: i64) -> FrameHeader {
        FrameHeader {
            duration: self.duration(end),
            flags,
            ..self.header
        }
    }

    #[inline(always)]
    fn duration(&self, end: i64) -> u64 {
        end.wrapping_sub(self.header.start).max(0).unsigned_abs()
    }

    /// Pushes a span that has more than a name and tags; false where there is no room.
    #[inline(never)]
    fn push_full(&mut self, local: &Local, flags: Flags, duration: u64) -> bool {
        let buffer = self.buffer.get_mut();
        self.recorder.seal(buffer);
        let header = FrameHeader {
            duration,
            flags,
            ..self.header
        };
        let (header, bytes) = buffer.frame(header);
        local.writer.newest().push(&header, &bytes)
    }
}

//! The end of a span: its frame on the way, its box home.

use crate::metrics::Counter;
use crate::model::Flags;
use crate::record::cell::{SpanCell, wall};
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
        let (mut cell, flags) = self.into_alone()?;
        if flags.is_sampled() {
            if !cell.buffer.get_mut().is_plain() {
                return finish_full(cell, local, flags, ticks);
            }
            let duration = cell.duration(ticks);
            let chunk = local.writer.newest();
            let buffer = cell.buffer.get_mut();
            let end = buffer.end(flags, duration);
            if !chunk.push(&cell.header, end, &buffer.plain_bytes()) {
                return Err(Self::new(cell));
            }
            buffer.clear_plain();
            local.counters.count(Counter::FinishedSpansSampled);
        } else {
            if cell.recorder.store.is_closed() {
                return Err(Self::new(cell));
            }
            cell.buffer.get_mut().clear();
            local.counters.count(Counter::FinishedSpansUnsampled);
        }
        local.give_cell(cell);
        Ok(())
    }
}

/// The same for a sampled span that has more than a name and tags.
#[inline(never)]
fn finish_full(
    mut cell: Box<SpanCell>,
    local: &Local,
    flags: Flags,
    ticks: u64,
) -> Result<(), SpanRef> {
    let duration = cell.duration(ticks);
    let buffer = cell.buffer.get_mut();
    cell.recorder.seal(buffer);
    let chunk = local.writer.newest();
    let end = buffer.end(flags, duration);
    if !chunk.push(&cell.header, end, &buffer.bytes()) {
        return Err(SpanRef::new(cell));
    }
    buffer.clear();
    local.counters.count(Counter::FinishedSpansSampled);
    local.give_cell(cell);
    Ok(())
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

//! The end of a span: its frame on the way, its box home.

use crate::metrics::Counter;
use crate::model::Flags;
use crate::record::cell::SpanCell;
use crate::record::frame::FrameHeader;
use crate::record::local;
use crate::sync::Ordering;

impl SpanCell {
    /// The header with what is known at the end; [`SpanBuffer::frame`](super::SpanBuffer::frame) adds the rest.
    #[inline(always)]
    pub(crate) fn header_at(&self, flags: Flags, end: i64) -> FrameHeader {
        let duration = end.wrapping_sub(self.header.start).max(0).unsigned_abs();
        FrameHeader {
            duration,
            flags,
            ..self.header
        }
    }

    /// Finishes a span that nobody else can reach, that is open, and whose trace is decided by its own flags.
    #[inline(always)]
    pub(crate) fn finish_alone(mut self: Box<Self>, end: i64) {
        let recorder = &*self.recorder;
        let Some(local) = local::current(recorder.store.id()) else {
            return self.finish_slowly(end);
        };
        let flags = Flags::from_bits(self.flags.load(Ordering::Relaxed));
        if flags.is_sampled() {
            recorder.seal(self.buffer.get_mut());
            let chunk = local.writer.newest();
            let header = self.header_at(flags, end);
            let buffer = self.buffer.get_mut();
            // Two pushes, because nothing has to be looked at for what is known not to be there.
            let is_pushed = match buffer.frame_of_name_and_tags(header) {
                Some((header, bytes)) => chunk.push(header, bytes),
                None => {
                    let (header, bytes) = buffer.frame(header);
                    chunk.push(header, bytes)
                }
            };
            if !is_pushed {
                return self.finish_slowly(end);
            }
            local.counters.count(Counter::FinishedSpansSampled);
        } else {
            local.counters.count(Counter::FinishedSpansUnsampled);
        }
        // All that such a span can have changed.
        self.buffer.get_mut().clear();
        self.has_baggage.store(false, Ordering::Relaxed);
        local.give_clear_cell(self);
    }

    /// The same where the thread has last used another tracer, or no room at hand.
    #[cold]
    #[inline(never)]
    fn finish_slowly(mut self: Box<Self>, end: i64) {
        let recorder = &*self.recorder;
        let flags = Flags::from_bits(self.flags.load(Ordering::Relaxed));
        if flags.is_sampled() {
            let header = self.header_at(flags, end);
            let buffer = self.buffer.get_mut();
            recorder.seal(buffer);
            let (header, bytes) = buffer.frame(header);
            recorder
                .store
                .push(&header, &bytes, Counter::FinishedSpansSampled);
        } else {
            recorder.store.count(Counter::FinishedSpansUnsampled);
        }
        local::give_cell(self);
    }
}

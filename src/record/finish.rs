//! The end of a span: its frame on the way, its box home.

use crate::metrics::Counter;
use crate::model::{Flags, Timestamp};
use crate::record::cell::SpanCell;
use crate::record::frame::FrameHeader;
use crate::record::local;

impl SpanCell {
    /// What is known of the span without its buffer; [`SpanBuffer::frame`](super::SpanBuffer::frame) adds the rest.
    #[inline(always)]
    pub(crate) fn header(&self, flags: Flags, end: i64) -> FrameHeader {
        // Whole microseconds, and at least one: backends warn of spans without a length.
        let nanos = end.saturating_sub(self.time.start).max(0).unsigned_abs();
        FrameHeader {
            trace_id: self.trace_id,
            span_id: self.span_id,
            parent_id: self.parent_id,
            flags,
            start: Timestamp::from_nanos(self.time.start),
            duration_micros: (nanos / 1_000).max(1),
            tag_count: 0,
            log_count: 0,
            reference_count: 0,
            parent_reference: self.parent_reference,
            has_repeated_keys: false,
        }
    }

    /// Finishes a span that nobody else can reach, that is open, and whose trace is decided by its own flags.
    #[inline(always)]
    pub(crate) fn finish_alone(mut self: Box<Self>, end: i64) {
        let recorder = &*self.recorder;
        let Some(local) = local::current(recorder.store.id()) else {
            return self.finish_slowly(end);
        };
        let flags = Flags::from_bits(*self.flags.get_mut());
        if flags.is_sampled() {
            let header = self.header(flags, end);
            let buffer = self.buffer.get_mut();
            buffer.seal(&recorder.limits);
            let (header, bytes) = buffer.frame(header);
            if !local.writer.push_in_place(header, bytes) {
                return self.finish_slowly(end);
            }
            local.counters.count(Counter::FinishedSpansSampled);
        } else {
            local.counters.count(Counter::FinishedSpansUnsampled);
        }
        local.give_cell(self);
    }

    /// The same where the thread has last used another tracer, or no room at hand.
    #[cold]
    #[inline(never)]
    fn finish_slowly(mut self: Box<Self>, end: i64) {
        let recorder = &*self.recorder;
        let flags = Flags::from_bits(*self.flags.get_mut());
        if flags.is_sampled() {
            let header = self.header(flags, end);
            let buffer = self.buffer.get_mut();
            buffer.seal(&recorder.limits);
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

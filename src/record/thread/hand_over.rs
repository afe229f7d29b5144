//! The side of the span queue that a thread calls: pushing finished spans, and counting.

use crate::metrics::{Counter, DropCause};
use crate::model::Flags;
use crate::record::open::shared_decision::HeldSpans;
use crate::record::queue::frame::{FrameBytes, FrameHeader};
use crate::record::queue::span_queue::SpanQueue;
use crate::record::thread::state::{current, with_state};

impl SpanQueue {
    /// Pushes a finished span into the calling thread's queue, and counts it with `counter`.
    pub(crate) fn push(&self, header: &FrameHeader, bytes: &FrameBytes<'_>, counter: Counter) {
        self.count(counter);
        self.push_uncounted(header, bytes);
    }

    /// Like [`push`](Self::push), for a span that was counted when it finished.
    pub(crate) fn push_uncounted(&self, header: &FrameHeader, bytes: &FrameBytes<'_>) {
        let pushed = with_state(self, |state| state.writer.push(header, bytes));
        self.after_push(pushed.unwrap_or_else(|| self.push_shared(header, bytes)));
    }

    /// Pushes spans that had waited for a decision, with the flags that it gives them, and counts those that found no
    /// room to wait or had recorded nothing.
    pub(crate) fn push_held(&self, held: &HeldSpans, flags: Flags) {
        if held.lost > 0 {
            self.drop_spans(DropCause::Delayed, held.lost);
        }
        if held.capped > 0 {
            self.drop_spans(DropCause::OpenCap, held.capped);
        }
        for span in held.frames.iter() {
            let header = FrameHeader {
                flags,
                ..*span.header()
            };
            self.push_uncounted(&header, &span.frame_bytes());
        }
    }

    /// Counts an event in the calling thread's own counters.
    #[inline]
    pub(crate) fn count(&self, counter: Counter) {
        self.count_both((counter, None));
    }

    /// Counts one or two events.
    #[inline(always)]
    pub(crate) fn count_both(&self, counters: (Counter, Option<Counter>)) {
        match current(self) {
            Some(state) => state.count_both(counters),
            None => self.count_slowly(counters),
        }
    }

    #[cold]
    #[inline(never)]
    fn count_slowly(&self, (counter, second): (Counter, Option<Counter>)) {
        let counted = with_state(self, |state| state.count_both((counter, second)));
        if counted.is_none() {
            self.metrics().add(counter, 1);
            if let Some(second) = second {
                self.metrics().add(second, 1);
            }
        }
    }
}

//! The sampling decision that the spans of one undecided trace share.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError};

use crate::model::Flags;
use crate::record::queue::frame::{FrameBytes, FrameHeader};
use crate::record::queue::frame_list::FrameList;
use crate::record::queue::span_queue::SpanQueue;
use crate::sync::{AtomicU8, Mutex, MutexGuard, Ordering, PerProcess};

/// The decision on one trace in this process, and the spans that have finished before it was made.
///
/// It exists only if the sampler put its answer off. In other traces each span has the decision in its flags.
#[derive(Debug)]
pub(crate) struct SharedDecision {
    /// The queue of the tracer whose sampler decides. Only spans of this tracer wait here, and go to this queue.
    pub(crate) queue: Arc<SpanQueue>,
    /// The flags, and [`FINAL`] once the decision is made.
    state: AtomicU8,
    /// The spans that wait. A forked child begins without any: its parent has those that finished before the fork.
    held: PerProcess<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    spans: HeldSpans,
    /// The decision is made or the local root has finished, so no more spans are kept.
    is_closed: bool,
}

/// Finished spans that wait or waited for a decision.
#[derive(Debug, Default)]
pub(crate) struct HeldSpans {
    pub(crate) frames: FrameList,
    pub(crate) count: u64,
}

impl SharedDecision {
    /// Makes an open decision with the flags so far.
    pub(crate) fn new(queue: Arc<SpanQueue>, flags: Flags) -> Self {
        Self {
            queue,
            state: AtomicU8::new(flags.bits() & !FINAL),
            held: PerProcess::new(Mutex::default()),
        }
    }

    /// Returns the flags as of now.
    pub(crate) fn flags(&self) -> Flags {
        Flags::from_bits(self.state.load(Ordering::Acquire) & !FINAL)
    }

    /// Returns whether the decision is made.
    pub(crate) fn is_final(&self) -> bool {
        self.state.load(Ordering::Acquire) & FINAL != 0
    }

    /// Makes the decision and returns the spans that waited for it. A later call changes the flags of spans that finish
    /// afterwards, and returns none.
    pub(crate) fn decide(&self, flags: Flags) -> HeldSpans {
        let mut held = self.held();
        self.state.store(flags.bits() | FINAL, Ordering::Release);
        held.take()
    }

    /// Keeps a span that has finished undecided, if there is room and no other thread has decided meanwhile.
    pub(crate) fn hold(
        &self,
        queue: &SpanQueue,
        header: &FrameHeader,
        bytes: &FrameBytes<'_>,
    ) -> Hold {
        if queue.id() != self.queue.id() && !self.is_final() {
            return Hold::NoRoom;
        }
        let frame_len = bytes.frame_len();
        let mut held = self.held();
        if self.is_final() {
            return Hold::Decided(self.flags());
        }
        let room = held.spans.frames.len() + frame_len <= TRACE_BYTES;
        if held.is_closed || !room || !reserve(frame_len) {
            return Hold::NoRoom;
        }
        held.spans.frames.push(header, bytes);
        held.spans.count += 1;
        Hold::Held
    }

    /// Ends the waiting because the local root has finished. Returns the spans that still waited.
    pub(crate) fn end(&self) -> HeldSpans {
        self.held().take()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        let held = self.held.get(|_| Mutex::default());
        held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SharedDecision {
    fn drop(&mut self) {
        self.end();
    }
}

impl Held {
    fn take(&mut self) -> HeldSpans {
        self.is_closed = true;
        let spans = std::mem::take(&mut self.spans);
        process_held().fetch_sub(spans.frames.len(), Ordering::Relaxed);
        spans
    }
}

/// The result of [`SharedDecision::hold`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    Held,
    /// Another thread has decided meanwhile.
    Decided(Flags),
    NoRoom,
}

/// A flag bit that Jaeger does not use. It is in memory only, never sent.
const FINAL: u8 = 0x80;
/// The bytes of one trace that may wait.
const TRACE_BYTES: usize = 64 * 1024;
/// The bytes that may wait in the process.
const PROCESS_BYTES: usize = 1024 * 1024;
static PROCESS_HELD: PerProcess<AtomicUsize> = PerProcess::of_first(AtomicUsize::new(0));

fn process_held() -> &'static AtomicUsize {
    PROCESS_HELD.get(|_| AtomicUsize::new(0))
}

/// Reserves bytes of those that may wait in the process. Returns false if they are used up.
fn reserve(bytes: usize) -> bool {
    process_held()
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            held.checked_add(bytes)
                .filter(|held| *held <= PROCESS_BYTES)
        })
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use crate::model::{SpanId, TraceId};
    use crate::record::queue::budget::Budget;

    fn new_queue() -> Arc<SpanQueue> {
        Arc::new(SpanQueue::new(Budget::new(1 << 20), Metrics::default()))
    }

    /// Holds a span whose frame takes `frame_len` bytes.
    fn hold(trace: &SharedDecision, frame_len: usize) -> Hold {
        let ids = TraceId::new(0, 1).zip(SpanId::new(1)).expect("not zero");
        let header = FrameHeader::new(ids.0, ids.1);
        let bytes = |operation_name| FrameBytes {
            operation_name,
            ..FrameBytes::default()
        };
        let name = "x".repeat(frame_len - bytes("").frame_len());
        trace.hold(&trace.queue, &header, &bytes(&name))
    }

    #[test]
    fn a_trace_holds_64_kib_of_spans_until_the_decision() {
        let trace = SharedDecision::new(new_queue(), Flags::default());
        for _ in 0..64 {
            assert_eq!(hold(&trace, 1_024), Hold::Held);
        }
        assert_eq!(hold(&trace, 1_024), Hold::NoRoom);
        let held = trace.decide(Flags::SAMPLED);
        assert_eq!((held.count, held.frames.len()), (64, 64 * 1_024));
        assert_eq!(hold(&trace, 1_024), Hold::Decided(Flags::SAMPLED));
    }

    #[test]
    fn a_trace_holds_no_span_after_its_local_root_has_finished() {
        let trace = SharedDecision::new(new_queue(), Flags::default());
        assert_eq!(hold(&trace, 1_024), Hold::Held);
        assert_eq!(trace.end().count, 1);
        assert_eq!(hold(&trace, 1_024), Hold::NoRoom);
        assert!(!trace.is_final());
    }
}

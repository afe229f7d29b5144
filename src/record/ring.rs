//! Finished spans of one thread and tracer, on their way to the worker: a bounded queue of frames.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::record::frame::{FrameBytes, FrameHeader, write_frame};

/// How much memory finished spans may take while they wait.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: usize,
    used: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes,
            used: AtomicUsize::new(0),
        })
    }

    /// The one that all tracers of the process share which have none of their own: 8 MiB.
    pub(crate) fn process() -> Arc<Self> {
        static PROCESS: OnceLock<Arc<Budget>> = OnceLock::new();
        PROCESS.get_or_init(|| Self::new(8 * 1024 * 1024)).clone()
    }

    fn take(&self, bytes: usize) -> bool {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|used| *used <= self.bytes)
            })
            .is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn is_half_full(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.bytes / 2
    }
}

/// One thread writes, the worker reads.
#[derive(Debug)]
pub(crate) struct Ring {
    budget: Arc<Budget>,
    state: Mutex<RingState>,
    pushed: AtomicU64,
    full: AtomicU64,
}

#[derive(Debug, Default)]
struct RingState {
    chunks: VecDeque<Chunk>,
    /// A chunk that was read and waits to be written again.
    spare: Option<Chunk>,
    is_closed: bool,
    /// The thread has ended: nothing more will come.
    is_ended: bool,
}

/// A piece of a ring; frames lie whole in it.
#[derive(Debug)]
pub(crate) struct Chunk {
    bytes: Vec<u8>,
    size: usize,
    /// Taken from the budget; the first small chunk of a thread is not, so that every thread can report.
    is_budgeted: bool,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Taken,
    /// Taken, and it is time to wake the worker.
    TakenHalfFull,
    Full,
    Closed,
}

impl Ring {
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self {
            budget,
            state: Mutex::default(),
            pushed: AtomicU64::new(0),
            full: AtomicU64::new(0),
        }
    }

    pub(crate) fn push(&self, header: &FrameHeader, bytes: &FrameBytes<'_>) -> Pushed {
        let len = bytes.frame_len();
        let mut state = self.lock();
        if state.is_closed {
            return Pushed::Closed;
        }
        let has_room = |chunk: &Chunk| chunk.bytes.len() + len <= chunk.size;
        let mut is_half_full = false;
        if !state.chunks.back().is_some_and(has_room) {
            let Some(chunk) = self.next_chunk(&mut state, len) else {
                self.full.fetch_add(1, Ordering::Relaxed);
                return Pushed::Full;
            };
            is_half_full = chunk.is_budgeted && self.budget.is_half_full();
            state.chunks.push_back(chunk);
        }
        if let Some(chunk) = state.chunks.back_mut() {
            write_frame(&mut chunk.bytes, header, bytes);
        }
        self.pushed.fetch_add(1, Ordering::Relaxed);
        if is_half_full {
            Pushed::TakenHalfFull
        } else {
            Pushed::Taken
        }
    }

    /// Everything that waits, for the worker to read; [`Ring::recycle`] takes the chunks back.
    pub(crate) fn take(&self) -> VecDeque<Chunk> {
        std::mem::take(&mut self.lock().chunks)
    }

    pub(crate) fn recycle(&self, mut chunk: Chunk) {
        chunk.bytes.clear();
        let mut state = self.lock();
        if !chunk.is_budgeted && !state.is_ended {
            state.spare = Some(chunk);
        } else if chunk.is_budgeted {
            self.budget.give_back(chunk.size);
        }
    }

    /// Refuses what comes from now on.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
    }

    /// Marks that the thread has ended.
    pub(crate) fn end(&self) {
        self.lock().is_ended = true;
    }

    pub(crate) fn is_ended_and_empty(&self) -> bool {
        let state = self.lock();
        state.is_ended && state.chunks.is_empty()
    }

    /// Frames that went in, ever.
    pub(crate) fn pushed(&self) -> u64 {
        self.pushed.load(Ordering::Acquire)
    }

    /// Frames that found no room, ever.
    pub(crate) fn full(&self) -> u64 {
        self.full.load(Ordering::Acquire)
    }

    fn next_chunk(&self, state: &mut RingState, len: usize) -> Option<Chunk> {
        if state.chunks.is_empty() && len <= SMALL_CHUNK {
            return Some(
                state
                    .spare
                    .take()
                    .unwrap_or_else(|| Chunk::new(SMALL_CHUNK, false)),
            );
        }
        let size = len.max(CHUNK);
        self.budget.take(size).then(|| Chunk::new(size, true))
    }

    fn lock(&self) -> MutexGuard<'_, RingState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        for chunk in self.take() {
            if chunk.is_budgeted {
                self.budget.give_back(chunk.size);
            }
        }
    }
}

impl Chunk {
    fn new(size: usize, is_budgeted: bool) -> Self {
        Self {
            bytes: Vec::with_capacity(size),
            size,
            is_budgeted,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

const CHUNK: usize = 64 * 1024;
const SMALL_CHUNK: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Flags, SpanId, Timestamp, TraceId};
    use crate::record::frame::read_frame;

    fn header(n: u64) -> FrameHeader {
        FrameHeader {
            trace_id: TraceId::new(0, 1).expect("not zero"),
            span_id: SpanId::new(n + 1).expect("not zero"),
            parent_id: None,
            flags: Flags::SAMPLED,
            start: Timestamp::default(),
            duration_micros: 1,
            tag_count: 0,
            log_count: 0,
            reference_count: 0,
            has_repeated_keys: false,
        }
    }

    fn push(ring: &Ring, n: u64, name: &str) -> Pushed {
        let bytes = FrameBytes {
            operation_name: name,
            references: &[],
            tags: &[],
            logs: [&[], &[]],
        };
        ring.push(&header(n), &bytes)
    }

    fn drain(ring: &Ring) -> Vec<u64> {
        let mut ids = Vec::new();
        for chunk in ring.take() {
            let mut rest = chunk.bytes();
            while let Some((span, after)) = read_frame(rest) {
                ids.push(span.span_id().get() - 1);
                rest = after;
            }
            ring.recycle(chunk);
        }
        ids
    }

    #[test]
    fn frames_come_out_in_order() {
        let ring = Ring::new(Budget::new(1 << 20));
        for round in 0..3 {
            for n in 0..1_000 {
                assert_ne!(push(&ring, n, "name"), Pushed::Full, "round {round}");
            }
            assert_eq!(drain(&ring), (0..1_000).collect::<Vec<_>>());
        }
        assert_eq!(ring.pushed(), 3_000);
    }

    #[test]
    fn a_full_ring_drops_the_newest_and_gives_its_memory_back() {
        let budget = Budget::new(CHUNK);
        let ring = Ring::new(budget.clone());
        let name = "x".repeat(1_000);
        let mut taken = 0;
        while push(&ring, taken, &name) != Pushed::Full {
            taken += 1;
        }
        // The small chunk and the budgeted one.
        assert_eq!(taken as usize, SMALL_CHUNK / 1_080 + CHUNK / 1_080);
        assert_eq!((ring.pushed(), ring.full()), (taken, 1));
        assert_eq!(drain(&ring).len() as u64, taken);
        assert_eq!(budget.used.load(Ordering::Relaxed), 0);
        assert_eq!(push(&ring, 0, &name), Pushed::Taken);
    }

    #[test]
    fn a_thread_can_report_when_the_budget_is_used_up() {
        let ring = Ring::new(Budget::new(0));
        assert_eq!(push(&ring, 0, "name"), Pushed::Taken);
        assert_eq!(push(&ring, 1, &"x".repeat(5_000)), Pushed::Full);
    }

    #[test]
    fn a_frame_larger_than_a_chunk_has_one_of_its_own() {
        let ring = Ring::new(Budget::new(1 << 20));
        let name = "x".repeat(CHUNK * 2);
        assert_ne!(push(&ring, 0, &name), Pushed::Full);
        assert_eq!(drain(&ring), [0]);
    }

    #[test]
    fn a_closed_ring_takes_nothing() {
        let ring = Ring::new(Budget::new(1 << 20));
        ring.close();
        assert_eq!(push(&ring, 0, "name"), Pushed::Closed);
        assert_eq!(ring.pushed(), 0);
    }

    #[test]
    fn a_dropped_ring_gives_its_memory_back() {
        let budget = Budget::new(1 << 20);
        let ring = Ring::new(budget.clone());
        push(&ring, 0, &"x".repeat(10_000));
        drop(ring);
        assert_eq!(budget.used.load(Ordering::Relaxed), 0);
    }
}

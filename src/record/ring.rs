//! Finished spans of one thread and tracer, on their way to the worker: a bounded queue of frames.
//!
//! ```text
//!  thread ─ push ─► newest chunk          ┊ take ─► all chunks ─ read ─► recycle ─► budget, or this ring's spare
//!                   filled chunks, in order ┊
//! ```
//!
//! The thread writes under the ring's byte lock, which nobody else takes but the worker, for the moment in which it
//! takes the chunks away; frames are read outside of it. So an idle ring holds no memory of the budget, and a ring that
//! is closed takes nothing from then on, not even what was on its way.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::record::budget::Budget;
use crate::record::frame::{FrameBytes, FrameHeader, read_frame, write_frame, write_frame_here};
use crate::record::lock::{ByteGuard, ByteLock};

/// One thread writes, the worker reads.
#[derive(Debug)]
pub(crate) struct Ring {
    budget: Arc<Budget>,
    state: ByteLock<RingState>,
}

#[derive(Debug, Default)]
struct RingState {
    newest: Chunk,
    /// Older ones, full.
    filled: VecDeque<Chunk>,
    /// A chunk that was read and waits to be written again.
    spare: Option<Chunk>,
    is_closed: bool,
    /// The thread has ended: nothing more will come.
    is_ended: bool,
    pushed: u64,
    full: u64,
}

/// A piece of a ring; frames lie whole in it.
#[derive(Debug, Default)]
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
            state: ByteLock::default(),
        }
    }

    #[inline(always)]
    pub(crate) fn push(&self, header: &FrameHeader, bytes: &FrameBytes<'_>) -> Pushed {
        let len = bytes.frame_len();
        let mut state = self.state.lock();
        if state.is_closed || state.newest.bytes.len() + len > state.newest.size {
            return self.push_anew(state, header, bytes, len);
        }
        write_frame_here(&mut state.newest.bytes, header, bytes);
        state.account(len);
        Pushed::Taken
    }

    /// Into a new chunk, if there is one.
    #[cold]
    fn push_anew(
        &self,
        mut state: ByteGuard<'_, RingState>,
        header: &FrameHeader,
        bytes: &FrameBytes<'_>,
        len: usize,
    ) -> Pushed {
        if state.is_closed {
            return Pushed::Closed;
        }
        let Some(chunk) = self.next_chunk(&mut state, len) else {
            state.full += 1;
            return Pushed::Full;
        };
        let is_half_full = chunk.is_budgeted && self.budget.is_half_full();
        let filled = std::mem::replace(&mut state.newest, chunk);
        if filled.size > 0 {
            state.filled.push_back(filled);
        }
        write_frame(&mut state.newest.bytes, header, bytes);
        state.account(len);
        if is_half_full {
            Pushed::TakenHalfFull
        } else {
            Pushed::Taken
        }
    }

    /// Everything that waits, for the worker to read; [`Ring::recycle`] takes the chunks back.
    pub(crate) fn take(&self) -> VecDeque<Chunk> {
        let mut state = self.state.lock();
        let mut chunks = std::mem::take(&mut state.filled);
        if state.newest.size > 0 {
            chunks.push_back(std::mem::take(&mut state.newest));
        }
        chunks
    }

    pub(crate) fn recycle(&self, mut chunk: Chunk) {
        chunk.bytes.clear();
        if chunk.is_budgeted {
            self.budget.give_back(chunk.bytes, chunk.size);
            return;
        }
        let mut state = self.state.lock();
        if !state.is_ended {
            state.spare = Some(chunk);
        }
    }

    /// Refuses what comes from now on.
    pub(crate) fn close(&self) {
        self.state.lock().is_closed = true;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().is_closed
    }

    /// Frames that wait; `None` where somebody holds the ring, who may be in the parent of this process.
    pub(crate) fn waiting(&self) -> Option<u64> {
        let state = self.state.lock_soon()?;
        let chunks = state.filled.iter().chain([&state.newest]);
        let frames = chunks.map(|chunk| {
            let mut rest = chunk.bytes();
            let mut count = 0;
            while let Some((_, after)) = read_frame(rest) {
                rest = after;
                count += 1;
            }
            count
        });
        Some(frames.sum())
    }

    /// Marks that the thread has ended. What it has left is made as small as it is: it may be many short threads a second.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        state.is_ended = true;
        state.spare = None;
        if !state.newest.is_budgeted {
            state.newest.bytes.shrink_to_fit();
        }
    }

    pub(crate) fn is_ended_and_empty(&self) -> bool {
        let state = self.state.lock();
        state.is_ended && state.newest.size == 0 && state.filled.is_empty()
    }

    /// Frames that went in, ever.
    pub(crate) fn pushed(&self) -> u64 {
        self.state.lock().pushed
    }

    /// Frames that found no room, ever.
    pub(crate) fn full(&self) -> u64 {
        self.state.lock().full
    }

    fn next_chunk(&self, state: &mut RingState, len: usize) -> Option<Chunk> {
        if state.newest.size == 0 && state.filled.is_empty() && len <= SMALL_CHUNK {
            return Some(state.spare.take().unwrap_or_else(|| Chunk {
                bytes: Vec::with_capacity(SMALL_CHUNK),
                size: SMALL_CHUNK,
                is_budgeted: false,
            }));
        }
        let size = len.max(CHUNK);
        Some(Chunk {
            bytes: self.budget.take(size)?,
            size,
            is_budgeted: true,
        })
    }
}

impl RingState {
    /// A frame of that length has been written into the newest chunk.
    #[inline]
    fn account(&mut self, len: usize) {
        self.pushed += 1;
        prefetch(self.newest.bytes.as_ptr_range().end, len);
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        for chunk in self.take() {
            self.recycle(chunk);
        }
    }
}

impl Chunk {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Has the processor fetch, for writing, the lines that frames of `len` bytes will soon be written to. Chunks come back
/// from the worker, and where that runs on another die a line takes longer than all else that a span costs.
#[inline]
fn prefetch(end: *const u8, len: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri), not(tracehound_loom)))]
    {
        let mut ahead = PREFETCH_AHEAD;
        while ahead < PREFETCH_AHEAD + len + LINE {
            // SAFETY: a prefetch changes nothing and faults nowhere, wherever the address points.
            unsafe {
                std::arch::asm!(
                    "prefetchw [{}]",
                    in(reg) end.wrapping_add(ahead),
                    options(nostack, preserves_flags, readonly),
                );
            }
            ahead += LINE;
        }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri), not(tracehound_loom))))]
    let _ = (end, len);
}

#[cfg(all(target_arch = "x86_64", not(miri), not(tracehound_loom)))]
const PREFETCH_AHEAD: usize = 1_024;
#[cfg(all(target_arch = "x86_64", not(miri), not(tracehound_loom)))]
const LINE: usize = 64;
const CHUNK: usize = if cfg!(tracehound_loom) {
    256
} else {
    64 * 1024
};
const SMALL_CHUNK: usize = if cfg!(tracehound_loom) { 128 } else { 4 * 1024 };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Flags, SpanId, Timestamp, TraceId};

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
        let frames = if cfg!(miri) { 100 } else { 1_000 };
        for round in 0..3 {
            for n in 0..frames {
                assert_ne!(push(&ring, n, "name"), Pushed::Full, "round {round}");
            }
            assert_eq!(ring.waiting(), Some(frames));
            assert_eq!(drain(&ring), (0..frames).collect::<Vec<_>>());
            assert_eq!(ring.waiting(), Some(0));
        }
        assert_eq!(ring.pushed(), 3 * frames);
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
        assert_eq!(budget.used(), 0);
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
        assert_eq!(budget.used(), 0);
    }
}

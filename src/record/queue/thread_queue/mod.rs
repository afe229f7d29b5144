//! Finished spans of one thread and tracer, on their way to the worker: a bounded queue of frames.
//!
//! ```text
//!  thread ─ push ─► newest chunk          ┊ take ─► all chunks ─ read ─► recycle ─► budget, or this thread queue's spare
//!                   filled chunks, in order ┊
//! ```
//!
//! The thread writes under the thread queue's [`OwnerLock`], which costs it two plain stores; the worker claims it for the moment
//! in which it takes the chunks away, and reads the frames outside of it. So an idle thread queue holds no memory of the budget,
//! and a thread queue that is closed takes nothing from then on, not even what was on its way.

use std::cell::Cell;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::record::queue::budget::Budget;
use crate::record::queue::frame::{FrameBytes, FrameEnd, FrameHeader};
use crate::record::queue::frame_list::FrameList;
use crate::sync::byte_lock::ByteLock;
use crate::sync::owner_lock::{Owned, OwnerLock};

/// One thread writes, the worker reads.
#[derive(Debug)]
pub(crate) struct ThreadQueue {
    budget: Arc<Budget>,
    state: OwnerLock<QueueState>,
    /// A chunk that was read and waits to be written again.
    spare: ByteLock<Option<Chunk>>,
    /// An empty queue, for the next chunks that are filled: its memory was used before.
    spare_list: Mutex<VecDeque<Chunk>>,
    is_closed: AtomicBool,
    /// The thread has ended: nothing more will come.
    is_ended: AtomicBool,
    /// Frames that went in, and frames that found no room, ever. Changed by whoever has the state.
    pushed: AtomicU64,
    full: AtomicU64,
    /// Of the frames that went in, those that were taken: what the worker alone looks at and changes.
    taken: AtomicU64,
    /// Chunks outside of the budget that were taken and have not come back.
    unbudgeted_away: AtomicUsize,
    /// Charged for what an ended thread has left, until the thread queue is forgotten.
    charged_at_end: AtomicUsize,
    /// Whether there are filled chunks, so that the worker need not claim the thread queue to find none.
    has_filled: AtomicBool,
}

#[derive(Debug, Default)]
struct QueueState {
    newest: Chunk,
    /// Older ones, full.
    filled: VecDeque<Chunk>,
}

/// The writing end of a thread queue: one for each, to be used by one thread at a time.
#[derive(Debug)]
pub(crate) struct QueueWriter {
    thread_queue: Arc<ThreadQueue>,
    _one_thread_at_a_time: PhantomData<Cell<()>>,
}

/// A piece of a thread queue; frames lie whole in it.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// With room for `size` bytes or more.
    frames: FrameList,
    /// No more than 4 GiB.
    size: usize,
    /// How many frames the thread queue had taken, ever, when this chunk was filled.
    pushed_when_filled: u64,
    /// Taken from the budget; the first small chunk of a thread is not, so that every thread can report, nor the one behind
    /// it while the worker reads that.
    is_budgeted: bool,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Taken,
    /// Taken, and it is time to wake the worker.
    TakenMany,
    Full,
    Closed,
}

impl QueueWriter {
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self {
            thread_queue: Arc::new(ThreadQueue::new(budget)),
            _one_thread_at_a_time: PhantomData,
        }
    }

    /// The end that the worker reads at.
    pub(crate) fn thread_queue(&self) -> &Arc<ThreadQueue> {
        &self.thread_queue
    }

    /// Writes the frame of an open span at its end into the newest chunk, if nobody claims the thread queue and there is room; false
    /// otherwise. What is read for the frame goes from where it is straight into the chunk.
    #[inline(always)]
    pub(crate) fn push_if_free(
        &self,
        header: &FrameHeader,
        end: FrameEnd,
        bytes: &FrameBytes<'_>,
    ) -> bool {
        // SAFETY: as in `own`.
        let Some(mut state) = (unsafe { self.thread_queue.state.own_if_free() }) else {
            return false;
        };
        let (chunk, len) = (&mut state.newest, bytes.frame_len());
        if len > chunk.room() {
            return false;
        }
        // SAFETY: there is room, because that of the chunk's frames is no less than its size; and no chunk is too large.
        unsafe { chunk.frames.push_in_place(header, end, bytes) };
        chunk.fetch_ahead(len);
        self.thread_queue.count_pushed();
        true
    }

    /// Where [`push_if_free`](Self::push_if_free) has found no room for a frame of `len` bytes, takes another chunk for the
    /// next attempt, and says whether it is time to wake the worker; none where that is of no use, or takes more than that.
    ///
    /// Every few hundredth frame comes here, and finds that the processor has forgotten all that it needs: it is little.
    pub(crate) fn renew(&self, len: usize) -> Option<Pushed> {
        // SAFETY: as in `own`.
        let mut state = unsafe { self.thread_queue.state.own_if_free() }?;
        // Where there is room the thread queue was claimed. A longer frame needs a chunk of its own.
        let is_of_use = len > state.newest.room() && len <= CHUNK && !self.thread_queue.is_closed();
        (is_of_use && self.thread_queue.renew(&mut state, len))
            .then(|| self.thread_queue.after_renewal(&state))
    }

    /// Into the newest chunk or a new one.
    pub(crate) fn push(&self, header: &FrameHeader, bytes: &FrameBytes<'_>) -> Pushed {
        self.thread_queue.push(&mut self.own(), header, bytes)
    }

    /// The thread ends. What it leaves is made as small as it is, and is lost where the budget has no room for it: there may
    /// be many short threads a second.
    pub(crate) fn end(&self) {
        {
            let mut state = self.own();
            if !state.newest.is_budgeted {
                self.thread_queue.charge_for_end(&mut state);
                state.newest.frames.shrink_to_fit();
                state.newest.size = state.newest.frames.len();
            }
            state.filled.shrink_to_fit();
        }
        *self.thread_queue.spare.lock() = None;
        *self.thread_queue.spare_list() = VecDeque::new();
        self.thread_queue.is_ended.store(true, Ordering::Release);
    }

    fn own(&self) -> Owned<'_, QueueState> {
        // SAFETY: a thread queue has one writer, which is not `Sync`, and what is done with the result calls no method of it.
        unsafe { self.thread_queue.state.own() }
    }
}

impl ThreadQueue {
    /// A thread queue without a writer, for [`ThreadQueue::push_shared`].
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self {
            budget,
            state: OwnerLock::new(QueueState::default()),
            spare: ByteLock::default(),
            spare_list: Mutex::default(),
            is_closed: AtomicBool::new(false),
            is_ended: AtomicBool::new(false),
            pushed: AtomicU64::new(0),
            full: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            unbudgeted_away: AtomicUsize::new(0),
            charged_at_end: AtomicUsize::new(0),
            has_filled: AtomicBool::new(false),
        }
    }

    /// Pushes from any thread, slowly.
    pub(crate) fn push_shared(&self, header: &FrameHeader, bytes: &FrameBytes<'_>) -> Pushed {
        match self.state.claim() {
            Some(mut state) => self.push(&mut state, header, bytes),
            None => Pushed::Full,
        }
    }

    fn push(&self, state: &mut QueueState, header: &FrameHeader, bytes: &FrameBytes<'_>) -> Pushed {
        let len = bytes.frame_len();
        if len > state.newest.room() {
            return self.push_to_next_chunk(state, header, bytes, len);
        }
        state.newest.frames.push(header, bytes);
        self.count_pushed();
        Pushed::Taken
    }

    /// Into a new chunk, if there is one.
    fn push_to_next_chunk(
        &self,
        state: &mut QueueState,
        header: &FrameHeader,
        bytes: &FrameBytes<'_>,
        len: usize,
    ) -> Pushed {
        if self.is_closed() {
            return Pushed::Closed;
        }
        if !self.renew(state, len) {
            self.full.store(self.full() + 1, Ordering::Release);
            return Pushed::Full;
        }
        state.newest.frames.push(header, bytes);
        state.newest.fetch_ahead(len);
        self.count_pushed();
        self.after_renewal(state)
    }

    /// Takes another chunk, for a frame of `len` bytes, if there is one.
    fn renew(&self, state: &mut QueueState, len: usize) -> bool {
        let Some(chunk) = self.next_chunk(state, len) else {
            return false;
        };
        chunk.fetch_first();
        let filled = std::mem::replace(&mut state.newest, chunk);
        self.set_aside(state, filled);
        true
    }

    /// Puts a chunk that takes no more frames behind those that are filled.
    fn set_aside(&self, state: &mut QueueState, mut filled: Chunk) {
        if filled.size > 0 {
            filled.pushed_when_filled = self.pushed.load(Ordering::Relaxed);
            state.filled.push_back(filled);
            self.has_filled.store(true, Ordering::Relaxed);
        }
    }

    fn after_renewal(&self, state: &QueueState) -> Pushed {
        let is_time = state.filled.len() >= MANY_CHUNKS || self.budget.is_half_full();
        if is_time {
            Pushed::TakenMany
        } else {
            Pushed::Taken
        }
    }

    #[inline(always)]
    fn count_pushed(&self) {
        // Release: whoever sees the count finds the frame.
        self.pushed
            .store(self.pushed.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// Has the budget pay for the chunk outside of it that an ended thread leaves, and for the thread queue; drops the frames
    /// where it cannot.
    fn charge_for_end(&self, state: &mut QueueState) {
        let bytes = state.newest.frames.len() + size_of::<Self>();
        if state.newest.frames.len() == 0 {
            return;
        }
        if self.budget.charge(bytes) {
            self.charged_at_end.store(bytes, Ordering::Relaxed);
            return;
        }
        let lost = state.newest.frames.iter().count() as u64;
        state.newest = Chunk::default();
        // In this order: whoever sees that they did not go in sees that they found no room.
        self.full.store(self.full() + lost, Ordering::Release);
        self.pushed.store(
            self.pushed.load(Ordering::Relaxed) - lost,
            Ordering::Release,
        );
    }

    /// Notes that chunks outside of the budget go to the worker.
    fn count_unbudgeted_away(&self, chunks: &VecDeque<Chunk>) {
        let small = chunks.iter().filter(|chunk| !chunk.is_budgeted).count();
        self.unbudgeted_away.fetch_add(small, Ordering::Relaxed);
    }

    /// Takes everything that waits, for the worker to read; [`ThreadQueue::recycle`] takes the chunks back, and [`ThreadQueue::keep`] the
    /// queue.
    pub(crate) fn take(&self) -> VecDeque<Chunk> {
        if self.waiting() == 0 {
            return VecDeque::new();
        }
        let spare_list = std::mem::take(&mut *self.spare_list());
        let Some(mut state) = self.state.claim() else {
            return VecDeque::new();
        };
        let mut chunks = std::mem::replace(&mut state.filled, spare_list);
        self.has_filled.store(false, Ordering::Relaxed);
        if state.newest.size > 0 {
            chunks.push_back(std::mem::take(&mut state.newest));
        }
        self.taken.store(self.pushed(), Ordering::Relaxed);
        self.count_unbudgeted_away(&chunks);
        chunks
    }

    /// As [`ThreadQueue::take`], but leaves the newest chunk, and with it the thread's room for its next spans. Where no chunk is
    /// filled, the thread does not notice.
    pub(crate) fn take_filled(&self) -> VecDeque<Chunk> {
        if !self.has_filled() {
            return VecDeque::new();
        }
        let spare_list = std::mem::take(&mut *self.spare_list());
        let Some(mut state) = self.state.claim() else {
            return VecDeque::new();
        };
        let chunks = std::mem::replace(&mut state.filled, spare_list);
        self.has_filled.store(false, Ordering::Relaxed);
        if let Some(last) = chunks.back() {
            self.taken.store(last.pushed_when_filled, Ordering::Relaxed);
        }
        self.count_unbudgeted_away(&chunks);
        chunks
    }

    /// Whether [`ThreadQueue::take_filled`] would find something.
    pub(crate) fn has_filled(&self) -> bool {
        self.has_filled.load(Ordering::Relaxed)
    }

    pub(crate) fn recycle(&self, chunk: Chunk) {
        let memory = chunk.frames.into_memory();
        if chunk.is_budgeted {
            self.budget.give_back(memory, chunk.size);
            return;
        }
        if !self.is_ended.load(Ordering::Acquire) {
            *self.spare.lock() = Some(Chunk::new(memory, chunk.size, false));
        }
        self.unbudgeted_away.fetch_sub(1, Ordering::Relaxed);
    }

    /// Takes back what [`ThreadQueue::take`] gave, emptied.
    pub(crate) fn keep(&self, list: VecDeque<Chunk>) {
        // One without memory has been made where nothing waited.
        if (1..=2 * MANY_CHUNKS).contains(&list.capacity()) {
            *self.spare_list() = list;
        }
    }

    fn spare_list(&self) -> MutexGuard<'_, VecDeque<Chunk>> {
        self.spare_list
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses what comes from now on.
    pub(crate) fn close(&self) {
        let state = self.state.claim();
        self.is_closed.store(true, Ordering::Relaxed);
        if let Some(mut state) = state {
            // Without room the next frame comes by `push_to_next_chunk`. What is there stays to be taken.
            let newest = std::mem::take(&mut state.newest);
            self.set_aside(&mut state, newest);
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Frames that wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.pushed()
            .saturating_sub(self.taken.load(Ordering::Relaxed))
    }

    pub(crate) fn is_ended_and_empty(&self) -> bool {
        // In this order: after the end the count stands still.
        self.is_ended.load(Ordering::Acquire) && self.pushed() == self.taken.load(Ordering::Relaxed)
    }

    /// Frames that went in, ever.
    pub(crate) fn pushed(&self) -> u64 {
        self.pushed.load(Ordering::Acquire)
    }

    /// Frames that found no room, ever.
    pub(crate) fn full(&self) -> u64 {
        self.full.load(Ordering::Acquire)
    }

    fn next_chunk(&self, state: &mut QueueState, len: usize) -> Option<Chunk> {
        if state.newest.size == 0 && state.filled.is_empty() && len <= SMALL_CHUNK {
            // During a pause of the reporter each flush takes one, and none comes back.
            if self.unbudgeted_away.load(Ordering::Relaxed) >= MOST_UNBUDGETED_AWAY {
                let is_paid = self.budget.charge(SMALL_CHUNK);
                let memory = || Vec::with_capacity(SMALL_CHUNK);
                return is_paid.then(|| Chunk::new(memory(), SMALL_CHUNK, true));
            }
            let spare = self.spare.lock().take();
            return Some(spare.unwrap_or_else(|| {
                Chunk::new(Vec::with_capacity(SMALL_CHUNK), SMALL_CHUNK, false)
            }));
        }
        let size = len.max(CHUNK);
        u32::try_from(size).ok()?;
        Some(Chunk::new(self.budget.take(size)?, size, true))
    }
}

impl Drop for ThreadQueue {
    fn drop(&mut self) {
        for chunk in self.take() {
            self.recycle(chunk);
        }
        self.budget
            .discharge(self.charged_at_end.load(Ordering::Relaxed));
    }
}

impl Chunk {
    fn new(memory: Vec<u8>, size: usize, is_budgeted: bool) -> Self {
        Self {
            frames: FrameList::in_memory(memory),
            size,
            pushed_when_filled: 0,
            is_budgeted,
        }
    }

    pub(crate) fn frames(&mut self) -> &mut FrameList {
        &mut self.frames
    }

    /// How many bytes its frames take.
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    #[inline(always)]
    fn room(&self) -> usize {
        self.size - self.frames.len()
    }

    /// A frame of `len` bytes was written: has the processor fetch, for writing, the lines that will soon be written to.
    /// Chunks come back from the worker, and where that runs on another die a line takes longer than all else that a span
    /// costs.
    #[inline(always)]
    fn fetch_ahead(&self, len: usize) {
        let end = self.end();
        // At once what most frames are not longer than.
        prefetch::<FETCH_AHEAD>(end);
        prefetch::<{ FETCH_AHEAD - LINE }>(end);
        if len > 2 * LINE {
            self.fetch_further_ahead(len);
        }
    }

    #[inline(never)]
    fn fetch_further_ahead(&self, len: usize) {
        for back in (2 * LINE..len.min(FETCH_AHEAD)).step_by(LINE) {
            prefetch::<FETCH_AHEAD>(self.end().wrapping_sub(back));
        }
    }

    /// The same for the first lines of a chunk.
    fn fetch_first(&self) {
        for line in (0..FETCH_AHEAD).step_by(LINE) {
            prefetch::<0>(self.end().wrapping_add(line));
        }
    }

    #[inline(always)]
    fn end(&self) -> *const u8 {
        self.frames.as_ptr().wrapping_add(self.frames.len())
    }
}

/// Of the line that lies `AHEAD` bytes behind an address.
#[inline(always)]
fn prefetch<const AHEAD: usize>(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri), not(tracehound_loom)))]
    // SAFETY: a prefetch changes nothing and faults nowhere, wherever the address points.
    unsafe {
        std::arch::asm!(
            "prefetchw [{} + {}]", in(reg) address, const AHEAD, options(nostack, preserves_flags, readonly)
        );
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri), not(tracehound_loom))))]
    let _ = address;
}

const FETCH_AHEAD: usize = 1_024;
const LINE: usize = 64;
const CHUNK: usize = if cfg!(tracehound_loom) {
    256
} else {
    64 * 1024
};
/// How many full chunks of one thread are reason enough to wake the worker, however much is left of the budget: what is
/// used again and again stays near the processor, and a page that is written to for the first time takes microseconds.
const MANY_CHUNKS: usize = 16;
/// How many chunks outside of the budget a thread may have with the worker. Without a pause that is one.
const MOST_UNBUDGETED_AWAY: usize = 2;
const SMALL_CHUNK: usize = if cfg!(tracehound_loom) { 128 } else { 4 * 1024 };

#[cfg(test)]
mod tests;

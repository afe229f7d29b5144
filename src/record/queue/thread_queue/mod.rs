//! The queue of one thread for one tracer: a list of chunks with frames, bounded by the budget.
//!
//! ```text
//! thread ─ push ─► newest chunk ─ full ─► filled chunks ┊ take ─► worker reads ─ recycle ─► budget, or spare chunk
//!                      ▲                                                                          │
//!                      └──────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! The thread writes under an [`OwnerLock`], which costs it two plain stores. The worker claims that lock only while it
//! takes the chunks away, and reads the frames later. Taking empties the queue, so an idle queue holds nothing of the
//! budget.

pub(crate) mod chunk;

use std::cell::Cell;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::record::queue::budget::Budget;
use crate::record::queue::frame::{FrameBytes, FrameEnd, FrameHeader};
use crate::record::queue::thread_queue::chunk::Chunk;
use crate::sync::byte_lock::ByteLock;
use crate::sync::owner_lock::{Owned, OwnerLock};

/// A queue of frames that one thread writes and the worker reads.
#[derive(Debug)]
pub(crate) struct ThreadQueue {
    budget: Arc<Budget>,
    state: OwnerLock<QueueState>,
    /// A small chunk that the worker has read, for the thread to write again.
    spare: ByteLock<Option<Chunk>>,
    /// An empty list that the worker has given back. Its memory serves the next filled chunks.
    spare_list: Mutex<VecDeque<Chunk>>,
    is_closed: AtomicBool,
    /// The thread has ended and pushes no more frames.
    is_ended: AtomicBool,
    /// All frames that went in, and all frames that found no room. Only the holder of the state changes these.
    pushed: AtomicU64,
    full: AtomicU64,
    /// All frames that were taken. Only the worker changes this.
    taken: AtomicU64,
    /// Uncharged chunks that were taken and have not come back.
    unbudgeted_away: AtomicUsize,
    /// Bytes charged for the frames that an ended thread has left, until this queue is dropped.
    charged_at_end: AtomicUsize,
    /// Whether there are filled chunks: spares the worker a claim that would find none.
    has_filled: AtomicBool,
}

#[derive(Debug, Default)]
struct QueueState {
    newest: Chunk,
    /// Older chunks, the oldest first.
    filled: VecDeque<Chunk>,
}

/// The writing end of a thread queue. A queue has one, and one thread at a time uses it.
#[derive(Debug)]
pub(crate) struct QueueWriter {
    thread_queue: Arc<ThreadQueue>,
    _one_thread_at_a_time: PhantomData<Cell<()>>,
}

/// The outcome of a push: whether the queue took the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Taken,
    /// Taken, and the worker should drain.
    TakenMany,
    /// Not taken, and counted: there is no room.
    Full,
    /// Not taken and not counted: the system has refused the barrier, so the queue cannot be claimed.
    Refused,
    /// Not taken and not counted: the tracer is closed.
    Closed,
}

impl QueueWriter {
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self {
            thread_queue: Arc::new(ThreadQueue::new(budget)),
            _one_thread_at_a_time: PhantomData,
        }
    }

    /// Returns the reading end, for the worker.
    pub(crate) fn thread_queue(&self) -> &Arc<ThreadQueue> {
        &self.thread_queue
    }

    /// Writes the frame of an open span at its end into the newest chunk. Returns false if another thread claims the
    /// queue or the chunk has no room. This is the fast path: it copies each part of the frame once, straight into the
    /// chunk.
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
        // SAFETY: the capacity of a chunk is at least its size, so there is room. No chunk exceeds 4 GiB.
        unsafe { chunk.frames.push_in_place(header, end, bytes) };
        chunk.fetch_ahead(len);
        self.thread_queue.count_pushed();
        true
    }

    /// Takes another chunk, after [`push_if_free`](Self::push_if_free) found no room for a frame of `len` bytes.
    /// Returns whether the worker should drain, or `None` if a new chunk does not help or is not available: then the
    /// caller uses [`push`](Self::push).
    ///
    /// One frame in a few hundred comes here and finds cold caches, so this does little.
    pub(crate) fn renew(&self, len: usize) -> Option<Pushed> {
        // SAFETY: as in `own`.
        let mut state = unsafe { self.thread_queue.state.own_if_free() }?;
        // If there is room, the queue was claimed before. A frame longer than a chunk needs one of its own.
        let is_of_use = len > state.newest.room() && len <= CHUNK && !self.thread_queue.is_closed();
        (is_of_use && self.thread_queue.renew(&mut state, len))
            .then(|| self.thread_queue.after_renewal(&state))
    }

    /// Writes a frame into the newest chunk or a new one, after any thread that claims the queue.
    pub(crate) fn push(&self, header: &FrameHeader, bytes: &FrameBytes<'_>) -> Pushed {
        self.thread_queue.push(&mut self.own(), header, bytes)
    }

    /// Ends the queue with its thread. The frames that are left shrink to their size and are charged to the budget, or
    /// dropped if it has no room: a program may run many short threads a second.
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
        // SAFETY: a thread queue has one writer, which is not `Sync`, and no method calls another one with the result
        // in hand.
        unsafe { self.thread_queue.state.own() }
    }
}

impl ThreadQueue {
    /// Makes a queue without a writer, for [`ThreadQueue::push_shared`].
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

    /// Pushes a frame from any thread. Slow, because it claims the queue.
    pub(crate) fn push_shared(&self, header: &FrameHeader, bytes: &FrameBytes<'_>) -> Pushed {
        match self.state.claim() {
            Some(mut state) => self.push(&mut state, header, bytes),
            None => Pushed::Refused,
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

    /// Pushes a frame into the next chunk, if there is one.
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

    /// Makes the next chunk, with room for `len` bytes, the newest. Returns false if there is none.
    fn renew(&self, state: &mut QueueState, len: usize) -> bool {
        let Some(chunk) = self.next_chunk(state, len) else {
            return false;
        };
        chunk.fetch_first();
        let filled = std::mem::replace(&mut state.newest, chunk);
        self.set_aside(state, filled);
        true
    }

    /// Puts a chunk that takes no more frames behind the filled ones.
    fn set_aside(&self, state: &mut QueueState, mut filled: Chunk) {
        if filled.size > 0 {
            filled.pushed_when_filled = self.pushed.load(Ordering::Relaxed);
            state.filled.push_back(filled);
            self.has_filled.store(true, Ordering::Relaxed);
        }
    }

    /// Returns whether the worker should drain, after a chunk was filled.
    fn after_renewal(&self, state: &QueueState) -> Pushed {
        if state.filled.len() >= MANY_CHUNKS || self.budget.is_half_full() {
            Pushed::TakenMany
        } else {
            Pushed::Taken
        }
    }

    #[inline(always)]
    fn count_pushed(&self) {
        // Release: pairs with the Acquire in `pushed`. A thread that sees the count finds the frame.
        self.pushed
            .store(self.pushed.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// Charges the budget for the uncharged chunk that an ended thread leaves, and for the queue itself. Drops the
    /// frames if the budget has no room.
    fn charge_for_end(&self, state: &mut QueueState) {
        let bytes = state.newest.frames.len() + size_of::<Self>();
        if state.newest.frames.len() == 0 {
            return;
        }
        if self.budget.charge(bytes) {
            self.charged_at_end.store(bytes, Ordering::Relaxed);
            return;
        }
        let dropped = state.newest.frames.iter().count() as u64;
        state.newest = Chunk::default();
        // In this order: a thread that sees the smaller `pushed` sees the larger `full`.
        self.full.store(self.full() + dropped, Ordering::Release);
        self.pushed.store(
            self.pushed.load(Ordering::Relaxed) - dropped,
            Ordering::Release,
        );
    }

    /// Counts the uncharged chunks that go to the worker.
    fn count_unbudgeted_away(&self, chunks: &VecDeque<Chunk>) {
        let small = chunks.iter().filter(|chunk| !chunk.is_budgeted).count();
        self.unbudgeted_away.fetch_add(small, Ordering::Relaxed);
    }

    /// Takes all chunks, for the worker to read. [`ThreadQueue::recycle`] takes the chunks back, and
    /// [`ThreadQueue::keep`] the list.
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

    /// Like [`ThreadQueue::take`], but leaves the newest chunk, with its room for the thread's next spans. If no chunk
    /// is filled, the thread does not notice.
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

    /// Returns whether [`ThreadQueue::take_filled`] would find a chunk.
    pub(crate) fn has_filled(&self) -> bool {
        self.has_filled.load(Ordering::Relaxed)
    }

    /// Takes back a chunk that was taken, and drops its frames.
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

    /// Takes back the list that [`ThreadQueue::take`] returned, emptied.
    pub(crate) fn keep(&self, list: VecDeque<Chunk>) {
        // A list without memory comes from a take that found nothing.
        if (1..=2 * MANY_CHUNKS).contains(&list.capacity()) {
            *self.spare_list() = list;
        }
    }

    fn spare_list(&self) -> MutexGuard<'_, VecDeque<Chunk>> {
        self.spare_list
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses frames from now on. Those that wait stay to be taken.
    pub(crate) fn close(&self) {
        let state = self.state.claim();
        self.is_closed.store(true, Ordering::Relaxed);
        if let Some(mut state) = state {
            // Without room in the newest chunk, the next frame goes to `push_to_next_chunk`, which refuses it.
            let newest = std::mem::take(&mut state.newest);
            self.set_aside(&mut state, newest);
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Returns the number of frames that wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.pushed()
            .saturating_sub(self.taken.load(Ordering::Relaxed))
    }

    /// Returns whether the thread has ended and all its frames were taken.
    pub(crate) fn is_ended_and_empty(&self) -> bool {
        // In this order: after the end, `pushed` does not change.
        self.is_ended.load(Ordering::Acquire) && self.pushed() == self.taken.load(Ordering::Relaxed)
    }

    /// Returns the number of all frames that went in.
    pub(crate) fn pushed(&self) -> u64 {
        self.pushed.load(Ordering::Acquire)
    }

    /// Returns the number of all frames that found no room.
    pub(crate) fn full(&self) -> u64 {
        self.full.load(Ordering::Acquire)
    }

    /// Returns an empty chunk with room for `len` bytes, or `None` if the budget has none.
    fn next_chunk(&self, state: &mut QueueState, len: usize) -> Option<Chunk> {
        if state.newest.size == 0 && state.filled.is_empty() && len <= SMALL_CHUNK {
            // While the reporter pauses, each flush takes a small chunk and none comes back.
            if self.unbudgeted_away.load(Ordering::Relaxed) >= MOST_UNBUDGETED_AWAY {
                let is_charged = self.budget.charge(SMALL_CHUNK);
                let memory = || Vec::with_capacity(SMALL_CHUNK);
                return is_charged.then(|| Chunk::new(memory(), SMALL_CHUNK, true));
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

/// The size of a chunk, in bytes.
const CHUNK: usize = if cfg!(tracehound_loom) {
    256
} else {
    64 * 1024
};
/// How many filled chunks of one thread wake the worker, however much of the budget is left. Reused memory stays in the
/// caches, and the first write to a fresh page takes microseconds.
const MANY_CHUNKS: usize = 16;
/// How many uncharged chunks of a thread the worker may hold. It holds one, unless the reporter pauses.
const MOST_UNBUDGETED_AWAY: usize = 2;
/// The size of a thread's first chunk, in bytes.
const SMALL_CHUNK: usize = if cfg!(tracehound_loom) { 128 } else { 4 * 1024 };

#[cfg(test)]
mod tests;

//! What a thread keeps of each tracer: a thread queue, counters and a pool of vacant slots.
//!
//! ```text
//!  CURRENT ─► the pair (this thread, tracer) that was used last     one plain load, no destructor
//!  STATES  ─► all pairs of this thread                              ended when the thread ends
//! ```
//!
//! `CURRENT` is null or points into an `Rc` that `STATES` holds; it is set to null before `STATES` lets one go. When
//! the thread ends, `STATES` is destroyed and stays so: from then on there is no pair, and who asks does without.
//!
//! A slot in a pool keeps the tracer that it was made for in memory, not open. Pools of closed tracers are emptied by the
//! thread that closes, by a thread that gives a slot back, by one that begins to use another tracer, and at thread end.
//!
//! In a forked child `CURRENT` is null (`fork`), and pairs of the parent are left where they are.

use std::cell::{Cell, RefCell};
use std::mem;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use crate::metrics::{Counter, CounterBlock, Metrics};
use crate::record::open::slot::SpanSlot;
use crate::record::pool::LocalPool;
use crate::record::queue::span_queue::{QueueKey, SpanQueue};
use crate::record::queue::thread_queue::QueueWriter;
use crate::record::wire::limits::Limits;
use crate::record::wire::sampler_tags::EncodedTags;
use crate::sampler::SamplerTags;

/// What a thread keeps of one tracer.
pub(crate) struct ThreadState {
    queue: u64,
    /// The same for this process: slots of the pool have it too.
    key: QueueKey,
    pub(crate) writer: QueueWriter,
    pub(crate) counters: Arc<CounterBlock>,
    metrics: Metrics,
    pub(super) pool: LocalPool<SpanSlot>,
    sampler_tags: RefCell<Option<EncodedTags>>,
}

impl ThreadState {
    /// Begins to keep a tracer; `None` once that is closed.
    pub(crate) fn register(queue: &SpanQueue) -> Option<Self> {
        let writer = queue.new_writer()?;
        let metrics = queue.metrics();
        Some(Self {
            queue: queue.id(),
            key: queue.key(),
            writer,
            counters: metrics.register(),
            metrics: metrics.clone(),
            pool: LocalPool::new(),
            sampler_tags: RefCell::default(),
        })
    }

    /// Takes back a clear slot of this tracer; one for which there is no room is for [`return_clear_slot`].
    #[inline(always)]
    pub(crate) fn take_back(&self, slot: Box<SpanSlot>) -> Result<(), Box<SpanSlot>> {
        self.pool.push_into_room(slot)
    }

    #[inline(always)]
    pub(crate) fn count_both(&self, (counter, second): (Counter, Option<Counter>)) {
        self.counters.count(counter);
        if let Some(second) = second {
            self.counters.count(second);
        }
    }
}

impl Drop for ThreadState {
    fn drop(&mut self) {
        self.writer.end();
        self.metrics.retire(&self.counters);
        let slots = self.pool.take();
        if let Some(slot) = slots.first() {
            let pool = slot.pool.clone();
            // The slots that find no room are dropped here, which may run user code.
            drop(pool.put(slots));
        }
    }
}

thread_local! {
    static CURRENT: Cell<*const ThreadState> = const { Cell::new(ptr::null()) };
    static STATES: ThreadStates = const { ThreadStates(RefCell::new(Vec::new())) };
}

struct ThreadStates(RefCell<Vec<Rc<ThreadState>>>);

impl Drop for ThreadStates {
    fn drop(&mut self) {
        CURRENT.set(ptr::null());
        leave_inherited(self.0.get_mut());
    }
}

/// In a forked child: what the thread kept in the parent is not to be touched. Does nothing but a store.
#[cfg(all(unix, not(miri)))]
pub(crate) fn forget_current() {
    CURRENT.set(ptr::null());
}

/// Leaves behind what the thread kept in the parent of this process: not freed, because that takes locks which may be
/// held there. They are all of the parent or none.
fn leave_inherited(states: &mut Vec<Rc<ThreadState>>) {
    if states
        .first()
        .is_some_and(|state| !state.key.is_of_this_process())
    {
        mem::forget(mem::take(states));
    }
}

/// Runs `use_state` on what the calling thread keeps of `store`, which it begins to keep if need be; `None` while the
/// thread is torn down, and where the queue was closed before. `use_state` must not run code of the user's.
#[inline]
pub(crate) fn with_state<R>(
    queue: &SpanQueue,
    use_state: impl FnOnce(&ThreadState) -> R,
) -> Option<R> {
    match current(queue.id()) {
        Some(state) => Some(use_state(state)),
        None => make_current(queue.id(), Some(queue)).map(|state| use_state(&state)),
    }
}

/// Runs `use_tags` on the encoded form of `tags`, which is kept from one span to the next.
#[inline]
pub(crate) fn with_sampler_tags<R>(
    queue: &SpanQueue,
    tags: SamplerTags,
    limits: &Limits,
    use_tags: impl FnOnce(&EncodedTags) -> R,
) -> R {
    if let Some(state) = current(queue.id())
        && let Ok(mut known) = state.sampler_tags.try_borrow_mut()
    {
        return match &mut *known {
            Some(known) if known.are_for(&tags) => use_tags(known),
            known => use_tags(known.insert(EncodedTags::new(tags, limits))),
        };
    }
    use_tags(&EncodedTags::new(tags, limits))
}

/// Empties the calling thread's pool of a tracer that is closed.
#[cold]
pub(crate) fn empty_pool(queue: u64) {
    let slots = make_current(queue, None).map(|state| state.pool.take());
    // Only now: the last slot of a tracer takes the tracer with it, and that is code of the user's.
    drop(slots);
}

/// Lets go of what the calling thread keeps of tracers that are closed. Runs code of the user's.
pub(crate) fn forget_closed_tracers() {
    let closed = STATES.try_with(|states| {
        let mut states = states.0.try_borrow_mut().ok()?;
        leave_inherited(&mut states);
        let (closed, open) = states
            .drain(..)
            .partition(|state| state.writer.thread_queue().is_closed());
        *states = open;
        let closed: Vec<Rc<ThreadState>> = closed;
        if !closed.is_empty() {
            CURRENT.set(ptr::null());
        }
        Some(closed)
    });
    drop(closed);
}

/// The pair that was used last, if it is that tracer's. Whoever has it must not run code of the user's, nor call
/// anything of this module.
#[inline(always)]
pub(crate) fn current<'a>(queue: u64) -> Option<&'a ThreadState> {
    // SAFETY: `CURRENT` is null or points to a `ThreadState` that `STATES` of this thread holds (see the module). Whoever
    // takes one out of `STATES` (`forget_closed_tracers`, thread end) is never called while the result is in use: what uses it
    // runs no code of the user's and calls neither.
    let state = unsafe { CURRENT.get().as_ref() };
    state.filter(|state| state.queue == queue)
}

/// The same for a slot of that tracer that was made in this process.
#[inline(always)]
pub(crate) fn current_of<'a>(key: QueueKey) -> Option<&'a ThreadState> {
    // SAFETY: as in `current`.
    let state = unsafe { CURRENT.get().as_ref() };
    state.filter(|state| state.key == key)
}

/// Makes the pair with that tracer the current one; where there is none yet, with what `begin` gives.
#[cold]
pub(super) fn make_current(queue: u64, begin: Option<&SpanQueue>) -> Option<Rc<ThreadState>> {
    STATES
        .try_with(|states| {
            let mut states = states.0.try_borrow_mut().ok()?;
            leave_inherited(&mut states);
            let known = states.iter().find(|state| state.queue == queue);
            let state = match (known, begin) {
                (Some(state), _) => state.clone(),
                (None, Some(begin)) => {
                    let state = Rc::new(ThreadState::register(begin)?);
                    states.push(state.clone());
                    state
                }
                (None, None) => return None,
            };
            CURRENT.set(Rc::as_ptr(&state));
            Some(state)
        })
        .ok()
        .flatten()
}

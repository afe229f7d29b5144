//! The state that a thread keeps for each tracer, and how it is found. See [`thread`](super).
//!
//! `CURRENT` is null or points into an `Rc` that `STATES` holds. It is set to null before `STATES` drops one, and by
//! the handler of a fork. Once the thread's end has destroyed `STATES`, no state is found, and callers do without.

use std::cell::{Cell, RefCell};
use std::mem;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use crate::metrics::{Counter, CounterBlock, Metrics};
use crate::record::open::shared_decision::DecisionRef;
use crate::record::open::slot::SpanSlot;
use crate::record::pool::LocalPool;
use crate::record::queue::span_queue::{QueueKey, SpanQueue};
use crate::record::queue::thread_queue::QueueWriter;
use crate::record::thread::ids::renew_generator;
use crate::record::thread::own_work::{OwnWork, is_own_work};
use crate::record::wire::limits::Limits;
use crate::record::wire::sampler_tags::EncodedTags;
use crate::sampler::SamplerTags;

/// What a thread keeps for one tracer: its thread queue, counters and vacant slots.
pub(crate) struct ThreadState {
    /// The state id of the tracer's queue, by which a start finds the state.
    state_id: Cell<u64>,
    /// The id of the tracer's queue.
    queue: u64,
    /// The id of the queue in this process, by which a slot finds the state: a slot has the same key.
    key: QueueKey,
    pub(crate) writer: QueueWriter,
    pub(crate) counters: Arc<CounterBlock>,
    metrics: Metrics,
    pub(super) pool: LocalPool<Box<SpanSlot>>,
    /// Vacant decisions for undecided traces.
    pub(super) decisions: LocalPool<DecisionRef>,
    /// The sampler's tags of the last local root, encoded.
    sampler_tags: RefCell<Option<EncodedTags>>,
}

impl ThreadState {
    /// Registers the thread with a tracer. Returns `None` if the tracer is closed.
    pub(crate) fn register(queue: &SpanQueue) -> Option<Self> {
        let writer = queue.new_writer()?;
        let metrics = queue.metrics();
        Some(Self {
            state_id: Cell::new(queue.state_id_in_order()),
            queue: queue.id(),
            key: queue.key(),
            writer,
            counters: metrics.register(),
            metrics: metrics.clone(),
            pool: LocalPool::new(),
            decisions: LocalPool::new(),
            sampler_tags: RefCell::default(),
        })
    }

    /// Takes a clear slot of this tracer into the pool. Returns it if there is no room: the caller gives it to
    /// `return_clear_slot`.
    #[inline(always)]
    pub(crate) fn take_back(&self, slot: Box<SpanSlot>) -> Result<(), Box<SpanSlot>> {
        self.pool.push_into_room(slot)
    }

    /// Counts one or two events.
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
            let recorder = slot.recorder.clone();
            drop(recorder.decisions.put(self.decisions.take()));
            // Frees the slots that find no room, which may run user code.
            drop(recorder.slots.put(slots));
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

/// Sends the thread off the fast path: in a forked child, or during work of a tracer. Only stores to a static.
pub(crate) fn forget_current() {
    CURRENT.set(ptr::null());
}

/// Runs work of a tracer. Spans that start on this thread meanwhile, of any tracer, are no-op spans.
pub(crate) fn without_spans<R>(work: impl FnOnce() -> R) -> R {
    let _ends_with_the_call = OwnWork::begin();
    // No state is current during the work, so every start leaves the fast path and learns of the work there.
    forget_current();
    work()
}

/// Leaks the states that the thread had in the parent process. To free them would take locks which may have been held
/// at the fork. Either all states are of the parent or none.
fn leave_inherited(states: &mut Vec<Rc<ThreadState>>) {
    if states
        .first()
        .is_some_and(|state| !state.key.is_of_this_process())
    {
        mem::forget(mem::take(states));
    }
}

/// Runs `use_state` on the calling thread's state for `queue`, and registers the thread if need be.
///
/// Returns `None` during the thread's teardown, and if the thread is new to a queue that is closed. `use_state` must
/// not run user code.
#[inline]
pub(crate) fn with_state<R>(
    queue: &SpanQueue,
    use_state: impl FnOnce(&ThreadState) -> R,
) -> Option<R> {
    match current(queue) {
        Some(state) => Some(use_state(state)),
        None => make_current(queue.id(), Some(queue)).map(|state| use_state(&state)),
    }
}

/// Runs `use_tags` on the encoded form of `tags`, which the thread keeps from one span to the next.
#[inline]
pub(crate) fn with_sampler_tags<R>(
    queue: &SpanQueue,
    tags: SamplerTags,
    limits: &Limits,
    use_tags: impl FnOnce(&EncodedTags) -> R,
) -> R {
    if let Some(state) = current(queue)
        && let Ok(mut known) = state.sampler_tags.try_borrow_mut()
    {
        return match &mut *known {
            Some(known) => {
                if !known.are_for(&tags) {
                    known.replace(tags, limits);
                }
                use_tags(known)
            }
            none => use_tags(none.insert(EncodedTags::new(tags, limits))),
        };
    }
    use_tags(&EncodedTags::new(tags, limits))
}

/// Empties the calling thread's pool of a tracer that is closed.
#[cold]
pub(crate) fn empty_pool(queue: u64) {
    let slots = make_current(queue, None).map(|state| state.pool.take());
    // Dropped after the borrow has ended: the last slot drops the tracer, which runs user code.
    drop(slots);
}

/// Drops the calling thread's states of closed tracers. May run user code.
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

/// Returns the state that the thread used last, if it is for `queue`.
///
/// While the result is in use, the caller must not run user code or call a function of this module.
#[inline(always)]
pub(crate) fn current<'a>(queue: &SpanQueue) -> Option<&'a ThreadState> {
    // SAFETY: `CURRENT` is null or points to a `ThreadState` that `STATES` of this thread holds (see the module). Only
    // `forget_closed_tracers` and the thread's end take one out of `STATES`. Neither runs while the result is in use,
    // because its users run no user code and call neither.
    let state = unsafe { CURRENT.get().as_ref() };
    state.filter(|state| state.state_id.get() == queue.state_id())
}

/// Like [`current`], but for the tracer and process of a slot.
#[inline(always)]
pub(crate) fn current_of<'a>(key: QueueKey) -> Option<&'a ThreadState> {
    // SAFETY: as in `current`.
    let state = unsafe { CURRENT.get().as_ref() };
    state.filter(|state| state.key == key)
}

/// Makes the thread's state for `queue` the current one. If there is none, registers the thread with `begin`. Seeds the
/// generator of ids anew if that was asked for meanwhile.
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
            if let Some(queue) = begin {
                state.state_id.set(queue.state_id_in_order());
                renew_generator();
            }
            // During work of a tracer every start leaves the fast path.
            if !is_own_work() {
                CURRENT.set(Rc::as_ptr(&state));
            }
            Some(state)
        })
        .ok()
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panics::caught;

    #[test]
    fn work_of_a_tracer_ends_where_it_began_and_when_it_panics() {
        let nested = without_spans(|| without_spans(is_own_work) && is_own_work());
        assert!(nested && !is_own_work());
        let panicked = caught(|| without_spans(|| std::panic::resume_unwind(Box::new("work"))));
        assert!(panicked.is_none() && !is_own_work());
    }
}

//! How a start gets a vacant slot, and how the last handle returns it.

use std::mem;
use std::sync::Arc;

use crate::metrics::Counter;
use crate::record::open::shared_decision::{DecisionRef, SharedDecision};
use crate::record::open::slot::{Recorder, SpanSlot};
use crate::record::open::tracer::Decider;
use crate::record::thread::state::{
    current, current_of, empty_pool, forget_closed_tracers, make_current, with_sampler_tags,
    with_state,
};
use crate::sampler::SamplerTags;

impl SpanSlot {
    /// Returns a vacant slot from the thread's pool, from the shared pool, or newly allocated. Starts the worker if
    /// there is none, so it may run user code.
    pub(crate) fn vacant<L>(tracer: &Arc<L>, recorder: &Arc<Recorder>) -> Box<Self>
    where
        L: Decider + 'static,
    {
        if current(&recorder.queue).is_none() {
            // Before the thread's state is looked for: without a worker that does not put it on the fast path.
            recorder.queue.enter();
        }
        take_slot(recorder).unwrap_or_else(|| Self::allocate(tracer.clone(), recorder.clone()))
    }

    /// Like [`vacant`](Self::vacant), but returns `None` unless the thread used this tracer last and has a slot in its
    /// pool. Counts `counters` if it returns a slot.
    #[inline(always)]
    pub(crate) fn try_vacant(
        recorder: &Recorder,
        counters: (Counter, Option<Counter>),
    ) -> Option<Box<Self>> {
        let state = current(&recorder.queue)?;
        let slot = state.pool.pop()?;
        state.count_both(counters);
        Some(slot)
    }

    /// Allocates a slot. Starts the worker if this process has none yet, and frees what the thread keeps of closed
    /// tracers, so it may run user code.
    #[cold]
    #[inline(never)]
    pub(crate) fn allocate(tracer: Arc<dyn Decider>, recorder: Arc<Recorder>) -> Box<Self> {
        forget_closed_tracers();
        recorder.queue.enter();
        Self::new(tracer, recorder)
    }

    /// Sets the sampler's tags of a span that is not shared yet. Returns how many of their parts were cut.
    #[inline(always)]
    pub(crate) fn push_sampler_tags(&mut self, tags: SamplerTags) -> u64 {
        if self.is_capped() {
            return 0;
        }
        let recorder = &self.recorder;
        let buffer = self.buffer.get_mut();
        with_sampler_tags(&recorder.queue, tags, &recorder.limits, |encoded| {
            buffer.push_encoded(encoded)
        })
    }
}

impl Recorder {
    /// Returns a vacant decision from the thread's pool, from the shared pool, or newly allocated. Nobody else holds
    /// it.
    pub(crate) fn vacant_decision(&self) -> DecisionRef {
        let pooled = with_state(&self.queue, |state| {
            state.decisions.pop().or_else(|| {
                state.decisions.fill(&self.decisions);
                state.decisions.pop()
            })
        });
        pooled
            .flatten()
            .unwrap_or_else(|| DecisionRef::new(SharedDecision::new(self.queue.clone())))
    }
}

/// Takes a slot out of the thread's pool, which is filled from the shared one if it is empty.
fn take_slot(recorder: &Recorder) -> Option<Box<SpanSlot>> {
    with_state(&recorder.queue, |state| {
        state.pool.pop().or_else(|| {
            state.pool.fill(&recorder.slots);
            state.pool.pop()
        })
    })
    .flatten()
}

/// Returns the slot of a span without handles to a pool.
pub(crate) fn return_slot(mut slot: Box<SpanSlot>) {
    if slot.is_inherited() {
        // Leaked: a thread of the parent may have been changing it at the fork.
        return mem::forget(slot);
    }
    if slot.is_capped() {
        // Freed, so that memory falls again. This may drop the tracer and run user code, as in `return_clear_slot`.
        return drop(slot);
    }
    clear_slot(&mut slot);
    return_clear_slot(slot);
}

/// Empties a slot of this process for the next span.
#[inline]
pub(crate) fn clear_slot(slot: &mut SpanSlot) {
    if let Some(decision) = slot.clear() {
        return_decision(slot, decision);
    }
}

/// Puts a decision into a pool if the span was its last holder.
#[inline]
fn return_decision(slot: &SpanSlot, mut decision: DecisionRef) {
    let Some(vacant) = decision.get_mut() else {
        return;
    };
    vacant.clear();
    // A decision of another tracer, or of the parent process, is freed.
    if vacant.key == slot.key
        && let Some(state) = current_of(slot.key)
        && let Err(decision) = state.decisions.push_into_room(decision)
        && let Err(refused) = state.decisions.push(decision)
    {
        let mut decisions = state.decisions.take_some();
        decisions.push(refused);
        drop(slot.recorder.decisions.put(decisions));
    }
}

/// Returns a clear slot of this process to the thread's pool, or to another one.
#[inline]
pub(crate) fn give_back(slot: Box<SpanSlot>) {
    if let Some(state) = current_of(slot.key)
        && !slot.recorder.queue.is_closed()
    {
        if let Err(slot) = state.take_back(slot) {
            return_clear_slot(slot);
        }
    } else {
        return_clear_slot(slot);
    }
}

/// Returns a clear slot of this process to a pool.
///
/// Dropping a tracer's last slot drops the tracer and runs user code, so no thread state may be borrowed here.
#[inline(never)]
pub(crate) fn return_clear_slot(slot: Box<SpanSlot>) {
    if let Some(state) = current_of(slot.key)
        && !slot.recorder.queue.is_closed()
    {
        if let Err(refused) = state.pool.push(slot) {
            return_to_shared_pool(refused);
        }
    } else {
        return_to_shared_pool(slot);
    }
}

/// Returns a slot that the pool of the current state does not take: to another pool of this thread, or the shared one.
#[cold]
#[inline(never)]
fn return_to_shared_pool(slot: Box<SpanSlot>) {
    let recorder = slot.recorder.clone();
    let queue = &recorder.queue;
    if queue.is_closed() {
        empty_pool(queue.id());
        return;
    }
    let mut slots = vec![slot];
    // The threads of a loom model have no pools: a slot that outlives one run cannot be used in the next.
    if !cfg!(tracehound_loom)
        && let Some(state) = make_current(queue.id(), None)
    {
        let Some(slot) = slots.pop() else { return };
        match state.pool.push(slot) {
            Ok(()) => return,
            Err(refused) => {
                slots.push(refused);
                slots.extend(state.pool.take_some());
            }
        }
    }
    // Frees the slots that find no room.
    drop(recorder.slots.put(slots));
}

/// Frees the vacant slots of a closed tracer: those of the shared pool and of the calling thread.
///
/// Other threads free theirs when they return a slot, begin to use another tracer, or end. May run user code.
pub(crate) fn release_slots(recorder: &Recorder) {
    drop(recorder.slots.close());
    empty_pool(recorder.queue.id());
}

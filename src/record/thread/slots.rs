//! The vacant slots of a thread: where a span that starts gets one, and where the last handle gives it back.

use std::mem;
use std::sync::Arc;

use crate::metrics::Counter;
use crate::record::open::slot::SpanSlot;
use crate::record::open::tracer::{Decider, Recorder};
use crate::record::pool::SharedPool;
use crate::record::queue::span_queue::SpanQueue;
use crate::record::thread::state::{
    current, current_of, empty_pool, forget_closed_tracers, make_current, with_sampler_tags,
    with_state,
};
use crate::sampler::SamplerTags;

impl SpanSlot {
    /// Returns a vacant slot: one of the thread's pool, of the shared pool, or a new one.
    pub(crate) fn vacant<L>(
        tracer: &Arc<L>,
        recorder: &Arc<Recorder>,
        pool: &Arc<SharedPool<Self>>,
    ) -> Box<Self>
    where
        L: Decider + 'static,
    {
        take_slot(&recorder.queue, pool)
            .unwrap_or_else(|| Self::allocate(tracer.clone(), recorder.clone(), pool.clone()))
    }

    /// Returns a vacant slot, and counts, if the thread has used the same tracer last and has a slot in its pool.
    #[inline(always)]
    pub(crate) fn try_vacant(
        recorder: &Recorder,
        counters: (Counter, Option<Counter>),
    ) -> Option<Box<Self>> {
        let state = current(recorder.queue.id())?;
        let slot = state.pool.pop()?;
        state.count_both(counters);
        Some(slot)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn allocate(
        tracer: Arc<dyn Decider>,
        recorder: Arc<Recorder>,
        pool: Arc<SharedPool<Self>>,
    ) -> Box<Self> {
        forget_closed_tracers();
        recorder.queue.enter();
        Self::new(tracer, recorder, pool)
    }

    /// Sets the sampler's tags of a span that is not shared yet; returns how many of their parts were cut.
    #[inline(always)]
    pub(crate) fn push_sampler_tags(&mut self, tags: SamplerTags) -> u64 {
        let recorder = &self.recorder;
        let buffer = self.buffer.get_mut();
        with_sampler_tags(&recorder.queue, tags, &recorder.limits, |encoded| {
            buffer.push_encoded(encoded)
        })
    }
}

fn take_slot(queue: &SpanQueue, pool: &SharedPool<SpanSlot>) -> Option<Box<SpanSlot>> {
    with_state(queue, |state| {
        state.pool.pop().or_else(|| {
            state.pool.fill(pool);
            state.pool.pop()
        })
    })
    .flatten()
}

/// Takes back the slot of a span without handles.
pub(crate) fn return_slot(mut slot: Box<SpanSlot>) {
    if slot.is_inherited() {
        // A thread of the parent may have been changing it.
        return mem::forget(slot);
    }
    slot.clear();
    return_clear_slot(slot);
}

/// Takes back a clear slot of this process.
///
/// Dropping a tracer's last slot drops the tracer and runs user code, so no state of this thread may be borrowed here.
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

/// Takes back a slot that the pool of the tracer used last does not take.
#[cold]
#[inline(never)]
fn return_to_shared_pool(slot: Box<SpanSlot>) {
    let (queue, pool) = (slot.recorder.queue.clone(), slot.pool.clone());
    if queue.is_closed() {
        empty_pool(queue.id());
        return;
    }
    let mut slots = vec![slot];
    // The threads of a model have no pools: what outlives a run of it cannot be used in the next one.
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
    // The slots that find no room are freed here.
    drop(pool.put(slots));
}

/// Lets go of the vacant slots of a tracer that is closed: those of the shared pool and of the calling thread.
///
/// Other threads let go of theirs when they give a slot back, begin to use another tracer, or end. May run user code.
pub(crate) fn release_slots(queue: &SpanQueue, pool: &SharedPool<SpanSlot>) {
    drop(pool.close());
    empty_pool(queue.id());
}

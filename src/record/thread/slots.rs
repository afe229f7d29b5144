//! The vacant boxes of a thread: where a span that starts gets one, and where the last handle gives it back.

use std::mem;
use std::sync::Arc;

use crate::metrics::Counter;
use crate::model::sampling::SamplerTags;
use crate::record::open::decider::Lifecycle;
use crate::record::open::slot::SpanCell;
use crate::record::open::tracer::Recorder;
use crate::record::pool::SharedPool;
use crate::record::queue::span_queue::Store;
use crate::record::thread::state::{
    current, current_of, forget, forget_closed, switch, with_local, with_sampler_tags,
};

impl SpanCell {
    /// Returns a vacant box: one of the thread's pool, of the shared pool, or a new one.
    pub(crate) fn vacant<L>(
        tracer: &Arc<L>,
        recorder: &Arc<Recorder>,
        pool: &Arc<SharedPool<Self>>,
    ) -> Box<Self>
    where
        L: Lifecycle + 'static,
    {
        take_cell(&recorder.store, pool)
            .unwrap_or_else(|| Self::allocate(tracer.clone(), recorder.clone(), pool.clone()))
    }

    /// Returns a vacant box, and counts, if the thread has used the same tracer last and has a box in its pool.
    #[inline(always)]
    pub(crate) fn vacant_at_hand(
        recorder: &Recorder,
        counters: (Counter, Option<Counter>),
    ) -> Option<Box<Self>> {
        let local = current(recorder.store.id())?;
        let cell = local.pool.pop()?;
        local.count_both(counters);
        Some(cell)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn allocate(
        tracer: Arc<dyn Lifecycle>,
        recorder: Arc<Recorder>,
        pool: Arc<SharedPool<Self>>,
    ) -> Box<Self> {
        forget_closed();
        recorder.store.enter();
        Self::new(tracer, recorder, pool)
    }

    /// Sets the sampler's tags of a span that is not shared yet; returns how many of their parts were cut.
    #[inline(always)]
    pub(crate) fn push_sampler_tags(&mut self, tags: SamplerTags) -> u64 {
        let recorder = &self.recorder;
        let buffer = self.buffer.get_mut();
        with_sampler_tags(&recorder.store, tags, &recorder.limits, |encoded| {
            buffer.push_encoded(encoded)
        })
    }
}

fn take_cell(store: &Store, pool: &SharedPool<SpanCell>) -> Option<Box<SpanCell>> {
    with_local(store, |local| {
        local.pool.pop().or_else(|| {
            local.pool.fill(pool);
            local.pool.pop()
        })
    })
    .flatten()
}

/// Takes back the box of a span without handles.
pub(crate) fn give_cell(mut cell: Box<SpanCell>) {
    if cell.is_inherited() {
        // A thread of the parent may have been changing it.
        return mem::forget(cell);
    }
    cell.clear();
    give_clear_cell(cell);
}

/// Takes back a clear box of this process.
///
/// Dropping a tracer's last box drops the tracer and runs user code, so no state of this thread may be borrowed here.
#[inline(never)]
pub(crate) fn give_clear_cell(cell: Box<SpanCell>) {
    if let Some(local) = current_of(cell.key)
        && !cell.recorder.store.is_closed()
    {
        if let Err(refused) = local.pool.push(cell) {
            give_elsewhere(refused);
        }
    } else {
        give_elsewhere(cell);
    }
}

/// Takes back a box that the pool of the tracer used last does not take.
#[cold]
#[inline(never)]
fn give_elsewhere(cell: Box<SpanCell>) {
    let (store, pool) = (cell.recorder.store.clone(), cell.pool.clone());
    if store.is_closed() {
        forget(store.id());
        return;
    }
    let mut cells = vec![cell];
    // The threads of a model have no pools: what outlives a run of it cannot be used in the next one.
    if !cfg!(tracehound_loom)
        && let Some(local) = switch(store.id(), None)
    {
        let Some(cell) = cells.pop() else { return };
        match local.pool.push(cell) {
            Ok(()) => return,
            Err(refused) => {
                cells.push(refused);
                cells.extend(local.pool.take_some());
            }
        }
    }
    // The boxes that find no room are freed here.
    drop(pool.put(cells));
}

/// Lets go of the vacant boxes of a tracer that is closed: those of the shared pool and of the calling thread.
///
/// Other threads let go of theirs when they give a box back, begin to use another tracer, or end. May run user code.
pub(crate) fn release_slots(store: &Store, pool: &SharedPool<SpanCell>) {
    drop(pool.close());
    forget(store.id());
}

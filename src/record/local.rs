//! What a thread keeps of each tracer: a ring, counters and a pool of vacant boxes.
//!
//! ```text
//!  CURRENT ─► the pair (this thread, tracer) that was used last     one plain load, no destructor
//!  LOCALS  ─► all pairs of this thread                              ended when the thread ends
//! ```
//!
//! `CURRENT` is null or points into an `Rc` that `LOCALS` holds; it is set to null before `LOCALS` lets one go. When
//! the thread ends, `LOCALS` is destroyed and stays so: from then on there is no pair, and who asks does without.
//!
//! A box in a pool keeps the tracer that it was made for in memory, not open. Pools of closed tracers are emptied by the
//! thread that closes, by a thread that gives a box back, by one that begins to use another tracer, and at thread end.
//!
//! In a forked child `CURRENT` is null (`fork`), and pairs of the parent are left where they are.

use std::cell::{Cell, RefCell};
use std::mem;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use crate::metrics::{CounterBlock, Metrics};
use crate::model::sampling::SamplerTags;
use crate::record::cell::SpanCell;
use crate::record::depot::BATCH;
use crate::record::limits::Limits;
use crate::record::ring::Ring;
use crate::record::sampler_tags::EncodedTags;
use crate::record::store::Store;
use crate::sync::generation;

/// What a thread keeps of one tracer.
pub(super) struct Local {
    store: u64,
    /// Of the process.
    generation: u32,
    pub(super) ring: Arc<Ring>,
    pub(super) counters: Arc<CounterBlock>,
    metrics: Metrics,
    #[expect(clippy::vec_box, reason = "handles point at the boxes")]
    pool: RefCell<Vec<Box<SpanCell>>>,
    sampler_tags: RefCell<Option<EncodedTags>>,
}

impl Local {
    pub(super) fn new(store: u64, ring: Arc<Ring>, metrics: &Metrics) -> Self {
        Self {
            store,
            generation: generation(),
            ring,
            counters: metrics.register(),
            metrics: metrics.clone(),
            pool: RefCell::new(Vec::with_capacity(POOL)),
            sampler_tags: RefCell::default(),
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.ring.end();
        self.metrics.retire(&self.counters);
        let cells = self.pool.take();
        if let Some(cell) = cells.first() {
            let store = cell.recorder.store.clone();
            // What the depot refuses is dropped here, and that may run code of the user's.
            drop(store.depot().put(cells));
        }
    }
}

thread_local! {
    static CURRENT: Cell<*const Local> = const { Cell::new(ptr::null()) };
    static LOCALS: Locals = const { Locals(RefCell::new(Vec::new())) };
}

struct Locals(RefCell<Vec<Rc<Local>>>);

impl Drop for Locals {
    fn drop(&mut self) {
        CURRENT.set(ptr::null());
        leave_inherited(self.0.get_mut());
    }
}

/// In a forked child: what the thread kept in the parent is not to be touched. Does nothing but a store.
#[cfg(all(unix, not(miri)))]
pub(super) fn forget_current() {
    CURRENT.set(ptr::null());
}

/// Leaves behind what the thread kept in the parent of this process: not freed, because that takes locks which may be
/// held there. They are all of the parent or none.
fn leave_inherited(locals: &mut Vec<Rc<Local>>) {
    if locals
        .first()
        .is_some_and(|local| local.generation != generation())
    {
        mem::forget(mem::take(locals));
    }
}

/// Runs `use_local` on what the calling thread keeps of `store`, which it begins to keep if need be; `None` while the
/// thread is torn down, and where the store was closed before. `use_local` must not run code of the user's.
#[inline]
pub(super) fn with_local<R>(store: &Store, use_local: impl FnOnce(&Local) -> R) -> Option<R> {
    match current(store.id()) {
        Some(local) => Some(use_local(local)),
        None => switch(store.id(), Some(store)).map(|local| use_local(&local)),
    }
}

/// A vacant box of that tracer.
#[inline]
pub(super) fn take_cell(store: &Store) -> Option<Box<SpanCell>> {
    with_local(store, |local| {
        let mut pool = local.pool.try_borrow_mut().ok()?;
        if pool.is_empty() {
            store.depot().take(&mut pool);
        }
        pool.pop()
    })
    .flatten()
}

/// Takes back the box of a span without handles.
#[inline]
pub(super) fn give_cell(mut cell: Box<SpanCell>) {
    if cell.is_inherited() {
        // A thread of the parent may have been changing it.
        mem::forget(cell);
        return;
    }
    cell.clear();
    if cfg!(tracehound_loom) {
        // What outlives a run of the model cannot be used in the next one.
        return;
    }
    let store = &cell.recorder.store;
    if let Some(local) = current(store.id()).filter(|_| !store.is_closed())
        && let Ok(mut pool) = local.pool.try_borrow_mut()
        && pool.len() < POOL
    {
        pool.push(cell);
        return;
    }
    give_elsewhere(cell);
}

/// Runs `use_tags` on the encoded form of `tags`, which is kept from one span to the next.
#[inline]
pub(super) fn with_sampler_tags<R>(
    store: &Store,
    tags: SamplerTags,
    limits: &Limits,
    use_tags: impl FnOnce(&EncodedTags) -> R,
) -> R {
    if let Some(local) = current(store.id())
        && let Ok(mut known) = local.sampler_tags.try_borrow_mut()
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
pub(super) fn forget(store: u64) {
    let cells = switch(store, None).map(|local| local.pool.take());
    // Only now: the last box of a tracer takes the tracer with it, and that is code of the user's.
    drop(cells);
}

/// Lets go of what the calling thread keeps of tracers that are closed. Runs code of the user's.
pub(super) fn forget_closed() {
    let closed = LOCALS.try_with(|locals| {
        let mut locals = locals.0.try_borrow_mut().ok()?;
        leave_inherited(&mut locals);
        let (closed, open) = locals.drain(..).partition(|local| local.ring.is_closed());
        *locals = open;
        let closed: Vec<Rc<Local>> = closed;
        if !closed.is_empty() {
            CURRENT.set(ptr::null());
        }
        Some(closed)
    });
    drop(closed);
}

/// The pair that was used last, if it is that tracer's.
#[inline]
fn current<'a>(store: u64) -> Option<&'a Local> {
    // SAFETY: `CURRENT` is null or points to a `Local` that `LOCALS` of this thread holds (see the module). Whoever
    // takes one out of `LOCALS` (`forget_closed`, thread end) is never called while the result is in use: what uses it
    // runs no code of the user's and calls neither.
    let local = unsafe { CURRENT.get().as_ref() };
    local.filter(|local| local.store == store)
}

/// Makes the pair with that tracer the current one; where there is none yet, with what `begin` gives.
#[cold]
fn switch(store: u64, begin: Option<&Store>) -> Option<Rc<Local>> {
    LOCALS
        .try_with(|locals| {
            let mut locals = locals.0.try_borrow_mut().ok()?;
            leave_inherited(&mut locals);
            let known = locals.iter().find(|local| local.store == store);
            let local = match (known, begin) {
                (Some(local), _) => local.clone(),
                (None, Some(begin)) => {
                    let local = Rc::new(begin.register()?);
                    locals.push(local.clone());
                    local
                }
                (None, None) => return None,
            };
            CURRENT.set(Rc::as_ptr(&local));
            Some(local)
        })
        .ok()
        .flatten()
}

/// Where the pool of the last used tracer does not take a box.
#[cold]
fn give_elsewhere(cell: Box<SpanCell>) {
    let store = cell.recorder.store.clone();
    if store.is_closed() {
        forget(store.id());
        return;
    }
    let mut cells = vec![cell];
    if let Some(local) = switch(store.id(), None)
        && let Ok(mut pool) = local.pool.try_borrow_mut()
    {
        if pool.len() < POOL {
            pool.append(&mut cells);
        } else {
            cells.extend(pool.drain(POOL - BATCH..));
        }
    }
    // Out of every borrow: what the depot refuses is freed here.
    drop(store.depot().put(cells));
}

/// Vacant boxes that a thread keeps of one tracer.
const POOL: usize = 64;

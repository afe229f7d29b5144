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

use std::cell::{Cell, RefCell, UnsafeCell};
use std::mem;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use crate::metrics::{Counter, CounterBlock, Metrics};
use crate::record::cell::SpanCell;
use crate::record::depot::BATCH;
use crate::record::limits::Limits;
use crate::record::ring::RingWriter;
use crate::record::sampler_tags::EncodedTags;
use crate::record::store::{Store, StoreKey};
use crate::sampler::SamplerTags;

/// What a thread keeps of one tracer.
pub(super) struct Local {
    store: u64,
    /// The same for this process: boxes of the pool have it too.
    key: StoreKey,
    pub(super) writer: RingWriter,
    pub(super) counters: Arc<CounterBlock>,
    metrics: Metrics,
    pool: Pool,
    sampler_tags: RefCell<Option<EncodedTags>>,
}

impl Local {
    pub(super) fn new(store: &Store, writer: RingWriter, metrics: &Metrics) -> Self {
        Self {
            store: store.id(),
            key: store.key(),
            writer,
            counters: metrics.register(),
            metrics: metrics.clone(),
            pool: Pool::default(),
            sampler_tags: RefCell::default(),
        }
    }

    /// Takes back a clear box of this tracer; one for which there is no room is for [`give_clear_cell`].
    #[inline(always)]
    pub(super) fn take_back(&self, cell: Box<SpanCell>) -> Result<(), Box<SpanCell>> {
        self.pool.push_into_room(cell)
    }

    #[inline(always)]
    pub(super) fn count_both(&self, (counter, second): (Counter, Option<Counter>)) {
        self.counters.count(counter);
        if let Some(second) = second {
            self.counters.count(second);
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.writer.end();
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
        .is_some_and(|local| !local.key.is_of_this_process())
    {
        mem::forget(mem::take(locals));
    }
}

/// Runs `use_local` on what the calling thread keeps of `store`, which it begins to keep if need be; `None` while the
/// thread is torn down, and where the store was closed before. `use_local` must not run code of the user's.
#[inline(always)]
pub(super) fn with_local<R>(store: &Store, use_local: impl FnOnce(&Local) -> R) -> Option<R> {
    match current(store.id()) {
        Some(local) => Some(use_local(local)),
        None => switch(store.id(), Some(store)).map(|local| use_local(&local)),
    }
}

/// A vacant box of that tracer, if the thread has last used the same one. Counts, too, where there is one.
#[inline(always)]
pub(super) fn take_cell_at_hand(
    store: &Store,
    counters: (Counter, Option<Counter>),
) -> Option<Box<SpanCell>> {
    let local = current(store.id())?;
    let cell = local.pool.pop()?;
    local.count_both(counters);
    Some(cell)
}

/// A vacant box of that tracer.
pub(super) fn take_cell(store: &Store) -> Option<Box<SpanCell>> {
    with_local(store, |local| {
        local.pool.pop().or_else(|| {
            local.pool.fill(|cells| store.depot().take(cells));
            local.pool.pop()
        })
    })
    .flatten()
}

/// Takes back the box of a span without handles.
pub(super) fn give_cell(mut cell: Box<SpanCell>) {
    if cell.is_inherited() {
        // A thread of the parent may have been changing it.
        return mem::forget(cell);
    }
    cell.clear();
    give_clear_cell(cell);
}

/// The same of a clear box of this process. The last box of a tracer takes the tracer with it, and that is code of the
/// user's: nothing of this thread may be in use.
#[inline(never)]
pub(super) fn give_clear_cell(cell: Box<SpanCell>) {
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
        let (closed, open) = locals
            .drain(..)
            .partition(|local| local.writer.ring().is_closed());
        *locals = open;
        let closed: Vec<Rc<Local>> = closed;
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
pub(super) fn current<'a>(store: u64) -> Option<&'a Local> {
    // SAFETY: `CURRENT` is null or points to a `Local` that `LOCALS` of this thread holds (see the module). Whoever
    // takes one out of `LOCALS` (`forget_closed`, thread end) is never called while the result is in use: what uses it
    // runs no code of the user's and calls neither.
    let local = unsafe { CURRENT.get().as_ref() };
    local.filter(|local| local.store == store)
}

/// The same for a box of that tracer that was made in this process.
#[inline(always)]
pub(super) fn current_of<'a>(key: StoreKey) -> Option<&'a Local> {
    // SAFETY: as in `current`.
    let local = unsafe { CURRENT.get().as_ref() };
    local.filter(|local| local.key == key)
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
#[inline(never)]
fn give_elsewhere(cell: Box<SpanCell>) {
    let store = cell.recorder.store.clone();
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
    // What the depot refuses is freed here.
    drop(store.depot().put(cells));
}

/// Vacant boxes that a thread keeps of one tracer.
#[derive(Default)]
struct Pool {
    #[expect(clippy::vec_box, reason = "handles point at the boxes")]
    cells: UnsafeCell<Vec<Box<SpanCell>>>,
}

#[expect(clippy::vec_box, reason = "handles point at the boxes")]
impl Pool {
    #[inline(always)]
    fn pop(&self) -> Option<Box<SpanCell>> {
        // SAFETY: as in `fill`.
        unsafe { &mut *self.cells.get() }.pop()
    }

    /// Gives the box back where the pool is full.
    fn push(&self, cell: Box<SpanCell>) -> Result<(), Box<SpanCell>> {
        // SAFETY: as in `fill`.
        let cells = unsafe { &mut *self.cells.get() };
        let len = cells.len();
        if len >= POOL {
            return Err(cell);
        }
        if len == cells.capacity() {
            // Most threads have few spans open at once.
            cells.reserve_exact((3 * len).max(4).min(POOL - len));
        }
        cells.push(cell);
        Ok(())
    }

    /// The same for a pool that has memory for it.
    #[inline(always)]
    fn push_into_room(&self, cell: Box<SpanCell>) -> Result<(), Box<SpanCell>> {
        // SAFETY: as in `fill`.
        let cells = unsafe { &mut *self.cells.get() };
        let len = cells.len();
        if len == cells.capacity() {
            return Err(cell);
        }
        // SAFETY: the capacity is larger than the length.
        unsafe {
            cells.as_mut_ptr().add(len).write(cell);
            cells.set_len(len + 1);
        }
        Ok(())
    }

    /// `add` adds no more than a batch, and only where there is none.
    fn fill(&self, add: impl FnOnce(&mut Vec<Box<SpanCell>>)) {
        // SAFETY: a pool stays with one thread (it is not `Sync`), and no method of it is called in another one: nothing
        // that is called here drops a box or knows of the pool. So this is the only reference.
        add(unsafe { &mut *self.cells.get() });
    }

    /// Some of those in a full pool.
    fn take_some(&self) -> Vec<Box<SpanCell>> {
        // SAFETY: as in `fill`.
        let cells = unsafe { &mut *self.cells.get() };
        cells.split_off(POOL - BATCH)
    }

    fn take(&self) -> Vec<Box<SpanCell>> {
        // SAFETY: as in `fill`.
        mem::take(unsafe { &mut *self.cells.get() })
    }
}

/// How many a pool holds.
const POOL: usize = 64;

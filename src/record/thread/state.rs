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

use crate::metrics::{Counter, CounterBlock, Metrics};
use crate::model::sampling::SamplerTags;
use crate::record::open::slot::SpanCell;
use crate::record::pool::LocalPool;
use crate::record::queue::span_queue::{Store, StoreKey};
use crate::record::queue::thread_queue::RingWriter;
use crate::record::wire::limits::Limits;
use crate::record::wire::sampler_tags::EncodedTags;

/// What a thread keeps of one tracer.
pub(crate) struct Local {
    store: u64,
    /// The same for this process: boxes of the pool have it too.
    key: StoreKey,
    pub(crate) writer: RingWriter,
    pub(crate) counters: Arc<CounterBlock>,
    metrics: Metrics,
    pub(super) pool: LocalPool<SpanCell>,
    sampler_tags: RefCell<Option<EncodedTags>>,
}

impl Local {
    /// Begins to keep a tracer; `None` once that is closed.
    pub(crate) fn register(store: &Store) -> Option<Self> {
        let writer = store.new_writer()?;
        let metrics = store.metrics();
        Some(Self {
            store: store.id(),
            key: store.key(),
            writer,
            counters: metrics.register(),
            metrics: metrics.clone(),
            pool: LocalPool::new(),
            sampler_tags: RefCell::default(),
        })
    }

    /// Takes back a clear box of this tracer; one for which there is no room is for [`give_clear_cell`].
    #[inline(always)]
    pub(crate) fn take_back(&self, cell: Box<SpanCell>) -> Result<(), Box<SpanCell>> {
        self.pool.push_into_room(cell)
    }

    #[inline(always)]
    pub(crate) fn count_both(&self, (counter, second): (Counter, Option<Counter>)) {
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
            let pool = cell.pool.clone();
            // The boxes that find no room are dropped here, which may run user code.
            drop(pool.put(cells));
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
pub(crate) fn forget_current() {
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
pub(crate) fn with_local<R>(store: &Store, use_local: impl FnOnce(&Local) -> R) -> Option<R> {
    match current(store.id()) {
        Some(local) => Some(use_local(local)),
        None => switch(store.id(), Some(store)).map(|local| use_local(&local)),
    }
}

/// Runs `use_tags` on the encoded form of `tags`, which is kept from one span to the next.
#[inline]
pub(crate) fn with_sampler_tags<R>(
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
pub(crate) fn forget(store: u64) {
    let cells = switch(store, None).map(|local| local.pool.take());
    // Only now: the last box of a tracer takes the tracer with it, and that is code of the user's.
    drop(cells);
}

/// Lets go of what the calling thread keeps of tracers that are closed. Runs code of the user's.
pub(crate) fn forget_closed() {
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
pub(crate) fn current<'a>(store: u64) -> Option<&'a Local> {
    // SAFETY: `CURRENT` is null or points to a `Local` that `LOCALS` of this thread holds (see the module). Whoever
    // takes one out of `LOCALS` (`forget_closed`, thread end) is never called while the result is in use: what uses it
    // runs no code of the user's and calls neither.
    let local = unsafe { CURRENT.get().as_ref() };
    local.filter(|local| local.store == store)
}

/// The same for a box of that tracer that was made in this process.
#[inline(always)]
pub(crate) fn current_of<'a>(key: StoreKey) -> Option<&'a Local> {
    // SAFETY: as in `current`.
    let local = unsafe { CURRENT.get().as_ref() };
    local.filter(|local| local.key == key)
}

/// Makes the pair with that tracer the current one; where there is none yet, with what `begin` gives.
#[cold]
pub(super) fn switch(store: u64, begin: Option<&Store>) -> Option<Rc<Local>> {
    LOCALS
        .try_with(|locals| {
            let mut locals = locals.0.try_borrow_mut().ok()?;
            leave_inherited(&mut locals);
            let known = locals.iter().find(|local| local.store == store);
            let local = match (known, begin) {
                (Some(local), _) => local.clone(),
                (None, Some(begin)) => {
                    let local = Rc::new(Local::register(begin)?);
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

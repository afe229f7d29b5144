//! Pools of vacant slots and shared decisions: a small one for each thread and tracer, and a shared one for each
//! tracer.
//!
//! The shared pool moves items from threads that only finish spans to threads that only start them, so neither
//! allocates. An item is a pointer: a `Box` or an `Arc`, and what it points at stays where it is.

use std::cell::UnsafeCell;
use std::fmt;
use std::mem;
use std::sync::PoisonError;

use crate::sync::{Mutex, MutexGuard, PerProcess};

/// Vacant items that the threads of one tracer share.
///
/// A slot keeps its tracer in memory, and the tracer keeps the pool. The tracer breaks this cycle by
/// [`close`](Self::close).
pub(crate) struct SharedPool<P: 'static> {
    /// `None` once the pool is closed.
    items: PerProcess<Mutex<Option<Vec<P>>>>,
}

impl<P> SharedPool<P> {
    /// Makes an empty pool.
    pub(crate) fn new() -> Self {
        Self {
            items: PerProcess::new(Mutex::new(Some(Vec::new()))),
        }
    }

    /// Puts items in and returns those that find no room. The caller drops them, which may run user code.
    pub(crate) fn put(&self, mut items: Vec<P>) -> Vec<P> {
        if let Some(stored) = &mut *self.lock() {
            let room = SHARED_LIMIT.saturating_sub(stored.len()).min(items.len());
            stored.extend(items.drain(..room));
        }
        items
    }

    /// Moves up to [`BATCH`] items to `pool`.
    pub(crate) fn take(&self, pool: &mut Vec<P>) {
        if let Some(stored) = &mut *self.lock() {
            let rest = stored.len().saturating_sub(BATCH);
            pool.extend(stored.drain(rest..));
        }
    }

    /// Closes the pool and returns its items. It takes no item afterwards.
    pub(crate) fn close(&self) -> Option<Vec<P>> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<P>>> {
        // A forked child begins with an empty pool: the parent's may have been locked at the fork.
        let items = self.items.get(|_| Mutex::new(Some(Vec::new())));
        items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P> fmt::Debug for SharedPool<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedPool")
    }
}

/// Vacant items that one thread keeps for one tracer.
///
/// The pool is not `Sync`, so one thread uses it. No method runs user code or drops an item.
pub(crate) struct LocalPool<P> {
    items: UnsafeCell<Vec<P>>,
}

impl<P> LocalPool<P> {
    /// Makes an empty pool.
    pub(crate) fn new() -> Self {
        Self {
            items: UnsafeCell::default(),
        }
    }

    /// Takes an item out.
    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<P> {
        // SAFETY: as in `fill`.
        unsafe { &mut *self.items.get() }.pop()
    }

    /// Puts an item in. Returns it if the pool is full.
    pub(crate) fn push(&self, one: P) -> Result<(), P> {
        // SAFETY: as in `fill`.
        let items = unsafe { &mut *self.items.get() };
        let len = items.len();
        if len >= LOCAL_LIMIT {
            return Err(one);
        }
        if len == items.capacity() {
            // Grown in small steps: most threads have few spans open at once.
            items.reserve_exact((3 * len).max(4).min(LOCAL_LIMIT - len));
        }
        items.push(one);
        Ok(())
    }

    /// Puts an item in. Returns it if the pool would have to grow.
    #[inline(always)]
    pub(crate) fn push_into_room(&self, one: P) -> Result<(), P> {
        // SAFETY: as in `fill`.
        let items = unsafe { &mut *self.items.get() };
        let len = items.len();
        if len == items.capacity() {
            return Err(one);
        }
        // SAFETY: the capacity is larger than the length.
        unsafe {
            items.as_mut_ptr().add(len).write(one);
            items.set_len(len + 1);
        }
        Ok(())
    }

    /// Fills an empty pool from the shared one.
    pub(crate) fn fill(&self, shared: &SharedPool<P>) {
        // SAFETY: one thread uses the pool, and no function that a method calls uses it again, so this is the only
        // reference to the list.
        shared.take(unsafe { &mut *self.items.get() });
    }

    /// Takes [`BATCH`] items out of a full pool.
    pub(crate) fn take_some(&self) -> Vec<P> {
        // SAFETY: as in `fill`.
        let items = unsafe { &mut *self.items.get() };
        items.split_off(LOCAL_LIMIT - BATCH)
    }

    /// Takes all items.
    pub(crate) fn take(&self) -> Vec<P> {
        // SAFETY: as in `fill`.
        mem::take(unsafe { &mut *self.items.get() })
    }
}

/// The number of items that move to or from the shared pool at once.
const BATCH: usize = 32;
/// The most items that a thread keeps.
const LOCAL_LIMIT: usize = 64;
/// The most items that the shared pool keeps.
const SHARED_LIMIT: usize = 512;

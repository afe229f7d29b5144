//! Pools of vacant boxes: a small one for each thread and tracer, and a shared one for each tracer.
//!
//! The shared pool moves boxes from threads that only finish spans to threads that only start them, so neither
//! allocates. The values stay in their boxes because handles point at them.

use std::cell::UnsafeCell;
use std::fmt;
use std::mem;
use std::sync::PoisonError;

use crate::sync::{Mutex, MutexGuard, PerProcess};

/// Vacant boxes that the threads of one tracer share.
///
/// A box keeps its tracer in memory, and the tracer keeps the pool. The tracer breaks this cycle by
/// [`close`](Self::close).
pub(crate) struct SharedPool<T: 'static> {
    /// `None` once the pool is closed.
    boxes: PerProcess<Mutex<Option<Vec<Box<T>>>>>,
}

impl<T> SharedPool<T> {
    /// Makes an empty pool.
    pub(crate) fn new() -> Self {
        Self {
            boxes: PerProcess::new(Mutex::new(Some(Vec::new()))),
        }
    }

    /// Puts boxes in and returns those that find no room. The caller drops them, which may run user code.
    pub(crate) fn put(&self, mut boxes: Vec<Box<T>>) -> Vec<Box<T>> {
        if let Some(stored) = &mut *self.lock() {
            let room = SHARED_LIMIT.saturating_sub(stored.len()).min(boxes.len());
            stored.extend(boxes.drain(..room));
        }
        boxes
    }

    /// Moves up to [`BATCH`] boxes to `pool`.
    pub(crate) fn take(&self, pool: &mut Vec<Box<T>>) {
        if let Some(stored) = &mut *self.lock() {
            let rest = stored.len().saturating_sub(BATCH);
            pool.extend(stored.drain(rest..));
        }
    }

    /// Closes the pool and returns its boxes. It takes no box afterwards.
    pub(crate) fn close(&self) -> Option<Vec<Box<T>>> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Box<T>>>> {
        // A forked child begins with an empty pool: the parent's may have been locked at the fork.
        let boxes = self.boxes.get(|_| Mutex::new(Some(Vec::new())));
        boxes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for SharedPool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedPool")
    }
}

/// Vacant boxes that one thread keeps for one tracer.
///
/// The pool is not `Sync`, so one thread uses it. No method runs user code or drops a box.
pub(crate) struct LocalPool<T> {
    boxes: UnsafeCell<Vec<Box<T>>>,
}

impl<T> LocalPool<T> {
    /// Makes an empty pool.
    pub(crate) fn new() -> Self {
        Self {
            boxes: UnsafeCell::default(),
        }
    }

    /// Takes a box out.
    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<Box<T>> {
        // SAFETY: as in `fill`.
        unsafe { &mut *self.boxes.get() }.pop()
    }

    /// Puts a box in. Returns it if the pool is full.
    pub(crate) fn push(&self, one: Box<T>) -> Result<(), Box<T>> {
        // SAFETY: as in `fill`.
        let boxes = unsafe { &mut *self.boxes.get() };
        let len = boxes.len();
        if len >= LOCAL_LIMIT {
            return Err(one);
        }
        if len == boxes.capacity() {
            // Grown in small steps: most threads have few spans open at once.
            boxes.reserve_exact((3 * len).max(4).min(LOCAL_LIMIT - len));
        }
        boxes.push(one);
        Ok(())
    }

    /// Puts a box in. Returns it if the pool would have to grow.
    #[inline(always)]
    pub(crate) fn push_into_room(&self, one: Box<T>) -> Result<(), Box<T>> {
        // SAFETY: as in `fill`.
        let boxes = unsafe { &mut *self.boxes.get() };
        let len = boxes.len();
        if len == boxes.capacity() {
            return Err(one);
        }
        // SAFETY: the capacity is larger than the length.
        unsafe {
            boxes.as_mut_ptr().add(len).write(one);
            boxes.set_len(len + 1);
        }
        Ok(())
    }

    /// Fills an empty pool from the shared one.
    pub(crate) fn fill(&self, shared: &SharedPool<T>) {
        // SAFETY: one thread uses the pool, and no function that a method calls uses it again, so this is the only
        // reference to the list.
        shared.take(unsafe { &mut *self.boxes.get() });
    }

    /// Takes [`BATCH`] boxes out of a full pool.
    pub(crate) fn take_some(&self) -> Vec<Box<T>> {
        // SAFETY: as in `fill`.
        let boxes = unsafe { &mut *self.boxes.get() };
        boxes.split_off(LOCAL_LIMIT - BATCH)
    }

    /// Takes all boxes.
    pub(crate) fn take(&self) -> Vec<Box<T>> {
        // SAFETY: as in `fill`.
        mem::take(unsafe { &mut *self.boxes.get() })
    }
}

/// The number of boxes that move to or from the shared pool at once.
const BATCH: usize = 32;
/// The most boxes that a thread keeps.
const LOCAL_LIMIT: usize = 64;
/// The most boxes that the shared pool keeps.
const SHARED_LIMIT: usize = 512;

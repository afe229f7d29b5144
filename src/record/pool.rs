//! Vacant boxes, kept to be used again: a small pool for each thread, and one for each tracer where the threads' pools
//! meet. Threads that only start spans and threads that only finish them then do not allocate.

use std::cell::UnsafeCell;
use std::fmt;
use std::mem;
use std::sync::PoisonError;

use crate::sync::{Mutex, MutexGuard, PerProcess};

/// Vacant boxes of one tracer on their way from one thread to another.
///
/// The tracer closes it: boxes in it keep the tracer in memory, and the tracer keeps the pool.
pub(crate) struct SharedPool<T: 'static> {
    /// `None` once the pool is closed.
    boxes: PerProcess<Mutex<Option<Vec<Box<T>>>>>,
}

impl<T> SharedPool<T> {
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

    /// Takes nothing more, and returns the boxes that are there.
    pub(crate) fn close(&self) -> Option<Vec<Box<T>>> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Box<T>>>> {
        // A forked child begins with an empty pool: it leaves the parent's boxes alone.
        let boxes = self.boxes.get(|_| Mutex::new(Some(Vec::new())));
        boxes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for SharedPool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedPool")
    }
}

/// Vacant boxes that one thread keeps of one tracer.
///
/// It is not `Sync`, so it stays with one thread, and none of its methods runs user code or drops a box.
pub(crate) struct LocalPool<T> {
    boxes: UnsafeCell<Vec<Box<T>>>,
}

impl<T> LocalPool<T> {
    pub(crate) fn new() -> Self {
        Self {
            boxes: UnsafeCell::default(),
        }
    }

    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<Box<T>> {
        // SAFETY: as in `fill`.
        unsafe { &mut *self.boxes.get() }.pop()
    }

    /// Puts a box in, or gives it back if the pool is full.
    pub(crate) fn push(&self, one: Box<T>) -> Result<(), Box<T>> {
        // SAFETY: as in `fill`.
        let boxes = unsafe { &mut *self.boxes.get() };
        let len = boxes.len();
        if len >= LOCAL_LIMIT {
            return Err(one);
        }
        if len == boxes.capacity() {
            // Most threads have few spans open at once.
            boxes.reserve_exact((3 * len).max(4).min(LOCAL_LIMIT - len));
        }
        boxes.push(one);
        Ok(())
    }

    /// Puts a box in if the pool has memory for it, or gives it back.
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
        // SAFETY: the pool stays with one thread, and nothing that a method calls knows the pool: this is the only
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

/// Boxes that move to or from the shared pool at once.
const BATCH: usize = 32;
/// Boxes that a thread keeps at most.
const LOCAL_LIMIT: usize = 64;
/// Boxes that the shared pool keeps at most.
const SHARED_LIMIT: usize = 512;

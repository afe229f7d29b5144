//! How much memory finished spans may take while they wait.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::sync::PerProcess;

/// Bytes that thread queues are given out of.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: usize,
    here: PerProcess<Here>,
}

#[derive(Debug, Default)]
struct Here {
    used: AtomicUsize,
    /// Memory that was given back and waits to be used again: fresh pages cost more than what is written to them.
    free: Mutex<Vec<Vec<u8>>>,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes,
            here: PerProcess::new(Here::default()),
        })
    }

    /// The one that all tracers of the process share which have none of their own: 8 MiB.
    pub(crate) fn process() -> Arc<Self> {
        static PROCESS: OnceLock<Arc<Budget>> = OnceLock::new();
        PROCESS.get_or_init(|| Self::new(8 * 1024 * 1024)).clone()
    }

    /// Memory for `size` bytes, unless that is more than is left.
    pub(crate) fn take(&self, size: usize) -> Option<Vec<u8>> {
        if !self.charge(size) {
            return None;
        }
        let known = self.free().pop();
        let mut bytes = known.unwrap_or_default();
        bytes.reserve_exact(size);
        Some(bytes)
    }

    /// Counts `size` bytes that are there already, unless that is more than is left.
    pub(crate) fn charge(&self, size: usize) -> bool {
        let used = &self.here().used;
        used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(size).filter(|used| *used <= self.bytes)
        })
        .is_ok()
    }

    /// Takes back what [`Budget::charge`] has counted.
    pub(crate) fn discharge(&self, size: usize) {
        self.here().used.fetch_sub(size, Ordering::Relaxed);
    }

    /// Takes back what [`Budget::take`] gave for that size, emptied.
    pub(crate) fn give_back(&self, bytes: Vec<u8>, size: usize) {
        if bytes.capacity() <= KEPT_BYTES {
            let mut free = self.free();
            if free.len() < KEPT {
                free.push(bytes);
            }
        }
        self.discharge(size);
    }

    /// Frees half of the memory that waits to be used again.
    pub(crate) fn trim(&self) {
        let mut free = self.free();
        let half = free.len() / 2;
        let trimmed = free.split_off(half);
        drop(free);
        drop(trimmed);
    }

    pub(crate) fn is_half_full(&self) -> bool {
        self.here().used.load(Ordering::Relaxed) > self.bytes / 2
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.here().used.load(Ordering::Relaxed)
    }

    fn free(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        let free = self.here().free.lock();
        free.unwrap_or_else(PoisonError::into_inner)
    }

    /// A forked child has all of it: the parent's thread queues are not its own.
    fn here(&self) -> &Here {
        self.here.get(|_| Here::default())
    }
}

/// The largest piece of memory that is kept.
const KEPT_BYTES: usize = 64 * 1024;
/// How many pieces are kept at most: 4 MiB.
const KEPT: usize = 64;

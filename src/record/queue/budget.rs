//! How much memory finished spans may take while they wait.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::sync::PerProcess;

/// Bytes that thread queues are given out of.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: usize,
    usage: PerProcess<Usage>,
}

#[derive(Debug, Default)]
struct Usage {
    used: AtomicUsize,
    /// Memory that was given back and waits to be used again: fresh pages cost more than what is written to them.
    spares: Mutex<Vec<Vec<u8>>>,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes,
            usage: PerProcess::new(Usage::default()),
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
        let known = self.spares().pop();
        let mut bytes = known.unwrap_or_default();
        bytes.reserve_exact(size);
        Some(bytes)
    }

    /// Counts `size` bytes that are there already, unless that is more than is left.
    pub(crate) fn charge(&self, size: usize) -> bool {
        let used = &self.usage().used;
        used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(size).filter(|used| *used <= self.bytes)
        })
        .is_ok()
    }

    /// Takes back what [`Budget::charge`] has counted.
    pub(crate) fn discharge(&self, size: usize) {
        self.usage().used.fetch_sub(size, Ordering::Relaxed);
    }

    /// Takes back what [`Budget::take`] gave for that size, emptied.
    pub(crate) fn give_back(&self, bytes: Vec<u8>, size: usize) {
        if bytes.capacity() <= LARGEST_SPARE {
            let mut spares = self.spares();
            if spares.len() < MOST_SPARES {
                spares.push(bytes);
            }
        }
        self.discharge(size);
    }

    /// Frees half of the memory that waits to be used again.
    pub(crate) fn trim(&self) {
        let mut spares = self.spares();
        let half = spares.len() / 2;
        let trimmed = spares.split_off(half);
        drop(spares);
        drop(trimmed);
    }

    pub(crate) fn is_half_full(&self) -> bool {
        self.usage().used.load(Ordering::Relaxed) > self.bytes / 2
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.usage().used.load(Ordering::Relaxed)
    }

    fn spares(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        let spares = self.usage().spares.lock();
        spares.unwrap_or_else(PoisonError::into_inner)
    }

    /// A forked child has all of it: the parent's thread queues are not its own.
    fn usage(&self) -> &Usage {
        self.usage.get(|_| Usage::default())
    }
}

/// The largest piece of memory that is kept.
const LARGEST_SPARE: usize = 64 * 1024;
/// How many pieces are kept at most: 4 MiB.
const MOST_SPARES: usize = 64;

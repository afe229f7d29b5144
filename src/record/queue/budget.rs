//! Bounds the memory of finished spans that wait.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::sync::PerProcess;

/// A number of bytes, from which thread queues take their chunks.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: usize,
    usage: PerProcess<Usage>,
}

/// The bytes that one process uses, and its spare memory.
#[derive(Debug, Default)]
struct Usage {
    used: AtomicUsize,
    /// Memory that was given back, for the next chunks: writing to a fresh page costs more than filling it.
    spares: Mutex<Vec<Vec<u8>>>,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes,
            usage: PerProcess::new(Usage::default()),
        })
    }

    /// Returns the budget of 8 MiB that all tracers of the process share, unless they have their own.
    pub(crate) fn process() -> Arc<Self> {
        static PROCESS: OnceLock<Arc<Budget>> = OnceLock::new();
        PROCESS.get_or_init(|| Self::new(8 * 1024 * 1024)).clone()
    }

    /// Charges `size` bytes and returns memory for them, or `None` if fewer are left.
    pub(crate) fn take(&self, size: usize) -> Option<Vec<u8>> {
        if !self.charge(size) {
            return None;
        }
        let spare = self.spares().pop();
        let mut bytes = spare.unwrap_or_default();
        bytes.reserve_exact(size);
        Some(bytes)
    }

    /// Charges `size` bytes that the caller has allocated. Returns false, and charges nothing, if fewer are left.
    pub(crate) fn charge(&self, size: usize) -> bool {
        let used = &self.usage().used;
        used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(size).filter(|used| *used <= self.bytes)
        })
        .is_ok()
    }

    /// Releases `size` bytes that were charged.
    pub(crate) fn discharge(&self, size: usize) {
        self.usage().used.fetch_sub(size, Ordering::Relaxed);
    }

    /// Releases `size` bytes, and takes back the empty memory that [`Budget::take`] returned for them.
    pub(crate) fn give_back(&self, bytes: Vec<u8>, size: usize) {
        if bytes.capacity() <= LARGEST_SPARE {
            let mut spares = self.spares();
            if spares.len() < MOST_SPARES {
                spares.push(bytes);
            }
        }
        self.discharge(size);
    }

    /// Frees half of the spare memory.
    pub(crate) fn trim(&self) {
        let mut spares = self.spares();
        let half = spares.len() / 2;
        let trimmed = spares.split_off(half);
        drop(spares);
        drop(trimmed);
    }

    /// Returns whether more than half of the bytes are in use.
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

    /// Returns the usage of this process. A forked child starts with a whole budget: the parent's chunks are not its
    /// own.
    fn usage(&self) -> &Usage {
        self.usage.get(|_| Usage::default())
    }
}

/// The largest piece of memory that is kept as a spare, in bytes.
const LARGEST_SPARE: usize = 64 * 1024;
/// The largest number of spares: 4 MiB in all.
const MOST_SPARES: usize = 64;

//! How many handles an open span has.

use crate::sync::{AtomicU32, Ordering};

/// How many handles and how many owners a slot has.
///
/// Owners are counted apart: the last one to go has the span finished, the last handle makes the slot vacant. Where a
/// handle is the only one, nobody can make another meanwhile, so a load shows it and nothing needs to be taken away.
#[derive(Debug, Default)]
pub(crate) struct HandleCount {
    handles: AtomicU32,
    owners: AtomicU32,
}

impl HandleCount {
    /// For the first handle, an owner. The slot is not shared yet.
    #[inline(always)]
    pub(crate) fn begin(&self) {
        self.handles.store(1, Ordering::Relaxed);
        self.owners.store(1, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn add(&self, is_owner: bool) {
        // Relaxed: whoever adds has a handle of the same kind, so neither count is zero.
        if is_owner {
            self.owners.fetch_add(1, Ordering::Relaxed);
        }
        let before = self.handles.fetch_add(1, Ordering::Relaxed);
        if before > MAX_HANDLES {
            // As `Arc` does: a program that has leaked so many cannot be helped, and a count that runs over is unsound.
            std::process::abort();
        }
    }

    /// Takes an owner away; true for the last one.
    #[inline(always)]
    pub(crate) fn remove_owner(&self) -> bool {
        // Acquire and AcqRel: what other owners did happens before the last one finishes the span.
        if self.owners.load(Ordering::Acquire) == 1 {
            self.owners.store(0, Ordering::Relaxed);
            return true;
        }
        self.owners.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Takes a handle away; true for the last one, who then has the slot to itself.
    #[inline(always)]
    pub(crate) fn remove_handle(&self) -> bool {
        // Acquire and AcqRel: what was done through other handles happens before the slot is vacant.
        self.handles.load(Ordering::Acquire) == 1
            || self.handles.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Whether the calling handle, which it has to itself, is the only one.
    #[inline(always)]
    pub(crate) fn is_only(&self) -> bool {
        // Acquire: as in `remove_handle`.
        self.handles.load(Ordering::Acquire) == 1
    }
}

const MAX_HANDLES: u32 = u32::MAX / 2;

//! Counts of the handles to an open span.

use crate::sync::{AtomicU32, Ordering};

/// The number of handles to a slot, and the number of those that own the span.
///
/// The last owner finishes the span, the last handle makes the slot vacant. If a count is 1, the caller's handle is the
/// only one of its kind and no other thread can clone it, so a plain load replaces the atomic subtraction.
#[derive(Debug, Default)]
pub(crate) struct HandleCount {
    handles: AtomicU32,
    owners: AtomicU32,
}

impl HandleCount {
    /// Counts the first handle, an owner. The slot is not shared yet.
    #[inline(always)]
    pub(crate) fn begin(&self) {
        self.handles.store(1, Ordering::Relaxed);
        self.owners.store(1, Ordering::Relaxed);
    }

    /// Counts one more handle.
    #[inline(always)]
    pub(crate) fn add(&self, is_owner: bool) {
        // Relaxed: the caller has a handle, and an owner if it adds an owner, so no count that changes here is zero.
        if is_owner {
            self.owners.fetch_add(1, Ordering::Relaxed);
        }
        let before = self.handles.fetch_add(1, Ordering::Relaxed);
        if before > MAX_HANDLES {
            // As `Arc` does: so many handles were leaked, and a count that overflows is unsound.
            std::process::abort();
        }
    }

    /// Counts one owner less. Returns true if it was the last.
    #[inline(always)]
    pub(crate) fn remove_owner(&self) -> bool {
        // Acquire and AcqRel: all actions of other owners happen before the last one finishes the span.
        if self.owners.load(Ordering::Acquire) == 1 {
            self.owners.store(0, Ordering::Relaxed);
            return true;
        }
        self.owners.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Counts one handle less. Returns true if it was the last: its holder then owns the slot.
    #[inline(always)]
    pub(crate) fn remove_handle(&self) -> bool {
        // Acquire and AcqRel: all actions through other handles happen before the slot is vacant.
        self.handles.load(Ordering::Acquire) == 1
            || self.handles.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Returns whether the caller's handle is the only one. The caller must own that handle, so that no other
    /// thread clones it meanwhile.
    #[inline(always)]
    pub(crate) fn is_only(&self) -> bool {
        // Acquire: as in `remove_handle`.
        self.handles.load(Ordering::Acquire) == 1
    }
}

const MAX_HANDLES: u32 = u32::MAX / 2;

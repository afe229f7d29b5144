//! The handles to a box: one word each.

use std::fmt;
use std::ptr::NonNull;

use crate::record::cell::SpanCell;
use crate::record::local;
use crate::sync::{AtomicU32, Ordering};

/// How many handles and how many owners a box has.
///
/// Owners are counted apart: the last one to go has the span finished, the last handle makes the box vacant. Where a
/// handle is the only one, nobody can make another meanwhile, so a load shows it and nothing needs to be taken away.
#[derive(Debug, Default)]
pub(crate) struct Count {
    handles: AtomicU32,
    owners: AtomicU32,
}

impl Count {
    /// For the first handle, an owner. The box is not shared yet.
    #[inline]
    pub(crate) fn begin(&self) {
        self.handles.store(1, Ordering::Relaxed);
        self.owners.store(1, Ordering::Relaxed);
    }

    #[inline]
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
    #[inline]
    pub(crate) fn remove_owner(&self) -> bool {
        // Acquire and AcqRel: what other owners did happens before the last one finishes the span.
        if self.owners.load(Ordering::Acquire) == 1 {
            self.owners.store(0, Ordering::Relaxed);
            return true;
        }
        self.owners.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Takes a handle away; true for the last one, who then has the box to itself.
    #[inline]
    pub(crate) fn remove_handle(&self) -> bool {
        // Acquire and AcqRel: what was done through other handles happens before the box is vacant.
        self.handles.load(Ordering::Acquire) == 1
            || self.handles.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Whether the calling handle, which it has to itself, is the only one.
    #[inline]
    pub(crate) fn is_only(&self) -> bool {
        // Acquire: as in `remove_handle`.
        self.handles.load(Ordering::Acquire) == 1
    }
}

const MAX_HANDLES: u32 = u32::MAX / 2;

/// A handle to a box: its address, and in the lowest bit whether it is an owner.
pub(crate) struct SpanRef {
    tagged: NonNull<SpanCell>,
}

// SAFETY: a handle gives out `&SpanCell`, which is `Sync` (asserted below), and the last one, on whichever thread, the
// box itself, which is `Send`.
unsafe impl Send for SpanRef {}
// SAFETY: as above.
unsafe impl Sync for SpanRef {}

const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<SpanCell>();
    assert!(align_of::<SpanCell>() >= 2, "the owner bit is free");
};

impl SpanRef {
    /// The first owner.
    #[inline]
    pub(crate) fn new(cell: Box<SpanCell>) -> Self {
        cell.count.begin();
        // SAFETY: a box is not null.
        let address = unsafe { NonNull::new_unchecked(Box::into_raw(cell)) };
        Self::tagged(address, true)
    }

    /// One that does not own.
    #[inline]
    pub(crate) fn handle(&self) -> Self {
        self.cell().count.add(false);
        Self::tagged(self.address(), false)
    }

    #[inline]
    pub(crate) fn cell(&self) -> &SpanCell {
        // SAFETY: the address comes from `new`. The box is given back only by the last handle, and this one still
        // counts as long as it lives; nobody has a `&mut` to a box that is behind handles.
        unsafe { self.address().as_ref() }
    }

    #[inline]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.address() == other.address()
    }

    /// Gives up ownership; true for the last owner.
    #[inline]
    pub(crate) fn release(&mut self) -> bool {
        if !self.is_owner() {
            return false;
        }
        self.tagged = self.address();
        self.cell().count.remove_owner()
    }

    #[inline]
    fn is_owner(&self) -> bool {
        self.tagged.as_ptr().addr() & OWNER != 0
    }

    #[inline]
    fn address(&self) -> NonNull<SpanCell> {
        self.tagged.map_addr(|address| {
            // SAFETY: a box is aligned to more than two bytes, so its address is more than the owner bit.
            unsafe { std::num::NonZeroUsize::new_unchecked(address.get() & !OWNER) }
        })
    }

    #[inline]
    fn tagged(address: NonNull<SpanCell>, is_owner: bool) -> Self {
        Self {
            tagged: address.map_addr(|address| address | usize::from(is_owner)),
        }
    }
}

impl Clone for SpanRef {
    /// A clone of an owner owns, a clone of another handle does not.
    #[inline]
    fn clone(&self) -> Self {
        self.cell().count.add(self.is_owner());
        Self {
            tagged: self.tagged,
        }
    }
}

impl Drop for SpanRef {
    #[inline]
    fn drop(&mut self) {
        if self.is_owner() {
            self.cell().count.remove_owner();
        }
        if self.cell().count.remove_handle() {
            // SAFETY: this was the last handle, so no reference to the box is left, and what was done through the
            // others happens before (see `remove_handle`). The address is that of the `Box` given to `new`.
            let cell = unsafe { Box::from_raw(self.address().as_ptr()) };
            local::give_cell(cell);
        }
    }
}

impl fmt::Debug for SpanRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cell().fmt(f)
    }
}

const OWNER: usize = 1;

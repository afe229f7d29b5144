//! Whether a thread does work of a tracer, during which no span starts.
//!
//! A reporter or a sender may use a client whose calls have spans. A span about sending spans would have to be sent
//! too, and so on for ever.

use std::cell::Cell;

thread_local! {
    /// Whether this thread does work of a tracer. It has no destructor, so it is never gone.
    static IS_OWN_WORK: Cell<bool> = const { Cell::new(false) };
}

/// Work of a tracer on this thread, until the value is dropped.
pub(crate) struct OwnWork {
    was_own_work: bool,
}

impl OwnWork {
    /// Begins the work.
    pub(crate) fn begin() -> Self {
        Self {
            was_own_work: IS_OWN_WORK.replace(true),
        }
    }
}

impl Drop for OwnWork {
    fn drop(&mut self) {
        IS_OWN_WORK.set(self.was_own_work);
    }
}

/// Returns whether this thread does work of a tracer.
#[inline]
pub(crate) fn is_own_work() -> bool {
    IS_OWN_WORK.get()
}

/// Ends the work in a process that was forked in it: the child goes on as the program's.
#[cfg(all(unix, not(miri)))]
pub(crate) fn forget_own_work() {
    IS_OWN_WORK.set(false);
}

//! The one way to call user code that may panic.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls user code; `None` where it panicked.
///
/// A payload that panics when it is dropped stays in here, too. What such a drop throws is leaked, because it may do so again.
#[inline]
pub(crate) fn caught<R>(call: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => Some(result),
        Err(payload) => {
            if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                mem::forget(again);
            }
            None
        }
    }
}

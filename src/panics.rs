//! The one way to call user code that may panic.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls user code. Returns `None` if it panicked.
///
/// A panic's payload may itself panic when it is dropped. This second panic is caught too, and its payload is leaked,
/// because dropping it may panic again.
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

use crate::metrics::{Counter, Metrics};
use crate::panics::caught;

/// Calls user code of a reporter or a sender. Returns `None` if it panicked, and counts that.
#[inline]
pub(super) fn guarded<R>(metrics: &Metrics, call: impl FnOnce() -> R) -> Option<R> {
    let result = caught(call);
    if result.is_none() {
        metrics.add(Counter::CallbackPanics, 1);
    }
    result
}

use crate::metrics::{Counter, Metrics};
use crate::panics::caught;

/// Calls a reporter or a sender; `None` where it panicked, which is counted.
#[inline]
pub(super) fn guarded<R>(metrics: &Metrics, call: impl FnOnce() -> R) -> Option<R> {
    let result = caught(call);
    if result.is_none() {
        metrics.add(Counter::CallbackPanics, 1);
    }
    result
}

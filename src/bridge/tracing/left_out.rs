//! Spans and events that the layer leaves out, so that its own work does not come back to it.

use std::cell::Cell;
use std::thread;

use crate::panics::caught;

thread_local! {
    /// Whether the layer runs user code on this thread: it formats a field, or starts or ends a span.
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
    /// Whether this thread is one of the crate's own, once it has been looked at.
    static IS_OWN_THREAD: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Runs user code. What it tells `tracing` meanwhile is left out. Returns `None` if it panicked.
#[inline]
pub(super) fn run_user_code<R>(run: impl FnOnce() -> R) -> Option<R> {
    let was_inside = IS_INSIDE.replace(true);
    let result = caught(run);
    IS_INSIDE.set(was_inside);
    result
}

/// Returns whether a span or event is left out: it is the crate's own, or the layer's user code made it.
#[inline]
pub(super) fn is_left_out(target: &str) -> bool {
    IS_INSIDE.get() || is_own_target(target) || is_own_thread()
}

/// Returns whether a target is this crate or one of its modules.
pub(super) fn is_own_target(target: &str) -> bool {
    target
        .strip_prefix("tracehound")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[inline]
fn is_own_thread() -> bool {
    match IS_OWN_THREAD.get() {
        Some(is_own) => is_own,
        None => look_at_thread(),
    }
}

/// Own threads send spans. Spans about that would have to be sent, too.
#[cold]
fn look_at_thread() -> bool {
    let is_own = thread::current()
        .name()
        .is_some_and(|name| name.starts_with("tracehound-"));
    IS_OWN_THREAD.set(Some(is_own));
    is_own
}

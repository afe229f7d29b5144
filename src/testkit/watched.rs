use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{deadline_after, instant_now};

/// A value that threads wait for.
#[derive(Debug, Default)]
pub(super) struct Watched<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Watched<T> {
    pub(super) fn new(value: T) -> Self {
        let value = Mutex::new(value);
        let changed = Condvar::new();
        Self { value, changed }
    }

    /// Changes the value, and wakes all that wait.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    pub(super) fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.lock())
    }

    /// Waits until `is_so` holds. Returns whether it holds now.
    pub(super) fn wait(&self, timeout: Duration, mut is_so: impl FnMut(&T) -> bool) -> bool {
        let deadline = deadline_after(timeout);
        let mut value = self.lock();
        loop {
            if is_so(&value) {
                return true;
            }
            let left = deadline.saturating_duration_since(instant_now());
            if left.is_zero() {
                return false;
            }
            let waited = self.changed.wait_timeout(value, left);
            value = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! A spin lock of one byte, for values that are held for some nanoseconds and rarely contended.

use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::sync::{AtomicBool, Ordering, UnsafeCell, spin_loop, yield_now};

/// A value that one thread at a time may access.
///
/// Locking is one atomic exchange, unlocking one store. A waiting thread spins for a moment and then yields its
/// processor, so the holder must not block or run user code. A panic releases the lock too.
pub(crate) struct ByteLock<T> {
    is_locked: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: one thread at a time reaches the value, as in a `Mutex`: see `lock`.
unsafe impl<T: Send> Sync for ByteLock<T> {}
// SAFETY: the lock owns its value.
unsafe impl<T: Send> Send for ByteLock<T> {}

impl<T> ByteLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            is_locked: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    #[inline]
    pub(crate) fn lock(&self) -> ByteGuard<'_, T> {
        if !self.try_take() {
            self.wait();
        }
        ByteGuard { lock: self }
    }

    #[inline]
    pub(crate) fn try_lock(&self) -> Option<ByteGuard<'_, T>> {
        self.try_take().then(|| ByteGuard { lock: self })
    }

    /// Takes the lock, or returns `None` if the holder does not release it soon. In a forked child the holder may be a
    /// thread of the parent, which never will.
    pub(crate) fn lock_soon(&self) -> Option<ByteGuard<'_, T>> {
        for _ in 0..SOON_TRIES {
            if let Some(guard) = self.try_lock() {
                return Some(guard);
            }
            yield_now();
        }
        None
    }

    /// Returns the value without locking: `&mut self` proves that no other thread has access.
    #[inline]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        // SAFETY: while the result lives, `&mut self` is the only access to the value.
        self.value.with_mut(|value| unsafe { &mut *value })
    }

    #[inline]
    fn try_take(&self) -> bool {
        // Acquire: pairs with the Release in `ByteGuard::drop`.
        self.is_locked
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// Checks the lock without taking its cache line exclusively. Skipped under loom, which may return a stale value
    /// forever.
    fn looks_locked(&self) -> bool {
        !cfg!(tracehound_loom) && self.is_locked.load(Ordering::Relaxed)
    }

    #[cold]
    fn wait(&self) {
        let mut tries = 0;
        loop {
            // The holder may have lost its processor. Then spinning only keeps it from getting one.
            if tries < SPINS {
                tries += 1;
                spin_loop();
            } else {
                yield_now();
            }
            if !self.looks_locked() && self.try_take() {
                return;
            }
        }
    }
}

impl<T: Default> Default for ByteLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> fmt::Debug for ByteLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByteLock")
    }
}

/// Access to the value of a [`ByteLock`]. Dropping the guard releases the lock.
pub(crate) struct ByteGuard<'a, T> {
    lock: &'a ByteLock<T>,
}

impl<T> Deref for ByteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: at most one guard exists: only the thread that changes `is_locked` from false to true makes one, and
        // the guard changes it back when it is dropped.
        self.lock.value.with_mut(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for ByteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and `&mut self` makes this the only reference from the guard.
        self.lock.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for ByteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // Release: pairs with the Acquire in `ByteLock::lock`.
        self.lock.is_locked.store(false, Ordering::Release);
    }
}

/// How many rounds a waiting thread spins before it yields.
const SPINS: u32 = if cfg!(tracehound_loom) { 1 } else { 64 };

/// How often `lock_soon` tries before it assumes that the holder no longer exists. If that is wrong, the caller loses
/// one tag of a span that will not be sent anyway.
const SOON_TRIES: u32 = 100;

#[cfg(all(test, not(tracehound_loom)))]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    #[test]
    fn the_lock_admits_one_thread_at_a_time() {
        let rounds = if cfg!(miri) { 50 } else { 10_000 };
        let lock = ByteLock::new((0_u64, 0_u64));
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..rounds {
                        let mut pair = lock.lock();
                        assert_eq!(pair.0, pair.1);
                        pair.0 += 1;
                        pair.1 += 1;
                    }
                });
            }
        });
        assert_eq!(*lock.lock(), (3 * rounds, 3 * rounds));
    }

    #[test]
    fn lock_soon_gives_up_on_a_holder_that_is_gone() {
        let lock = ByteLock::new(0);
        std::mem::forget(lock.lock());
        assert!(lock.lock_soon().is_none());
        let lock = ByteLock::new(1);
        assert_eq!(lock.lock_soon().as_deref(), Some(&1));
        assert!(lock.lock_soon().is_some());
    }

    #[test]
    fn a_panic_releases_the_lock() {
        let lock = ByteLock::new(0);
        let result = catch_unwind(AssertUnwindSafe(|| {
            let _guard = lock.lock();
            panic!("with the lock held");
        }));
        assert!(result.is_err());
        *lock.lock() += 1;
        assert_eq!(*lock.lock(), 1);
    }
}

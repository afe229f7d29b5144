//! A lock that one thread takes all the time and others hardly ever.

use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::sync::barrier;
use crate::sync::{AtomicBool, Ordering, UnsafeCell, spin_loop, yield_now};

/// A value that its owner, one thread, may touch for the price of two plain stores.
///
/// The owner says that it is busy and looks whether somebody claims the value; who claims it says so and looks whether
/// the owner is busy. Neither may look before its own word is out, so there is a [`barrier`] between the two on either
/// side, and the one of whoever claims is so heavy that the owner's may be none at all. Nothing that may block, and
/// nothing of the user's, may happen while it is held.
pub(crate) struct OwnerLock<T> {
    is_busy: AtomicBool,
    is_claimed: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by one thread at a time: see `own` and `claim`.
unsafe impl<T: Send> Sync for OwnerLock<T> {}
// SAFETY: the lock owns its value.
unsafe impl<T: Send> Send for OwnerLock<T> {}

impl<T> OwnerLock<T> {
    pub(crate) fn new(value: T) -> Self {
        barrier::choose();
        Self {
            is_busy: AtomicBool::new(false),
            is_claimed: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// The value for its owner.
    ///
    /// # Safety
    ///
    /// At any time at most one thread calls this or has the result, and it does not have one already.
    pub(crate) unsafe fn own(&self) -> Owned<'_, T> {
        self.is_busy.store(true, Ordering::Relaxed);
        barrier::light();
        // Acquire: pairs with the Release in `Claimed::drop`.
        if self.is_claimed.load(Ordering::Acquire) {
            self.give_way();
        }
        Owned { lock: self }
    }

    /// The same if nobody claims the value; does not wait.
    ///
    /// # Safety
    ///
    /// As [`own`](Self::own).
    #[inline(always)]
    pub(crate) unsafe fn own_if_free(&self) -> Option<Owned<'_, T>> {
        self.is_busy.store(true, Ordering::Relaxed);
        barrier::light();
        // From here on it is not busy any more when this goes.
        let owned = Owned { lock: self };
        // Acquire: pairs with the Release in `Claimed::drop`.
        (!self.is_claimed.load(Ordering::Acquire)).then_some(owned)
    }

    /// Lets whoever claims the value have it first.
    #[cold]
    fn give_way(&self) {
        let mut backoff = Backoff::default();
        loop {
            self.is_busy.store(false, Ordering::Release);
            // Only then again: two that try at once, again and again, could hold each other up for ever.
            while self.is_claimed.load(Ordering::Acquire) {
                backoff.pause();
            }
            self.is_busy.store(true, Ordering::Relaxed);
            barrier::light();
            if !self.is_claimed.load(Ordering::Acquire) {
                return;
            }
        }
    }

    /// The value for anybody; `None` where the system refuses the barrier.
    #[cold]
    pub(crate) fn claim(&self) -> Option<Claimed<'_, T>> {
        let mut backoff = Backoff::default();
        // Acquire: pairs with the Release in `Claimed::drop`.
        while self
            .is_claimed
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            backoff.pause();
        }
        // From here on the claim is given back when this goes.
        let claimed = Claimed { lock: self };
        if !barrier::heavy() {
            return None;
        }
        let mut backoff = Backoff::default();
        // Acquire: pairs with the Release in `Owned::drop`.
        while self.is_busy.load(Ordering::Acquire) {
            backoff.pause();
        }
        Some(claimed)
    }
}

/// Spins at first: the other side holds the value for some nanoseconds. It may have lost its processor, though, and
/// then spinning only keeps it from getting one.
#[derive(Default)]
struct Backoff {
    rounds: u32,
}

impl Backoff {
    fn pause(&mut self) {
        if self.rounds < SPINS {
            self.rounds += 1;
            spin_loop();
        } else {
            yield_now();
        }
    }
}

const SPINS: u32 = if cfg!(tracehound_loom) { 0 } else { 64 };

impl<T> fmt::Debug for OwnerLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnerLock")
    }
}

/// The value while its owner has it.
pub(crate) struct Owned<'a, T> {
    lock: &'a OwnerLock<T>,
}

impl<T> Deref for Owned<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the owner has said that it is busy and has then seen no claim; whoever claims the value since waits
        // until it is not. There is one owner, with one guard, by the promise of `own`.
        self.lock.value.with_mut(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for Owned<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; `&mut self` makes it the only reference through this guard.
        self.lock.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for Owned<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        // Release: pairs with the Acquire in `claim`.
        self.lock.is_busy.store(false, Ordering::Release);
    }
}

/// The value while somebody has claimed it.
pub(crate) struct Claimed<'a, T> {
    lock: &'a OwnerLock<T>,
}

impl<T> Deref for Claimed<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: one thread at a time sets `is_claimed`, and the owner was seen not to be busy after that had come
        // before its eyes: it does not touch the value before the claim is gone.
        self.lock.value.with_mut(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for Claimed<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; `&mut self` makes it the only reference through this guard.
        self.lock.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for Claimed<'_, T> {
    fn drop(&mut self) {
        // Release: pairs with the Acquires in `own` and `claim`.
        self.lock.is_claimed.store(false, Ordering::Release);
    }
}

#[cfg(all(test, not(tracehound_loom)))]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn the_owner_and_a_claimant_never_hold_the_value_at_once() {
        let rounds = if cfg!(miri) { 50 } else { 20_000 };
        let claims = if cfg!(miri) { 10 } else { 200 };
        let lock = OwnerLock::new((0_u64, 0_u64));
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..rounds {
                    // SAFETY: this thread alone calls it, once at a time.
                    let mut pair = unsafe { lock.own() };
                    assert_eq!(pair.0, pair.1);
                    pair.0 += 1;
                    pair.1 += 1;
                }
            });
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..claims {
                        let mut pair = lock.claim().expect("the barrier is to be had");
                        assert_eq!(pair.0, pair.1);
                        pair.0 += 1;
                        pair.1 += 1;
                    }
                });
            }
        });
        let pair = lock.claim().expect("the barrier is to be had");
        assert_eq!(*pair, (rounds + 2 * claims, rounds + 2 * claims));
    }
}

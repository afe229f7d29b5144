//! A lock that its owner, one thread, takes all the time, and other threads rarely.
//!
//! ```text
//! owner                                  claimant
//! is_busy = true                         is_claimed = true
//! light barrier                          heavy barrier
//! is_claimed?  no: use the value         is_busy?  no: use the value
//!              yes: is_busy = false,               yes: wait
//!                   wait, try again
//! ```
//!
//! Each side writes its own flag before it reads the other's, so at least one of them sees the other.

use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::sync::barrier;
use crate::sync::{AtomicBool, Ordering, UnsafeCell, spin_loop, yield_now};

/// A value that its owner, one thread, may access for the cost of two plain stores.
///
/// Other threads claim the value, which costs a heavy [`barrier`]. That barrier is why the owner's light one can be
/// free. The holder must not block or run user code.
pub(crate) struct OwnerLock<T> {
    is_busy: AtomicBool,
    is_claimed: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: one thread at a time reaches the value: see `own` and `claim`.
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

    /// Takes the value for its owner, after all threads that claim it.
    ///
    /// # Safety
    ///
    /// At any time at most one thread calls this or holds the result, and it does not hold another result.
    pub(crate) unsafe fn own(&self) -> Owned<'_, T> {
        self.is_busy.store(true, Ordering::Relaxed);
        barrier::light();
        // Acquire: pairs with the Release in `Claimed::drop`.
        if self.is_claimed.load(Ordering::Acquire) {
            self.give_way();
        }
        Owned { lock: self }
    }

    /// Takes the value for its owner, or returns `None` if a thread claims it. Does not wait.
    ///
    /// # Safety
    ///
    /// As [`own`](Self::own).
    #[inline]
    pub(crate) unsafe fn own_if_free(&self) -> Option<Owned<'_, T>> {
        self.is_busy.store(true, Ordering::Relaxed);
        barrier::light();
        // Dropping this clears `is_busy`, also if the value is claimed.
        let owned = Owned { lock: self };
        // Acquire: pairs with the Release in `Claimed::drop`.
        (!self.is_claimed.load(Ordering::Acquire)).then_some(owned)
    }

    /// Waits until no thread claims the value, and sets `is_busy` again.
    #[cold]
    fn give_way(&self) {
        let mut backoff = Backoff::default();
        loop {
            self.is_busy.store(false, Ordering::Release);
            // Set `is_busy` only after the claim is gone: owner and claimant could otherwise retry in step forever.
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

    /// Takes the value for any thread. Returns `None` if the system refuses the barrier.
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
        // Dropping this clears `is_claimed`, also if the barrier is refused.
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

/// Waits for the other side: spins at first, because that side holds the value for some nanoseconds only, then yields,
/// because it may have lost its processor.
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

/// The owner's access to the value. Dropping it clears `is_busy`.
pub(crate) struct Owned<'a, T> {
    lock: &'a OwnerLock<T>,
}

impl<T> Deref for Owned<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the owner has set `is_busy` and has then seen no claim. A thread that claims the value later waits
        // until `is_busy` is clear. By the contract of `own` there is one owner with one guard.
        self.lock.value.with_mut(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for Owned<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and `&mut self` makes this the only reference from the guard.
        self.lock.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for Owned<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // Release: pairs with the Acquire in `claim`.
        self.lock.is_busy.store(false, Ordering::Release);
    }
}

/// A claimant's access to the value. Dropping it gives up the claim.
pub(crate) struct Claimed<'a, T> {
    lock: &'a OwnerLock<T>,
}

impl<T> Deref for Claimed<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: one thread at a time sets `is_claimed`, and the owner was observed idle after the claim became
        // visible to it. The owner does not access the value before the claim is gone.
        self.lock.value.with_mut(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for Claimed<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and `&mut self` makes this the only reference from the guard.
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
                        let mut pair = lock.claim().expect("the system grants the barrier");
                        assert_eq!(pair.0, pair.1);
                        pair.0 += 1;
                        pair.1 += 1;
                    }
                });
            }
        });
        let pair = lock.claim().expect("the system grants the barrier");
        assert_eq!(*pair, (rounds + 2 * claims, rounds + 2 * claims));
    }
}

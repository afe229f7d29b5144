//! Locks, a barrier and per-process values, on which `record` builds its concurrency.
//!
//! One thread touches a span's memory nearly all the time, and another thread now and then: a task that was moved, or
//! the worker. The locks make the first thread's way cheap and put the cost on the other one. They use the names at the
//! end of this file, which are the standard library's or, in a model, those of `loom`, which tries every order of
//! events.
//!
//! ```text
//!                guards                   taken by              costs
//! ByteLock       a span's buffer          any thread            an exchange, and a store to release
//! OwnerLock      a thread queue           its thread, own       two stores
//!                                         the worker, claim     an exchange, and a barrier on all threads
//! PerProcess     values behind locks      every process, get    a load and a comparison
//! ```
//!
//! In memory:
//!
//! ```text
//! ByteLock<T>     is_locked │ T
//!
//! OwnerLock<T>    is_busy │ is_claimed │ T          the owner writes is_busy and reads is_claimed,
//!                                                   a claimant writes is_claimed and reads is_busy
//!
//! PerProcess<T>   generation │ T │ successors[2]
//!                                      └─► generation │ T │ successors[2]       a forked child's
//!                                                               └─► …           its own forked child's
//! ```
//!
//! Invariants:
//!
//! - At most one thread at a time reaches the value of a lock.
//! - While a lock is held, the holder runs no user code and does not block, because other threads spin for it.
//! - A panic releases a lock. There is no poisoning.
//! - The process chooses its kind of barrier before it makes the first `OwnerLock`, and keeps it.
//! - A forked child waits only for a bounded time for a lock that a thread of its parent may hold, and never frees the
//!   value behind it.

#[cfg_attr(
    all(target_os = "linux", not(miri), not(tracehound_loom)),
    expect(unsafe_code, reason = "a system call")
)]
mod barrier;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod byte_lock;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod owner_lock;
mod per_process;

#[cfg(all(unix, feature = "signals"))]
pub(crate) use per_process::LEAVES_SIGNALS;
#[cfg(all(unix, not(miri)))]
pub(crate) use per_process::begin_generation;
pub(crate) use per_process::{PerProcess, generation};

#[cfg(tracehound_loom)]
pub(crate) use loom::cell::UnsafeCell;
#[cfg(tracehound_loom)]
pub(crate) use loom::hint::spin_loop;
#[cfg(tracehound_loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering, fence};
#[cfg(tracehound_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(tracehound_loom)]
pub(crate) use loom::thread::yield_now;

#[cfg(not(tracehound_loom))]
pub(crate) use self::plain::UnsafeCell;
#[cfg(not(tracehound_loom))]
pub(crate) use std::hint::spin_loop;
#[cfg(not(tracehound_loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering, fence};
#[cfg(not(tracehound_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};
#[cfg(not(tracehound_loom))]
pub(crate) use std::thread::yield_now;

#[cfg(not(tracehound_loom))]
mod plain {
    /// The standard library's `UnsafeCell` with the interface of loom's.
    #[derive(Debug, Default)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        #[inline]
        pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
            access(self.0.get())
        }
    }
}

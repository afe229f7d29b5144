//! The primitives of the hand-made concurrency in `record`: those of the standard library, or those of `loom`, which
//! tries every order of events; and what a forked child has for itself.

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

pub(crate) use per_process::{PerProcess, begin_generation, generation};

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
    /// The standard library's, with the interface of `loom`'s.
    #[derive(Debug, Default)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        #[inline]
        pub(crate) fn with_mut<R>(&self, use_it: impl FnOnce(*mut T) -> R) -> R {
            use_it(self.0.get())
        }
    }
}

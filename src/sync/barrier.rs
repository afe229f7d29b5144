//! A pair of memory barriers: a light one that is nearly free, and a heavy one that pays for both.
//!
//! Two threads that each write one location and then read the other's must not both read the old value. Normally each
//! thread needs a full barrier between its write and its read. On Linux one thread can ask the kernel to run a barrier
//! on every thread of the process (`membarrier(2)`). Then [`light`], called once a span, needs no instruction, and
//! [`heavy`], called once a flush, costs a system call that interrupts the running threads of the process. On other
//! systems both are full barriers.

use crate::sync::{Ordering, fence};

/// Separates a write from a later read, for the thread that does this all the time.
#[inline]
pub(crate) fn light() {
    if asymmetric::is_on() {
        std::sync::atomic::compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}

/// Separates a write from a later read, for a thread that does this rarely. Returns false if the system refuses.
pub(crate) fn heavy() -> bool {
    // Full barrier of the calling thread: the system call orders the other threads.
    fence(Ordering::SeqCst);
    !asymmetric::is_on() || asymmetric::everywhere()
}

/// Chooses the kind of barrier. Every lock calls this before it exists, so that all locks see one kind.
pub(crate) fn choose() {
    asymmetric::choose();
}

#[cfg(all(target_os = "linux", not(miri), not(tracehound_loom)))]
mod asymmetric {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Written once, before the first lock exists, so that every thread reads one value.
    static IS_ON: AtomicBool = AtomicBool::new(false);

    #[inline]
    pub(crate) fn is_on() -> bool {
        IS_ON.load(Ordering::Relaxed)
    }

    pub(crate) fn choose() {
        static CHOICE: OnceLock<()> = OnceLock::new();
        CHOICE.get_or_init(|| {
            let is_on = call(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
                && call(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED);
            IS_ON.store(is_on, Ordering::Release);
        });
    }

    #[cold]
    pub(crate) fn everywhere() -> bool {
        // The registration belongs to the process. A forked child may have to renew it.
        call(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED)
            || call(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
                && call(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED)
    }

    fn call(command: libc::c_int) -> bool {
        // SAFETY: the call takes three numbers, two of them zero for these commands, and accesses no memory of the
        // program.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }
}

#[cfg(not(all(target_os = "linux", not(miri), not(tracehound_loom))))]
mod asymmetric {
    #[inline]
    pub(crate) fn is_on() -> bool {
        false
    }

    pub(crate) fn choose() {}

    pub(crate) fn everywhere() -> bool {
        true
    }
}

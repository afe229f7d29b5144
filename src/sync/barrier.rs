//! A pair of memory barriers of which one side carries the weight of both.
//!
//! Two threads that each write one place and then read the other's must not both read the old value. That takes a full
//! barrier on either side. Linux can run one on every thread of the process on behalf of one of them (`membarrier(2)`):
//! then those who call [`light`], once a span, need none, and those who call [`heavy`], once a flush, pay with a system
//! call that interrupts whatever threads of the process run. Elsewhere both are the full barrier.

use crate::sync::{Ordering, fence};

/// Between a write and a read of whoever does this all the time.
#[inline(always)]
pub(crate) fn light() {
    if asymmetric::is_on() {
        std::sync::atomic::compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}

/// Between a write and a read of whoever does this now and then; false where the system refuses it.
pub(crate) fn heavy() -> bool {
    // By itself the full barrier of this thread.
    fence(Ordering::SeqCst);
    !asymmetric::is_on() || asymmetric::everywhere()
}

/// Finds out which kind it is. To be called before the first lock is made: later ones must not see another kind.
pub(crate) fn choose() {
    asymmetric::choose();
}

#[cfg(all(target_os = "linux", not(miri), not(tracehound_loom)))]
mod asymmetric {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Set once, before the first lock is made, and so the same for all who ask.
    static IS_ON: AtomicBool = AtomicBool::new(false);

    #[inline(always)]
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
        // The registration belongs to the process; a forked one may have to renew it.
        call(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED)
            || call(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
                && call(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED)
    }

    fn call(command: libc::c_int) -> bool {
        // SAFETY: the call takes three numbers, two of them zero for these commands, and touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }
}

#[cfg(not(all(target_os = "linux", not(miri), not(tracehound_loom))))]
mod asymmetric {
    #[inline(always)]
    pub(crate) fn is_on() -> bool {
        false
    }

    pub(crate) fn choose() {}

    pub(crate) fn everywhere() -> bool {
        true
    }
}

//! What happens in the child of a `fork`.
//!
//! The child has one thread, the one that forked, and may inherit every lock held by a thread that it does not have. The
//! handler that the system calls there raises the process's [generation](crate::sync::generation) and empties two slots
//! of this thread: the state of its ids, and the pair of thread queue and pool that it used last. It takes no lock, allocates
//! nothing and writes nothing, because many children only call `exec`.
//!
//! The next span that starts finds no pair, as on a new thread, and no way of that asks the generation: what is behind
//! a lock is found new ([`PerProcess`](crate::sync::PerProcess)), what this thread kept is left behind and never freed
//! (`local`), and the first slot to be made has the worker started (`store`). Spans that were open at the fork know their
//! generation (`slot`): the parent finishes and sends them, the child counts them.

use std::sync::atomic::{AtomicBool, Ordering};

/// Asks the system to tell of forks. A second call does nothing.
///
/// Without memory for that nothing is asked, and a child is then on its own.
pub(crate) fn watch() {
    static IS_WATCHED: AtomicBool = AtomicBool::new(false);
    // Not a `Once`, which a child could inherit half done. Two threads that come here together register twice, and then a
    // fork raises the generation by two, which is as good.
    if IS_WATCHED.load(Ordering::Relaxed) {
        return;
    }
    register();
    IS_WATCHED.store(true, Ordering::Relaxed);
}

#[cfg(all(unix, not(miri)))]
fn register() {
    use crate::record::thread::{ids, state};
    use crate::sync::begin_generation;

    /// Runs on the only thread of a child, before `fork` returns there.
    extern "C" fn in_child() {
        begin_generation();
        state::forget_current();
        ids::forget_state();
    }

    // SAFETY: the handler has the signature that is asked for, lives as long as the program (the C library takes it off
    // its list when a shared object that holds it is unloaded), does not unwind, and does only what may be done
    // between `fork` and `exec`: an atomic addition and stores to slots of its own thread that need no destructor.
    unsafe {
        libc::pthread_atfork(None, None, Some(in_child));
    }
}

#[cfg(not(all(unix, not(miri))))]
fn register() {}

//! The handler that runs in a forked child.
//!
//! The child has one thread, the one that forked, and may inherit locks whose holders do not exist there. The handler
//! raises the [generation](crate::sync::generation) of the process and resets three statics of its thread: the state
//! of the id generator, the pointer to what the thread keeps of the tracer that it used last, and the mark of a thread
//! that does work of a tracer. The handler takes no lock and allocates nothing, because many children only call `exec`.
//!
//! The next start finds no state, as on a new thread, so the fast path need not ask for the generation. On the way to a
//! new state, all that is behind a lock is made anew ([`PerProcess`](crate::sync::PerProcess)), the states of the
//! parent are leaked (`state`), and the first slot that is allocated starts the worker (`span_queue`). A slot knows in
//! which process it was made: the parent finishes and sends the spans that were open at the fork, and the child counts
//! them.

use std::sync::atomic::{AtomicBool, Ordering};

/// Registers the handler for forks. A second call does nothing.
///
/// If the system has no memory to register it, forked children of the program are not supported.
pub(crate) fn watch() {
    static IS_WATCHED: AtomicBool = AtomicBool::new(false);
    // Not a `Once`, which a forked child could inherit half done. Two threads may both register; a fork then adds two
    // to the generation, which is harmless.
    if IS_WATCHED.load(Ordering::Relaxed) {
        return;
    }
    register();
    IS_WATCHED.store(true, Ordering::Relaxed);
}

#[cfg(all(unix, not(miri)))]
fn register() {
    use crate::record::thread::{ids, own_work, state};
    use crate::sync::begin_generation;

    /// Runs on the only thread of a forked child, before `fork` returns there.
    extern "C" fn in_child() {
        begin_generation();
        state::forget_current();
        own_work::forget_own_work();
        ids::forget_state();
    }

    // SAFETY: the handler has the required signature, lives as long as the program (the C library removes it when a
    // shared object that holds it is unloaded), does not unwind, and does only what is allowed between `fork` and
    // `exec`: an atomic addition, and stores to statics of its own thread that need no destructor.
    unsafe {
        libc::pthread_atfork(None, None, Some(in_child));
    }
}

#[cfg(not(all(unix, not(miri))))]
fn register() {}

//! New ids on every thread, for a process that was copied.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};

use crate::record::queue::span_queue::SpanQueue;
use crate::record::thread::ids::renew_all_generators;
use crate::sync::PerProcess;

/// Notes a queue whose threads draw new ids after [`reseed`].
pub(crate) fn reseeds(queue: &Arc<SpanQueue>) {
    let mut queues = queues();
    queues.retain(|known| known.strong_count() > 0);
    queues.push(Arc::downgrade(queue));
}

/// Asks every thread to seed its generator of ids anew before the next span that it starts.
pub(crate) fn reseed() {
    renew_all_generators();
    for queue in queues().iter().filter_map(Weak::upgrade) {
        queue.renew_state_id();
    }
}

fn queues() -> MutexGuard<'static, Vec<Weak<SpanQueue>>> {
    static QUEUES: PerProcess<Mutex<Vec<Weak<SpanQueue>>>> =
        PerProcess::of_first(Mutex::new(Vec::new()));
    let queues = QUEUES.get(|inherited| {
        // If a thread of the parent held the lock at the fork, the child does without the tracers of its parent. It
        // has seeded its own generator anyway.
        Mutex::new(match inherited.try_lock() {
            Ok(queues) => queues.clone(),
            Err(TryLockError::Poisoned(queues)) => queues.into_inner().clone(),
            Err(TryLockError::WouldBlock) => Vec::new(),
        })
    });
    queues.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The callers who wait in a future, and not on a thread.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::Instant;

use crate::panics::caught;

/// A request that was left with the worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) number: u64,
    pub(super) deadline: Instant,
}

/// The wakers of callers, each with the ticket that it waits for.
#[derive(Default)]
pub(super) struct Waiters(Vec<Waiter>);

struct Waiter {
    key: WaiterKey,
    ticket: Ticket,
    waker: Waker,
}

/// Identifies a caller.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct WaiterKey(u64);

impl WaiterKey {
    /// Returns a key that is unique across forks too, because a forked child may drop futures of its parent.
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Waiters {
    /// Adds a caller. Returns the last waker of a caller who waits already.
    pub(super) fn add(&mut self, key: WaiterKey, ticket: Ticket, waker: Waker) -> Option<Waker> {
        if let Some(known) = self.0.iter_mut().find(|waiter| waiter.key == key) {
            return Some(mem::replace(&mut known.waker, waker));
        }
        self.0.push(Waiter { key, ticket, waker });
        None
    }

    pub(super) fn remove(&mut self, key: WaiterKey) -> Option<Waker> {
        let at = self.0.iter().position(|waiter| waiter.key == key)?;
        Some(self.0.swap_remove(at).waker)
    }

    /// Removes the callers whose tickets are over, and returns their wakers.
    pub(super) fn take(&mut self, is_over: impl Fn(Ticket) -> bool) -> Vec<Waker> {
        let over = self.0.extract_if(.., |waiter| is_over(waiter.ticket));
        over.map(|waiter| waiter.waker).collect()
    }

    /// Returns the first time at which one of the callers stops waiting.
    pub(super) fn first_deadline(&self) -> Option<Instant> {
        self.0.iter().map(|waiter| waiter.ticket.deadline).min()
    }
}

/// Wakes futures. Call it without the mailbox's lock, because wakers are user code.
pub(super) fn wake_all(wakers: Vec<Waker>) {
    for waker in wakers {
        caught(|| waker.wake());
    }
}

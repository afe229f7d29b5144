//! The thread that ends futures by their deadlines.
//!
//! The worker serves a request by its deadline, and wakes the future. A reporter that blocks may keep it from that, and
//! a future has no timer of its own. So a thread keeps the deadlines while a future waits. If it cannot be started, the
//! future ends with the worker's answer.

use std::sync::{Arc, PoisonError};
use std::thread;

use crate::clock::instant_now;
use crate::reporter::worker::mailbox::Mailbox;
use crate::reporter::worker::mailbox::waiters::wake_all;

impl Mailbox {
    /// Starts the thread if there is none, and tells it of a new deadline.
    pub(super) fn attend(self: &Arc<Self>) {
        let was_attended = std::mem::replace(&mut self.lock().is_attended, true);
        if was_attended {
            self.process_state().wakes_callers.notify_all();
            return;
        }
        let mailbox = self.clone();
        let spawned = thread::Builder::new()
            .name("tracehound-wait".to_owned())
            .spawn(move || mailbox.keep_deadlines());
        if spawned.is_err() {
            self.lock().is_attended = false;
        }
    }

    /// Ends futures whose time is up, until no future waits.
    fn keep_deadlines(&self) {
        let process = self.process_state();
        let mut state = self.lock();
        loop {
            let late = state.take_answered();
            if !late.is_empty() {
                drop(state);
                wake_all(late);
                state = self.lock();
                continue;
            }
            let Some(until) = state.waiters.first_deadline() else {
                state.is_attended = false;
                return;
            };
            let left = until.saturating_duration_since(instant_now());
            state = process
                .wakes_callers
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

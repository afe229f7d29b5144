//! The attendant: a thread that is there while callers wait whom the worker may keep waiting.
//!
//! - A future has no timer of its own. The worker serves its request by the deadline and wakes it, but a reporter that
//!   blocks may keep the worker from that. So the attendant ends futures by their deadlines.
//! - A worker that runs as a task does not get on while the threads of its runtime are blocked, maybe by the callers
//!   who wait for it. So the attendant has a thread stand in for a task that lets a request lie.
//!
//! If the attendant cannot be started, callers wait for the worker alone.

use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock::{after, deadline_after, instant_now};
use crate::reporter::worker::mailbox::Mailbox;
use crate::reporter::worker::mailbox::waiters::wake_all;
use crate::reporter::worker::thread::stand_in;

impl Mailbox {
    /// Starts the attendant if there is none, and tells it of a new caller.
    pub(super) fn attend(self: &Arc<Self>) {
        let was_attended = std::mem::replace(&mut self.lock().is_attended, true);
        if was_attended {
            self.process_state().wakes_callers.notify_all();
            return;
        }
        let mailbox = self.clone();
        let spawned = thread::Builder::new()
            .name("tracehound-wait".to_owned())
            .spawn(move || mailbox.attend_callers());
        if spawned.is_err() {
            self.lock().is_attended = false;
        }
    }

    fn attend_callers(self: &Arc<Self>) {
        let process = self.process_state();
        // Since when a turn rests although a request waits.
        let mut rests_since: Option<Instant> = None;
        let mut state = self.lock();
        loop {
            let answered = state.take_answered();
            if !answered.is_empty() {
                drop(state);
                wake_all(answered);
                state = self.lock();
                continue;
            }
            let deadline = state.waiters.first_deadline();
            if deadline.is_none() && state.blocked == 0 {
                state.is_attended = false;
                return;
            }
            let now = instant_now();
            let mut until = deadline.unwrap_or_else(|| deadline_after(LOOK_AGAIN));
            if state.resting.is_some() && state.served < state.asked {
                // A caller who blocks may keep the task from its thread. Futures alone do not.
                let patience = match state.blocked {
                    0 => PATIENCE_OF_FUTURES,
                    _ => PATIENCE,
                };
                let patience_ends = after(*rests_since.get_or_insert(now), patience);
                if now >= patience_ends {
                    drop(state);
                    self.find_stand_in();
                    rests_since = None;
                    state = self.lock();
                    continue;
                }
                until = until.min(patience_ends);
            } else {
                rests_since = None;
            }
            state = process
                .wakes_callers
                .wait_timeout(state, until.saturating_duration_since(now))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Starts a thread for the turn that rests. If none can be started, the turn goes on resting.
    fn find_stand_in(self: &Arc<Self>) {
        if let Some(turn) = self.take_resting()
            && let Err(turn) = stand_in(self, turn)
        {
            self.give_back(turn);
        }
    }
}

/// The time that a task may let a request lie if a thread waits.
const PATIENCE: Duration = Duration::from_millis(5);
/// The time that it may let one lie if only futures wait.
const PATIENCE_OF_FUTURES: Duration = Duration::from_millis(50);
/// The time after which to look again if nobody has said that something has changed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

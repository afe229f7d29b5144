//! The turn of a worker that runs as a task.
//!
//! Between two polls of the task the turn rests in the mailbox, so that a thread can take it if the task does not get
//! on: because its runtime has one thread, which waits for the worker.

use std::sync::Arc;

use crate::reporter::worker::mailbox::{IdleTurn, Mailbox};
use crate::reporter::worker::turn::WorkerTurn;

impl Mailbox {
    /// Lets a turn rest until the task, or a thread that stands in for it, takes it. If the task is gone, starts a
    /// thread.
    pub(in crate::reporter::worker) fn rest(self: &Arc<Self>, turn: Box<WorkerTurn>) {
        let mut state = self.lock();
        state.thread = None;
        if state.task.is_none() {
            drop(state);
            self.start(IdleTurn::Made(turn));
            return;
        }
        state.resting = Some(turn);
        if state.is_attended {
            self.process_state().wakes_callers.notify_all();
        }
    }

    /// Takes the turn that rests, for a thread that stands in for the task.
    pub(super) fn take_resting(&self) -> Option<Box<WorkerTurn>> {
        self.lock().resting.take()
    }

    /// Like [`rest`](Self::rest), and has the task go on.
    pub(in crate::reporter::worker) fn give_back(self: &Arc<Self>, turn: Box<WorkerTurn>) {
        self.rest(turn);
        self.wake_worker(self.lock());
    }

    /// Returns whether no request waits for an answer.
    pub(in crate::reporter::worker) fn is_answered(&self) -> bool {
        let state = self.lock();
        state.served >= state.asked
    }
}

//! The side of the mailbox for a task that runs the worker.

use std::sync::Arc;
use std::task::Waker;
use std::thread;
use std::time::Instant;

use crate::reporter::worker::mailbox::{IdleTurn, Mailbox};
use crate::reporter::worker::turn::{Orders, WorkerTurn};

impl Mailbox {
    /// Notes that a task runs the worker, and lets the turn rest until its first poll.
    pub(in crate::reporter::worker) fn begin_task(&self, turn: Box<WorkerTurn>) {
        let mut state = self.lock();
        state.task = Some(Waker::noop().clone());
        state.resting = Some(turn);
    }

    /// Notes that the task is gone. If it has left a turn, starts a thread for it.
    pub(in crate::reporter::worker) fn end_task(self: &Arc<Self>) {
        let mut state = self.lock();
        let task = state.task.take();
        let turn = state.resting.take();
        drop(state);
        drop(task);
        if let Some(turn) = turn {
            self.start(IdleTurn::Made(turn));
        }
    }

    /// Takes the turn that rests, for a poll of the task with that waker. Returns `None` while a thread has the turn.
    pub(in crate::reporter::worker) fn resume(&self, waker: &Waker) -> Option<Box<WorkerTurn>> {
        let waker = waker.clone();
        let mut state = self.lock();
        let last = state.task.replace(waker);
        let turn = state.resting.take();
        if turn.is_some() {
            state.thread = Some(thread::current().id());
        }
        drop(state);
        drop(last);
        turn
    }

    /// Returns the worker's next orders, if there are any or it is `until`.
    pub(in crate::reporter::worker) fn orders(&self, until: Instant) -> Option<Orders> {
        self.lock().take_orders(until)
    }

    /// Returns whether the worker has ended.
    pub(in crate::reporter::worker) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }
}

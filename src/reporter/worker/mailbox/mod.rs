//! Requests of callers to the worker, and its answers to them.

mod attendant;
#[cfg(feature = "tokio")]
mod polled;
mod resting;
mod served;
mod waiters;

use std::fmt;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use crate::clock::{deadline_after, instant_now};
use crate::metrics::{Accounts, DropCause, FlushReport};
use crate::panics::caught;
use crate::reporter::MakeReporter;
use crate::reporter::worker::mailbox::waiters::{Ticket, Waiters, wake_all};
use crate::reporter::worker::options::WorkerOptions;
use crate::reporter::worker::turn::{Orders, Progress, Totals, WorkerTurn};
use crate::sync::PerProcess;

/// Connects callers with the worker: they leave requests and wait, it leaves what it has done.
///
/// Also keeps the worker's turn while no thread runs it.
pub(crate) struct Mailbox {
    spawn: SpawnWorker,
    after_fork: Option<MakeReporter>,
    options: WorkerOptions,
    states: PerProcess<ProcessState>,
}

/// Runs a worker until it is closed, on a thread or a task of its own. Gives the turn back if that cannot start.
pub(crate) type SpawnWorker =
    Box<dyn Fn(&Arc<Mailbox>, IdleTurn) -> Result<(), IdleTurn> + Send + Sync>;

/// A turn that no thread runs.
pub(crate) enum IdleTurn {
    Made(Box<WorkerTurn>),
    /// The first turn of a forked child. The parent's turn stayed in the parent.
    NotMade,
}

/// A request of a caller, about all spans that were finished before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Hand them to the reporter.
    Drain,
    /// Hand them over, then flush the reporter.
    Flush,
    /// Hand them over, then close the reporter.
    Close,
}

/// The part of a mailbox that a forked child does not share with its parent.
#[derive(Default)]
struct ProcessState {
    state: Mutex<State>,
    wakes_worker: Condvar,
    wakes_callers: Condvar,
}

#[derive(Default)]
struct State {
    /// `None` while a thread or a task has the turn, and after the last one.
    idle: Option<IdleTurn>,
    /// The turn of a task, between two polls.
    resting: Option<Box<WorkerTurn>>,
    /// Wakes the task that runs the worker, if a task does.
    task: Option<Waker>,
    /// The time until which only callers who wait ask for a thread.
    retry_at: Option<Instant>,
    thread: Option<ThreadId>,
    /// The last ticket given out, the last one that the worker has seen, and the last one served.
    asked: u64,
    seen: u64,
    served: u64,
    /// Memory runs short.
    drain_now: bool,
    flush_until: Option<Instant>,
    close_until: Option<Instant>,
    is_closed: bool,
    totals: Totals,
    /// The callers who wait on a thread.
    blocked: usize,
    /// The callers who wait in a future.
    waiters: Waiters,
    /// The attendant runs.
    is_attended: bool,
}

impl State {
    /// Returns whether a request was served, once there is nothing more to wait for.
    fn outcome(&self, ticket: Ticket) -> Option<bool> {
        if self.served >= ticket.number || self.is_closed {
            return Some(true);
        }
        let is_over = self.idle.is_some() || instant_now() >= ticket.deadline;
        is_over.then_some(false)
    }

    /// Returns the worker's next orders if a caller asks for something, memory runs short, or it is `until`.
    fn take_orders(&mut self, until: Instant) -> Option<Orders> {
        let is_time = self.drain_now || self.asked > self.seen || instant_now() >= until;
        is_time.then(|| {
            self.seen = self.asked;
            Orders {
                ticket: self.asked,
                drain_now: mem::take(&mut self.drain_now),
                flush_until: self.flush_until.take(),
                close_until: self.close_until.take(),
            }
        })
    }

    /// Removes the callers who have nothing more to wait for, and returns their wakers.
    fn take_answered(&mut self) -> Vec<Waker> {
        let mut waiters = mem::take(&mut self.waiters);
        let answered = waiters.take(|ticket| self.outcome(ticket).is_some());
        self.waiters = waiters;
        answered
    }
}

impl Mailbox {
    pub(super) fn new(
        options: WorkerOptions,
        after_fork: Option<MakeReporter>,
        spawn: SpawnWorker,
    ) -> Self {
        Self {
            spawn,
            after_fork,
            options,
            states: PerProcess::new(ProcessState::default()),
        }
    }

    /// Keeps a turn until a thread runs it.
    pub(super) fn keep(&self, turn: Box<WorkerTurn>) {
        self.lock().idle = Some(IdleTurn::Made(turn));
    }

    /// Asks the worker for something and waits until it is done. Returns false if the time was up first.
    pub(super) fn request(self: &Arc<Self>, request: Request, timeout: Duration) -> bool {
        let Some(ticket) = self.leave(request, timeout) else {
            return true;
        };
        let process = self.process_state();
        let mut state = self.lock();
        state.blocked += 1;
        if state.task.is_some() {
            // This thread may be the one that the task needs.
            drop(state);
            self.attend();
            state = self.lock();
        }
        loop {
            if let Some(is_served) = state.outcome(ticket) {
                state.blocked -= 1;
                if state.is_attended {
                    process.wakes_callers.notify_all();
                }
                return is_served;
            }
            let left = ticket.deadline.saturating_duration_since(instant_now());
            state = process
                .wakes_callers
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Leaves a request with the worker. Returns `None` if the caller has nothing to wait for.
    fn leave(self: &Arc<Self>, request: Request, timeout: Duration) -> Option<Ticket> {
        if self.is_unused() {
            return None;
        }
        self.ensure_running(true);
        let deadline = deadline_after(timeout);
        let mut state = self.lock();
        state.asked += 1;
        let number = state.asked;
        // The longest deadline wins: a short request must not cut a long one.
        let latest =
            |until: Option<Instant>| Some(until.map_or(deadline, |until| until.max(deadline)));
        match request {
            Request::Drain => {}
            Request::Flush => state.flush_until = latest(state.flush_until),
            Request::Close => state.close_until = latest(state.close_until),
        }
        // The worker would wait for itself.
        let is_worker = state.thread == Some(thread::current().id());
        self.wake_worker(state);
        (!is_worker).then_some(Ticket { number, deadline })
    }

    fn wake_worker(&self, state: MutexGuard<'_, State>) {
        let task = state.task.clone();
        drop(state);
        self.process_state().wakes_worker.notify_one();
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Asks the worker to drain soon. Returns false if no thread runs it and none can be started.
    pub(super) fn wake(self: &Arc<Self>, may_start: bool) -> bool {
        let mut state = self.lock();
        state.drain_now = true;
        if state.idle.is_some() {
            // There is nobody to wake, which would be a system call at every start while no thread can be started.
            drop(state);
            return may_start && self.ensure_running(false);
        }
        self.wake_worker(state);
        true
    }

    /// Starts a thread for the turn if none runs it. Returns false if none can be started.
    ///
    /// Within a second after a failure only an urgent call tries again.
    pub(super) fn ensure_running(self: &Arc<Self>, is_urgent: bool) -> bool {
        let idle = {
            let mut state = self.lock();
            let is_time = |at| is_urgent || at <= instant_now();
            if state.idle.is_some() && !state.retry_at.is_none_or(is_time) {
                return false;
            }
            state.idle.take()
        };
        idle.is_none_or(|idle| self.start(idle))
    }

    /// Starts a thread or a task for the turn. Returns false if none can be started.
    fn start(self: &Arc<Self>, idle: IdleTurn) -> bool {
        let diagnostics = self.options.services.diagnostics();
        // Not under the lock: in a forked child this calls the user code that makes the reporter.
        match (self.spawn)(self, idle) {
            Ok(()) => {
                diagnostics.recovered("no_worker", || {
                    "there is a thread again to send spans".to_owned()
                });
                true
            }
            Err(idle) => {
                diagnostics.warn("no_worker", || {
                    "no thread could be started to send spans; they wait until one can".to_owned()
                });
                let mut state = self.lock();
                state.idle = Some(idle);
                state.retry_at = Some(deadline_after(RETRY));
                drop(state);
                self.options.queue.need_worker();
                // Without a thread, callers would wait in vain.
                self.wake_callers();
                false
            }
        }
    }

    /// Returns whether this is a forked child that has finished no span: then there is nothing to ask a worker for.
    fn is_unused(&self) -> bool {
        let is_not_made = matches!(self.lock().idle, Some(IdleTurn::NotMade));
        is_not_made && {
            let (lost, finished) = self.options.queue.totals();
            lost.total() == finished
        }
    }

    /// Counts what waits as lost if the tracer is closed and never had a thread.
    pub(super) fn give_up_without_thread(&self) {
        let idle = self.lock().idle.take();
        if idle.is_some() {
            let lost = self.options.queue.drain(|_| {});
            let mut state = self.lock();
            state.totals.dropped.add(DropCause::NoWorker, lost);
            state.is_closed = true;
            drop(state);
            self.wake_callers();
        }
        // The reporter is user code.
        caught(|| drop(idle));
    }

    /// Returns what has become of all finished spans.
    pub(super) fn report(&self) -> FlushReport {
        // Read before the count of finished spans, so that no more shows as done than was finished.
        let totals = self.lock().totals;
        totals.report(&self.options.queue)
    }

    pub(super) fn options(&self) -> &WorkerOptions {
        &self.options
    }

    /// Returns the function that makes a forked child's reporter, if the reporter has given one.
    pub(super) fn after_fork(&self) -> Option<&MakeReporter> {
        self.after_fork.as_ref()
    }

    /// Notes the worker's thread, which must not wait for itself.
    pub(super) fn runs_on(&self, thread: ThreadId) {
        self.lock().thread = Some(thread);
    }

    /// Waits until a caller asks for something, memory runs short, or it is `until`.
    pub(super) fn wait(&self, until: Instant) -> Orders {
        let process = self.process_state();
        let mut state = self.lock();
        loop {
            if let Some(orders) = state.take_orders(until) {
                return orders;
            }
            let left = until.saturating_duration_since(instant_now());
            state = process
                .wakes_worker
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Runs one turn and publishes what it has done. Returns false if there is no next turn.
    pub(super) fn run(&self, turn: &mut WorkerTurn, orders: &Orders) -> bool {
        let Some(progress) = turn.run(orders) else {
            return false;
        };
        self.deliver(&progress);
        if progress.is_closed {
            // If a thread stood in for a task, the task ends too.
            self.wake_worker(self.lock());
        }
        !progress.is_closed
    }

    /// Publishes what a turn has done, and wakes the callers whose tickets it has served.
    fn deliver(&self, progress: &Progress) {
        let mut state = self.lock();
        state.totals = progress.totals;
        let Some(ticket) = progress.served else {
            return;
        };
        state.served = state.served.max(ticket);
        state.is_closed |= progress.is_closed;
        drop(state);
        self.wake_callers();
    }

    /// Wakes the callers who have nothing more to wait for.
    fn wake_callers(&self) {
        let mut state = self.lock();
        let answered = state.take_answered();
        drop(state);
        self.process_state().wakes_callers.notify_all();
        // Not under the lock: a waker is code of the caller's runtime.
        wake_all(answered);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let state = self.process_state().state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn process_state(&self) -> &ProcessState {
        self.states.get(|_| ProcessState {
            state: Mutex::new(State {
                idle: Some(IdleTurn::NotMade),
                is_closed: self.options.queue.is_closed(),
                ..State::default()
            }),
            ..ProcessState::default()
        })
    }
}

impl Accounts for Mailbox {
    fn report(&self) -> FlushReport {
        Self::report(self)
    }
}

/// The metrics outlive the tracer, and go on to tell what became of its spans.
impl Drop for Mailbox {
    fn drop(&mut self) {
        let report = Self::report(self);
        self.options.services.metrics().settle(report);
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailbox({:?})", self.options.queue)
    }
}

#[cfg(test)]
impl Mailbox {
    /// Ends the pause after a failure, so that the next span asks for a thread.
    pub(super) fn end_pause(&self) {
        self.lock().retry_at = Some(instant_now());
    }

    /// Returns how many requests there were.
    pub(super) fn requests(&self) -> u64 {
        self.lock().asked
    }
}

/// The time after a failure in which spans that start ask for no thread.
const RETRY: Duration = Duration::from_secs(1);

//! The worker: takes finished spans from the store and hands them to the reporter.
//!
//! A [`Drive`] does what is next (drain, flush, close) and knows no thread; a [`Driver`] waits and runs it. Requests of
//! callers (flush, drain, close) bypass the spans: they are tickets that a drive serves in its next turn.
//!
//! A forked child has no thread but its own, and the parent's drive may be in the middle of anything. So it has a state
//! of its own, and a drive is made there, with a reporter that is made anew, when the first span starts.

use std::fmt;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use crate::clock::{Clock, deadline_after, instant_now};
use crate::diagnostics::Diagnostics;
use crate::metrics::{DropCause, DropCounts, FlushReport, Metrics};
use crate::model::Process;
use crate::record::Store;
use crate::reporter::guarded::guarded;
use crate::reporter::worker::forked::{NoReporter, renamed};
use crate::reporter::worker::turn::{Drive, Orders, Totals};
use crate::reporter::{MakeReporter, Reporter};
use crate::services::Services;
use crate::sync::PerProcess;

/// A reporter's handle to the worker that runs it: the tracer's [`Services`], and a way to ask for more spans. Cheap to
/// clone.
#[derive(Clone)]
pub struct WorkerHandle {
    services: Services,
    /// Keeps nothing alive: the worker keeps what makes another reporter in a child, which may keep this.
    shared: Weak<Shared>,
}

impl WorkerHandle {
    /// Returns a handle without a worker, to try a reporter out by hand.
    pub fn detached(services: Services) -> Self {
        Self {
            services,
            shared: Weak::new(),
        }
    }

    /// Returns the tracer's services.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Returns who the spans are from: short for the [`Services`]' process.
    pub fn process(&self) -> &Process {
        self.services.process()
    }

    /// Returns where to count: short for the [`Services`]' metrics.
    pub fn metrics(&self) -> &Metrics {
        self.services.metrics()
    }

    /// Returns where to say what is wrong: short for the [`Services`]' diagnostics.
    pub fn diagnostics(&self) -> &Diagnostics {
        self.services.diagnostics()
    }

    /// Spans that were lost before they came to the reporter.
    pub fn dropped(&self) -> DropCounts {
        self.shared
            .upgrade()
            .map_or_else(DropCounts::default, |shared| {
                shared.options.store.totals().0
            })
    }

    /// Has everything that was finished before this call handed to the reporter; false when that took longer
    /// than `timeout`. True at once on the worker itself, where it would wait for itself, and where the tracer is gone.
    pub fn drain(&self, timeout: Duration) -> bool {
        match self.shared.upgrade() {
            Some(shared) => shared.request(Request::Drain, timeout),
            None => true,
        }
    }
}

impl fmt::Debug for WorkerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WorkerHandle({})", self.process().service_name)
    }
}

/// What a worker needs.
#[derive(Clone, Debug)]
pub(crate) struct WorkerOptions {
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Clock,
    pub(crate) process: Arc<Process>,
    /// The user has said who the process is to an agent that counts: a forked child says the same.
    pub(crate) keeps_uuid: bool,
    pub(crate) metrics: Metrics,
    pub(crate) diagnostics: Diagnostics,
    pub(crate) flush_interval: Duration,
}

/// The tracer's side of the worker.
#[derive(Debug)]
pub(crate) struct Worker {
    shared: Arc<Shared>,
}

impl Worker {
    /// Starts the driver. Where it cannot start, spans wait and it is tried again.
    pub(crate) fn start(
        options: WorkerOptions,
        reporter: Box<dyn Reporter>,
        driver: Driver,
    ) -> Self {
        // Asked while nobody uses the reporter: after a fork it may be half through a change.
        let after_fork = guarded(&options.metrics, || reporter.after_fork()).flatten();
        let shared = Arc::new(Shared {
            driver,
            after_fork,
            options: options.clone(),
            here: PerProcess::new(Here::default()),
        });
        let handle = shared.handle(options.process.clone());
        let drive = Drive::new(options, reporter, &handle);
        shared.lock().waiting = Waiting::Drive(Box::new(drive));
        let for_wake = Arc::downgrade(&shared);
        shared.options.store.on_need(move |may_start| {
            for_wake
                .upgrade()
                .is_none_or(|shared| shared.wake(may_start))
        });
        shared.ensure_running(true);
        Self { shared }
    }

    pub(crate) fn flush(&self, timeout: Duration) -> FlushReport {
        self.shared.request(Request::Flush, timeout);
        self.shared.report()
    }

    pub(crate) fn close(&self, timeout: Duration) -> FlushReport {
        self.shared.options.store.close();
        self.shared.request(Request::Close, timeout);
        self.shared.give_up_without_thread();
        self.shared.report()
    }

    pub(crate) fn report(&self) -> FlushReport {
        self.shared.report()
    }
}

/// Runs a drive until it is closed, on a thread or a task of its own; gives it back where that cannot start.
pub(crate) type Driver = fn(Arc<Shared>, Box<Drive>) -> Result<(), Box<Drive>>;

/// What callers and the drive share.
pub(crate) struct Shared {
    driver: Driver,
    after_fork: Option<MakeReporter>,
    options: WorkerOptions,
    here: PerProcess<Here>,
}

/// What each process of a line of forks has for itself.
#[derive(Default)]
struct Here {
    state: Mutex<State>,
    wake: Condvar,
    done: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Waiting,
    /// No thread is asked for until then, unless somebody waits for it.
    retry_at: Option<Instant>,
    thread: Option<ThreadId>,
    /// The last ticket given out, the last one that the drive knows of, and the last one served.
    asked: u64,
    known: u64,
    served: u64,
    /// Much waits, or half of the memory is used up.
    drain_now: bool,
    flush_until: Option<Instant>,
    close_until: Option<Instant>,
    is_closed: bool,
    totals: Totals,
}

/// What waits for a thread.
#[derive(Default)]
enum Waiting {
    /// Nothing: a thread has the drive, or will never need one again.
    #[default]
    Nothing,
    Drive(Box<Drive>),
    /// A drive that has yet to be made: the one of the parent stayed there.
    Heir,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Drain,
    Flush,
    Close,
}

impl Shared {
    /// Asks the drive for something and waits until it is done; false when the time was up first.
    fn request(self: &Arc<Self>, request: Request, timeout: Duration) -> bool {
        if self.is_unused() {
            return true;
        }
        self.ensure_running(true);
        let deadline = deadline_after(timeout);
        let here = self.here();
        let mut state = self.lock();
        state.asked += 1;
        let ticket = state.asked;
        // The longest deadline wins: a short request must not cut a long one.
        let latest =
            |until: Option<Instant>| Some(until.map_or(deadline, |until| until.max(deadline)));
        match request {
            Request::Drain => {}
            Request::Flush => state.flush_until = latest(state.flush_until),
            Request::Close => state.close_until = latest(state.close_until),
        }
        here.wake.notify_one();
        if state.thread == Some(std::thread::current().id()) {
            return true;
        }
        while state.served < ticket && !state.is_closed {
            let left = deadline.saturating_duration_since(instant_now());
            if left.is_zero() || state.is_waiting() {
                return false;
            }
            state = here
                .done
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    /// Has the drive drain soon; false where no thread has it, nor can have it now.
    fn wake(self: &Arc<Self>, may_start: bool) -> bool {
        let is_waiting = {
            let mut state = self.lock();
            state.drain_now = true;
            state.is_waiting()
        };
        self.here().wake.notify_one();
        !is_waiting || (may_start && self.ensure_running(false))
    }

    /// Gives the drive to a thread if it has none; false where none can be had, which is tried again after a second.
    fn ensure_running(self: &Arc<Self>, is_urgent: bool) -> bool {
        let waiting = {
            let mut state = self.lock();
            let is_late = |at| is_urgent || at <= instant_now();
            if state.is_waiting() && !state.retry_at.is_none_or(is_late) {
                return false;
            }
            mem::take(&mut state.waiting)
        };
        let drive = match waiting {
            Waiting::Nothing => return true,
            Waiting::Drive(drive) => drive,
            // Out of the lock: this calls what the reporter has left for it.
            Waiting::Heir => self.inherit(),
        };
        let diagnostics = &self.options.diagnostics;
        match (self.driver)(self.clone(), drive) {
            Ok(()) => {
                diagnostics.recovered("no_worker", || {
                    "there is a thread again to send spans".to_owned()
                });
                true
            }
            Err(drive) => {
                diagnostics.warn("no_worker", || {
                    "no thread could be started to send spans; they wait until one can".to_owned()
                });
                let mut state = self.lock();
                state.waiting = Waiting::Drive(drive);
                state.retry_at = Some(deadline_after(RETRY));
                drop(state);
                self.options.store.need_worker();
                // Who waits for it need not wait any longer.
                self.here().done.notify_all();
                false
            }
        }
    }

    fn handle(self: &Arc<Self>, process: Arc<Process>) -> WorkerHandle {
        let options = &self.options;
        WorkerHandle {
            services: Services::new(
                process,
                options.metrics.clone(),
                options.diagnostics.clone(),
                options.clock.clone(),
            ),
            shared: Arc::downgrade(self),
        }
    }

    /// The drive of a forked child.
    fn inherit(self: &Arc<Self>) -> Box<Drive> {
        let metrics = &self.options.metrics;
        let made = self
            .after_fork
            .as_ref()
            .and_then(|make| guarded(metrics, make));
        let reporter = made.unwrap_or_else(|| {
            self.options.diagnostics.warn("no_reporter", || {
                "spans of a forked process are lost: its reporter cannot be made again".to_owned()
            });
            Box::new(NoReporter::default())
        });
        let mut options = self.options.clone();
        if !options.keeps_uuid {
            options.process = Arc::new(renamed(&options.process));
        }
        let handle = self.handle(options.process.clone());
        Box::new(Drive::new(options, reporter, &handle))
    }

    /// Whether this is a forked child that has not finished a span: then it needs no thread to say so.
    fn is_unused(&self) -> bool {
        let is_heir = matches!(self.lock().waiting, Waiting::Heir);
        is_heir && {
            let (lost, finished) = self.options.store.totals();
            lost.total() == finished
        }
    }

    /// The tracer is closed and there never was a thread: what waits is lost, and counted.
    fn give_up_without_thread(&self) {
        let waiting = mem::take(&mut self.lock().waiting);
        if !matches!(waiting, Waiting::Nothing) {
            let lost = self.options.store.drain(|_| {});
            let mut state = self.lock();
            state.totals.dropped.add(DropCause::NoWorker, lost);
            state.is_closed = true;
        }
    }

    fn report(&self) -> FlushReport {
        // First what is done, then what was finished: nothing shows as done that was not finished.
        let Totals { sent, mut dropped } = self.lock().totals;
        let (lost, finished) = self.options.store.totals();
        dropped.merge(&lost);
        let queued = finished.saturating_sub(sent + dropped.total());
        FlushReport {
            finished,
            sent,
            dropped,
            queued,
        }
    }

    pub(super) fn running_on(&self, thread: ThreadId) {
        self.lock().thread = Some(thread);
    }

    /// Waits until a caller asks for something, memory runs short, or it is `until`.
    pub(super) fn wait(&self, until: Instant) -> Orders {
        let here = self.here();
        let mut state = self.lock();
        loop {
            let left = until.saturating_duration_since(instant_now());
            if left.is_zero() || state.drain_now || state.asked > state.known {
                state.known = state.asked;
                return Orders {
                    ticket: state.asked,
                    drain_now: mem::take(&mut state.drain_now),
                    flush_until: state.flush_until.take(),
                    close_until: state.close_until.take(),
                };
            }
            state = here
                .wake
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Shows what has become of the spans so far.
    pub(super) fn update(&self, totals: Totals) {
        self.lock().totals = totals;
    }

    /// As [`update`](Self::update), and tells those who wait for `ticket` that it is done.
    pub(super) fn serve(&self, ticket: u64, is_closed: bool, totals: Totals) {
        let mut state = self.lock();
        state.served = state.served.max(ticket);
        state.totals = totals;
        state.is_closed |= is_closed;
        drop(state);
        self.here().done.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let state = self.here().state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn here(&self) -> &Here {
        self.here.get(|_| Here {
            state: Mutex::new(State {
                waiting: Waiting::Heir,
                is_closed: self.options.store.is_closed(),
                ..State::default()
            }),
            ..Here::default()
        })
    }
}

impl State {
    fn is_waiting(&self) -> bool {
        !matches!(self.waiting, Waiting::Nothing)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({:?})", self.options.store)
    }
}

/// How long a thread that cannot be had is not asked for again.
const RETRY: Duration = Duration::from_secs(1);

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

//! The worker: takes finished spans from the store and hands them to the reporter.
//!
//! [`Drive`] decides what is next (drain, flush, close) and knows no thread; a [`Driver`] waits and runs it. Requests of callers (flush, drain, close) bypass the spans: they are tickets that a drive serves
//! in its next turn.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use crate::clock::{Clock, deadline_after, instant_now};
use crate::diagnostics::Diagnostics;
use crate::metrics::{Counter, DropCause, DropCounts, FlushReport, Metrics};
use crate::model::Process;
use crate::record::Store;
use crate::reporter::{Reporter, Unsent};

/// What a reporter may know of the worker that runs it, and ask of it. Cheap to clone.
#[derive(Clone)]
pub struct WorkerHandle {
    process: Arc<Process>,
    metrics: Metrics,
    diagnostics: Diagnostics,
    shared: Option<Arc<Shared>>,
}

impl WorkerHandle {
    /// A handle without a worker: for a reporter that is tried out by hand.
    pub fn detached(process: Process) -> Self {
        Self::detached_with(process, Diagnostics::default())
    }

    /// The same, with its lines going to `diagnostics`.
    pub fn detached_with(process: Process, diagnostics: Diagnostics) -> Self {
        Self {
            process: Arc::new(process),
            metrics: Metrics::default(),
            diagnostics,
            shared: None,
        }
    }

    /// Who the spans are from.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Where to count.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Where to say what is wrong.
    pub fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }

    /// Spans that were lost before they came to the reporter.
    pub fn dropped(&self) -> DropCounts {
        self.shared
            .as_ref()
            .map_or_else(DropCounts::default, |shared| shared.store.totals().0)
    }

    /// Has everything that was finished before this call handed to the reporter; false when that took longer
    /// than `timeout`. True at once on the worker itself, where it would wait for itself.
    pub fn drain(&self, timeout: Duration) -> bool {
        match &self.shared {
            Some(shared) => shared.request(Request::Drain, timeout),
            None => true,
        }
    }
}

impl fmt::Debug for WorkerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WorkerHandle({})", self.process.service_name)
    }
}

/// What a worker needs.
#[derive(Debug)]
pub(crate) struct WorkerOptions {
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Clock,
    pub(crate) process: Arc<Process>,
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
        mut reporter: Box<dyn Reporter>,
        driver: Driver,
    ) -> Self {
        let shared = Arc::new(Shared {
            driver,
            store: options.store.clone(),
            diagnostics: options.diagnostics.clone(),
            state: Mutex::default(),
            wake: Condvar::new(),
            done: Condvar::new(),
        });
        let handle = WorkerHandle {
            process: options.process.clone(),
            metrics: options.metrics.clone(),
            diagnostics: options.diagnostics.clone(),
            shared: Some(shared.clone()),
        };
        let attached = catch_unwind(AssertUnwindSafe(|| reporter.attach(&handle)));
        if attached.is_err() {
            options.metrics.add(Counter::CallbackPanics, 1);
        }
        let drive = Box::new(Drive {
            next_flush: deadline_after(options.flush_interval),
            options,
            reporter,
            handed: 0,
            panicked: 0,
            seen_full: 0,
            unsent: Unsent::default(),
        });
        shared.lock().idle_drive = Some(drive);
        let for_wake = Arc::downgrade(&shared);
        shared.store.on_half_full(move || {
            if let Some(shared) = for_wake.upgrade() {
                shared.lock().drain_now = true;
                shared.wake.notify_one();
            }
        });
        shared.ensure_running();
        Self { shared }
    }

    pub(crate) fn flush(&self, timeout: Duration) -> FlushReport {
        self.shared.request(Request::Flush, timeout);
        self.shared.report()
    }

    pub(crate) fn close(&self, timeout: Duration) -> FlushReport {
        self.shared.store.close();
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
    store: Arc<Store>,
    diagnostics: Diagnostics,
    state: Mutex<State>,
    wake: Condvar,
    done: Condvar,
}

#[derive(Default)]
struct State {
    /// The drive, while no thread has it.
    idle_drive: Option<Box<Drive>>,
    thread: Option<ThreadId>,
    /// The last ticket given out, and the last one served.
    asked: u64,
    served: u64,
    /// Half of the memory is used up.
    drain_now: bool,
    flush_until: Option<Instant>,
    close_until: Option<Instant>,
    is_closed: bool,
    totals: Totals,
}

/// What has become of the spans that the reporter was handed.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    sent: u64,
    dropped: DropCounts,
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
        self.ensure_running();
        let deadline = deadline_after(timeout);
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
        self.wake.notify_one();
        if state.thread == Some(std::thread::current().id()) {
            return true;
        }
        while state.served < ticket && !state.is_closed {
            let left = deadline.saturating_duration_since(instant_now());
            if left.is_zero() || state.idle_drive.is_some() {
                return false;
            }
            state = self
                .done
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    /// Gives the drive to a thread if it has none.
    fn ensure_running(self: &Arc<Self>) {
        let Some(drive) = self.lock().idle_drive.take() else {
            return;
        };
        if let Err(drive) = (self.driver)(self.clone(), drive) {
            self.diagnostics.warn("no_worker", || {
                "no thread could be started to send spans; they wait until one can".to_owned()
            });
            self.lock().idle_drive = Some(drive);
        }
    }

    /// The tracer is closed and there never was a thread: what waits is lost, and counted.
    fn give_up_without_thread(&self) {
        if self.lock().idle_drive.take().is_some() {
            let lost = self.store.drain(|_| {});
            let mut state = self.lock();
            state.totals.dropped.add(DropCause::NoWorker, lost);
            state.is_closed = true;
        }
    }

    fn report(&self) -> FlushReport {
        // First what is done, then what was finished: nothing shows as done that was not finished.
        let Totals { sent, mut dropped } = self.lock().totals;
        let (lost, finished) = self.store.totals();
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

    /// Waits until there is something to do.
    pub(super) fn wait(&self, next_flush: Instant) -> Turn {
        let mut state = self.lock();
        loop {
            let now = instant_now();
            let is_due = now >= next_flush;
            if is_due
                || state.drain_now
                || state.asked > state.served
                || state.close_until.is_some()
            {
                state.drain_now = false;
                return Turn {
                    ticket: state.asked,
                    flush_until: state
                        .flush_until
                        .take()
                        .or_else(|| is_due.then(|| now + TICK_TIMEOUT)),
                    close_until: state.close_until.take(),
                };
            }
            let left = next_flush.saturating_duration_since(now);
            state = self
                .wake
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn serve(&self, turn: &Turn, totals: Totals) {
        let mut state = self.lock();
        state.served = state.served.max(turn.ticket);
        state.totals = totals;
        state.is_closed |= turn.close_until.is_some();
        drop(state);
        self.done.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({:?})", self.store)
    }
}

/// What is to be done now.
#[derive(Debug)]
pub(crate) struct Turn {
    ticket: u64,
    flush_until: Option<Instant>,
    close_until: Option<Instant>,
}

/// The reporter and its accounts: does one turn at a time.
pub(crate) struct Drive {
    options: WorkerOptions,
    reporter: Box<dyn Reporter>,
    next_flush: Instant,
    handed: u64,
    panicked: u64,
    /// Spans that had found no room by the last turn.
    seen_full: u64,
    unsent: Unsent,
}

impl Drive {
    pub(super) fn next_flush(&self) -> Instant {
        self.next_flush
    }

    /// Does a turn; false after the last one.
    pub(super) fn turn(&mut self, turn: &Turn, shared: &Shared) -> bool {
        self.drain();
        if let Some(until) = turn.close_until {
            // The store was closed before this was asked for: what has been drained is everything.
            self.guard(|reporter| reporter.close(until));
        } else if let Some(until) = turn.flush_until {
            self.guard(|reporter| reporter.flush(until));
            self.options.clock.set_anchor();
            self.next_flush = deadline_after(self.options.flush_interval);
        }
        self.say_losses();
        shared.serve(turn, self.totals());
        turn.close_until.is_none()
    }

    /// Tells of spans that found no room since the last turn, and of the first turn without.
    fn say_losses(&mut self) {
        let full = self.options.store.totals().0.get(DropCause::QueueFull);
        let lost = full - std::mem::replace(&mut self.seen_full, full);
        let diagnostics = &self.options.diagnostics;
        if lost > 0 {
            diagnostics.warn("queue_full", || {
                format!("{lost} finished spans found no room in the queue and were dropped")
            });
        } else {
            diagnostics.recovered("queue_full", || "the queue has room again".to_owned());
        }
    }

    fn drain(&mut self) {
        let Self {
            options,
            reporter,
            panicked,
            ..
        } = self;
        self.handed += options.store.drain(|span| {
            if catch_unwind(AssertUnwindSafe(|| reporter.report(span))).is_err() {
                *panicked += 1;
                options.metrics.add(Counter::CallbackPanics, 1);
            }
        });
    }

    fn guard(&mut self, call: impl FnOnce(&mut Box<dyn Reporter>) -> Unsent) {
        match catch_unwind(AssertUnwindSafe(|| call(&mut self.reporter))) {
            Ok(unsent) => self.unsent = unsent,
            Err(_) => {
                self.options.metrics.add(Counter::CallbackPanics, 1);
                self.options.diagnostics.warn("reporter_panic", || {
                    "the reporter panicked; what it held may be lost".to_owned()
                });
            }
        }
    }

    fn totals(&self) -> Totals {
        let mut dropped = self.unsent.dropped;
        dropped.add(DropCause::InternalError, self.panicked);
        let not_sent = dropped.total() + self.unsent.queued;
        Totals {
            sent: self.handed.saturating_sub(not_sent),
            dropped,
        }
    }
}

/// How long a flush may take that nobody waits for.
const TICK_TIMEOUT: Duration = Duration::from_secs(1);

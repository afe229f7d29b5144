//! The poller: one thread of a tracer for things that are done now and then, such as asking for a sampling strategy.
//!
//! It starts with the first task and ends with the last one. Tasks run one after another; each says when it runs next.
//! A task that has gone, and everything in it, is dropped on the poller's thread, as it may own what blocks on its way
//! out.
//!
//! Nobody waits for the thread: [`Poller::close`] and the drop of a [`PollerTask`] return at once, and a task that is
//! running then runs to its end.
//!
//! A forked child has no thread and no tasks. A part that has added a task adds it again there.

#[cfg(any(test, feature = "remote-sampler"))]
mod schedule;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock::{after, instant_now};
use crate::diagnostics::Diagnostics;
use crate::metrics::{Counter, Metrics};
use crate::panics::caught;
use crate::sync::{PerProcess, generation};

#[cfg(feature = "remote-sampler")]
pub(crate) use schedule::PollSchedule;

/// The poller of one tracer. Clones share it.
#[derive(Clone)]
pub(crate) struct Poller {
    inner: Arc<Inner>,
}

/// Runs a task once, and returns the pause until its next run. `None` ends the task.
pub(crate) type RunTask = Box<dyn FnMut() -> Option<Duration> + Send>;

struct Inner {
    metrics: Metrics,
    diagnostics: Diagnostics,
    next_id: AtomicU64,
    is_closed: AtomicBool,
    processes: PerProcess<ProcessState>,
}

/// The part that a forked child does not share with its parent.
#[derive(Default)]
struct ProcessState {
    state: Mutex<State>,
    wakes_thread: Condvar,
}

#[derive(Default)]
struct State {
    tasks: Vec<Entry>,
    has_thread: bool,
}

struct Entry {
    id: u64,
    name: &'static str,
    next: Instant,
    /// `None` while the thread runs it.
    run: Option<RunTask>,
    /// The task's owner has gone: the thread is to drop it.
    is_over: bool,
}

impl Poller {
    /// Makes a poller without a thread.
    pub(crate) fn new(metrics: Metrics, diagnostics: Diagnostics) -> Self {
        Self {
            inner: Arc::new(Inner {
                metrics,
                diagnostics,
                next_id: AtomicU64::new(0),
                is_closed: AtomicBool::new(false),
                processes: PerProcess::new(ProcessState::default()),
            }),
        }
    }

    /// Adds a task, which first runs at once. `name` stands in a line if it panics.
    ///
    /// Call [`PollerTask::ensure_thread`] to have it run. After [`close`](Self::close) it never does.
    pub(crate) fn add(&self, name: &'static str, run: RunTask) -> PollerTask {
        // Unique across forks too: a child counts on from its parent's number.
        let id = self.inner.next_id.fetch_add(1, Ordering::Relaxed);
        let entry = Entry {
            id,
            name,
            next: instant_now(),
            run: Some(run),
            is_over: self.inner.is_closed(),
        };
        self.inner.lock().tasks.push(entry);
        self.inner.process().wakes_thread.notify_one();
        PollerTask {
            inner: self.inner.clone(),
            id,
            generation: generation(),
        }
    }

    /// Starts the thread if there is none. Returns false if none can be started. Makes sense when there is a task.
    #[cfg(feature = "remote-sampler")]
    pub(crate) fn ensure_thread(&self) -> bool {
        self.inner.ensure_thread()
    }

    /// Ends every task, and the thread. Returns at once.
    pub(crate) fn close(&self) {
        self.inner.is_closed.store(true, Ordering::Relaxed);
        for entry in &mut self.inner.lock().tasks {
            entry.is_over = true;
        }
        self.inner.process().wakes_thread.notify_one();
        self.inner.drop_without_thread();
    }
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Poller")
    }
}

/// A task of a poller. Dropping it ends the task.
#[must_use = "the task ends when this is dropped"]
pub(crate) struct PollerTask {
    inner: Arc<Inner>,
    id: u64,
    generation: u32,
}

impl PollerTask {
    /// Starts the poller's thread if there is none. Returns false if none can be started.
    pub(crate) fn ensure_thread(&self) -> bool {
        self.inner.ensure_thread()
    }

    /// Returns whether the task is of this process, and not of one that it was forked from.
    pub(crate) fn is_of_this_process(&self) -> bool {
        self.generation == generation()
    }
}

impl Drop for PollerTask {
    fn drop(&mut self) {
        if !self.is_of_this_process() {
            return;
        }
        {
            let mut state = self.inner.lock();
            let entry = state.tasks.iter_mut().find(|entry| entry.id == self.id);
            let Some(entry) = entry else { return };
            entry.is_over = true;
        }
        self.inner.process().wakes_thread.notify_one();
        self.inner.drop_without_thread();
    }
}

impl fmt::Debug for PollerTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PollerTask({})", self.id)
    }
}

impl Inner {
    fn ensure_thread(self: &Arc<Self>) -> bool {
        {
            let mut state = self.lock();
            if state.has_thread || self.is_closed() {
                return true;
            }
            state.has_thread = true;
        }
        let inner = self.clone();
        let spawned = spawn(move || inner.run());
        if spawned.is_err() {
            self.lock().has_thread = false;
            self.diagnostics.warn("no_poller", || {
                "no thread could be started for what the tracer asks for now and then".to_owned()
            });
        } else {
            self.diagnostics.recovered("no_poller", || {
                "there is a thread again for what the tracer asks for now and then".to_owned()
            });
        }
        spawned.is_ok()
    }

    /// Runs tasks until there are none.
    fn run(&self) {
        while let Some((id, name, mut run)) = self.next() {
            let pause = caught(&mut run);
            if pause.is_none() {
                self.metrics.add(Counter::CallbackPanics, 1);
                self.diagnostics.warn(name, || format!("{name} panicked"));
            }
            self.put_back(id, run, pause.unwrap_or(Some(PAUSE_AFTER_PANIC)));
        }
    }

    /// Waits for the next task that is due. Returns `None`, and takes note that there is no thread, if no task is left.
    fn next(&self) -> Option<(u64, &'static str, RunTask)> {
        let process = self.process();
        let mut state = self.lock();
        loop {
            let over = state.take_over();
            if !over.is_empty() {
                drop(state);
                drop_all(over);
                state = self.lock();
                continue;
            }
            let Some(entry) = state.soonest() else {
                state.has_thread = false;
                return None;
            };
            let left = entry.next.saturating_duration_since(instant_now());
            if left.is_zero()
                && let Some(run) = entry.run.take()
            {
                return Some((entry.id, entry.name, run));
            }
            state = process
                .wakes_thread
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn put_back(&self, id: u64, run: RunTask, pause: Option<Duration>) {
        let mut state = self.lock();
        let entry = state.tasks.iter_mut().find(|entry| entry.id == id);
        let Some(entry) = entry else {
            drop(state);
            return drop_all(vec![run]);
        };
        entry.run = Some(run);
        match pause {
            Some(pause) => entry.next = after(instant_now(), pause),
            None => entry.is_over = true,
        }
    }

    /// Drops tasks that are over here, if no thread will.
    fn drop_without_thread(&self) {
        let over = {
            let mut state = self.lock();
            if state.has_thread {
                return;
            }
            state.take_over()
        };
        drop_all(over);
    }

    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let state = self.process().state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn process(&self) -> &ProcessState {
        self.processes.get(|_| ProcessState::default())
    }
}

impl State {
    fn soonest(&mut self) -> Option<&mut Entry> {
        self.tasks.iter_mut().min_by_key(|entry| entry.next)
    }

    /// Takes the tasks that are over out of the list. One that runs now is only forgotten.
    fn take_over(&mut self) -> Vec<RunTask> {
        let (over, kept) = mem::take(&mut self.tasks)
            .into_iter()
            .partition(|entry| entry.is_over);
        self.tasks = kept;
        let over: Vec<Entry> = over;
        over.into_iter().filter_map(|entry| entry.run).collect()
    }
}

fn spawn(run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    #[cfg(test)]
    if tests::NO_THREADS.get() {
        return Err(io::Error::other("a test without threads"));
    }
    let builder = thread::Builder::new().name("tracehound-poller".to_owned());
    builder.spawn(run).map(drop)
}

/// Drops tasks, which may own user code, while no lock is held.
fn drop_all(tasks: Vec<RunTask>) {
    for task in tasks {
        caught(|| drop(task));
    }
}

/// The pause after a run that panicked and so did not say when to run again.
const PAUSE_AFTER_PANIC: Duration = Duration::from_secs(60);

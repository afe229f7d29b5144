//! The reporter and its accounts: one turn of a worker at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::clock::deadline_after;
use crate::metrics::{Counter, DropCause, DropCounts, Metrics};
use crate::reporter::worker::{Shared, WorkerHandle, WorkerOptions};
use crate::reporter::{Reporter, Unsent};
use crate::sync::generation;

/// What is to be done now.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(super) ticket: u64,
    pub(super) flush_until: Option<Instant>,
    pub(super) close_until: Option<Instant>,
}

/// The reporter and its accounts: does one turn at a time.
pub(crate) struct Drive {
    /// Of the process.
    generation: u32,
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
    pub(super) fn new(
        options: WorkerOptions,
        mut reporter: Box<dyn Reporter>,
        worker: &WorkerHandle,
    ) -> Self {
        guarded(&options.metrics, || reporter.attach(worker));
        Self {
            generation: generation(),
            next_flush: deadline_after(options.flush_interval),
            options,
            reporter,
            handed: 0,
            panicked: 0,
            seen_full: 0,
            unsent: Unsent::default(),
        }
    }

    /// Whether this is the process that it was made for: a reporter may fork, too.
    fn is_at_home(&self) -> bool {
        self.generation == generation()
    }

    pub(super) fn next_flush(&self) -> Instant {
        self.next_flush
    }

    /// Does a turn; false after the last one.
    pub(super) fn turn(&mut self, turn: &Turn, shared: &Shared) -> bool {
        self.drain();
        if !self.is_at_home() {
            return false;
        }
        if let Some(until) = turn.close_until {
            // The store was closed before this was asked for: what has been drained is everything.
            self.guard(|reporter| reporter.close(until));
        } else if let Some(until) = turn.flush_until {
            self.guard(|reporter| reporter.flush(until));
            self.options.clock.set_anchor();
            self.next_flush = deadline_after(self.options.flush_interval);
        }
        if !self.is_at_home() {
            return false;
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
            generation: home,
            ..
        } = self;
        self.handed += options.store.drain(|span| {
            if generation() != *home {
                return;
            }
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

/// What has become of the spans that the reporter was handed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) sent: u64,
    pub(super) dropped: DropCounts,
}

/// `None` where the call panicked, which is counted.
pub(super) fn guarded<R>(metrics: &Metrics, call: impl FnOnce() -> R) -> Option<R> {
    let result = catch_unwind(AssertUnwindSafe(call));
    if result.is_err() {
        metrics.add(Counter::CallbackPanics, 1);
    }
    result.ok()
}

/// How long a flush may take that nobody waits for.
pub(super) const TICK_TIMEOUT: Duration = Duration::from_secs(1);

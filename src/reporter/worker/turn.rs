//! The reporter and its accounts: one turn of a worker at a time.

use std::time::{Duration, Instant};

use crate::clock::{deadline_after, instant_now};
use crate::metrics::{DropCause, DropCounts};
use crate::record::{Backlog, BacklogMark, Take};
use crate::reporter::guarded::guarded;
use crate::reporter::worker::mailbox::{Shared, WorkerHandle, WorkerOptions};
use crate::reporter::worker::overflow::Overflow;
use crate::reporter::worker::schedule::Looks;
use crate::reporter::{Reporter, Unsent};
use crate::sync::generation;

/// What callers have asked for since the last turn.
#[derive(Debug)]
pub(crate) struct Orders {
    /// The last ticket that was given out.
    pub(super) ticket: u64,
    /// Memory runs short.
    pub(super) drain_now: bool,
    pub(super) flush_until: Option<Instant>,
    pub(super) close_until: Option<Instant>,
}

/// The reporter and its accounts: does one turn at a time.
pub(crate) struct Drive {
    /// Of the process.
    generation: u32,
    options: WorkerOptions,
    reporter: Box<dyn Reporter>,
    backlog: Backlog,
    looks: Looks,
    next_flush: Instant,
    /// What callers wait for.
    goal: Option<Goal>,
    /// What callers have asked for since then. It waits its turn, so that none of them is put off for ever by the others.
    next_goal: Option<Goal>,
    /// Memory has run short, and nothing was taken since then.
    drains_soon: bool,
    /// The last ticket that a goal was set for.
    ticket: u64,
    handed: u64,
    panicked: u64,
    overflow: Overflow,
    unsent: Unsent,
    /// As of the last flush, so that nothing shows as sent that waits in the reporter.
    totals: Totals,
}

/// Everything before `mark` is to be handed over, and flushed where there is a time for it.
#[derive(Clone, Copy, Default)]
struct Goal {
    ticket: u64,
    mark: BacklogMark,
    flush_until: Option<Instant>,
    close_until: Option<Instant>,
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
            looks: Looks::new(instant_now(), options.flush_interval),
            next_flush: deadline_after(options.flush_interval),
            options,
            reporter,
            backlog: Backlog::default(),
            goal: None,
            next_goal: None,
            drains_soon: false,
            ticket: 0,
            handed: 0,
            panicked: 0,
            overflow: Overflow::default(),
            unsent: Unsent::default(),
            totals: Totals::default(),
        }
    }

    /// Whether this is the process that it was made for: a reporter may fork, too.
    fn is_at_home(&self) -> bool {
        self.generation == generation()
    }

    /// When there is something to do even if nobody asks.
    pub(super) fn next_turn(&self) -> Instant {
        let next = match self.paused_until() {
            Some(pause) => {
                let pause = pause.max(deadline_after(SHORTEST_PAUSE));
                self.goal.map_or(pause, |goal| pause.min(goal.deadline()))
            }
            None if !self.backlog.is_empty() || self.goal.is_some() || self.drains_soon => {
                instant_now()
            }
            None => self.looks.next(),
        };
        next.min(self.next_flush)
    }

    /// Does a turn; false after the last one.
    pub(super) fn turn(&mut self, orders: &Orders, shared: &Shared) -> bool {
        let now = instant_now();
        let is_flush_due = now >= self.next_flush;
        self.take(orders, now, is_flush_due);
        self.resume(now);
        self.hand_over();
        if !self.is_at_home() {
            return false;
        }
        if is_flush_due {
            self.flush(now + TICK_TIMEOUT);
            self.options.clock.set_anchor();
            self.next_flush = deadline_after(self.options.flush_interval);
        }
        let reached = self.pursue_goal();
        if !self.is_at_home() {
            return false;
        }
        if is_flush_due || orders.drain_now || reached.is_some() {
            self.overflow.look(&self.options, &*self.reporter);
        }
        let Some(goal) = reached else {
            shared.update(self.totals);
            return true;
        };
        let is_closed = goal.close_until.is_some();
        shared.serve(goal.ticket, is_closed, self.totals);
        !is_closed
    }

    /// Takes from the threads what is to be handed over now.
    fn take(&mut self, orders: &Orders, now: Instant, is_flush_due: bool) {
        let is_asked = orders.ticket > self.ticket || orders.close_until.is_some();
        self.drains_soon |= orders.drain_now;
        // While the reporter makes a pause, spans can as well wait where they are.
        let is_time = self.drains_soon || is_flush_due || now >= self.looks.next();
        let kind = match self.looks.kind(now) {
            Take::Filled if !is_asked && !self.drains_soon && !is_flush_due => Take::Filled,
            _ => Take::All,
        };
        if is_asked || (is_time && self.backlog.is_empty()) {
            let bytes = self.options.store.take(kind, &mut self.backlog);
            self.looks.looked(now, kind, bytes);
            self.drains_soon = false;
        } else if is_flush_due {
            self.options.store.forget_ended();
        }
        if is_asked {
            self.ticket = orders.ticket;
            let asked = Goal {
                ticket: orders.ticket,
                mark: self.backlog.end(),
                flush_until: orders.flush_until,
                close_until: orders.close_until,
            };
            // The close is the end of all that others wait for.
            let joins = asked.close_until.is_some() || self.goal.is_none();
            let goal = if joins {
                &mut self.goal
            } else {
                &mut self.next_goal
            };
            *goal = Some(goal.map_or(asked, |goal| goal.join(asked)));
        }
    }

    /// Has the reporter go on after its pause.
    fn resume(&mut self, now: Instant) {
        if self.paused_until().is_some_and(|until| now >= until) {
            self.guard(|reporter| reporter.resume());
        }
    }

    /// Hands spans to the reporter, until it makes a pause.
    fn hand_over(&mut self) {
        if self.backlog.is_empty() || self.paused_until().is_some() {
            return;
        }
        // What comes behind a goal waits until that is reached.
        let until = self
            .goal
            .map_or_else(|| self.backlog.end(), |goal| goal.mark);
        let Self {
            options,
            reporter,
            backlog,
            panicked,
            generation: home,
            ..
        } = self;
        self.handed += options.store.report(backlog, until, |span| {
            if generation() != *home {
                return false;
            }
            let mut is_taken = false;
            let goes_on = guarded(&options.metrics, || {
                reporter.report(span);
                is_taken = true;
                reporter.paused_until().is_none()
            });
            *panicked += u64::from(!is_taken);
            goes_on.unwrap_or(true)
        });
    }

    /// Flushes and closes where callers have asked for it; returns the goal once it is reached or its time is up.
    fn pursue_goal(&mut self) -> Option<Goal> {
        let goal = self.goal?;
        let is_late = |until: Instant| instant_now() >= until;
        if !self.backlog.is_past(goal.mark) && !is_late(goal.deadline()) {
            return None;
        }
        if let Some(until) = goal.close_until {
            // The store was closed before this was asked for: what has been taken is everything.
            self.settle(|reporter| reporter.close(until));
            self.backlog.abandon();
        } else if let Some(until) = goal.flush_until {
            self.flush(until);
            if self.paused_until().is_some() && !is_late(until) {
                return None;
            }
        }
        std::mem::replace(&mut self.goal, self.next_goal.take())
    }

    fn flush(&mut self, until: Instant) {
        self.settle(|reporter| reporter.flush(until));
    }

    /// Has the reporter send what it holds, and takes down what it says of it.
    fn settle(&mut self, call: impl FnOnce(&mut Box<dyn Reporter>) -> Unsent) {
        if let Some(unsent) = self.guard(call) {
            self.unsent = unsent;
        }
        let mut dropped = self.unsent.dropped;
        dropped.add(DropCause::InternalError, self.panicked);
        let not_sent = dropped.total() + self.unsent.queued;
        self.totals = Totals {
            sent: self.handed.saturating_sub(not_sent),
            dropped,
        };
    }

    fn paused_until(&self) -> Option<Instant> {
        let metrics = &self.options.metrics;
        guarded(metrics, || self.reporter.paused_until()).flatten()
    }

    fn guard<R>(&mut self, call: impl FnOnce(&mut Box<dyn Reporter>) -> R) -> Option<R> {
        let result = guarded(&self.options.metrics, || call(&mut self.reporter));
        if result.is_none() {
            self.options.diagnostics.warn("reporter_panic", || {
                "the reporter panicked; what it held may be lost".to_owned()
            });
        }
        result
    }
}

impl Goal {
    /// Both. The longest deadline wins: a short request must not cut a long one.
    fn join(self, later: Self) -> Self {
        Self {
            ticket: later.ticket,
            mark: later.mark,
            flush_until: self.flush_until.max(later.flush_until),
            close_until: self.close_until.max(later.close_until),
        }
    }

    /// Until when callers wait; those who only want spans handed over wait as long as that takes. After a close nobody can
    /// flush any more.
    fn deadline(&self) -> Instant {
        let until = self.close_until.or(self.flush_until);
        until.unwrap_or_else(|| deadline_after(TICK_TIMEOUT))
    }
}

/// What has become of the spans that the reporter was handed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) sent: u64,
    pub(super) dropped: DropCounts,
}

/// A reporter that asks for a shorter pause, or for one that is over, does not keep the processor busy.
pub(in crate::reporter) const SHORTEST_PAUSE: Duration = Duration::from_micros(100);

/// How long a flush may take that nobody waits for.
pub(super) const TICK_TIMEOUT: Duration = Duration::from_secs(1);

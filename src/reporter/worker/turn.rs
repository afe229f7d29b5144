//! One turn of a worker: take spans from the queue, hand them to the reporter, flush, close.
//!
//! A turn knows no thread and no caller: it gets [`Orders`] and returns [`Progress`].

use std::time::{Duration, Instant};

use crate::clock::{deadline_after, instant_now};
use crate::metrics::{DropCause, DropCounts, FlushReport};
use crate::record::{Backlog, BacklogMark, SpanQueue, Take, without_spans};
use crate::reporter::guarded::guarded;
use crate::reporter::worker::capped::Capped;
use crate::reporter::worker::export::Export;
use crate::reporter::worker::options::WorkerOptions;
use crate::reporter::worker::overflow::Overflow;
use crate::reporter::worker::schedule::Schedule;
use crate::reporter::{Reporter, Unsent};
use crate::sync::generation;

/// The requests of callers since the last turn.
#[derive(Debug)]
pub(crate) struct Orders {
    /// The last ticket that was given out.
    pub(super) ticket: u64,
    /// Memory runs short.
    pub(super) drain_now: bool,
    pub(super) flush_until: Option<Instant>,
    pub(super) close_until: Option<Instant>,
}

/// The state of the worker's accounts at the end of a turn.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) totals: Totals,
    /// The last ticket whose request is done, if the turn has finished one.
    pub(super) served: Option<u64>,
    /// The reporter is closed, and there is no next turn.
    pub(super) is_closed: bool,
}

/// The fate of the spans that the reporter was handed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) sent: u64,
    pub(super) dropped: DropCounts,
}

/// A worker between two turns: the reporter, the spans on their way to it, and the accounts.
pub(crate) struct WorkerTurn {
    /// The generation of the process that made this.
    generation: u32,
    options: WorkerOptions,
    reporter: Box<dyn Reporter>,
    backlog: Backlog,
    schedule: Schedule,
    next_flush: Instant,
    /// The spans that callers wait for.
    goal: Option<Goal>,
    /// Later requests. They wait, so that they cannot put off the first for ever.
    next_goal: Option<Goal>,
    /// Memory has run short, and nothing was taken from the queue since then.
    drains_soon: bool,
    /// The last ticket that is part of a goal.
    ticket: u64,
    handed_over: u64,
    panicked: u64,
    overflow: Overflow,
    capped: Capped,
    export: Export,
    unsent: Unsent,
    /// As of the last flush, so that a span that waits in the reporter does not show as sent.
    totals: Totals,
}

/// A stretch of the backlog that callers wait for: all spans before `mark`.
#[derive(Clone, Copy, Default)]
struct Goal {
    ticket: u64,
    mark: BacklogMark,
    /// Flush the reporter behind these spans, until then.
    flush_until: Option<Instant>,
    /// Close the reporter behind these spans, until then.
    close_until: Option<Instant>,
    /// The reporter was flushed behind these spans, and waits for answers about batches in flight.
    is_in_flight: bool,
}

impl WorkerTurn {
    pub(super) fn new(options: WorkerOptions, reporter: Box<dyn Reporter>) -> Self {
        let export = Export::new(options.factory.as_ref(), options.services.metrics());
        Self {
            generation: generation(),
            schedule: Schedule::new(instant_now(), options.flush_interval),
            next_flush: deadline_after(options.flush_interval),
            options,
            reporter,
            backlog: Backlog::default(),
            goal: None,
            next_goal: None,
            drains_soon: false,
            ticket: 0,
            handed_over: 0,
            panicked: 0,
            overflow: Overflow::default(),
            capped: Capped::default(),
            export,
            unsent: Unsent::default(),
            totals: Totals::default(),
        }
    }

    /// Returns whether this process made the turn. A reporter may fork inside of a call.
    fn is_at_home(&self) -> bool {
        self.generation == generation()
    }

    /// Returns when the next turn is due if no caller asks for one.
    pub(super) fn next(&self) -> Instant {
        let look = |goal: Goal| match goal.is_in_flight {
            true => deadline_after(LOOK_FOR_ANSWERS).min(goal.deadline()),
            false => goal.deadline(),
        };
        let next = match self.paused_until() {
            Some(pause) => {
                let pause = pause.max(deadline_after(SHORTEST_PAUSE));
                self.goal.map_or(pause, |goal| pause.min(look(goal)))
            }
            None if !self.backlog.is_empty() || self.drains_soon => instant_now(),
            None => match self.goal {
                Some(goal) if goal.is_in_flight => look(goal),
                Some(_) => instant_now(),
                None => self.schedule.next(),
            },
        };
        next.min(self.next_flush)
    }

    /// Runs one turn, in which no span starts on this thread: it would be one about sending spans. Returns `None` if
    /// this is a forked child, which must not go on.
    pub(super) fn run(&mut self, orders: &Orders) -> Option<Progress> {
        without_spans(|| self.work(orders))
    }

    fn work(&mut self, orders: &Orders) -> Option<Progress> {
        let now = instant_now();
        let is_flush_due = now >= self.next_flush;
        self.take(orders, now, is_flush_due);
        self.resume(now);
        self.hand_over();
        if !self.is_at_home() {
            return None;
        }
        if is_flush_due {
            // Another flush would add batches to those whose answers a caller waits for.
            if !self.goal.is_some_and(|goal| goal.is_in_flight) {
                self.flush(now + TICK_TIMEOUT);
            }
            self.options.services.clock().set_anchor();
            self.next_flush = deadline_after(self.options.flush_interval);
        }
        let reached = self.pursue_goal();
        if !self.is_at_home() {
            return None;
        }
        if is_flush_due || orders.drain_now || reached.is_some() {
            self.overflow.check(&self.options, &*self.reporter);
            self.capped.check(&self.options);
        }
        if is_flush_due || reached.is_some() {
            let report = self.totals.report(&self.options.queue);
            let metrics = self.options.services.metrics();
            self.export.hand_over(metrics, &report);
            if !self.is_at_home() {
                return None;
            }
        }
        Some(Progress {
            totals: self.totals,
            served: reached.map(|goal| goal.ticket),
            is_closed: reached.is_some_and(|goal| goal.close_until.is_some()),
        })
    }

    /// Takes from the queue the spans that should be handed over now, and makes goals of requests.
    fn take(&mut self, orders: &Orders, now: Instant, is_flush_due: bool) {
        let is_asked = orders.ticket > self.ticket || orders.close_until.is_some();
        self.drains_soon |= orders.drain_now;
        let is_time = self.drains_soon || is_flush_due || now >= self.schedule.next();
        let kind = match self.schedule.kind(now) {
            Take::Filled if !is_asked && !self.drains_soon && !is_flush_due => Take::Filled,
            _ => Take::All,
        };
        // While the reporter pauses a backlog remains, and further spans wait in the queue rather than here.
        if is_asked || (is_time && self.backlog.is_empty()) {
            let bytes = self.options.queue.take(kind, &mut self.backlog);
            self.schedule.took(now, kind, bytes);
            self.drains_soon = false;
        } else if is_flush_due {
            self.options.queue.forget_ended();
        }
        if is_asked {
            self.ticket = orders.ticket;
            let asked = Goal {
                ticket: orders.ticket,
                mark: self.backlog.end(),
                flush_until: orders.flush_until,
                close_until: orders.close_until,
                is_in_flight: false,
            };
            // A close ends everything that other callers wait for.
            let joins = asked.close_until.is_some() || self.goal.is_none();
            let goal = if joins {
                &mut self.goal
            } else {
                &mut self.next_goal
            };
            *goal = Some(goal.map_or(asked, |goal| goal.join(asked)));
        }
    }

    /// Calls the reporter's `resume` if its pause is over.
    fn resume(&mut self, now: Instant) {
        if self.paused_until().is_some_and(|until| now >= until) {
            self.guard(|reporter| reporter.resume());
        }
    }

    /// Hands spans to the reporter until it pauses.
    fn hand_over(&mut self) {
        if self.backlog.is_empty() || self.paused_until().is_some() {
            return;
        }
        // Spans behind the goal's mark wait until the reporter is flushed.
        let until = match self.goal {
            Some(goal) if !goal.is_in_flight => goal.mark,
            _ => self.backlog.end(),
        };
        let Self {
            options,
            reporter,
            backlog,
            panicked,
            generation: home,
            ..
        } = self;
        self.handed_over += options.queue.report(backlog, until, |span| {
            if generation() != *home {
                return false;
            }
            let mut is_taken = false;
            let goes_on = guarded(options.services.metrics(), || {
                reporter.report(span);
                is_taken = true;
                reporter.paused_until().is_none()
            });
            *panicked += u64::from(!is_taken);
            goes_on.unwrap_or(true)
        });
    }

    /// Flushes or closes for the callers who wait. Returns the goal once it is reached or its time is up.
    fn pursue_goal(&mut self) -> Option<Goal> {
        let goal = self.goal?;
        let is_late = |until: Instant| instant_now() >= until;
        if !self.backlog.is_past(goal.mark) && !is_late(goal.deadline()) {
            return None;
        }
        if let Some(until) = goal.close_until.or(goal.flush_until) {
            if goal.is_in_flight {
                self.account(|reporter| reporter.poll());
            } else {
                self.flush(until);
            }
            // A pause behind a complete flush is one for later spans, for which these callers do not wait.
            let is_paused = !goal.is_in_flight && self.paused_until().is_some();
            let is_in_flight = !is_paused && self.unsent.in_flight > 0;
            if (is_paused || is_in_flight) && !is_late(until) {
                self.goal = Some(Goal {
                    is_in_flight,
                    ..goal
                });
                return None;
            }
        }
        if !self.is_at_home() {
            return None;
        }
        if let Some(until) = goal.close_until {
            // The queue was closed before this request, so everything has been taken from it.
            self.account(|reporter| reporter.close(until));
            self.backlog.abandon();
        }
        std::mem::replace(&mut self.goal, self.next_goal.take())
    }

    fn flush(&mut self, until: Instant) {
        self.account(|reporter| reporter.flush(until));
    }

    /// Calls the reporter's `flush` or `close`, and updates the totals by its answer.
    fn account(&mut self, call: impl FnOnce(&mut Box<dyn Reporter>) -> Unsent) {
        if let Some(unsent) = self.guard(call) {
            self.unsent = unsent;
        }
        let mut dropped = self.unsent.dropped;
        dropped.add(DropCause::InternalError, self.panicked);
        let not_sent = dropped.total().saturating_add(self.unsent.queued);
        self.totals = Totals {
            sent: self.handed_over.saturating_sub(not_sent),
            dropped,
        };
    }

    fn paused_until(&self) -> Option<Instant> {
        let metrics = self.options.services.metrics();
        guarded(metrics, || self.reporter.paused_until()).flatten()
    }

    fn guard<R>(&mut self, call: impl FnOnce(&mut Box<dyn Reporter>) -> R) -> Option<R> {
        let result = guarded(self.options.services.metrics(), || call(&mut self.reporter));
        if result.is_none() {
            let line = || "the reporter panicked; what it held may be lost".to_owned();
            let services = &self.options.services;
            let cause = DropCause::InternalError;
            services.metrics().note_loss(cause, line);
            services.diagnostics().warn("reporter_panic", line);
        }
        result
    }
}

impl Totals {
    /// Returns what has become of all finished spans.
    pub(super) fn report(self, queue: &SpanQueue) -> FlushReport {
        let Self { sent, mut dropped } = self;
        // Read after the totals, so that no more shows as done than was finished.
        let (lost, finished) = queue.totals();
        dropped.merge(&lost);
        let queued = finished.saturating_sub(sent.saturating_add(dropped.total()));
        FlushReport {
            finished,
            sent,
            dropped,
            queued,
        }
    }
}

impl Goal {
    /// Joins two goals. The longest deadline wins: a short request must not cut a long one.
    fn join(self, later: Self) -> Self {
        Self {
            ticket: later.ticket,
            mark: later.mark,
            flush_until: self.flush_until.max(later.flush_until),
            close_until: self.close_until.max(later.close_until),
            is_in_flight: false,
        }
    }

    /// Returns until when callers wait. After a close only its deadline counts.
    ///
    /// Callers who only want spans handed over set none, so their goal always has time left.
    fn deadline(&self) -> Instant {
        let until = self.close_until.or(self.flush_until);
        until.unwrap_or_else(|| deadline_after(TICK_TIMEOUT))
    }
}

/// The shortest pause that the worker keeps. A reporter that asks for less does not keep the processor busy.
pub(in crate::reporter) const SHORTEST_PAUSE: Duration = Duration::from_micros(100);

/// The pause between two looks for answers about batches in flight, while a caller waits for them.
pub(in crate::reporter) const LOOK_FOR_ANSWERS: Duration = Duration::from_millis(1);

/// The longest time that the flush of an interval may take, for which no caller waits.
const TICK_TIMEOUT: Duration = Duration::from_secs(1);

//! The state that the worker and the upload thread share.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::{after, deadline_after, instant_now};
use crate::metrics::{DropCause, DropCounts};
use crate::reporter::sender::{SendOutcome, SendResult};

/// A batch on its way.
pub(super) struct Request {
    pub(super) bytes: Vec<u8>,
    pub(super) spans: u64,
}

/// Whether there is room for a batch.
pub(super) enum Taken {
    Yes,
    /// Another batch waits already.
    NoRoom,
    /// The collector has asked for a pause until then.
    HeldUntil(Instant),
    /// The collector has asked for a pause that is longer than batches wait.
    HeldTooLong,
}

/// The fate of a request's spans.
#[derive(Debug, Default)]
pub(super) struct Fate {
    pub(super) arrived: u64,
    pub(super) failed: Option<(DropCause, u64)>,
    /// A part of a line to the user about the failure.
    pub(super) reason: String,
}

/// The batches of one [`Upload`](super::Upload), and the news of them.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Wakes the upload thread: there is a batch, or it should end.
    wakes_thread: Condvar,
}

struct State {
    waiting: Option<Request>,
    arrived: u64,
    failed: DropCounts,
    /// The latest reason for each cause.
    reasons: Vec<(DropCause, String)>,
    /// The end of the pause that the collector asked for.
    hold: Option<Instant>,
    max_bytes: usize,
    interrupt: Option<Box<dyn Fn() + Send + Sync>>,
    /// The time at which the running request began.
    began_at: Option<Instant>,
    /// The time at which the running request is interrupted.
    overdue_at: Option<Instant>,
    is_closed: bool,
}

impl Shared {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: None,
                arrived: 0,
                failed: DropCounts::default(),
                reasons: Vec::new(),
                hold: None,
                max_bytes,
                interrupt: None,
                began_at: None,
                overdue_at: None,
                is_closed: false,
            }),
            wakes_thread: Condvar::new(),
        }
    }

    /// Takes a batch, which is copied only if there is room.
    pub(super) fn offer(&self, request: impl FnOnce() -> Request) -> Taken {
        let mut state = self.lock();
        let now = instant_now();
        if let Some(until) = state.hold
            && now < until
        {
            return match is_too_long(until - now) {
                true => Taken::HeldTooLong,
                false => Taken::HeldUntil(until),
            };
        }
        if state.waiting.is_some() {
            return Taken::NoRoom;
        }
        state.waiting = Some(request());
        self.wakes_thread.notify_one();
        Taken::Yes
    }

    /// Waits for the next batch. Returns `None` when the upload is over.
    pub(super) fn next(&self) -> Option<Request> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(request) = state.waiting.take() {
                return Some(request);
            }
            let woken = self.wakes_thread.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for some time. Returns false at once when the upload is over.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let end = deadline_after(time);
        let mut state = self.lock();
        loop {
            let left = end.saturating_duration_since(instant_now());
            if state.is_closed || left.is_zero() {
                return !state.is_closed;
            }
            let woken = self.wakes_thread.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Adds the fate of a batch to the news.
    pub(super) fn tell(&self, fate: Fate) {
        let mut state = self.lock();
        state.arrived += fate.arrived;
        if let Some((cause, spans)) = fate.failed {
            state.failed.add(cause, spans);
            state.reasons.retain(|(known, _)| *known != cause);
            state.reasons.push((cause, fate.reason));
        }
    }

    /// Returns the news. Ends the running request if it has outlasted its time.
    pub(super) fn take_news(&self) -> SendOutcome {
        let mut state = self.lock();
        let is_overdue = state.overdue_at.is_some_and(|at| instant_now() >= at);
        let interrupt = is_overdue.then(|| state.interrupt.take()).flatten();
        let news = SendOutcome {
            this: SendResult::Sent,
            arrived: mem::take(&mut state.arrived),
            failed: mem::take(&mut state.failed),
            ..SendOutcome::default()
        };
        drop(state);
        if let Some(interrupt) = interrupt {
            interrupt();
        }
        news
    }

    /// Notes that a request begins, which should end by `deadline`.
    pub(super) fn begin_request(&self, deadline: Instant) {
        let mut state = self.lock();
        state.began_at = Some(instant_now());
        state.overdue_at = Some(after(deadline, GRACE));
    }

    /// Returns how long the running request has had no answer by now.
    pub(super) fn unanswered_for(&self, now: Instant) -> Option<Duration> {
        let began_at = self.lock().began_at?;
        Some(now.saturating_duration_since(began_at))
    }

    /// Notes that the request has ended. Returns whether it was interrupted, after which its exchange is of no use.
    pub(super) fn end_request(&self) -> bool {
        let mut state = self.lock();
        state.began_at = None;
        state.overdue_at = None;
        state.interrupt.is_none() && !state.is_closed
    }

    pub(super) fn reason(&self, cause: DropCause) -> Option<String> {
        let state = self.lock();
        let reason = state.reasons.iter().find(|(known, _)| *known == cause);
        reason.map(|(_, reason)| reason.clone())
    }

    /// Begins the pause that the collector asked for.
    pub(super) fn hold_until(&self, until: Instant) {
        self.lock().hold = Some(until);
    }

    /// Returns the rest of the pause that the collector asked for.
    pub(super) fn hold_left(&self, now: Instant) -> Option<Duration> {
        let left = self.lock().hold?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    pub(super) fn max_bytes(&self) -> usize {
        self.lock().max_bytes
    }

    /// Lowers the limit to half of a batch that was too large. Returns the limit.
    pub(super) fn halve_max_bytes(&self, refused: usize) -> usize {
        let mut state = self.lock();
        let half = (refused / 2).max(SMALLEST_MAX_BYTES);
        state.max_bytes = state.max_bytes.min(half);
        state.max_bytes
    }

    /// Sets the function that ends the running request.
    pub(super) fn set_interrupt(&self, interrupt: Box<dyn Fn() + Send + Sync>) {
        let mut state = self.lock();
        state.interrupt = Some(interrupt);
    }

    /// Ends the running request, and the thread.
    pub(super) fn close(&self) {
        let interrupt = {
            let mut state = self.lock();
            state.is_closed = true;
            state.waiting = None;
            state.interrupt.take()
        };
        self.wakes_thread.notify_one();
        if let Some(interrupt) = interrupt {
            interrupt();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether the collector asks for a longer pause than batches wait.
pub(super) fn is_too_long(pause: Duration) -> bool {
    pause > LONGEST_HELD
}

/// The longest pause for which batches wait. In that time 800 KB of spans a second fill the queue.
const LONGEST_HELD: Duration = Duration::from_secs(10);

/// The time by which a request may be late. A proxy that answers byte by byte keeps the client for hours.
const GRACE: Duration = Duration::from_secs(1);

/// The least limit to which a collector can bring the batches.
const SMALLEST_MAX_BYTES: usize = 4 * 1024;

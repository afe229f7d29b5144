//! The worker: the background thread of a tracer, which takes finished spans from the queue to the reporter.
//!
//! ```text
//!  the program's threads                     the worker's thread
//!
//!  Worker, WorkerHandle                      loop {
//!    flush, close, drain ──► Mailbox ──────►   orders   = mailbox.wait(turn.next())
//!                              ▲               progress = turn.run(orders)
//!    a report ◄────────────────┴───────────    mailbox.deliver(progress)
//!                                            }
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `turn` | [`WorkerTurn`](turn::WorkerTurn): takes spans, hands them over, flushes; knows no thread and no caller |
//! | `schedule` | when a turn takes spans from the thread queues |
//! | `export` | what the metrics factory of the program is told |
//! | `overflow` | the lines about spans that found no room in the queue |
//! | `capped` | the lines about spans that recorded nothing because too many were open |
//! | `mailbox` | [`Mailbox`]: the requests of callers, the answers, and the turn while no thread runs it |
//! | `mailbox/served` | a request as a future; `mailbox/waiters` keeps the wakers |
//! | `mailbox/attendant` | a thread for callers whom the worker may keep waiting |
//! | `mailbox/resting` | the turn of a task between two polls; `mailbox/polled` is for the task |
//! | `handle` | [`WorkerHandle`]: what a reporter knows of its worker |
//! | `forked` | the turn of a forked child |
//! | `thread` | the loop above |
//! | `task` | the same as a task of a tokio runtime, with a timer in the place of `wait` |
//!
//! Requests bypass the spans: each is a ticket, and a turn serves all tickets that were given out before it.
//!
//! A forked child has no thread but the one that forked, and the parent's turn may have been in the middle of anything.
//! So a child starts with an empty mailbox, and its first span makes a new turn with a new reporter.

mod capped;
mod export;
#[cfg(test)]
mod fixtures;
mod forked;
mod handle;
mod mailbox;
mod options;
mod overflow;
mod schedule;
#[cfg(feature = "tokio")]
pub(crate) mod task;
pub(crate) mod thread;
mod turn;

use std::sync::Arc;
use std::time::Duration;

pub use handle::WorkerHandle;
pub(crate) use mailbox::SpawnWorker;
pub(crate) use options::WorkerOptions;
pub(super) use turn::{LOOK_FOR_ANSWERS, SHORTEST_PAUSE};

use crate::metrics::FlushReport;
use crate::reporter::Reporter;
use crate::reporter::guarded::guarded;
use crate::reporter::worker::handle::attached_turn;
use crate::reporter::worker::mailbox::{Mailbox, Request};

/// The tracer's side of the worker.
#[derive(Debug)]
pub(crate) struct Worker {
    mailbox: Arc<Mailbox>,
}

impl Worker {
    /// Starts the worker by `spawn`. If it cannot start, spans wait in the queue and later calls try again.
    pub(crate) fn start(
        options: WorkerOptions,
        reporter: Box<dyn Reporter>,
        spawn: SpawnWorker,
    ) -> Self {
        // Asked now, because after a fork another thread may have left the reporter half through a change.
        let after_fork = guarded(options.services.metrics(), || reporter.after_fork()).flatten();
        let queue = options.queue.clone();
        let mailbox = Arc::new(Mailbox::new(options.clone(), after_fork, spawn));
        let accounts = Arc::downgrade(&mailbox);
        mailbox.options().services.metrics().keep_accounts(accounts);
        mailbox.keep(attached_turn(&mailbox, options, reporter));
        let for_wake = Arc::downgrade(&mailbox);
        queue.on_need(move |may_start| {
            for_wake
                .upgrade()
                .is_none_or(|mailbox| mailbox.wake(may_start))
        });
        mailbox.ensure_running(true);
        Self { mailbox }
    }

    /// Waits until the worker has handed over and flushed every finished span, at most for `timeout`.
    pub(crate) fn flush(&self, timeout: Duration) -> FlushReport {
        self.mailbox.request(Request::Flush, timeout);
        self.mailbox.report()
    }

    /// Closes the queue, and waits until the worker has emptied it and closed the reporter, at most for `timeout`.
    pub(crate) fn close(&self, timeout: Duration) -> FlushReport {
        self.mailbox.options().queue.close();
        self.mailbox.request(Request::Close, timeout);
        self.mailbox.give_up_without_thread();
        self.mailbox.report()
    }

    /// Like [`flush`](Self::flush), without blocking a thread. Asks when it is first polled.
    pub(crate) fn flush_async(
        &self,
        timeout: Duration,
    ) -> impl Future<Output = FlushReport> + Send + use<> {
        let mailbox = self.mailbox.clone();
        async move {
            mailbox.served(Request::Flush, timeout).await;
            mailbox.report()
        }
    }

    /// Like [`close`](Self::close), without blocking a thread. Closes the queue when it is first polled.
    pub(crate) async fn close_async(&self, timeout: Duration) -> FlushReport {
        self.mailbox.options().queue.close();
        self.mailbox.served(Request::Close, timeout).await;
        self.mailbox.give_up_without_thread();
        self.mailbox.report()
    }

    /// Returns what has become of all finished spans, as of the last flush.
    pub(crate) fn report(&self) -> FlushReport {
        self.mailbox.report()
    }
}

#[cfg(test)]
mod tests;

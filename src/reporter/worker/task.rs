//! The task that runs a worker on a tokio runtime.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::time::{Instant as TokioInstant, Sleep, sleep};

use crate::clock::instant_now;
use crate::panics::caught;
use crate::reporter::worker::mailbox::{IdleTurn, Mailbox, SpawnWorker};
use crate::reporter::worker::thread::{self, MAX_PANICS};
use crate::reporter::worker::turn::WorkerTurn;
use crate::sync::generation;

/// Returns a function that runs the worker as a task of that runtime. If the runtime has ended or has no timer, and in
/// a forked child, it starts a thread.
pub(crate) fn spawner(runtime: Handle) -> SpawnWorker {
    let home = generation();
    let has_ended = Arc::new(AtomicBool::new(false));
    Box::new(move |mailbox, idle| {
        let is_possible = home == generation() && !has_ended.load(Ordering::Relaxed);
        match idle {
            IdleTurn::Made(turn) if is_possible => start(&runtime, mailbox, turn, &has_ended)
                .or_else(|turn| thread::spawn(mailbox, IdleTurn::Made(turn))),
            idle => thread::spawn(mailbox, idle),
        }
    })
}

fn start(
    runtime: &Handle,
    mailbox: &Arc<Mailbox>,
    turn: Box<WorkerTurn>,
    has_ended: &Arc<AtomicBool>,
) -> Result<(), Box<WorkerTurn>> {
    let entered = runtime.enter();
    // Panics if the runtime has no timer.
    let Some(timer) = caught(|| Box::pin(sleep(Duration::ZERO))) else {
        return Err(turn);
    };
    drop(entered);
    mailbox.begin_task(turn);
    // If the runtime has ended, this drops the task, which starts a thread.
    runtime.spawn(WorkerTask {
        home: generation(),
        mailbox: mailbox.clone(),
        timer,
        next: None,
        panics: 0,
        has_ended: has_ended.clone(),
    });
    Ok(())
}

struct WorkerTask {
    /// The generation of the process that the runtime is of.
    home: u32,
    mailbox: Arc<Mailbox>,
    timer: Pin<Box<Sleep>>,
    /// The time of the next turn, as of the first poll after the last one.
    next: Option<Instant>,
    panics: u32,
    has_ended: Arc<AtomicBool>,
}

impl Future for WorkerTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.home != generation() {
            // A forked child goes on with its copy of the runtime, and has a worker of its own.
            return Poll::Ready(());
        }
        let mailbox = self.mailbox.clone();
        let Some(mut turn) = mailbox.resume(context.waker()) else {
            return match mailbox.is_closed() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            };
        };
        let goes_on = caught(|| self.step(&mut turn, context));
        if goes_on.is_none() {
            // A panic of the reporter is caught further in, so this one was a fault of this crate.
            self.panics += 1;
            context.waker().wake_by_ref();
        }
        if goes_on == Some(false) || self.panics >= MAX_PANICS {
            return Poll::Ready(());
        }
        mailbox.rest(turn);
        Poll::Pending
    }
}

impl WorkerTask {
    /// Runs one turn if it is due, and else sets the timer. Returns false if there is no next turn.
    fn step(&mut self, turn: &mut WorkerTurn, context: &mut Context<'_>) -> bool {
        // Some turns are due a time after now, so `turn` alone would put them off with every poll. A thread that stood
        // in may have left one that is due earlier.
        let next = turn.next();
        let next = self.next.map_or(next, |known| known.min(next));
        self.next = Some(next);
        if let Some(orders) = self.mailbox.orders(next) {
            self.next = None;
            // The next turn is another poll, so that other tasks run in between.
            context.waker().wake_by_ref();
            return self.mailbox.run(turn, &orders);
        }
        let left = next.saturating_duration_since(instant_now());
        self.timer.as_mut().reset(TokioInstant::now() + left);
        if self.timer.as_mut().poll(context).is_ready() {
            context.waker().wake_by_ref();
        }
        true
    }
}

/// The runtime drops the task when it ends. Then a thread goes on.
impl Drop for WorkerTask {
    fn drop(&mut self) {
        if self.home == generation() {
            self.has_ended.store(true, Ordering::Relaxed);
            self.mailbox.end_task();
        }
    }
}

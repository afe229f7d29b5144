//! The thread that runs a worker.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::panics::caught;
use crate::reporter::worker::forked::make_turn;
use crate::reporter::worker::mailbox::{IdleTurn, Mailbox};
use crate::reporter::worker::turn::WorkerTurn;

/// Runs the worker on a thread of its own until it is closed. Gives the turn back if no thread can be started.
pub(crate) fn spawn(mailbox: &Arc<Mailbox>, idle: IdleTurn) -> Result<(), IdleTurn> {
    let turn = match idle {
        IdleTurn::Made(turn) => turn,
        IdleTurn::NotMade => make_turn(mailbox),
    };
    spawn_with(mailbox, turn, run).map_err(IdleTurn::Made)
}

/// Runs the turn of a task that does not get on, on a thread of its own, until all callers have their answers. Gives
/// the turn back if no thread can be started.
pub(super) fn stand_in(
    mailbox: &Arc<Mailbox>,
    turn: Box<WorkerTurn>,
) -> Result<(), Box<WorkerTurn>> {
    spawn_with(mailbox, turn, |mailbox, mut turn| {
        mailbox.runs_on(thread::current().id());
        let mut is_over = false;
        repeat(|| {
            let orders = mailbox.wait(turn.next());
            is_over = !mailbox.run(&mut turn, &orders);
            !is_over && !mailbox.is_answered()
        });
        if !is_over {
            mailbox.give_back(turn);
        }
    })
}

fn spawn_with(
    mailbox: &Arc<Mailbox>,
    turn: Box<WorkerTurn>,
    run: fn(&Arc<Mailbox>, Box<WorkerTurn>),
) -> Result<(), Box<WorkerTurn>> {
    // A failed spawn drops its closure, so the turn waits outside of it.
    let waiting = Arc::new(Mutex::new(Some(turn)));
    let take = |waiting: &Mutex<Option<_>>| {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.take()
    };
    let for_thread = (mailbox.clone(), waiting.clone());
    let spawned = thread::Builder::new()
        .name("tracehound-worker".to_owned())
        .spawn(move || {
            let (mailbox, waiting) = for_thread;
            if let Some(turn) = take(&waiting) {
                run(&mailbox, turn);
            }
        });
    match spawned {
        Ok(_) => Ok(()),
        Err(_) => take(&waiting).map_or(Ok(()), Err),
    }
}

fn run(mailbox: &Arc<Mailbox>, mut turn: Box<WorkerTurn>) {
    mailbox.runs_on(thread::current().id());
    repeat(|| {
        let orders = mailbox.wait(turn.next());
        mailbox.run(&mut turn, &orders)
    });
}

/// Calls `step` until it returns false, or panics for the tenth time.
fn repeat(mut step: impl FnMut() -> bool) {
    let mut panics = 0;
    while panics < MAX_PANICS {
        // A panic of the reporter is caught further in, so this one would be a fault of this crate.
        match caught(&mut step) {
            Some(true) => {}
            Some(false) => return,
            None => panics += 1,
        }
    }
}

pub(super) const MAX_PANICS: u32 = 10;

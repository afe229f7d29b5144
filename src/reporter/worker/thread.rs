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
        Err(_) => take(&waiting).map_or(Ok(()), |turn| Err(IdleTurn::Made(turn))),
    }
}

fn run(mailbox: &Mailbox, mut turn: Box<WorkerTurn>) {
    mailbox.runs_on(thread::current().id());
    let mut panics = 0;
    while panics < MAX_PANICS {
        // A panic of the reporter is caught further in, so this one would be a fault of this crate.
        let goes_on = caught(|| {
            let orders = mailbox.wait(turn.next());
            let Some(progress) = turn.run(&orders) else {
                return false;
            };
            mailbox.deliver(&progress);
            !progress.is_closed
        });
        match goes_on {
            Some(true) => {}
            Some(false) => return,
            None => panics += 1,
        }
    }
}

const MAX_PANICS: u32 = 10;

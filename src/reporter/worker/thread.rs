//! The thread that drives the worker.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::panics::caught;
use crate::reporter::worker::mailbox::Shared;
use crate::reporter::worker::turn::Drive;

/// Runs `drive` on a thread of its own until it is closed; gives it back where no thread can be had.
pub(crate) fn spawn(shared: Arc<Shared>, drive: Box<Drive>) -> Result<(), Box<Drive>> {
    // The closure is lost where the spawn fails: the drive waits outside of it.
    let waiting = Arc::new(Mutex::new(Some(drive)));
    let for_thread = waiting.clone();
    let spawned = thread::Builder::new()
        .name("tracehound-worker".to_owned())
        .spawn(move || {
            let drive = for_thread
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(drive) = drive {
                run(&shared, drive);
            }
        });
    match spawned {
        Ok(_) => Ok(()),
        Err(_) => {
            let drive = waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            drive.map_or(Ok(()), Err)
        }
    }
}

fn run(shared: &Shared, mut drive: Box<Drive>) {
    shared.running_on(thread::current().id());
    let mut panics = 0;
    while panics < MAX_PANICS {
        // A reporter's panics are caught further in: this one would be ours.
        let goes_on = caught(|| {
            let orders = shared.wait(drive.next_turn());
            drive.turn(&orders, shared)
        });
        match goes_on {
            Some(true) => {}
            Some(false) => return,
            None => panics += 1,
        }
    }
}

const MAX_PANICS: u32 = 10;

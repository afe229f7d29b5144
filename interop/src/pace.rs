use std::time::{Duration, Instant};

use crate::poll::poll;

/// Calls `make` about every millisecond with the time so far, and a last time with `lasting`. A caller that makes
/// things at an even rate makes those that are due by then.
pub fn pace(lasting: Duration, mut make: impl FnMut(Duration)) {
    let started = Instant::now();
    let made = poll(lasting, EVERY, || {
        let elapsed = started.elapsed().min(lasting);
        make(elapsed);
        if elapsed == lasting { Ok(()) } else { Err(()) }
    });
    debug_assert!(made.is_ok(), "the last look is after the end");
}

const EVERY: Duration = Duration::from_millis(1);

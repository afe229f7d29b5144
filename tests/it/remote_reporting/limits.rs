//! A sender whose limits are not what it says.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;

use super::*;

/// Refuses every batch as too large, and names a larger limit when it is asked again.
#[derive(Default)]
struct Fickle {
    /// The number of answers that still have the low limit.
    low: Cell<u32>,
    tries: Arc<AtomicU32>,
}

impl Sender for Fickle {
    fn format(&self) -> BatchFormat {
        BatchFormat::Compact
    }

    fn max_bytes(&self) -> usize {
        match self.low.replace(self.low.get().saturating_sub(1)) {
            0 => 2_000,
            _ => 10,
        }
    }

    fn send(&mut self, _: &Batch<'_>, _: Instant) -> SendOutcome {
        // For one question about both limits.
        self.low.set(3);
        self.tries.fetch_add(1, Ordering::Relaxed);
        SendOutcome::new(SendResult::TooLarge)
    }
}

#[test]
fn a_sender_that_changes_its_mind_about_a_batch_does_not_outlast_the_deadline() {
    let sender = Fickle::default();
    let tries = sender.tries.clone();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut reporter = RemoteReporter::new(sender);
        reporter.attach(&listening_worker().0);
        report(&mut reporter, &[span(1)]);
        let unsent = reporter.flush(Instant::now() + Duration::from_millis(20));
        let _ = tell.send(unsent.dropped.total() + unsent.queued);
    });
    let unsent = told.recv_timeout(Duration::from_secs(20));
    assert_eq!(unsent, Ok(1), "{tries:?}");
}

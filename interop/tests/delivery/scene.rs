//! A load on a backend, which a test can disturb while it runs.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use tracehound::JaegerTracer;
use tracehound_interop::{Delivered, Load, LoadReport, poll};

use crate::{Result, produce};

/// Returns the lock that each test holds while it runs. A test that panicked does not stop the others.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A program while it makes its spans.
pub(crate) struct Running<'a> {
    pub(crate) tracer: &'a JaegerTracer,
    made: &'a AtomicU64,
}

impl Running<'_> {
    /// Returns the number of finished spans.
    pub(crate) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Waits until `spans` spans are finished.
    pub(crate) fn wait_made(&self, spans: u64) -> Result {
        if is_soon(Duration::from_secs(30), || Ok(self.made() >= spans))? {
            Ok(())
        } else {
            Err(format!("only {} of {spans} spans were made in time", self.made()).into())
        }
    }
}

/// Runs `load` in this process, and `meanwhile` on the test's thread. The tracer is closed when
/// both have returned.
pub(crate) fn run<T>(
    load: &Load,
    meanwhile: impl FnOnce(&Running<'_>) -> Result<T>,
) -> Result<(LoadReport, T)> {
    run_on(&produce::tracer(load)?, load, meanwhile)
}

/// Like [`run`], with a tracer that sends by another way than to the agent of the load.
pub(crate) fn run_on<T>(
    tracer: &JaegerTracer,
    load: &Load,
    meanwhile: impl FnOnce(&Running<'_>) -> Result<T>,
) -> Result<(LoadReport, T)> {
    let made = AtomicU64::new(0);
    let (took, seen) = thread::scope(|scope| {
        let producer = scope.spawn(|| produce::produce(tracer, load, &made));
        let running = Running {
            tracer,
            made: &made,
        };
        let seen = meanwhile(&running);
        (producer.join().expect("no panic in `produce`"), seen)
    });
    let ledger = tracer.close(Duration::from_secs(10));
    assert_eq!(ledger.finished, load.spans, "{ledger}");
    let report = produce::report(&ledger, took);
    assert!(report.adds_up(), "the ledger does not add up: {report}");
    assert_eq!(report.queued, 0, "{report}");
    Ok((report, seen?))
}

/// Calls `look` until it returns true; returns false if it does not within that time. An error of
/// `look` ends the wait.
pub(crate) fn is_soon(within: Duration, mut look: impl FnMut() -> Result<bool>) -> Result<bool> {
    let seen = poll(within, Duration::from_millis(1), || match look() {
        Ok(false) => Err(()),
        seen => Ok(seen),
    });
    seen.unwrap_or(Ok(false))
}

/// Returns a line about the losses of a load; empty if there are none.
pub(crate) fn losses(what: &str, report: &LoadReport, delivered: &Delivered) -> String {
    let is_as_wanted = report.adds_up()
        && report.queued == 0
        && report.lost() == 0
        && delivered.stored == report.sent;
    if is_as_wanted {
        String::new()
    } else {
        format!("{what}: {report}; {delivered:?}\n")
    }
}

//! Senders around the library's own, which observe batches or lose one on purpose.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tracehound::{
    metrics::DropCause,
    reporter::{
        FinishedSpan, Reporter,
        sender::{Batch, BatchFormat, SendOutcome, SendResult, Sender, UdpSender},
    },
};

/// The observations of a [`Watched`] sender. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    sizes: Arc<Mutex<Vec<usize>>>,
    loses_next: Arc<AtomicBool>,
}

impl Watch {
    /// Returns the bytes of every batch so far.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        let sizes = self.sizes.lock();
        sizes.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Loses the next batch after it was numbered.
    pub(crate) fn lose_next(&self) {
        self.loses_next.store(true, Ordering::Relaxed);
    }
}

/// The library's sender with a [`Watch`].
pub(crate) struct Watched {
    inner: UdpSender,
    watch: Watch,
}

impl Watched {
    pub(crate) fn new(inner: UdpSender) -> (Self, Watch) {
        let watch = Watch::default();
        (
            Self {
                inner,
                watch: watch.clone(),
            },
            watch,
        )
    }
}

impl Sender for Watched {
    fn format(&self) -> BatchFormat {
        self.inner.format()
    }

    fn max_bytes(&self) -> usize {
        self.inner.max_bytes()
    }

    fn max_single_bytes(&self) -> usize {
        self.inner.max_single_bytes()
    }

    fn send(&mut self, batch: &Batch<'_>, deadline: Instant) -> SendOutcome {
        let outcome = if self.watch.loses_next.swap(false, Ordering::Relaxed) {
            SendOutcome::new(SendResult::Lost(DropCause::SendFailed))
        } else {
            self.inner.send(batch, deadline)
        };
        if !matches!(outcome.this, SendResult::Later(_)) {
            let sizes = self.watch.sizes.lock();
            sizes
                .unwrap_or_else(PoisonError::into_inner)
                .push(batch.bytes.len());
        }
        outcome
    }

    fn poll(&mut self) -> SendOutcome {
        self.inner.poll()
    }

    fn retry_after(&self) -> Duration {
        self.inner.retry_after()
    }
}

/// A reporter that blocks the worker at a span while the gate is shut. Clones share the gate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<Mutex<()>>);

impl Gate {
    /// Shuts the gate until the guard is dropped.
    pub(crate) fn shut(&self) -> MutexGuard<'_, ()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reporter for Gate {
    fn report(&mut self, _: &FinishedSpan<'_>) {
        drop(self.shut());
    }
}

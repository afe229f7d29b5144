//! Requests of OTLP that are counted instead of sent.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tracehound::reporter::sender::{Batch, BatchFormat, SendOutcome, Sender};

/// The counts of requests.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    spans: AtomicU64,
    bytes: AtomicU64,
}

impl Totals {
    pub(crate) fn add(&self, spans: usize, request: &[u8]) {
        let bytes = black_box(request).len() as u64;
        self.spans.fetch_add(spans as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Returns the number of spans and of bytes.
    pub(crate) fn get(&self) -> (u64, u64) {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (get(&self.spans), get(&self.bytes))
    }
}

/// A sender that counts its requests.
pub(crate) struct Sink(pub(crate) Arc<Totals>);

impl Sender for Sink {
    fn format(&self) -> BatchFormat {
        BatchFormat::Otlp
    }

    fn max_bytes(&self) -> usize {
        1 << 20
    }

    fn send(&mut self, batch: &Batch<'_>, _: Instant) -> SendOutcome {
        self.0.add(batch.span_count as usize, batch.bytes);
        SendOutcome::default()
    }
}

//! The counts of one thread for one operation.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::metrics::Exemplar;
use crate::model::SpanKind;
use crate::observer::ObservedSpan;
use crate::observer::red::bounds::Bounds;

/// The operation and the kind of spans that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// `None` for all names beyond the limit.
    pub(super) operation: Option<Arc<str>>,
    pub(super) kind: Option<SpanKind>,
}

/// The counts of one key. One thread writes, by plain loads and stores, and any thread reads.
pub(super) struct Series {
    pub(super) key: Key,
    errors: AtomicU64,
    nanos: AtomicU64,
    /// A bit for each bucket that takes the next kept trace as its exemplar.
    wants_exemplar: AtomicU64,
    exemplars: Mutex<Box<[Option<Exemplar>]>>,
    buckets: Box<[AtomicU64]>,
}

/// The counts of one key by all threads.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    pub(super) errors: u64,
    pub(super) nanos: u64,
    pub(super) buckets: Vec<u64>,
    pub(super) exemplars: Vec<Option<Exemplar>>,
}

impl Series {
    pub(super) fn new(key: Key, bounds: &Bounds) -> Self {
        Self {
            key,
            errors: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
            wants_exemplar: AtomicU64::new(u64::MAX),
            exemplars: Mutex::default(),
            buckets: (0..bounds.count()).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Counts a span. Only the thread that owns the series calls it, or the holder of a lock that guards the series.
    #[inline]
    pub(super) fn count(&self, span: &ObservedSpan<'_>, bounds: &Bounds) {
        let nanos = span.nanos();
        let bucket = bounds.bucket(nanos);
        let Some(in_bucket) = self.buckets.get(bucket) else {
            return;
        };
        let sum = self.nanos.load(Ordering::Relaxed).saturating_add(nanos);
        self.nanos.store(sum, Ordering::Relaxed);
        if span.is_error() {
            add(&self.errors, 1);
        }
        add(in_bucket, 1);
        if span.is_sampled() == Some(true) {
            let wanted = 1 << bucket;
            if self.wants_exemplar.load(Ordering::Relaxed) & wanted != 0 {
                self.note_exemplar(span, bucket, wanted);
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn note_exemplar(&self, span: &ObservedSpan<'_>, bucket: usize, wanted: u64) {
        let started_at = span.start_time().duration_since(std::time::UNIX_EPOCH);
        let ended_at = started_at.unwrap_or_default() + span.duration();
        let exemplar = Exemplar::new(span.trace_id(), span.duration(), ended_at);
        let mut exemplars = self
            .exemplars
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if exemplars.is_empty() {
            *exemplars = vec![None; self.buckets.len()].into_boxed_slice();
        }
        if let Some(place) = exemplars.get_mut(bucket) {
            *place = Some(exemplar);
        }
        // Under the lock, so that a reader that asks for a new one is not forgotten.
        self.wants_exemplar.fetch_and(!wanted, Ordering::Relaxed);
    }

    /// Adds the counts to `totals`. Each bucket then takes the next kept trace as its exemplar.
    pub(super) fn add_to(&self, totals: &mut Totals) {
        totals.errors += self.errors.load(Ordering::Relaxed);
        let nanos = self.nanos.load(Ordering::Relaxed);
        totals.nanos = totals.nanos.saturating_add(nanos);
        totals.buckets.resize(self.buckets.len(), 0);
        for (total, bucket) in totals.buckets.iter_mut().zip(&self.buckets) {
            *total += bucket.load(Ordering::Relaxed);
        }
        let exemplars = self
            .exemplars
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        totals.add_exemplars(&exemplars);
        self.wants_exemplar.store(u64::MAX, Ordering::Relaxed);
    }
}

impl Totals {
    /// Adds the counts of `other`.
    pub(super) fn merge(&mut self, other: &Self) {
        self.errors += other.errors;
        self.nanos = self.nanos.saturating_add(other.nanos);
        let len = self.buckets.len().max(other.buckets.len());
        self.buckets.resize(len, 0);
        for (total, bucket) in self.buckets.iter_mut().zip(&other.buckets) {
            *total += bucket;
        }
        self.add_exemplars(&other.exemplars);
    }

    /// Takes for each bucket the exemplar that ended last.
    fn add_exemplars(&mut self, others: &[Option<Exemplar>]) {
        let len = self.exemplars.len().max(others.len());
        self.exemplars.resize(len, None);
        for (own, other) in self.exemplars.iter_mut().zip(others) {
            let ended_at = |it: &Option<Exemplar>| it.map_or(Duration::ZERO, |it| it.ended_at);
            if own.is_none() || ended_at(other) > ended_at(own) {
                *own = *other;
            }
        }
    }
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Series({:?})", self.key)
    }
}

/// Adds to a number that only this thread changes.
#[inline(always)]
fn add(to: &AtomicU64, n: u64) {
    to.store(
        to.load(Ordering::Relaxed).wrapping_add(n),
        Ordering::Relaxed,
    );
}

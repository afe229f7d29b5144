//! Finished spans of one tracer, from all threads to its worker.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};

use crate::metrics::{Counter, DropCause, DropCounts, Ledger, Metrics};
use crate::model::Flags;
use crate::record::budget::Budget;
use crate::record::buffer::without_repeated_keys;
use crate::record::depot::Depot;
use crate::record::frame::{FinishedSpan, FrameBytes, FrameHeader, read_frame};
use crate::record::local::{self, Local, with_local};
use crate::record::local_trace::HeldSpans;
use crate::record::ring::{Pushed, Ring, RingWriter};
use crate::sync::{Mutex, MutexGuard};

/// Takes finished spans from any thread and gives them to the worker; counts what is lost between.
pub(crate) struct Store {
    id: u64,
    budget: Arc<Budget>,
    metrics: Metrics,
    ledger: Ledger,
    rings: Mutex<Rings>,
    /// For threads whose own store is gone: spans that finish while a thread is torn down.
    shared_ring: Arc<Ring>,
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
    is_awake: AtomicBool,
    is_closed: AtomicBool,
    depot: Depot,
}

#[derive(Debug, Default)]
struct Rings {
    all: Vec<Arc<Ring>>,
    is_closed: bool,
    /// What the rings of ended threads had counted.
    pushed: u64,
    full: u64,
}

impl Store {
    pub(crate) fn new(budget: Arc<Budget>, metrics: Metrics) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            shared_ring: Arc::new(Ring::new(budget.clone())),
            budget,
            metrics,
            ledger: Ledger::default(),
            rings: Mutex::default(),
            wake: OnceLock::new(),
            is_awake: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            depot: Depot::new(),
        }
    }

    #[inline]
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Whether nothing that finishes is taken any more.
    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    pub(super) fn depot(&self) -> &Depot {
        &self.depot
    }

    /// Who is to be called when memory runs short.
    pub(crate) fn on_half_full(&self, wake: impl Fn() + Send + Sync + 'static) {
        // A store has one worker; a second one would never be woken.
        let _ = self.wake.set(Box::new(wake));
    }

    /// Puts a finished span on its way, and counts it.
    pub(crate) fn push(&self, header: &FrameHeader, bytes: &FrameBytes<'_>, counter: Counter) {
        self.count(counter);
        self.push_again(header, bytes);
    }

    pub(super) fn after_push(&self, pushed: Pushed) {
        match pushed {
            Pushed::Taken => {}
            Pushed::TakenHalfFull | Pushed::Full => self.wake(),
            Pushed::Closed => self.ledger.drop_spans(DropCause::AfterShutdown, 1),
        }
    }

    /// The same without counting it: it was counted when it finished.
    pub(crate) fn push_again(&self, header: &FrameHeader, bytes: &FrameBytes<'_>) {
        let pushed = with_local(self, |local| local.writer.push(header, bytes));
        self.after_push(pushed.unwrap_or_else(|| self.shared_ring.push_shared(header, bytes)));
    }

    /// Puts spans on their way that had waited for a decision.
    pub(crate) fn push_held(&self, held: &HeldSpans, flags: Flags) {
        let mut rest = held.frames.as_slice();
        while let Some((span, after)) = read_frame(rest) {
            let header = FrameHeader {
                flags,
                ..*span.header()
            };
            self.push_again(&header, &span.frame_bytes());
            rest = after;
        }
    }

    /// Counts spans that were lost before they got here.
    pub(crate) fn drop_spans(&self, cause: DropCause, n: u64) {
        self.ledger.drop_spans(cause, n);
    }

    /// Counts in the calling thread's own block.
    #[inline]
    pub(crate) fn count(&self, counter: Counter) {
        self.count_both(counter, None);
    }

    #[inline(always)]
    pub(crate) fn count_both(&self, counter: Counter, second: Option<Counter>) {
        match local::current(self.id) {
            Some(local) => local.count_both(counter, second),
            None => self.count_slowly(counter, second),
        }
    }

    #[cold]
    #[inline(never)]
    fn count_slowly(&self, counter: Counter, second: Option<Counter>) {
        let counted = with_local(self, |local| local.count_both(counter, second));
        if counted.is_none() {
            self.metrics.add(counter, 1);
            if let Some(second) = second {
                self.metrics.add(second, 1);
            }
        }
    }

    /// Hands every span that waits to `report`, thread by thread, oldest first; returns how many.
    pub(crate) fn drain(&self, mut report: impl FnMut(&FinishedSpan<'_>)) -> u64 {
        self.is_awake.store(false, Ordering::Relaxed);
        let mut rings = self.rings().all.clone();
        rings.push(self.shared_ring.clone());
        let mut count = 0;
        for ring in rings {
            for chunk in ring.take() {
                let mut rest = chunk.bytes();
                while let Some((span, after)) = read_frame(rest) {
                    count += 1;
                    rest = after;
                    if span.header().has_repeated_keys {
                        let (tags, tag_count) = without_repeated_keys(span.tags());
                        let logs = (span.log_bytes(), span.header().log_count);
                        report(&span.with_tags_and_logs((&tags, tag_count), logs));
                    } else {
                        report(&span);
                    }
                }
                ring.recycle(chunk);
            }
        }
        if count == 0 {
            self.budget.trim();
        }
        self.forget_ended();
        count
    }

    /// Refuses and counts what finishes from now on, and lets go of vacant boxes.
    pub(crate) fn close(&self) {
        {
            let mut rings = self.rings();
            rings.is_closed = true;
            self.is_closed.store(true, Ordering::Relaxed);
            self.shared_ring.close();
            for ring in &rings.all {
                ring.close();
            }
        }
        // Boxes hold their tracer: out of the locks, because the last one takes it along.
        drop(self.depot.close());
        local::forget(self.id);
    }

    /// Spans lost outside of the reporter, and all spans that were finished, in this order: what is finished
    /// between the two reads shows as waiting, never as lost twice.
    pub(crate) fn totals(&self) -> (DropCounts, u64) {
        let mut dropped = self.ledger.dropped();
        let lost = dropped.total();
        let rings = self.rings();
        let all = rings.all.iter().chain([&self.shared_ring]);
        let (mut pushed, mut full) = (rings.pushed, rings.full);
        for ring in all {
            full += ring.full();
            pushed += ring.pushed();
        }
        dropped.add(DropCause::QueueFull, full);
        (dropped, pushed + full + lost)
    }

    /// Removes the rings of threads that have ended, once they are read to the end.
    fn forget_ended(&self) {
        let mut rings = self.rings();
        let Rings {
            all, pushed, full, ..
        } = &mut *rings;
        all.retain(|ring| {
            let stays = !ring.is_ended_and_empty();
            if !stays {
                *pushed += ring.pushed();
                *full += ring.full();
            }
            stays
        });
    }

    fn wake(&self) {
        if !self.is_awake.swap(true, Ordering::Relaxed)
            && let Some(wake) = self.wake.get()
        {
            wake();
        }
    }

    #[cfg(all(test, tracehound_loom))]
    pub(super) fn ring_count(&self) -> usize {
        self.rings().all.len()
    }

    fn rings(&self) -> MutexGuard<'_, Rings> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A ring, counters and a pool for the calling thread; none once it is closed.
    pub(super) fn register(&self) -> Option<Local> {
        let mut rings = self.rings();
        if rings.is_closed {
            return None;
        }
        let writer = RingWriter::new(self.budget.clone());
        rings.all.push(writer.ring().clone());
        Some(Local::new(self.id, writer, &self.metrics))
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.id)
    }
}

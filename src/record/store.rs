//! Finished spans of one tracer, from all threads to its worker.

use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::metrics::{Counter, CounterBlock, DropCause, DropCounts, Ledger, Metrics};
use crate::model::Flags;
use crate::record::buffer::without_repeated_keys;
use crate::record::frame::{FinishedSpan, FrameBytes, FrameHeader, read_frame};
use crate::record::local_trace::HeldSpans;
use crate::record::ring::{Budget, Pushed, Ring};

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
        }
    }

    /// Who is to be called when memory runs short.
    pub(crate) fn on_half_full(&self, wake: impl Fn() + Send + Sync + 'static) {
        // A store has one worker; a second one would never be woken.
        let _ = self.wake.set(Box::new(wake));
    }

    /// Puts a finished span on its way.
    pub(crate) fn push(&self, header: &FrameHeader, bytes: &FrameBytes<'_>) {
        let pushed = with_local(self, |local| local.ring.push(header, bytes))
            .unwrap_or_else(|| self.shared_ring.push(header, bytes));
        match pushed {
            Pushed::Taken => {}
            Pushed::TakenHalfFull | Pushed::Full => self.wake(),
            Pushed::Closed => self.ledger.drop_spans(DropCause::AfterShutdown, 1),
        }
    }

    /// Puts spans on their way that had waited for a decision.
    pub(crate) fn push_held(&self, held: &HeldSpans, flags: Flags) {
        let mut rest = held.frames.as_slice();
        while let Some((span, after)) = read_frame(rest) {
            let header = FrameHeader {
                flags,
                ..*span.header()
            };
            self.push(&header, &span.frame_bytes());
            rest = after;
        }
    }

    /// Counts spans that were lost before they got here.
    pub(crate) fn drop_spans(&self, cause: DropCause, n: u64) {
        self.ledger.drop_spans(cause, n);
    }

    /// Counts in the calling thread's own block.
    pub(crate) fn count(&self, counter: Counter) {
        if with_local(self, |local| local.counters.count(counter)).is_none() {
            self.metrics.add(counter, 1);
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
        self.forget_ended();
        count
    }

    /// Refuses and counts what finishes from now on.
    pub(crate) fn close(&self) {
        let mut rings = self.rings();
        rings.is_closed = true;
        self.shared_ring.close();
        for ring in &rings.all {
            ring.close();
        }
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

    fn rings(&self) -> MutexGuard<'_, Rings> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A ring and counters for the calling thread.
    fn register(&self) -> Local {
        let ring = Arc::new(Ring::new(self.budget.clone()));
        let mut rings = self.rings();
        if rings.is_closed {
            ring.close();
        }
        rings.all.push(ring.clone());
        Local {
            store: self.id,
            ring,
            counters: self.metrics.register(),
            metrics: self.metrics.clone(),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.id)
    }
}

/// What a thread keeps of one tracer.
struct Local {
    store: u64,
    ring: Arc<Ring>,
    counters: Arc<CounterBlock>,
    metrics: Metrics,
}

impl Drop for Local {
    fn drop(&mut self) {
        self.ring.end();
        self.metrics.retire(&self.counters);
    }
}

thread_local! {
    static LOCALS: RefCell<Vec<Local>> = const { RefCell::new(Vec::new()) };
}

/// Runs `use_local` on what the calling thread keeps of `store`; `None` while the thread is torn down.
fn with_local<R>(store: &Store, use_local: impl FnOnce(&Local) -> R) -> Option<R> {
    LOCALS
        .try_with(|locals| {
            let mut locals = locals.try_borrow_mut().ok()?;
            let place = match locals.iter().position(|local| local.store == store.id) {
                Some(place) => place,
                None => {
                    // A ring that only we still hold belongs to a tracer that is gone.
                    locals.retain(|local| Arc::strong_count(&local.ring) > 1);
                    locals.push(store.register());
                    locals.len() - 1
                }
            };
            Some(use_local(&locals[place]))
        })
        .ok()
        .flatten()
}

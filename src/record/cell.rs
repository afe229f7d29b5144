//! The box that holds one open span, shared by its handles.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{Flags, SpanId, Timestamp, TraceId};
use crate::record::buffer::SpanBuffer;
use crate::record::lifecycle::Lifecycle;
use crate::record::local_trace::LocalTrace;

/// One open span.
#[derive(Debug)]
pub(crate) struct SpanCell {
    pub(crate) tracer: Arc<dyn Lifecycle>,
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) parent_id: Option<SpanId>,
    /// The first span of its trace in this process.
    pub(crate) is_local_root: bool,
    /// The decision, while it is open or was made late.
    pub(crate) local_trace: Option<Arc<LocalTrace>>,
    pub(crate) time: SpanTime,
    flags: AtomicU8,
    /// The sampler may be asked again when the span is renamed.
    is_revisable: AtomicBool,
    is_finished: AtomicBool,
    buffer: Mutex<SpanBuffer>,
}

/// When a span started, and how to tell the time within it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpanTime {
    /// Nanoseconds since the epoch.
    pub(crate) start: i64,
    /// Given by the user: the wall clock then tells the end.
    pub(crate) is_explicit: bool,
    /// Wall time of tick zero, frozen when the local root started.
    pub(crate) anchor: i64,
}

impl SpanTime {
    /// Nanoseconds since the epoch of a tick count.
    pub(crate) fn wall(&self, ticks: u64) -> i64 {
        self.anchor.saturating_add_unsigned(ticks)
    }

    /// The same in whole microseconds.
    pub(crate) fn timestamp(&self, ticks: u64) -> Timestamp {
        Timestamp::from_micros(self.wall(ticks).div_euclid(1_000))
    }
}

/// What is fixed when a span starts.
#[derive(Debug)]
pub(crate) struct SpanSeed {
    pub(crate) tracer: Arc<dyn Lifecycle>,
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) parent_id: Option<SpanId>,
    pub(crate) is_local_root: bool,
    pub(crate) local_trace: Option<Arc<LocalTrace>>,
    pub(crate) time: SpanTime,
    pub(crate) flags: Flags,
    pub(crate) is_revisable: bool,
    pub(crate) buffer: SpanBuffer,
}

impl SpanCell {
    pub(crate) fn new(seed: SpanSeed) -> Self {
        Self {
            tracer: seed.tracer,
            trace_id: seed.trace_id,
            span_id: seed.span_id,
            parent_id: seed.parent_id,
            is_local_root: seed.is_local_root,
            local_trace: seed.local_trace,
            time: seed.time,
            flags: AtomicU8::new(seed.flags.bits()),
            is_revisable: AtomicBool::new(seed.is_revisable),
            is_finished: AtomicBool::new(false),
            buffer: Mutex::new(seed.buffer),
        }
    }

    pub(crate) fn flags(&self) -> Flags {
        match &self.local_trace {
            Some(trace) => trace.flags(),
            None => Flags::from_bits(self.flags.load(Ordering::Relaxed)),
        }
    }

    /// Of a span whose trace is decided by its own flags.
    pub(crate) fn set_flags(&self, flags: Flags) {
        self.flags.store(flags.bits(), Ordering::Relaxed);
    }

    /// Whether the sampler has not answered yet.
    pub(crate) fn is_undecided(&self) -> bool {
        self.local_trace
            .as_ref()
            .is_some_and(|trace| !trace.is_final())
    }

    pub(crate) fn is_revisable(&self) -> bool {
        self.is_revisable.load(Ordering::Relaxed)
    }

    /// Somebody has seen the decision: it stays.
    pub(crate) fn settle(&self) {
        if self.is_revisable() {
            self.is_revisable.store(false, Ordering::Relaxed);
        }
    }

    /// Whether tags and logs are kept.
    pub(crate) fn is_recording(&self) -> bool {
        (self.flags().is_sampled() || self.is_undecided() || self.is_revisable())
            && !self.is_finished()
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.is_finished.load(Ordering::Acquire)
    }

    /// The buffer, for as long as the span is open. Nothing of the user's may run while it is held.
    pub(crate) fn open(&self) -> Option<MutexGuard<'_, SpanBuffer>> {
        let buffer = self.lock();
        (!self.is_finished.load(Ordering::Relaxed)).then_some(buffer)
    }

    /// The buffer, finished or not.
    pub(crate) fn lock(&self) -> MutexGuard<'_, SpanBuffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The buffer for the one who finishes the span; `None` for all others.
    pub(crate) fn finish(&self) -> Option<MutexGuard<'_, SpanBuffer>> {
        let buffer = self.lock();
        // Release: whoever reads `is_finished` without the lock sees what was done before.
        (!self.is_finished.swap(true, Ordering::Release)).then_some(buffer)
    }
}

/// A handle to a box. Owners are counted apart: the last one to go has the span finished.
#[derive(Debug)]
pub(crate) struct SpanRef {
    shared: Arc<Shared>,
    is_owner: bool,
}

#[derive(Debug)]
struct Shared {
    owners: AtomicUsize,
    cell: SpanCell,
}

impl SpanRef {
    /// The first owner.
    pub(crate) fn new(cell: SpanCell) -> Self {
        Self {
            shared: Arc::new(Shared {
                owners: AtomicUsize::new(1),
                cell,
            }),
            is_owner: true,
        }
    }

    /// One that does not own.
    pub(crate) fn handle(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            is_owner: false,
        }
    }

    pub(crate) fn cell(&self) -> &SpanCell {
        &self.shared.cell
    }

    /// Gives up ownership; true for the last owner.
    pub(crate) fn release(&mut self) -> bool {
        // AcqRel: what other owners did happens before the last one finishes the span.
        std::mem::take(&mut self.is_owner) && self.shared.owners.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

impl Clone for SpanRef {
    /// A clone of an owner owns, a clone of another handle does not.
    fn clone(&self) -> Self {
        if self.is_owner {
            self.shared.owners.fetch_add(1, Ordering::Relaxed);
        }
        Self {
            shared: self.shared.clone(),
            is_owner: self.is_owner,
        }
    }
}

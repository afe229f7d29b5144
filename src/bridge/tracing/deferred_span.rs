use std::any::Any;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use crate::bridge::tracing::left_out::run_user_code;
use crate::bridge::tracing::origin::{Origin, Parent};
use crate::bridge::tracing::recorded::{MOST_REFERENCES, Recorded, Status, with_scratch};
use crate::bridge::tracing::wanted_ids::are_ids_wanted;
use crate::clock::{Moment, deadline_after, instant_now};
use crate::model::{TagRef, tags};
use crate::scope::{Deferred, DeferredEntry, start_deferred};
use crate::span::{Span, SpanContext, TraceIds};
use crate::sync::byte_lock::{ByteGuard, ByteLock};
use crate::sync::generation;

/// The counterpart of a span of `tracing`, which the registry keeps with it.
///
/// The span of the tracer starts late: when something asks for its context, when much was recorded, or at its end.
/// Until then it can get another parent, and no sampler is asked. No user code runs while `state` is locked.
#[derive(Debug, Default)]
pub(super) struct DeferredSpan {
    /// The number of the layer, or 0 in memory that waits for its next span.
    layer: usize,
    /// A handle that does not own the span, once it has started.
    started: OnceLock<Span>,
    has_ended: AtomicBool,
    /// The ids of a span that was never handed out, if a line may ask for them.
    ids_at_end: OnceLock<TraceIds>,
    /// The process that made the span: a forked child may have inherited the lock from a thread that it does not have.
    generation: u32,
    state: ByteLock<State>,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    /// `None` once the start has begun.
    origin: Option<Origin>,
    /// Tags, logs and references from before the start and from during it.
    recorded: Recorded,
    /// The handle that owns the span, from its start to its end.
    owner: Span,
    status: Status,
    /// The number of references besides that to the parent.
    references: usize,
    /// A panic has left its mark on the span.
    is_marked: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Waiting,
    /// The thread with this key starts it.
    Starting(usize),
    /// Another thread starts it, and it has ended meanwhile.
    EndsAtStart,
    Started,
    Ended,
}

impl DeferredSpan {
    /// Begins a span that has not started, in empty memory to which there is no other handle. `record` adds its fields,
    /// which runs user code.
    pub(super) fn begin(
        mut self: Arc<Self>,
        origin: Origin,
        record: impl FnOnce(&mut Recorded),
    ) -> Arc<Self> {
        if let Some(own) = Arc::get_mut(&mut self) {
            own.layer = origin.layer.number;
            own.generation = generation();
            let state = own.state.get_mut();
            record(&mut state.recorded);
            state.status = state.recorded.status;
            state.origin = Some(origin);
        }
        self
    }

    /// Locks the state. Returns `None` in a forked child if a thread of the parent process holds the lock.
    fn lock(&self) -> Option<ByteGuard<'_, State>> {
        match self.state.try_lock() {
            Some(state) => Some(state),
            None if self.generation == generation() => Some(self.state.lock()),
            None => self.state.lock_soon(),
        }
    }

    /// Returns whether the span is one of this layer.
    #[inline]
    pub(super) fn is_of(&self, layer: usize) -> bool {
        self.layer == layer
    }

    /// Makes the span's entry for the stack of a thread that enters it.
    #[inline]
    pub(super) fn entry(self: Arc<Self>, id: u64) -> DeferredEntry {
        DeferredEntry {
            layer: self.layer,
            id,
            is_entered_in_panic: thread::panicking(),
            span: self,
        }
    }

    /// Replaces the parent. Returns false if the span has started.
    pub(super) fn set_parent(&self, context: SpanContext) -> bool {
        let mut parent = Parent::Context(context);
        let Some(mut state) = self.lock() else {
            return false;
        };
        match &mut state.origin {
            Some(origin) => mem::swap(&mut origin.parent, &mut parent),
            None => return false,
        }
        // A parent may be the last handle of a span, whose drop runs user code.
        drop(state);
        true
    }

    /// Adds what was recorded, now or when the span starts. Leaves `recorded` in any state.
    pub(super) fn add(&self, recorded: &mut Recorded) {
        let Some(mut state) = self.lock() else { return };
        let before = state.status;
        state.status = before.max(recorded.status);
        let room = MOST_REFERENCES.saturating_sub(state.references);
        state.references += recorded.limit_references(room);
        match state.phase {
            Phase::Waiting | Phase::Starting(_) | Phase::EndsAtStart => {
                let is_waiting = state.phase == Phase::Waiting;
                if is_waiting || state.recorded.has_room() {
                    state.recorded.append(recorded);
                } else {
                    // The sampler that is being asked may hang.
                    state.recorded.append_status(recorded);
                }
                let must_start = is_waiting && state.recorded.is_full();
                drop(state);
                if must_start {
                    start_deferred(self);
                }
            }
            Phase::Started => {
                drop(state);
                if let Some(span) = self.started.get() {
                    run_user_code(|| recorded.apply(span, before));
                }
            }
            Phase::Ended => {}
        }
    }

    /// Marks the span after a panic in its work.
    pub(super) fn mark_panic(&self, moment: Moment) {
        let Some(mut state) = self.lock() else { return };
        if mem::replace(&mut state.is_marked, true) {
            return;
        }
        if state.phase == Phase::Started {
            drop(state);
            if let Some(span) = self.started.get() {
                run_user_code(|| span.mark_panic());
            }
        } else {
            state.status = state.status.max(Status::Error);
            state.recorded.raise_status(Status::Error);
            let log = &mut state.recorded.log_fields;
            log.push(tags::EVENT, TagRef::String("panic"));
            state.recorded.end_log(moment);
        }
    }

    /// Returns a handle that does not own the span, and starts the span if need be.
    pub(super) fn span(&self) -> Span {
        start_deferred(self);
        self.started.get().cloned().unwrap_or_default()
    }

    /// Returns whether the span would keep a log record.
    pub(super) fn is_recording(&self) -> bool {
        self.started.get().is_none_or(Span::is_recording)
    }

    /// Ends the span. One that has not started starts before.
    pub(super) fn end(self: &Arc<Self>) {
        let Some(mut state) = self.lock() else {
            return self.mark_ended();
        };
        if state.phase == Phase::Waiting {
            match state.origin.take() {
                Some(origin) if Arc::strong_count(self) <= OWN_HANDLES => {
                    return self.end_at_once(state, origin);
                }
                origin => state.origin = origin,
            }
            drop(state);
            start_deferred(&**self);
            let Some(locked) = self.lock() else {
                return self.mark_ended();
            };
            state = locked;
        }
        self.mark_ended();
        match state.phase {
            Phase::Started => {
                state.phase = Phase::Ended;
                let owner = mem::take(&mut state.owner);
                let is_marked = state.is_marked;
                drop(state);
                end_owner(owner, is_marked);
            }
            Phase::Starting(_) => state.phase = Phase::EndsAtStart,
            Phase::Waiting | Phase::EndsAtStart | Phase::Ended => {}
        }
    }

    /// From now on no stack has the span for active, even if another thread is just starting it.
    fn mark_ended(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }

    /// Starts and ends a span of which no other thread knows: the usual case, that of a span without children. It is
    /// not handed out, so that it has one handle, which finishes faster.
    fn end_at_once(&self, mut state: ByteGuard<'_, State>, origin: Origin) {
        state.phase = Phase::Ended;
        let is_marked = state.is_marked;
        with_scratch(|recorded| {
            mem::swap(recorded, &mut state.recorded);
            drop(state);
            self.mark_ended();
            if let Parent::Deferred(parent) = &origin.parent
                && parent.started().is_none()
            {
                start_deferred(&**parent);
            }
            run_user_code(|| {
                let span = origin.start_now(recorded);
                if are_ids_wanted() {
                    let _ = self.ids_at_end.set(span.trace_ids());
                }
                finish(span, is_marked);
            });
        });
    }

    /// Returns the ids of the span, also after its end. Starts the span if need be.
    pub(super) fn trace_ids(&self) -> TraceIds {
        start_deferred(self);
        match self.started.get() {
            Some(span) => span.trace_ids(),
            None => self.ids_at_end.get().copied().unwrap_or_default(),
        }
    }

    /// Empties the memory of a span that has ended.
    pub(super) fn reset(&mut self) {
        self.layer = 0;
        self.started.take();
        self.ids_at_end.take();
        *self.has_ended.get_mut() = false;
        let state = self.state.get_mut();
        state.phase = Phase::Waiting;
        state.origin = None;
        state.recorded.clear();
        state.status = Status::Unset;
        state.references = 0;
        state.is_marked = false;
    }

    /// Takes the origin, if this thread is to start the span. Waits for another thread that does.
    fn claim(&self) -> Option<(Origin, Recorded)> {
        let me = thread_key();
        let mut deadline = None;
        let mut tries = 0;
        loop {
            let mut state = self.lock()?;
            match state.phase {
                Phase::Waiting => {
                    state.phase = Phase::Starting(me);
                    let origin = state.origin.take()?;
                    return Some((origin, mem::take(&mut state.recorded)));
                }
                Phase::Starting(starter) if starter != me => {}
                _ => return None,
            }
            drop(state);
            let deadline = *deadline.get_or_insert_with(|| deadline_after(PATIENCE));
            if instant_now() >= deadline {
                return None;
            }
            tries += 1;
            if tries < 100 {
                thread::yield_now();
            } else {
                thread::sleep(PAUSE);
            }
        }
    }

    /// Hands the started span to all who ask for it, and writes to it what was recorded meanwhile.
    ///
    /// `status` is the one that the span was started with. `memory` is empty.
    fn publish(&self, span: Span, mut status: Status, memory: Recorded) {
        // Nobody else sets it: `claim` returns an origin once.
        let _ = self.started.set(span.downgrade());
        loop {
            // Without the state, the span ends here.
            let Some(mut state) = self.lock() else { return };
            if state.recorded.is_empty() {
                return Self::conclude(state, span, memory);
            }
            let mut late = mem::take(&mut state.recorded);
            drop(state);
            run_user_code(|| late.apply(&span, status));
            status = status.max(late.status);
        }
    }

    fn conclude(mut state: ByteGuard<'_, State>, span: Span, memory: Recorded) {
        // What it replaces is empty, too, and has no memory.
        state.recorded = memory;
        if state.phase == Phase::EndsAtStart {
            state.phase = Phase::Ended;
            let is_marked = state.is_marked;
            drop(state);
            end_owner(span, is_marked);
        } else {
            state.phase = Phase::Started;
            let nothing = mem::replace(&mut state.owner, span);
            drop(state);
            drop(nothing);
        }
    }
}

impl Deferred for DeferredSpan {
    #[inline]
    fn started(&self) -> Option<&Span> {
        self.started.get()
    }

    #[inline]
    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }

    fn waits_for(&self) -> Option<Arc<dyn Deferred>> {
        if self.started.get().is_some() {
            return None;
        }
        let state = self.lock()?;
        match &state.origin.as_ref()?.parent {
            Parent::Deferred(parent) if parent.started().is_none() => Some(parent.clone()),
            _ => None,
        }
    }

    fn start(&self) {
        if self.started.get().is_some() {
            return;
        }
        if let Some((origin, mut recorded)) = self.claim() {
            let span = origin.start(&mut recorded);
            let status = recorded.status;
            recorded.clear();
            self.publish(span, status, recorded);
        }
    }
}

/// Returns the span of the layer that an entry of the stack stands for.
pub(super) fn of_entry(entry: &DeferredEntry) -> Option<&DeferredSpan> {
    let any: &dyn Any = &*entry.span;
    any.downcast_ref()
}

/// Like [`of_entry`], with the entry's handle.
#[inline]
pub(super) fn into_span(entry: DeferredEntry) -> Option<Arc<DeferredSpan>> {
    let any: Arc<dyn Any + Send + Sync> = entry.span;
    any.downcast().ok()
}

/// Finishes a span as the drop of its last owner does, which marks it if the thread panics.
fn end_owner(owner: Span, is_marked: bool) {
    run_user_code(|| finish(owner, is_marked));
}

/// Like [`end_owner`], with user code running.
fn finish(owner: Span, is_marked: bool) {
    if is_marked {
        owner.finish();
    } else {
        drop(owner);
    }
}

/// Returns a number that no other living thread has.
fn thread_key() -> usize {
    thread_local! {
        static KEY: u8 = const { 0 };
    }
    KEY.with(|key| std::ptr::from_ref(key).addr())
}

/// The handles to a span that closes: the one of the registry, and the one of the thread that ends it.
const OWN_HANDLES: usize = 2;

/// The time that a thread waits for another one that starts the span, perhaps in a sampler that hangs.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_micros(100);

use std::any::Any;
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use crate::bridge::tracing::left_out::run_user_code;
use crate::bridge::tracing::origin::{Origin, Parent};
use crate::bridge::tracing::recorded::{MOST_REFERENCES, Recorded, Status};
use crate::bridge::tracing::settings::Settings;
use crate::clock::{Moment, deadline_after, instant_now};
use crate::model::{TagRef, tags};
use crate::scope::{Deferred, DeferredEntry, start_deferred};
use crate::span::{Span, SpanContext};
use crate::sync::byte_lock::{ByteGuard, ByteLock};
use crate::sync::generation;
use crate::tracer::{Tracer, TracerExt};

/// The tracer of a layer, and what the user has set.
pub(super) struct Shared {
    pub(super) tracer: Box<dyn Tracer>,
    pub(super) settings: Settings,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// The counterpart of a span of `tracing`, which the registry keeps with it.
///
/// The span of the tracer starts late: when something asks for its context, when much was recorded, or at its end.
/// Until then it can get another parent, and no sampler is asked. No user code runs while `state` is locked.
#[derive(Debug, Default)]
pub(super) struct DeferredSpan {
    /// `None` in memory that waits for its next span.
    layer: Option<Arc<Shared>>,
    /// A handle that does not own the span, once it has started.
    started: OnceLock<Span>,
    has_ended: AtomicBool,
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
    /// Makes a span that has not started. `record` adds its fields, which runs user code.
    pub(super) fn new(
        layer: &Arc<Shared>,
        origin: Origin,
        record: impl FnOnce(&mut Recorded),
    ) -> Arc<Self> {
        let mut span = memory::take();
        if let Some(own) = Arc::get_mut(&mut span) {
            own.layer = Some(layer.clone());
            own.generation = generation();
            let state = own.state.get_mut();
            record(&mut state.recorded);
            state.status = state.recorded.status;
            state.origin = Some(origin);
        }
        span
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
    pub(super) fn is_of(&self, layer: &Arc<Shared>) -> bool {
        let own = self.layer.as_ref();
        own.is_some_and(|own| Arc::ptr_eq(own, layer))
    }

    /// Makes the span's entry for the stack of a thread that enters it. `layer` is the number of its layer.
    #[inline]
    pub(super) fn entry(self: Arc<Self>, layer: usize, id: u64) -> DeferredEntry {
        DeferredEntry {
            layer,
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
    pub(super) fn end(mut self: Arc<Self>) {
        match Arc::get_mut(&mut self) {
            Some(alone) => {
                alone.end_alone();
                memory::keep(self);
            }
            None => {
                self.end_shared();
                self.has_ended.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Ends a span that no other thread can reach, and leaves the memory empty.
    fn end_alone(&mut self) {
        // Before the owner, so that the owner is the only handle, which finishes faster.
        self.started.take();
        let state = self.state.get_mut();
        if let Some(Origin {
            parent: Parent::Deferred(parent),
            ..
        }) = &state.origin
            && parent.started().is_none()
        {
            start_deferred(&**parent);
        }
        let is_marked = state.is_marked;
        match (state.origin.take(), &self.layer) {
            (Some(origin), Some(layer)) => {
                run_user_code(|| {
                    finish(layer.start_now(origin, &mut state.recorded), is_marked);
                });
            }
            _ => end_owner(mem::take(&mut state.owner), is_marked),
        }
        state.recorded.clear();
        state.phase = Phase::Waiting;
        state.status = Status::Unset;
        state.references = 0;
        state.is_marked = false;
        // The last of a layer drops the tracer.
        self.layer = None;
    }

    fn end_shared(&self) {
        let is_waiting = |state: ByteGuard<'_, State>| state.phase == Phase::Waiting;
        if self.lock().is_some_and(is_waiting) {
            start_deferred(self);
        }
        let Some(mut state) = self.lock() else { return };
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

    /// Drops what was made for a span that another layer has.
    pub(super) fn discard(mut self: Arc<Self>) {
        if let Some(alone) = Arc::get_mut(&mut self) {
            alone.state.get_mut().origin = None;
            alone.end_alone();
            memory::keep(self);
        }
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

impl Shared {
    /// Starts a span whose parent has started. If a tracer of the user panics, the span is no span.
    fn start(&self, origin: Origin, recorded: &mut Recorded) -> Span {
        run_user_code(|| self.start_now(origin, recorded)).unwrap_or_default()
    }

    /// Like [`start`](Self::start), with user code running.
    fn start_now(&self, origin: Origin, recorded: &mut Recorded) -> Span {
        let name = recorded.take_name(origin.name);
        let references = recorded.take_references();
        let builder = self.tracer.build_span(name);
        let builder = builder.begun(origin.moment, None).ignore_active_span();
        let mut builder = match &origin.parent {
            Parent::Root => builder,
            Parent::Deferred(parent) => match parent.started() {
                Some(span) => builder.child_of(span),
                None => builder,
            },
            Parent::Span(span) => builder.child_of(span),
            Parent::Context(context) => builder.child_of(context),
        };
        for (key, value) in recorded.start_tags() {
            builder = builder.tag(key, value);
        }
        for context in &references {
            builder = builder.follows_from(context);
        }
        let span = builder.start();
        recorded.apply_after_start(&span);
        span
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
            let span = match &self.layer {
                Some(layer) => layer.start(origin, &mut recorded),
                None => Span::noop(),
            };
            let status = recorded.status;
            recorded.clear();
            self.publish(span, status, recorded);
        }
    }
}

impl Drop for DeferredSpan {
    /// Ends a span whose subscriber is gone: its last owner is dropped.
    fn drop(&mut self) {
        if self.state.get_mut().origin.is_some() {
            self.end_alone();
        }
    }
}

/// Returns the span of the layer that an entry of the stack stands for.
pub(super) fn of_entry(entry: &DeferredEntry) -> Option<&DeferredSpan> {
    let any: &dyn Any = &*entry.span;
    any.downcast_ref()
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

/// The memory of spans that have ended, which the next spans of the thread use again.
mod memory {
    use std::cell::RefCell;
    use std::sync::Arc;

    use super::DeferredSpan;

    thread_local! {
        static KEPT: RefCell<Vec<Arc<DeferredSpan>>> = const { RefCell::new(Vec::new()) };
    }

    /// Returns an empty span to which there is no other handle.
    pub(super) fn take() -> Arc<DeferredSpan> {
        let kept = KEPT.try_with(|kept| kept.try_borrow_mut().ok()?.pop());
        kept.ok().flatten().unwrap_or_default()
    }

    pub(super) fn keep(span: Arc<DeferredSpan>) {
        let _ = KEPT.try_with(|kept| {
            if let Ok(mut kept) = kept.try_borrow_mut()
                && kept.len() < MOST_KEPT
            {
                kept.push(span);
            }
        });
    }

    const MOST_KEPT: usize = 32;
}

/// Returns a number that no other living thread has.
fn thread_key() -> usize {
    thread_local! {
        static KEY: u8 = const { 0 };
    }
    KEY.with(|key| std::ptr::from_ref(key).addr())
}

/// The time that a thread waits for another one that starts the span, perhaps in a sampler that hangs.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_micros(100);

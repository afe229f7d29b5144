//! The sampling decision that the spans of one undecided trace share.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};

use crate::model::Flags;
use crate::record::queue::frame::{FrameBytes, FrameHeader};
use crate::record::queue::frame_list::FrameList;
use crate::record::queue::span_queue::{QueueKey, SpanQueue};
use crate::sampler::Notes;
use crate::sync::{AtomicU8, Mutex, MutexGuard, Ordering, PerProcess};

/// A reference to a decision. The spans of a trace hold it, and so do their contexts.
#[derive(Clone, Debug)]
pub(crate) struct DecisionRef(Arc<ContextExtras>);

/// The parts that few contexts have, in one piece of memory.
#[derive(Debug)]
pub(crate) enum ContextExtras {
    Undecided(SharedDecision),
    Request(RequestTexts),
}

/// The texts that came with a request besides its context.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestTexts {
    pub(crate) decision: Option<DecisionRef>,
    pub(crate) debug_id: Option<Box<str>>,
    pub(crate) conflict: Option<Box<str>>,
}

impl DecisionRef {
    pub(crate) fn new(decision: SharedDecision) -> Self {
        Self(Arc::new(ContextExtras::Undecided(decision)))
    }

    /// Returns the decision if nobody else holds it.
    #[inline]
    pub(crate) fn get_mut(&mut self) -> Option<&mut SharedDecision> {
        match Arc::get_mut(&mut self.0)? {
            ContextExtras::Undecided(decision) => Some(decision),
            ContextExtras::Request(_) => None,
        }
    }

    /// Returns what a context holds that shares the decision.
    #[inline]
    pub(crate) fn into_extras(self) -> Arc<ContextExtras> {
        self.0
    }

    /// Returns the decision that a context shares.
    #[inline]
    pub(crate) fn of_extras(extras: &Arc<ContextExtras>) -> Option<Self> {
        match &**extras {
            ContextExtras::Undecided(_) => Some(Self(extras.clone())),
            ContextExtras::Request(texts) => texts.decision.clone(),
        }
    }
}

impl Deref for DecisionRef {
    type Target = SharedDecision;

    #[inline(always)]
    fn deref(&self) -> &SharedDecision {
        match &*self.0 {
            ContextExtras::Undecided(decision) => decision,
            ContextExtras::Request(_) => unreachable!("no constructor takes it"),
        }
    }
}

impl ContextExtras {
    /// Returns the decision that a context shares.
    #[inline]
    pub(crate) fn decision(&self) -> Option<&SharedDecision> {
        match self {
            Self::Undecided(decision) => Some(decision),
            Self::Request(texts) => texts.decision.as_deref(),
        }
    }
}

/// The decision on one trace in this process, and the spans that have finished before it was made.
///
/// It exists only if the sampler put its answer off. In other traces each span has the decision in its flags.
///
/// Like a slot it is used again: its last holder [clears](Self::clear) it and puts it into a pool.
#[derive(Debug)]
pub(crate) struct SharedDecision {
    /// The queue of the tracer whose sampler decides. Only spans of this tracer wait here, and go to this queue.
    pub(crate) queue: Arc<SpanQueue>,
    /// Identifies the queue, and the process that made this.
    pub(crate) key: QueueKey,
    /// Whether the caller has dropped the trace.
    pub(crate) is_dropped_by_caller: bool,
    /// The flags, and [`FINAL`] once the decision is made.
    state: AtomicU8,
    /// Whether a process was told that the trace is not sampled.
    is_partial: AtomicBool,
    notes: AtomicU32,
    /// The spans that wait. A forked child begins without any: its parent has those that finished before the fork.
    held: PerProcess<Mutex<HeldSpans>>,
}

/// Finished spans that wait or waited for a decision.
#[derive(Debug, Default)]
pub(crate) struct HeldSpans {
    pub(crate) frames: FrameList,
    pub(crate) count: u64,
    /// The number of spans that found no room.
    pub(crate) lost: u64,
    /// The number of spans that had recorded nothing, because too many were open.
    pub(crate) capped: u64,
}

/// The state of a decision at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DecisionState(u8);

impl DecisionState {
    /// Returns the flags.
    #[inline(always)]
    pub(crate) fn flags(self) -> Flags {
        Flags::from_bits(self.0 & !FINAL)
    }

    /// Returns whether the decision is made.
    #[inline(always)]
    pub(crate) fn is_final(self) -> bool {
        self.0 & FINAL != 0
    }
}

impl SharedDecision {
    /// Makes a vacant decision. [`begin`](Self::begin) opens it.
    pub(crate) fn new(queue: Arc<SpanQueue>) -> Self {
        Self {
            key: queue.key(),
            queue,
            is_dropped_by_caller: false,
            state: AtomicU8::new(FINAL),
            is_partial: AtomicBool::new(false),
            notes: AtomicU32::new(0),
            held: PerProcess::new(Mutex::default()),
        }
    }

    /// Opens the decision on a trace that begins in this process.
    #[inline]
    pub(crate) fn begin(&mut self, flags: Flags, notes: u32, is_dropped_by_caller: bool) {
        self.is_dropped_by_caller = is_dropped_by_caller;
        self.state.store(flags.bits() & !FINAL, Ordering::Relaxed);
        self.is_partial = AtomicBool::new(is_dropped_by_caller);
        self.notes = AtomicU32::new(notes);
    }

    /// Returns the state as of now.
    #[inline(always)]
    pub(crate) fn state(&self) -> DecisionState {
        // Acquire: pairs with the Release in `decide`.
        DecisionState(self.state.load(Ordering::Acquire))
    }

    /// Returns the flags as of now.
    #[inline]
    pub(crate) fn flags(&self) -> Flags {
        self.state().flags()
    }

    /// Returns whether the decision is made.
    #[inline]
    pub(crate) fn is_final(&self) -> bool {
        self.state().is_final()
    }

    /// Notes that another process is told that the trace is not sampled.
    pub(crate) fn note_refusal(&self) {
        self.is_partial.store(true, Ordering::Relaxed);
    }

    /// Returns whether another process was told that the trace is not sampled: it has none of its spans.
    pub(crate) fn is_partial(&self) -> bool {
        self.is_partial.load(Ordering::Relaxed)
    }

    /// Returns what samplers have noted about the trace.
    ///
    /// Only samplers of the tracer that decides keep notes: those of another one would take them for their own.
    pub(crate) fn notes_for(&self, queue: &SpanQueue) -> Notes<'_> {
        if queue.id() == self.queue.id() {
            Notes::in_word(&self.notes)
        } else {
            Notes::NONE
        }
    }

    /// Makes the decision and returns the spans that waited for it: their number, and the spans themselves if the trace
    /// is kept. A later call changes the flags of spans that finish afterwards, and returns none.
    pub(crate) fn decide(&self, flags: Flags) -> HeldSpans {
        let mut held = self.held();
        self.state.store(flags.bits() | FINAL, Ordering::Release);
        if flags.is_sampled() {
            held.take()
        } else {
            held.let_go()
        }
    }

    /// Keeps a span that has finished undecided, if there is room and no other thread has decided meanwhile.
    #[inline]
    pub(crate) fn hold(&self, header: &FrameHeader, bytes: &FrameBytes<'_>) -> Hold {
        let frame_len = bytes.frame_len();
        let mut held = self.held();
        let state = self.state();
        if state.is_final() {
            return Hold::Decided(state.flags());
        }
        let room = held.frames.len() + frame_len <= TRACE_BYTES;
        if !room || !reserve(frame_len) {
            held.lost += 1;
            return Hold::NoRoom;
        }
        held.frames.push(header, bytes);
        held.count += 1;
        Hold::Held
    }

    /// Counts a span that has finished undecided and has recorded nothing: it is lost if the trace is kept. Returns the
    /// flags instead if another thread has decided meanwhile.
    pub(crate) fn count_capped(&self) -> Option<Flags> {
        let mut held = self.held();
        let state = self.state();
        if state.is_final() {
            return Some(state.flags());
        }
        held.capped += 1;
        None
    }

    /// Ends the waiting because the local root finishes. If there is no decision, spans that are still open are not
    /// kept, and the number of those that waited is returned.
    #[inline]
    pub(crate) fn end(&self) -> Option<u64> {
        if self.is_final() {
            return None;
        }
        let mut held = self.held();
        let state = self.state();
        if state.is_final() {
            return None;
        }
        let flags = state.flags().without(Flags::SAMPLED);
        self.state.store(flags.bits() | FINAL, Ordering::Release);
        Some(held.let_go().total())
    }

    /// Makes a decision vacant that nobody else holds.
    #[inline]
    pub(crate) fn clear(&mut self) {
        // Whoever decided or ended has emptied the list, and nobody adds to it afterwards.
        if !self.is_final() {
            self.end();
        }
    }

    #[inline]
    fn held(&self) -> MutexGuard<'_, HeldSpans> {
        let held = self.held.get(|_| Mutex::default());
        held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SharedDecision {
    fn drop(&mut self) {
        self.clear();
    }
}

impl HeldSpans {
    /// Returns the number of spans that waited, found no room or had recorded nothing.
    pub(crate) fn total(&self) -> u64 {
        self.count + self.lost + self.capped
    }

    fn take(&mut self) -> Self {
        let spans = std::mem::take(self);
        release(spans.frames.len());
        spans
    }

    /// Drops the spans and returns their number. The list keeps some memory for the next trace.
    #[inline]
    fn let_go(&mut self) -> Self {
        release(self.frames.len());
        self.frames.clear(KEPT_BYTES);
        Self {
            frames: FrameList::default(),
            count: std::mem::take(&mut self.count),
            lost: std::mem::take(&mut self.lost),
            capped: std::mem::take(&mut self.capped),
        }
    }
}

/// The result of [`SharedDecision::hold`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    Held,
    /// Another thread has decided meanwhile.
    Decided(Flags),
    NoRoom,
}

/// A flag bit that Jaeger does not use. It is in memory only, never sent.
const FINAL: u8 = 0x80;
/// The bytes of one trace that may wait.
const TRACE_BYTES: usize = 64 * 1024;
/// The bytes that may wait in the process.
const PROCESS_BYTES: usize = 1024 * 1024;
/// The memory for waiting spans that a vacant decision keeps.
const KEPT_BYTES: usize = 4 * 1024;
static PROCESS_HELD: PerProcess<AtomicUsize> = PerProcess::of_first(AtomicUsize::new(0));

fn process_held() -> &'static AtomicUsize {
    PROCESS_HELD.get(|_| AtomicUsize::new(0))
}

/// Reserves bytes of those that may wait in the process. Returns false if they are used up.
fn reserve(bytes: usize) -> bool {
    let held = process_held();
    // Added first and taken back if that was too much: threads that reserve at once do not wait for each other.
    let before = held.fetch_add(bytes, Ordering::Relaxed);
    let has_room = before + bytes <= PROCESS_BYTES;
    if !has_room {
        release(bytes);
    }
    has_room
}

fn release(bytes: usize) {
    if bytes > 0 {
        process_held().fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use crate::model::{SpanId, TraceId};
    use crate::record::queue::budget::Budget;

    fn undecided() -> SharedDecision {
        let queue = SpanQueue::new(Budget::new(1 << 20), Metrics::default());
        let mut decision = SharedDecision::new(Arc::new(queue));
        decision.begin(Flags::default(), 0, false);
        decision
    }

    /// Holds a span whose frame takes `frame_len` bytes.
    fn hold(trace: &SharedDecision, frame_len: usize) -> Hold {
        let ids = TraceId::new(0, 1).zip(SpanId::new(1)).expect("not zero");
        let header = FrameHeader::new(ids.0, ids.1);
        let bytes = |operation_name| FrameBytes {
            operation_name,
            ..FrameBytes::default()
        };
        let name = "x".repeat(frame_len - bytes("").frame_len());
        trace.hold(&header, &bytes(&name))
    }

    #[test]
    fn a_trace_holds_64_kib_of_spans_until_the_decision() {
        let trace = undecided();
        for _ in 0..64 {
            assert_eq!(hold(&trace, 1_024), Hold::Held);
        }
        assert_eq!(hold(&trace, 1_024), Hold::NoRoom);
        let held = trace.decide(Flags::SAMPLED);
        assert_eq!((held.count, held.frames.len()), (64, 64 * 1_024));
        assert_eq!(held.lost, 1);
        assert_eq!(hold(&trace, 1_024), Hold::Decided(Flags::SAMPLED));
    }

    #[test]
    fn a_trace_holds_no_span_after_its_local_root_has_finished() {
        let trace = undecided();
        assert_eq!(hold(&trace, 1_024), Hold::Held);
        assert_eq!(trace.end(), Some(1));
        assert_eq!(hold(&trace, 1_024), Hold::Decided(Flags::default()));
        assert!(trace.is_final() && trace.end().is_none());
    }

    #[test]
    fn a_decision_that_is_used_again_knows_nothing_of_its_last_trace() {
        let mut trace = undecided();
        trace.notes_for(&trace.queue).set(3);
        trace.note_refusal();
        assert_eq!(hold(&trace, 1_024), Hold::Held);
        assert_eq!(trace.decide(Flags::default()).count, 1);
        trace.clear();
        trace.begin(Flags::DEBUG, 1, false);
        assert!(!trace.is_final() && !trace.is_partial());
        assert!(trace.notes_for(&trace.queue).has(0) && !trace.notes_for(&trace.queue).has(3));
        assert_eq!(trace.flags(), Flags::DEBUG);
        assert_eq!(hold(&trace, 1_024), Hold::Held);
        assert_eq!(trace.decide(Flags::SAMPLED).frames.len(), 1_024);
    }
}

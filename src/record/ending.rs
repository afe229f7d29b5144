//! The end of a span that the fast path cannot finish: [`finish_any`].
//!
//! - [`finish_only`] finishes a span that has one handle, such as one of an undecided trace. It takes no lock of the
//!   span.
//! - [`finish_one_of_several`] finishes every other span, under the lock of its buffer.
//!
//! Both ask the sampler first if it wants that, then have [`Ending`] put the span where it belongs, and tell observers
//! last.

use std::borrow::Cow;
use std::time::Duration;

use crate::metrics::{Counter, DropCause};
use crate::model::tags::PARTIAL;
use crate::model::{Flags, TagRef};
use crate::record::decide::{apply_decision, view};
use crate::record::handle::SpanHandle;
use crate::record::open::buffer::SpanBuffer;
use crate::record::open::shared_decision::{Hold, SharedDecision};
use crate::record::open::slot::{Recorder, SpanSlot};
use crate::record::open::tracer::{Observation, Question};
use crate::record::queue::frame::FrameHeader;
use crate::record::thread::slots::{clear_slot, give_back};
use crate::record::wire::decode::Tags;
use crate::sampler::SamplingDecision;

/// Finishes any span: one with several handles, with a shared decision, of another tracer than the thread's last,
/// already finished, inherited from a parent process, or without room in the queue.
#[inline(never)]
pub(super) fn finish_any(span: SpanHandle, end: i64, is_explicit: bool) {
    if span.slot().is_inherited() {
        return finish_inherited(span.slot());
    }
    match span.try_into_any_slot() {
        Ok(slot) => finish_only(slot, end),
        Err(span) => finish_one_of_several(span, end, is_explicit),
    }
}

/// Finishes a span to which there is no other handle, without a lock.
fn finish_only(mut slot: Box<SpanSlot>, end: i64) {
    let duration = slot.duration_until(end);
    let is_let_go = match ask_alone(&mut slot, duration) {
        None => false,
        Some(answer) => apply_last(&slot, answer),
    };
    let flags = slot.flags();
    let SpanSlot {
        buffer,
        recorder,
        header,
        is_local_root,
        shared_decision,
        ..
    } = &mut *slot;
    let ending = Ending {
        recorder,
        header,
        duration,
        is_local_root: *is_local_root,
        flags,
        decision: shared_decision.as_deref(),
        is_let_go,
        is_capped: false,
    };
    ending.conclude(buffer.get_mut());
    if slot.is_observed() {
        let is_sampled = slot.is_sampled();
        observe_alone(&mut slot, is_sampled, duration);
    }
    clear_slot(&mut slot);
    give_back(slot);
}

/// Puts the sampler's answer about the end of a span into effect. Returns true, and leaves the rest to
/// [`Ending::conclude`], if the answer is that the trace of a local root is dropped.
#[inline]
fn apply_last(slot: &SpanSlot, answer: SamplingDecision) -> bool {
    if slot.is_local_root && matches!(answer, SamplingDecision::Drop) {
        return true;
    }
    apply_decision(slot, answer);
    false
}

/// Tells the observers of the end of a span to which there is no other handle.
///
/// Takes no lock, because none may be held while user code runs.
#[inline(always)]
pub(super) fn observe_alone(slot: &mut SpanSlot, is_sampled: Option<bool>, duration: u64) {
    let observation = Observation {
        header: &slot.header,
        facts: &slot.facts,
        operation_name: slot.buffer.get_mut().operation_name(),
        is_local_root: slot.is_local_root,
        is_sampled,
        duration,
        start: None,
    };
    slot.tracer.observe_finish(&observation);
}

/// Asks the sampler about the end of a span to which there is no other handle, if it wants that and has not decided.
///
/// The sampler is user code, and reads the buffer. It cannot reach the span.
#[inline(always)]
fn ask_alone(slot: &mut SpanSlot, duration: u64) -> Option<SamplingDecision> {
    let is_local_root = slot.is_local_root;
    let SpanSlot {
        buffer,
        recorder,
        header,
        shared_decision,
        tracer,
        ..
    } = slot;
    let decision = shared_decision.as_ref();
    let is_undecided = decision.is_some_and(|decision| !decision.is_final());
    if !is_undecided || !recorder.interests.asks_about_finish(is_local_root) {
        return None;
    }
    let buffer = buffer.get_mut();
    let tags = buffer.tags();
    let name = buffer.operation_name();
    let mut view = view(
        &recorder.queue,
        header.trace_id,
        name,
        is_local_root,
        decision,
    )
    .with_tags(&tags);
    view.duration = Some(Duration::from_nanos(duration));
    Some(tracer.decide(Question::Finish, &view))
}

/// Finishes a span that may have several handles, under the lock of its buffer.
fn finish_one_of_several(mut span: SpanHandle, end: i64, is_explicit: bool) {
    let duration = span.slot().duration_until(end);
    let answer = ask_among_several(span.slot(), duration);
    let is_let_go = answer.is_some_and(|answer| apply_last(span.slot(), answer));
    let Some((slot, mut buffer)) = span.mark_finished() else {
        if is_explicit {
            span.slot().recorder.queue.count(Counter::FinishedTwice);
        }
        return;
    };
    let observed = slot.is_observed().then(|| buffer.operation_name().clone());
    let ending = Ending {
        recorder: &slot.recorder,
        header: &slot.header,
        duration,
        is_local_root: slot.is_local_root,
        flags: slot.flags(),
        decision: slot.shared_decision().map(|decision| &**decision),
        is_let_go,
        is_capped: slot.is_capped(),
    };
    ending.conclude(&mut buffer);
    drop(buffer);
    if let Some(name) = observed {
        let observation = slot.observation(&name, slot.is_sampled(), duration);
        slot.tracer.observe_finish(&observation);
    }
}

/// Like [`ask_alone`], but shows the sampler copies, because the buffer cannot be locked while user code runs.
fn ask_among_several(slot: &SpanSlot, duration: u64) -> Option<SamplingDecision> {
    let interests = &slot.recorder.interests;
    if !slot.is_undecided() || !interests.asks_about_finish(slot.is_local_root) {
        return None;
    }
    let decision = slot.shared_decision();
    let (name, (bytes, count)) = {
        let buffer = slot.open()?;
        (buffer.operation_name().clone(), buffer.copied_tags())
    };
    let tags = Tags::new(&bytes, count);
    let mut view = view(
        &slot.recorder.queue,
        slot.header.trace_id,
        &name,
        slot.is_local_root,
        decision,
    );
    view.duration = Some(Duration::from_nanos(duration));
    Some(slot.tracer.decide(Question::Finish, &view.with_tags(&tags)))
}

/// A span that finishes, apart from its buffer.
struct Ending<'a> {
    recorder: &'a Recorder,
    header: &'a FrameHeader,
    duration: u64,
    is_local_root: bool,
    flags: Flags,
    decision: Option<&'a SharedDecision>,
    /// The sampler has dropped the trace of this local root.
    is_let_go: bool,
    /// The span has recorded nothing, so it is lost if its trace is kept.
    is_capped: bool,
}

impl Ending<'_> {
    /// Queues the span, has it wait for the decision of its trace, or counts it as not sampled.
    #[inline(always)]
    fn conclude(&self, buffer: &mut SpanBuffer) {
        let queue = &*self.recorder.queue;
        let mut flags = self.flags;
        if let Some(decision) = self.decision {
            if self.is_local_root {
                if let Some(waited) = decision.end() {
                    if self.is_let_go {
                        return queue.count(Counter::FinishedSpansUnsampled);
                    }
                    // Counts a name that is cut, as for every span that is recorded.
                    self.recorder.seal(buffer);
                    queue.drop_spans(DropCause::Delayed, waited + 1);
                    return queue.count(Counter::FinishedSpansDelayed);
                }
                self.mark_partial(decision, buffer);
            } else if !decision.is_final() {
                self.hold(decision, buffer);
                return queue.count(Counter::FinishedSpansDelayed);
            }
            flags = decision.flags();
        }
        if flags.is_sampled() && self.is_capped {
            queue.drop_spans(DropCause::OpenCap, 1);
            queue.count(Counter::FinishedSpansSampled);
        } else if flags.is_sampled() {
            self.recorder.seal(buffer);
            let header = self.header_with(flags, buffer);
            queue.push(&header, &buffer.bytes(), Counter::FinishedSpansSampled);
        } else {
            queue.count(Counter::FinishedSpansUnsampled);
        }
    }

    /// Keeps the span until its trace is decided, or sends or drops it if that is not possible.
    fn hold(&self, decision: &SharedDecision, buffer: &mut SpanBuffer) {
        let queue = &*self.recorder.queue;
        if queue.id() != decision.queue.id() {
            return queue.drop_spans(DropCause::Delayed, 1);
        }
        if self.is_capped {
            if decision.count_capped().is_some_and(Flags::is_sampled) {
                queue.drop_spans(DropCause::OpenCap, 1);
            }
            return;
        }
        self.recorder.seal(buffer);
        let header = self.header_with(decision.flags(), buffer);
        let bytes = buffer.bytes();
        match decision.hold(&header, &bytes) {
            Hold::Decided(flags) if flags.is_sampled() => {
                let header = FrameHeader { flags, ..header };
                queue.push_uncounted(&header, &bytes);
            }
            Hold::Held | Hold::NoRoom | Hold::Decided(_) => {}
        }
    }

    /// Marks the local root of a kept trace of which other processes have no spans.
    fn mark_partial(&self, decision: &SharedDecision, buffer: &mut SpanBuffer) {
        if decision.is_partial() && decision.flags().is_sampled() {
            let added = buffer.push_tag(PARTIAL, TagRef::Bool(true), &self.recorder.limits);
            self.recorder.count_added(added);
        }
    }

    fn header_with(&self, flags: Flags, buffer: &SpanBuffer) -> FrameHeader {
        self.header.with_end(buffer.end(flags, self.duration))
    }
}

/// Counts a span that was open at a fork and finishes in the forked child. The parent has it too, and sends it.
#[cold]
fn finish_inherited(slot: &SpanSlot) {
    if !slot.finish_inherited() {
        return;
    }
    let queue = &*slot.recorder.queue;
    if slot.flags().is_sampled() {
        queue.drop_spans(DropCause::Forked, 1);
    } else if slot.is_local_root
        && let Some(decision) = slot.shared_decision()
        && let Some(waited) = decision.end()
    {
        // Spans of this process wait for a decision that only the parent makes.
        queue.drop_spans(DropCause::Delayed, waited);
    }
}

impl SpanSlot {
    /// Returns what observers are told about the span.
    #[inline]
    #[expect(
        clippy::ptr_arg,
        reason = "observers are told whether the name is static"
    )]
    pub(crate) fn observation<'a>(
        &'a self,
        operation_name: &'a Cow<'static, str>,
        is_sampled: Option<bool>,
        duration: u64,
    ) -> Observation<'a> {
        Observation {
            header: &self.header,
            facts: &self.facts,
            operation_name,
            is_local_root: self.is_local_root,
            is_sampled,
            duration,
            start: None,
        }
    }

    /// Returns the nanoseconds from the start to `end`, which is in nanoseconds since the epoch; 0 if it is earlier.
    #[inline(always)]
    pub(crate) fn duration_until(&self, end: i64) -> u64 {
        end.wrapping_sub(self.header.start).max(0).unsigned_abs()
    }

    /// Returns whether the trace is kept, or `None` while its sampler has not decided.
    pub(crate) fn is_sampled(&self) -> Option<bool> {
        (!self.is_undecided()).then(|| self.flags().is_sampled())
    }
}

//! How a span starts. There are three ways, and a step between them:
//!
//! * [`start_named_with_id`] is the fast path of a span that has only a name: a root, or a child of the active span.
//! * [`try_start`] is the fast path of options with simple tags and at most one reference, to a simple context.
//! * [`start_any`] does everything, slowly. Both fast paths end in it if something is in their way.
//!
//! Before [`start_any`] comes [`start_richer`], which differs from the fast paths only in that the parent's trace
//! carries baggage or `tracestate`, is undecided, or was dropped by the caller and is weighed here.
//!
//! Both fast paths have one inner step, [`ask_sampler`], for a root whose sampler has no constant answer.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::clock::WallTime;
use crate::metrics::Counter;
use crate::model::{Flags, ReferenceType, ReportedReference, SpanId, TagRef, TraceId, tags};
use crate::propagation::reopened;
use crate::record::{
    Decider as _, DecisionRef, FrameKind, ParentReference, Question, SpanBuffer, SpanSlot,
    apply_decision, begin_with_tags, count_clamped_time, is_own_work, renew_generator,
};
use crate::sampler::{Notes, SamplingDecision, SpanView};
use crate::span::{Decision, Reference, Span, begin_with_sampler_tags, begin_with_tag};
use crate::tracer::StartSpanOptions;
use crate::tracer::core::{Core, RootDecision};
use crate::tracer::new_span::{NewSpan, StartTags, identity};
use crate::tracer::parent::{FastParent, FastParentSpan, Inherited, RicherParent};

/// Starts a span that has only a name, once its id is drawn.
///
/// Rare cases are tail calls, so the fast path saves no registers.
#[inline(always)]
pub(super) fn start_named_with_id(
    core: &Arc<Core>,
    name: &'static str,
    ticks: u64,
    id: SpanId,
) -> Span {
    let span = match FastParent::active() {
        // One arm for each decision, so that its counters and flags are constants there.
        Some(FastParent::Root) => match core.root_decision {
            RootDecision::Keep(_) => root(core, ticks, id, RootDecision::KEPT)
                .and_then(|new_span| new_span.start_named(core, name)),
            RootDecision::Drop => root(core, ticks, id, RootDecision::DROPPED)
                .and_then(|new_span| new_span.start_named(core, name)),
            RootDecision::Ask => return ask_sampler_named(core, name, ticks, id),
        },
        Some(FastParent::Child(parent)) if !core.inspects_parent(parent.is_remote) => {
            child(core, ticks, id, &parent, false).start_named(core, name)
        }
        _ => None,
    };
    match span {
        Some(span) => span,
        None => leave_fast_path(core, name, ticks),
    }
}

/// Hands a named span to [`start_richer`], by a tail call.
#[cold]
#[inline(never)]
fn leave_fast_path(core: &Arc<Core>, name: &'static str, ticks: u64) -> Span {
    start_richer(core, StartSpanOptions::new(name.into(), None), ticks)
}

/// Starts a child in a trace that carries something or is undecided, or else hands the span to [`start_any`].
#[inline(never)]
pub(super) fn start_richer(
    core: &Arc<Core>,
    mut options: StartSpanOptions<'_>,
    ticks: u64,
) -> Span {
    let (Some(id), Some(parent)) = (core.try_new_id(), RicherParent::find(&options)) else {
        return start_any(core, options, ticks);
    };
    let new_span = child(core, ticks, id, &parent.span, options.is_server());
    if core.shares_span(new_span.joins_trace) {
        return start_any(core, options, ticks);
    }
    if parent.undecided.is_some() || core.weighs(new_span.is_local_root, new_span.flags) {
        return start_undecided(core, options, parent, &new_span);
    }
    let Some(slot) = SpanSlot::try_vacant(&core.recorder, new_span.counters(new_span.flags)) else {
        return start_any(core, options, ticks);
    };
    let mut slot = new_span.write_to(slot, options.take_name(), false);
    slot.begin_with_carried(parent.carried);
    set_simple_tags(&mut slot, options.tags(), new_span.flags);
    options.give_back();
    Span::from_slot(slot)
}

/// Starts a child in an undecided trace, or a local root that opens the decision of its caller again. Hands the span to
/// [`start_any`] if the sampler must be asked about it.
#[inline(always)]
fn start_undecided(
    core: &Arc<Core>,
    mut options: StartSpanOptions<'_>,
    parent: RicherParent,
    new_span: &NewSpan,
) -> Span {
    let asks_about_children = core.recorder.interests.asks_about_children();
    if parent.undecided.is_some() && asks_about_children || asks_about_any(core, options.tags()) {
        return start_any(core, options, new_span.ticks);
    }
    let counters = (Counter::StartedSpansDelayed, None);
    let Some(slot) = SpanSlot::try_vacant(&core.recorder, counters) else {
        return start_any(core, options, new_span.ticks);
    };
    let mut slot = new_span.write_to(slot, options.take_name(), false);
    slot.begin_with_carried(parent.carried);
    slot.begin_shared(match parent.undecided {
        Some(decision) => decision,
        None => undecided(core, new_span, 0, true),
    });
    if !options.tags().is_empty() {
        begin_with_tags(&mut slot, options.tags());
    }
    options.give_back();
    Span::from_slot(slot)
}

/// Hands a named root to [`ask_sampler`], by a tail call: a direct call costs every named span 2 instructions.
#[inline(never)]
fn ask_sampler_named(core: &Arc<Core>, name: &'static str, ticks: u64, id: SpanId) -> Span {
    ask_sampler(core, name.into(), &[], ticks, id)
}

/// Starts a span with options by the fast path, once its id is drawn. Returns `None` if something is in its way.
#[inline(always)]
pub(super) fn try_start(
    core: &Arc<Core>,
    options: &mut StartSpanOptions<'_>,
    ticks: u64,
    id: SpanId,
) -> Option<Span> {
    match FastParent::find(options) {
        Some(FastParent::Root) => match core.root_decision.decided() {
            Some(decided) => {
                root(core, ticks, id, decided).and_then(|new_span| new_span.start(core, options))
            }
            None => Some(ask_sampler(
                core,
                options.take_name(),
                options.tags(),
                ticks,
                id,
            )),
        },
        Some(FastParent::Child(parent)) if !core.inspects_parent(parent.is_remote) => {
            child(core, ticks, id, &parent, options.is_server()).start(core, options)
        }
        _ => None,
    }
}

/// Returns the root of a new trace whose decision is known, or `None` if the id's upper half cannot be drawn at once.
#[inline(always)]
fn root(
    core: &Core,
    ticks: u64,
    span_id: SpanId,
    (flags, kind): (Flags, FrameKind),
) -> Option<NewSpan> {
    let high = if core.is_128_bit {
        core.try_new_id()?.get()
    } else {
        0
    };
    Some(NewSpan {
        flags,
        kind,
        ..NewSpan::root(core, ticks, high, span_id)
    })
}

/// Returns a child of a fast parent.
#[inline(always)]
fn child(
    core: &Core,
    ticks: u64,
    span_id: SpanId,
    parent: &FastParentSpan,
    is_server: bool,
) -> NewSpan {
    NewSpan {
        ticks,
        anchor: match parent.anchor {
            Some(anchor) => anchor,
            None => core.recorder.clock.anchor(),
        },
        trace_id: parent.reference.trace_id,
        span_id,
        parent_id: Some(parent.reference.span_id),
        parent_reference: ParentReference::of(parent.reference.kind),
        kind: FrameKind::Standard,
        flags: parent.flags,
        randomness: parent.randomness,
        is_local_root: parent.is_remote,
        is_new_trace: false,
        joins_trace: is_server && parent.is_remote,
    }
}

/// Starts a root after asking the sampler. The tags are simple.
#[inline(never)]
fn ask_sampler(
    core: &Arc<Core>,
    name: Cow<'static, str>,
    start_tags: StartTags<'_>,
    ticks: u64,
    span_id: SpanId,
) -> Span {
    if is_own_work() {
        return Span::noop();
    }
    let span_id = match renew_generator() {
        true => core.new_id(),
        false => span_id,
    };
    let mut new_span = NewSpan::root(core, ticks, core.new_high_half(), span_id);
    let notes = AtomicU32::new(0);
    let view = SpanView::new(new_span.trace_id, &name, new_span.is_local_root)
        .with_notes(Notes::in_word(&notes));
    let (decision, is_revisable) = core.decide_first(&view);
    let sampler_tags = match decision {
        SamplingDecision::Sample(sampler_tags) => {
            new_span.flags = sampler_tags.flags();
            new_span.note_probability(&sampler_tags, is_revisable);
            Some(sampler_tags)
        }
        SamplingDecision::Drop => None,
        SamplingDecision::Delay => {
            let decision = undecided(core, &new_span, notes.into_inner(), false);
            let mut slot = new_span.begin(core, name, is_revisable);
            slot.begin_shared(decision);
            if slot.is_capped() || asks_about_any(core, start_tags) {
                return new_span.complete(core, start_tags, slot);
            }
            if !start_tags.is_empty() {
                begin_with_tags(&mut slot, start_tags);
            }
            new_span.count(core, &slot);
            return Span::from_slot(slot);
        }
    };
    let mut slot = new_span.begin(core, name, is_revisable);
    if let Some(sampler_tags) = sampler_tags {
        begin_with_sampler_tags(&mut slot, sampler_tags);
    }
    if is_revisable || slot.is_capped() {
        return new_span.complete(core, start_tags, slot);
    }
    set_simple_tags(&mut slot, start_tags, new_span.flags);
    core.recorder
        .queue
        .count_both(new_span.counters(new_span.flags));
    Span::from_slot(slot)
}

/// Starts any span: with complex tags, several references, a given context, an undecided trace, a debug id or the id of
/// its parent.
/// Also starts the span if the thread has no vacant slot or no seeded generator, or if ids come from user code.
///
/// Returns the no-op span during work of a tracer: no fast path starts one there.
#[cold]
#[inline(never)]
pub(super) fn start_any(core: &Arc<Core>, mut options: StartSpanOptions<'_>, ticks: u64) -> Span {
    if is_own_work() {
        drop(options.take_name());
        options.give_back();
        return Span::noop();
    }
    let mut inherited = Inherited::find(&options);
    let given = options.context().filter(|given| given.has_trace());
    if let Some(given) = given {
        inherited.carried = given.carried().clone();
        inherited.debug_id = None;
        inherited.conflict = None;
    }
    let is_forced = inherited.forces_debug() && core.allows_debug(options.operation_name());
    if !is_forced {
        inherited.decision = inherited.decision.filter(|flags| !flags.is_debug());
    }
    let anchor = inherited.parent.as_ref().and_then(|parent| parent.anchor);
    let parent = inherited.parent.as_ref().map(|parent| {
        ReportedReference::new(ReferenceType::ChildOf, parent.trace_id, parent.span_id)
    });
    let shared = match (given, &inherited.parent) {
        (None, Some(it)) => core
            .shares_span(options.is_server() && it.is_remote)
            .then_some((it.trace_id, it.span_id)),
        _ => None,
    };
    let (mut new_span, decision) =
        identity(core, &mut inherited, given, shared.is_some(), is_forced);
    new_span.joins_trace = new_span.is_local_root && !new_span.is_new_trace && options.is_server();
    new_span.ticks = ticks;
    new_span.anchor = anchor.unwrap_or_else(|| core.recorder.clock.anchor());

    let notes = AtomicU32::new(0);
    let name = options.operation_name();
    let mut view = SpanView::new(new_span.trace_id, name, new_span.is_local_root)
        .with_notes(Notes::in_word(&notes));
    if matches!(decision, Decision::Deferred)
        && let Some(trace_state) = inherited.carried.trace_state()
    {
        let (random_value, trace_state) = reopened(trace_state);
        view.random_value = random_value;
        inherited.carried.set_trace_state(trace_state);
    }
    let mut answer = None;
    let mut is_revisable = false;
    let shared_decision = match decision {
        Decision::Made
            if given.is_none() && core.weighs(new_span.is_local_root, new_span.flags) =>
        {
            Some(undecided(core, &new_span, 0, true))
        }
        Decision::Made => None,
        Decision::Shared(trace) => {
            if core.recorder.interests.asks_about_children() {
                let mut view = view.with_notes(trace.notes_for(&core.recorder.queue));
                view.is_dropped_by_caller = trace.is_dropped_by_caller;
                answer = Some(core.decide(Question::Create, &view));
            }
            Some(trace)
        }
        Decision::Deferred => match core
            .root_decision
            .decided()
            .filter(|_| new_span.is_new_trace)
        {
            Some(decided) => {
                (new_span.flags, new_span.kind) = decided;
                None
            }
            None => match core.decide_first(&view) {
                (SamplingDecision::Delay, revisable) => {
                    is_revisable = revisable;
                    let notes = notes.load(Ordering::Relaxed);
                    Some(undecided(core, &new_span, notes, false))
                }
                (decision, revisable) => {
                    is_revisable = revisable;
                    new_span.randomness = new_span.randomness.without_threshold();
                    new_span.flags = match &decision {
                        SamplingDecision::Sample(sampler_tags) => {
                            new_span.note_probability(sampler_tags, revisable);
                            new_span.flags.with(sampler_tags.flags())
                        }
                        _ => new_span.flags.without(Flags::SAMPLED),
                    };
                    answer = Some(decision);
                    None
                }
            },
        },
    };

    let mut slot = new_span.begin(core, options.take_name(), is_revisable);
    if let Some(trace) = shared_decision {
        slot.begin_shared(trace);
    }
    if let Some(start_time) = options.start_time() {
        let start = WallTime::nearest_to(start_time);
        slot.begin_at(start.nanos);
        count_clamped_time(&slot, start.is_clamped);
    }
    slot.begin_with_carried(inherited.carried);
    // An unsampled span keeps its references too: a tag may still turn sampling on.
    if !slot.is_capped() {
        push_references(slot.buffer_mut(), &options, parent, shared);
    }
    match answer {
        // The flags already hold the answer, and no tag was set before these.
        Some(SamplingDecision::Sample(sampler_tags)) if slot.shared_decision().is_none() => {
            begin_with_sampler_tags(&mut slot, sampler_tags);
        }
        Some(answer) => apply_decision(&slot, answer),
        None => {}
    }
    if let Some(debug_id) = inherited.debug_id.filter(|_| is_forced) {
        begin_with_tag(&mut slot, tags::JAEGER_DEBUG_ID, TagRef::String(&debug_id));
    }
    if let Some(conflict) = inherited.conflict {
        let conflict = TagRef::String(&conflict);
        begin_with_tag(&mut slot, tags::PROPAGATION_CONFLICT, conflict);
    }
    let span = new_span.complete(core, options.tags(), slot);
    options.give_back();
    span
}

/// Returns the decision of a trace that begins in this process with this span, still open.
#[inline(never)]
fn undecided(
    core: &Core,
    local_root: &NewSpan,
    notes: u32,
    is_dropped_by_caller: bool,
) -> DecisionRef {
    let mut decision = core.recorder.vacant_decision();
    if let Some(vacant) = decision.get_mut() {
        let flags = local_root.flags;
        vacant.begin(flags, notes, is_dropped_by_caller);
    }
    decision
}

/// Returns whether the sampler wants to be asked about one of the tags.
#[inline]
fn asks_about_any(core: &Core, start_tags: StartTags<'_>) -> bool {
    let interests = &core.recorder.interests;
    start_tags
        .iter()
        .any(|(key, _)| interests.asks_about_tag(key))
}

impl NewSpan {
    /// Starts the span with simple tags. Returns `None` if the thread has no vacant slot.
    #[inline(always)]
    fn start(self, core: &Core, options: &mut StartSpanOptions<'_>) -> Option<Span> {
        let slot = SpanSlot::try_vacant(&core.recorder, self.counters(self.flags))?;
        let mut slot = self.write_to(slot, options.take_name(), false);
        set_simple_tags(&mut slot, options.tags(), self.flags);
        Some(Span::from_slot(slot))
    }

    /// Starts the span with only a name. Returns `None` if the thread has no vacant slot.
    #[inline(always)]
    fn start_named(self, core: &Core, name: &'static str) -> Option<Span> {
        let slot = SpanSlot::try_vacant(&core.recorder, self.counters(self.flags))?;
        Some(Span::from_slot(self.write_to(slot, name.into(), false)))
    }
}

/// Sets simple tags on a span whose flags are decided. No simple tag changes the flags.
#[inline(always)]
fn set_simple_tags(slot: &mut SpanSlot, start_tags: StartTags<'_>, flags: Flags) {
    if !start_tags.is_empty() && flags.is_sampled() {
        begin_with_tags(slot, start_tags);
    }
}

/// Writes the given references, or else the one to the active parent.
///
/// A span that shares the id of its parent has no reference to that id: it would be its own parent.
fn push_references(
    buffer: &mut SpanBuffer,
    options: &StartSpanOptions<'_>,
    active_parent: Option<ReportedReference>,
    shared: Option<(TraceId, SpanId)>,
) {
    let references = options.references();
    if references.is_empty() {
        if let (Some(reference), None) = (active_parent, shared) {
            buffer.push_reference(&reference);
        }
        return;
    }
    for Reference { kind, context } in references {
        // A root is nobody's child.
        let kind = match options.starts_new_trace() {
            true => ReferenceType::FollowsFrom,
            false => *kind,
        };
        let Some((trace_id, span_id)) = context.trace_id().zip(context.span_id()) else {
            continue;
        };
        if shared != Some((trace_id, span_id)) {
            buffer.push_reference(&ReportedReference::new(kind, trace_id, span_id));
        }
    }
}

//! How a span starts: its parent, its ids, the sampling decision, its first tags.

use std::borrow::Cow;
use std::sync::Arc;

use crate::clock::WallTime;
use crate::metrics::Counter;
use crate::model::{Flags, ReferenceType, ReportedReference, SpanId, TagRef, TraceId, tags};
use crate::record::{
    Decider as _, FrameKind, ParentReference, Question, SharedDecision, SpanBuffer, SpanSlot,
    apply_decision, begin_with_tags, count_clamped_time, wall,
};
use crate::sampler::{SamplingDecision, SpanView};
use crate::span::{
    Decision, Reference, Span, SpanContext, begin_with_sampler_tags, begin_with_tag,
};
use crate::tracer::StartSpanOptions;
use crate::tracer::core::{Core, RootDecision};
use crate::tracer::parent::{FastParent, FastParentSpan, Inherited, Parent};

/// Starts a span.
pub(super) fn start(core: &Arc<Core>, mut options: StartSpanOptions<'_>) -> Span {
    // The clock first: the rest hides behind the read. Then the id, while there is little to keep for afterwards: to find
    // what belongs to a thread is, to the compiler, a call.
    let ticks = core.recorder.clock.now();
    let Some(id) = core.try_new_id() else {
        return start_any(core, options, ticks);
    };
    let span = match FastParent::find(&options) {
        Some(FastParent::Root) => match core.root_decision.decided() {
            Some(decided) => root(core, ticks, id, decided)
                .and_then(|new_span| new_span.start(core, &mut options)),
            None => Some(start_undecided(
                core,
                options.take_name(),
                options.tags(),
                ticks,
                id,
            )),
        },
        Some(FastParent::Child(parent)) => {
            child(core, ticks, id, &parent, options.is_server()).start(core, &mut options)
        }
        None => None,
    };
    match span {
        Some(span) => {
            options.give_back_simple();
            span
        }
        None => start_any(core, options, ticks),
    }
}

/// Starts a span of which nothing is said but its name.
///
/// Whatever is seldom is left to a function that ends this one: nothing has to be kept for afterwards.
pub(super) fn start_named(core: &Arc<Core>, name: &'static str) -> Span {
    match core.recorder.clock.try_now() {
        Some(ticks) => start_named_at(core, name, ticks),
        None => start_named_by_call(core, name),
    }
}

/// The same where the time takes a call.
#[inline(never)]
fn start_named_by_call(core: &Arc<Core>, name: &'static str) -> Span {
    start_named_at(core, name, core.recorder.clock.now())
}

#[inline(always)]
fn start_named_at(core: &Arc<Core>, name: &'static str, ticks: u64) -> Span {
    let Some(id) = core.try_new_id() else {
        return start_any_named(core, name, ticks);
    };
    let span = match FastParent::active() {
        // Arm by arm, so that each has its counters and flags as constants.
        Some(FastParent::Root) => match core.root_decision {
            RootDecision::Keep(_) => root(core, ticks, id, RootDecision::KEPT)
                .and_then(|new_span| new_span.start_named(core, name)),
            RootDecision::Drop => root(core, ticks, id, RootDecision::DROPPED)
                .and_then(|new_span| new_span.start_named(core, name)),
            RootDecision::Ask => return start_undecided_named(core, name, ticks, id),
        },
        Some(FastParent::Child(parent)) => {
            child(core, ticks, id, &parent, false).start_named(core, name)
        }
        None => None,
    };
    match span {
        Some(span) => span,
        None => start_any_named(core, name, ticks),
    }
}

#[cold]
#[inline(never)]
fn start_any_named(core: &Arc<Core>, name: &'static str, ticks: u64) -> Span {
    start_any(core, StartSpanOptions::new(name.into()), ticks)
}

#[inline(never)]
fn start_undecided_named(
    core: &Arc<Core>,
    name: &'static str,
    ticks: u64,
    span_id: SpanId,
) -> Span {
    start_undecided(core, name.into(), &[], ticks, span_id)
}

/// The counter of the span, and the one of its trace.
type Counters = (Counter, Option<Counter>);

/// The tags that are set at the start.
type StartTags<'a> = &'a [(&'a str, TagRef<'a>)];

/// The root of a new trace whose decision is known; none where half an id is not at hand.
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

/// A child of a single parent whose trace is decided and has no baggage.
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
        is_local_root: parent.is_remote,
        is_new_trace: false,
        joins_trace: is_server && parent.is_remote,
    }
}

/// A root whose sampler has to be asked, with no baggage and nothing forced.
#[inline(never)]
fn start_undecided(
    core: &Arc<Core>,
    name: Cow<'static, str>,
    start_tags: StartTags<'_>,
    ticks: u64,
    span_id: SpanId,
) -> Span {
    let mut new_span = NewSpan::root(core, ticks, core.new_high_half(), span_id);
    let view = SpanView::new(new_span.trace_id, &name, new_span.is_local_root);
    let (decision, is_revisable) = core.decide_first(&view);
    let sampler_tags = match decision {
        SamplingDecision::Sample(sampler_tags) => {
            new_span.flags = Flags::SAMPLED;
            Some(sampler_tags)
        }
        SamplingDecision::Drop => None,
        SamplingDecision::Delay => {
            let mut slot = begin(core, name, &new_span, false);
            slot.begin_shared(undecided(core, new_span.flags));
            return complete(core, start_tags, slot, &new_span);
        }
    };
    let mut slot = begin(core, name, &new_span, is_revisable);
    if let Some(sampler_tags) = sampler_tags {
        begin_with_sampler_tags(&mut slot, sampler_tags);
    }
    if is_revisable {
        return complete(core, start_tags, slot, &new_span);
    }
    set_simple_tags(&mut slot, start_tags, new_span.flags);
    core.recorder
        .queue
        .count_both(new_span.counters(new_span.flags));
    Span::from_slot(slot)
}

/// Every other case: tags that are not plain, several references, baggage, a context made elsewhere, an undecided trace,
/// a debug id; and every case in which something is not at hand.
#[cold]
#[inline(never)]
fn start_any(core: &Arc<Core>, mut options: StartSpanOptions<'_>, ticks: u64) -> Span {
    let mut inherited = Inherited::find(&options);
    if let Some(given) = options.context().filter(|given| given.has_trace()) {
        inherited.baggage = given.baggage().clone();
        inherited.debug_id = None;
    }
    let is_forced = inherited.parent.is_none()
        && inherited.debug_id.is_some()
        && core.allows_debug(options.operation_name());
    let anchor = inherited.parent.as_ref().and_then(|parent| parent.anchor);
    let parent = inherited.parent.as_ref().map(|parent| {
        ReportedReference::new(ReferenceType::ChildOf, parent.trace_id, parent.span_id)
    });
    let (mut new_span, decision) =
        identity(core, inherited.parent.take(), options.context(), is_forced);
    new_span.joins_trace = new_span.is_local_root && !new_span.is_new_trace && options.is_server();
    new_span.ticks = ticks;
    new_span.anchor = anchor.unwrap_or_else(|| core.recorder.clock.anchor());

    let view = SpanView::new(
        new_span.trace_id,
        options.operation_name(),
        new_span.is_local_root,
    );
    let mut answer = None;
    let mut is_revisable = false;
    let shared_decision = match decision {
        Decision::Made => None,
        Decision::Shared(trace) => {
            answer = Some(core.decide(Question::Create, &view));
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
                (SamplingDecision::Delay, _) => Some(undecided(core, new_span.flags)),
                (decision, revisable) => {
                    is_revisable = revisable;
                    new_span.flags = match &decision {
                        SamplingDecision::Sample(_) => new_span.flags.with(Flags::SAMPLED),
                        _ => new_span.flags.without(Flags::SAMPLED),
                    };
                    answer = Some(decision);
                    None
                }
            },
        },
    };

    let mut slot = begin(core, options.take_name(), &new_span, is_revisable);
    if let Some(trace) = shared_decision {
        slot.begin_shared(trace);
    }
    if let Some(start_time) = options.start_time() {
        let start = WallTime::nearest_to(start_time);
        slot.begin_at(start.nanos);
        count_clamped_time(&slot, start.is_clamped);
    }
    slot.begin_with_baggage(inherited.baggage);
    // Of a span that is not sampled, too: a tag may still rescue it.
    push_references(slot.buffer_mut(), options.references(), parent);
    match answer {
        // Its flags say so already, and these are its first tags.
        Some(SamplingDecision::Sample(sampler_tags)) if slot.shared_decision().is_none() => {
            begin_with_sampler_tags(&mut slot, sampler_tags);
        }
        Some(answer) => apply_decision(&slot, answer),
        None => {}
    }
    if let Some(debug_id) = inherited.debug_id.filter(|_| is_forced) {
        begin_with_tag(&mut slot, tags::JAEGER_DEBUG_ID, TagRef::String(&debug_id));
    }
    let span = complete(core, options.tags(), slot, &new_span);
    options.give_back();
    span
}

fn undecided(core: &Core, flags: Flags) -> Arc<SharedDecision> {
    Arc::new(SharedDecision::new(core.recorder.queue.clone(), flags))
}

/// What is fixed when a span starts.
#[derive(Clone, Copy)]
struct NewSpan {
    ticks: u64,
    anchor: i64,
    trace_id: TraceId,
    span_id: SpanId,
    parent_id: Option<SpanId>,
    parent_reference: ParentReference,
    kind: FrameKind,
    flags: Flags,
    is_local_root: bool,
    is_new_trace: bool,
    /// It is the first span here of another's trace, and a server's.
    joins_trace: bool,
}

impl NewSpan {
    /// Of a new trace without a decision.
    #[inline(always)]
    fn root(core: &Core, ticks: u64, high: u64, span_id: SpanId) -> Self {
        Self {
            ticks,
            anchor: core.recorder.clock.anchor(),
            // A root's span id is the low half of its trace id, as in the Go and Java clients.
            trace_id: TraceId::of_root(high, span_id),
            span_id,
            parent_id: None,
            parent_reference: ParentReference::None,
            kind: FrameKind::Standard,
            flags: Flags::default(),
            is_local_root: true,
            is_new_trace: true,
            joins_trace: false,
        }
    }

    /// What counts such a span by its flags.
    #[inline(always)]
    fn counters(&self, flags: Flags) -> Counters {
        let (started, new_trace, joined) = if flags.is_sampled() {
            (
                Counter::StartedSpansSampled,
                Counter::TracesStartedSampled,
                Counter::TracesJoinedSampled,
            )
        } else {
            (
                Counter::StartedSpansUnsampled,
                Counter::TracesStartedUnsampled,
                Counter::TracesJoinedUnsampled,
            )
        };
        let trace = if self.is_new_trace {
            Some(new_trace)
        } else {
            self.joins_trace.then_some(joined)
        };
        (started, trace)
    }

    /// Puts what is fixed, and the name, into a slot.
    #[inline(always)]
    fn write_to(
        &self,
        mut slot: Box<SpanSlot>,
        name: Cow<'static, str>,
        is_revisable: bool,
    ) -> Box<SpanSlot> {
        slot.is_local_root = self.is_local_root;
        slot.header.trace_id = self.trace_id;
        slot.header.span_id = self.span_id;
        slot.header.parent_id = self.parent_id;
        slot.header.parent_reference = self.parent_reference;
        slot.header.kind = self.kind;
        slot.header.start = wall(self.anchor, self.ticks);
        slot.anchor = self.anchor;
        slot.begin(self.flags, is_revisable, name);
        slot
    }

    /// Starts a span with plain tags, if a slot is at hand.
    #[inline(always)]
    fn start(self, core: &Core, options: &mut StartSpanOptions<'_>) -> Option<Span> {
        let slot = SpanSlot::try_vacant(&core.recorder, self.counters(self.flags))?;
        let mut slot = self.write_to(slot, options.take_name(), false);
        set_simple_tags(&mut slot, options.tags(), self.flags);
        Some(Span::from_slot(slot))
    }

    /// Starts a span with nothing but a name, if a slot is at hand.
    #[inline(always)]
    fn start_named(self, core: &Core, name: &'static str) -> Option<Span> {
        let slot = SpanSlot::try_vacant(&core.recorder, self.counters(self.flags))?;
        Some(Span::from_slot(self.write_to(slot, name.into(), false)))
    }
}

fn begin(
    core: &Arc<Core>,
    name: Cow<'static, str>,
    new_span: &NewSpan,
    is_revisable: bool,
) -> Box<SpanSlot> {
    let slot = SpanSlot::vacant(core, &core.recorder, &core.slots);
    new_span.write_to(slot, name, is_revisable)
}

/// Sets tags of a span whose flags are decided. None of them is one that may change those.
#[inline(always)]
fn set_simple_tags(slot: &mut SpanSlot, start_tags: StartTags<'_>, flags: Flags) {
    if !start_tags.is_empty() && flags.is_sampled() {
        begin_with_tags(slot, start_tags);
    }
}

/// The tags that were given, the counters, and the first handle.
fn complete(
    core: &Core,
    start_tags: StartTags<'_>,
    mut slot: Box<SpanSlot>,
    new_span: &NewSpan,
) -> Span {
    set_start_tags(&mut slot, start_tags);
    count_start(core, &slot, new_span);
    Span::from_slot(slot)
}

/// The references that were given, else the one to the active parent.
fn push_references(
    buffer: &mut SpanBuffer,
    references: &[Reference],
    active_parent: Option<ReportedReference>,
) {
    if references.is_empty() {
        if let Some(reference) = active_parent {
            buffer.push_reference(&reference);
        }
        return;
    }
    for Reference { kind, context } in references {
        if let (Some(trace_id), Some(span_id)) = (context.trace_id(), context.span_id()) {
            buffer.push_reference(&ReportedReference::new(*kind, trace_id, span_id));
        }
    }
}

/// Who a span is, and what is known of its sampling before the sampler is asked. Times are filled in later.
fn identity(
    core: &Core,
    parent: Option<Parent>,
    given: Option<&SpanContext>,
    is_forced: bool,
) -> (NewSpan, Decision) {
    let new_span = |trace_id, span_id, parent_id, flags, is_local_root| NewSpan {
        ticks: 0,
        anchor: 0,
        trace_id,
        span_id,
        parent_id,
        parent_reference: ParentReference::None,
        kind: FrameKind::Standard,
        flags,
        is_local_root,
        is_new_trace: false,
        joins_trace: false,
    };
    if let Some((context, trace_id, span_id)) =
        given.and_then(|context| Some((context, context.trace_id()?, context.span_id()?)))
    {
        let (parent_id, flags) = (context.parent_id(), context.flags());
        let new_span = new_span(trace_id, span_id, parent_id, flags, context.is_remote());
        return (new_span, Decision::Made);
    }
    let span_id = core.new_id();
    if let Some(parent) = parent {
        let (trace_id, parent_id) = (parent.trace_id, Some(parent.span_id));
        let new_span = new_span(trace_id, span_id, parent_id, parent.flags, parent.is_remote);
        return (new_span, parent.decision);
    }
    let trace_id = TraceId::of_root(core.new_high_half(), span_id);
    let (flags, decision) = if is_forced {
        (Flags::SAMPLED.with(Flags::DEBUG), Decision::Made)
    } else {
        (Flags::default(), Decision::Deferred)
    };
    let new_span = NewSpan {
        is_new_trace: true,
        ..new_span(trace_id, span_id, None, flags, true)
    };
    (new_span, decision)
}

/// Sets the tags that were given at the start, `sampling.priority` first.
fn set_start_tags(slot: &mut SpanSlot, start_tags: StartTags<'_>) {
    for (key, value) in start_tags {
        if *key == tags::SAMPLING_PRIORITY {
            begin_with_tag(slot, key, *value);
        }
    }
    if slot.is_recording() {
        for (key, value) in start_tags {
            if *key != tags::SAMPLING_PRIORITY {
                begin_with_tag(slot, key, *value);
            }
        }
    }
}

#[inline(always)]
fn count_start(core: &Core, slot: &SpanSlot, new_span: &NewSpan) {
    let counters = if slot.is_undecided() && !slot.flags().is_sampled() {
        let trace = new_span
            .is_new_trace
            .then_some(Counter::TracesStartedDelayed);
        (Counter::StartedSpansDelayed, trace)
    } else {
        new_span.counters(slot.flags())
    };
    core.recorder.queue.count_both(counters);
}

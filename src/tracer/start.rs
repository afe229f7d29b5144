//! How a span starts: its parent, its ids, the sampling decision, its first tags.

use std::borrow::Cow;
use std::sync::Arc;

use crate::clock::wall_nanos;
use crate::metrics::Counter;
use crate::model::{Flags, ReferenceType, SpanId, SpanReference, TagRef, TraceId, tags};
use crate::record::{
    FrameKind, Lifecycle as _, LocalTrace, ParentReference, Question, SpanBuffer, SpanCell, wall,
};
use crate::sampler::{SamplingDecision, SpanView};
use crate::span::{
    Decision, Reference, Span, SpanContext, apply_decision, begin_with_sampler_tags,
    begin_with_tag, begin_with_tags,
};
use crate::tracer::StartSpanOptions;
use crate::tracer::core::{Core, Roots};
use crate::tracer::options::StartTags;
use crate::tracer::origin::{Origin, Parent, Plain, PlainParent};

/// Starts a span. The name is taken out of `options`.
pub(super) fn start(core: &Arc<Core>, options: &mut StartSpanOptions<'_>) -> Span {
    // The clock first: the rest hides behind the read.
    let ticks = core.recorder.clock.now();
    match Plain::find(options) {
        Some(Plain::Root) => start_root(core, options.take_name(), options.start_tags(), ticks),
        Some(Plain::Child(parent)) => start_child(
            core,
            options.take_name(),
            options.start_tags(),
            ticks,
            &parent,
        ),
        None => start_any(core, options, ticks),
    }
}

/// Starts a span of which nothing is said but its name.
pub(super) fn start_named(core: &Arc<Core>, name: &'static str) -> Span {
    let ticks = core.recorder.clock.now();
    match Plain::active() {
        Some(Plain::Root) => start_root(core, name.into(), StartTags::default(), ticks),
        Some(Plain::Child(parent)) => {
            start_child(core, name.into(), StartTags::default(), ticks, &parent)
        }
        None => {
            let mut options = StartSpanOptions::new(name.into());
            let span = start_any(core, &mut options, ticks);
            options.give_back();
            span
        }
    }
}

/// The counter of the span, and the one of its trace.
type Counters = (Counter, Option<Counter>);

/// The root of a new trace that nothing is known of.
#[inline(always)]
fn start_root(
    core: &Arc<Core>,
    name: Cow<'static, str>,
    start_tags: StartTags<'_>,
    ticks: u64,
) -> Span {
    let span_id = core.new_id();
    let mut seed = Seed {
        ticks,
        anchor: core.recorder.clock.anchor(),
        // A root's span id is the low half of its trace id, as in the Go and Java clients.
        trace_id: TraceId::of_root(core.new_high_half(), span_id),
        span_id,
        parent_id: None,
        parent_reference: ParentReference::None,
        kind: FrameKind::Usual,
        flags: Flags::default(),
        is_local_root: true,
        is_new_trace: true,
    };
    match &core.roots {
        Roots::Keep(_) => {
            seed.flags = Flags::SAMPLED;
            seed.kind = FrameKind::WithSamplerTags;
        }
        Roots::Drop => {}
        Roots::Ask => return start_undecided(core, name, start_tags, seed),
    }
    let cell = begin_decided(core, name, start_tags, &seed);
    complete_decided(core, start_tags, cell, &seed)
}

/// A child of a single parent whose trace is decided and has no baggage.
#[inline(always)]
fn start_child(
    core: &Arc<Core>,
    name: Cow<'static, str>,
    start_tags: StartTags<'_>,
    ticks: u64,
    parent: &PlainParent,
) -> Span {
    let seed = Seed {
        ticks,
        anchor: match parent.anchor {
            Some(anchor) => anchor,
            None => core.recorder.clock.anchor(),
        },
        trace_id: parent.reference.trace_id,
        span_id: core.new_id(),
        parent_id: Some(parent.reference.span_id),
        parent_reference: ParentReference::of(parent.reference.kind),
        kind: FrameKind::Usual,
        flags: parent.flags,
        is_local_root: parent.is_remote,
        is_new_trace: false,
    };
    let cell = begin_decided(core, name, start_tags, &seed);
    complete_decided(core, start_tags, cell, &seed)
}

/// A span whose sampler has to be asked, with no parent to refer to, no baggage and nothing forced.
#[inline(never)]
fn start_undecided(
    core: &Arc<Core>,
    name: Cow<'static, str>,
    start_tags: StartTags<'_>,
    mut seed: Seed,
) -> Span {
    let view = SpanView::new(seed.trace_id, &name, seed.is_local_root);
    let (decision, is_revisable) = core.decide_first(&view);
    let mut cell;
    match decision {
        SamplingDecision::Sample(sampler_tags) => {
            seed.flags = seed.flags.with(Flags::SAMPLED);
            cell = begin(core, name, &seed, is_revisable, None);
            begin_with_sampler_tags(&mut cell, sampler_tags);
        }
        SamplingDecision::Drop => {
            seed.flags = seed.flags.without(Flags::SAMPLED);
            cell = begin(core, name, &seed, is_revisable, None);
        }
        SamplingDecision::Delay => {
            cell = begin(core, name, &seed, false, None);
            cell.begin_undecided(undecided(core, seed.flags));
        }
    }
    complete(core, start_tags, cell, &seed)
}

/// Every other case: several references, baggage, a context made elsewhere, an undecided trace, a debug id.
#[cold]
fn start_any(core: &Arc<Core>, options: &mut StartSpanOptions<'_>, ticks: u64) -> Span {
    let mut origin = Origin::find(options);
    if let Some(given) = options.context().filter(|given| given.has_trace()) {
        origin.baggage = given.baggage().clone();
        origin.debug_id = None;
    }
    let is_forced = origin.parent.is_none()
        && origin.debug_id.is_some()
        && core.allows_debug(options.operation_name());
    let anchor = origin.parent.as_ref().and_then(|parent| parent.anchor);
    let parent = origin
        .parent
        .as_ref()
        .map(|parent| SpanReference::new(ReferenceType::ChildOf, parent.trace_id, parent.span_id));
    let (mut seed, decision) = identity(core, origin.parent.take(), options.context(), is_forced);
    seed.ticks = ticks;
    seed.anchor = anchor.unwrap_or_else(|| core.recorder.clock.anchor());

    let view = SpanView::new(seed.trace_id, options.operation_name(), seed.is_local_root);
    let mut answer = None;
    let mut is_revisable = false;
    let local_trace = match decision {
        Decision::Made => None,
        Decision::Shared(trace) => {
            answer = Some(core.decide(Question::Create, &view));
            Some(trace)
        }
        Decision::Deferred => match core.decide_first(&view) {
            (SamplingDecision::Delay, _) => Some(undecided(core, seed.flags)),
            (decision, revisable) => {
                is_revisable = revisable;
                seed.flags = match &decision {
                    SamplingDecision::Sample(_) => seed.flags.with(Flags::SAMPLED),
                    _ => seed.flags.without(Flags::SAMPLED),
                };
                answer = Some(decision);
                None
            }
        },
    };

    let is_stored = seed.flags.is_sampled() || local_trace.is_some() || is_revisable;
    let mut cell = begin(core, options.take_name(), &seed, is_revisable, None);
    if let Some(start_time) = options.start_time() {
        cell.begin_at(wall_nanos(start_time));
    }
    if let Some(trace) = local_trace {
        cell.begin_undecided(trace);
    }
    cell.begin_with_baggage(origin.baggage);
    if is_stored {
        push_references(cell.buffer_mut(), options.references(), parent);
    }
    if let Some(answer) = answer {
        apply_decision(&cell, answer);
    }
    if let Some(debug_id) = origin.debug_id.filter(|_| is_forced) {
        begin_with_tag(&mut cell, tags::JAEGER_DEBUG_ID, TagRef::String(&debug_id));
    }
    complete(core, options.start_tags(), cell, &seed)
}

fn undecided(core: &Core, flags: Flags) -> Arc<LocalTrace> {
    Arc::new(LocalTrace::new(core.recorder.store.clone(), flags))
}

/// What is fixed when a span starts.
#[derive(Clone, Copy)]
struct Seed {
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
}

/// A box with what is fixed, and the name, in it. Counts the span, where it is known already as what.
#[inline(always)]
fn begin(
    core: &Arc<Core>,
    name: Cow<'static, str>,
    seed: &Seed,
    is_revisable: bool,
    counters: Option<Counters>,
) -> Box<SpanCell> {
    let mut cell = SpanCell::vacant(core, &core.recorder, counters);
    cell.is_local_root = seed.is_local_root;
    cell.header.trace_id = seed.trace_id;
    cell.header.span_id = seed.span_id;
    cell.header.parent_id = seed.parent_id;
    cell.header.parent_reference = seed.parent_reference;
    cell.header.kind = seed.kind;
    cell.header.start = wall(seed.anchor, seed.ticks);
    cell.anchor = seed.anchor;
    cell.begin(seed.flags, is_revisable, name);
    cell
}

/// The same for a span whose flags are decided. Odd tags may still change them.
#[inline(always)]
fn begin_decided(
    core: &Arc<Core>,
    name: Cow<'static, str>,
    start_tags: StartTags<'_>,
    seed: &Seed,
) -> Box<SpanCell> {
    let joins = start_tags.is_server && seed.is_local_root;
    let counters = counters(seed.flags, seed.is_new_trace, joins);
    begin(
        core,
        name,
        seed,
        false,
        (!start_tags.are_odd).then_some(counters),
    )
}

/// The tags that were given, the counters, and the first handle.
fn complete(core: &Core, start_tags: StartTags<'_>, mut cell: Box<SpanCell>, seed: &Seed) -> Span {
    set_start_tags(&mut cell, start_tags);
    count_start(core, &cell, seed, start_tags.is_server);
    Span::from_cell(cell)
}

/// The same for what [`begin_decided`] has begun.
#[inline(always)]
fn complete_decided(
    core: &Core,
    start_tags: StartTags<'_>,
    mut cell: Box<SpanCell>,
    seed: &Seed,
) -> Span {
    if start_tags.are_odd {
        return complete(core, start_tags, cell, seed);
    }
    if seed.flags.is_sampled() && !start_tags.tags.is_empty() {
        begin_with_tags(&mut cell, start_tags.tags);
    }
    Span::from_cell(cell)
}

/// The references that were given, else the one to the active parent.
fn push_references(
    buffer: &mut SpanBuffer,
    references: &[Reference],
    active_parent: Option<SpanReference>,
) {
    if references.is_empty() {
        if let Some(reference) = active_parent {
            buffer.push_reference(&reference);
        }
        return;
    }
    for Reference { kind, context } in references {
        if let (Some(trace_id), Some(span_id)) = (context.trace_id(), context.span_id()) {
            buffer.push_reference(&SpanReference::new(*kind, trace_id, span_id));
        }
    }
}

/// Who a span is, and what is known of its sampling before the sampler is asked. Times are filled in later.
fn identity(
    core: &Core,
    parent: Option<Parent>,
    given: Option<&SpanContext>,
    is_forced: bool,
) -> (Seed, Decision) {
    let seed = |trace_id, span_id, parent_id, flags, is_local_root| Seed {
        ticks: 0,
        anchor: 0,
        trace_id,
        span_id,
        parent_id,
        parent_reference: ParentReference::None,
        kind: FrameKind::Usual,
        flags,
        is_local_root,
        is_new_trace: false,
    };
    if let Some((context, trace_id, span_id)) =
        given.and_then(|context| Some((context, context.trace_id()?, context.span_id()?)))
    {
        let (parent_id, flags) = (context.parent_id(), context.flags());
        let seed = seed(trace_id, span_id, parent_id, flags, context.is_remote());
        return (seed, Decision::Made);
    }
    let span_id = core.new_id();
    if let Some(parent) = parent {
        let (trace_id, parent_id) = (parent.trace_id, Some(parent.span_id));
        let seed = seed(trace_id, span_id, parent_id, parent.flags, parent.is_remote);
        return (seed, parent.decision);
    }
    let trace_id = TraceId::of_root(core.new_high_half(), span_id);
    let (flags, decision) = if is_forced {
        (Flags::SAMPLED.with(Flags::DEBUG), Decision::Made)
    } else {
        (Flags::default(), Decision::Deferred)
    };
    let seed = Seed {
        is_new_trace: true,
        ..seed(trace_id, span_id, None, flags, true)
    };
    (seed, decision)
}

/// Sets the tags that were given at the start.
#[inline(always)]
fn set_start_tags(cell: &mut SpanCell, start_tags: StartTags<'_>) {
    if start_tags.are_odd || !cell.is_decided() {
        set_odd_start_tags(cell, start_tags.tags);
    } else if cell.flags().is_sampled() {
        begin_with_tags(cell, start_tags.tags);
    }
}

/// One by one, `sampling.priority` first.
#[cold]
#[inline(never)]
fn set_odd_start_tags(cell: &mut SpanCell, start_tags: &[(&str, TagRef<'_>)]) {
    for (key, value) in start_tags {
        if *key == tags::SAMPLING_PRIORITY {
            begin_with_tag(cell, key, *value);
        }
    }
    if cell.is_recording() {
        for (key, value) in start_tags {
            if *key != tags::SAMPLING_PRIORITY {
                begin_with_tag(cell, key, *value);
            }
        }
    }
}

#[inline(always)]
fn count_start(core: &Core, cell: &SpanCell, seed: &Seed, is_server: bool) {
    let joins = is_server && seed.is_local_root;
    let counters = if cell.is_undecided() && !cell.flags().is_sampled() {
        let trace = seed.is_new_trace.then_some(Counter::TracesStartedDelayed);
        (Counter::StartedSpansDelayed, trace)
    } else {
        counters(cell.flags(), seed.is_new_trace, joins)
    };
    core.recorder.store.count_both(counters);
}

/// What counts a span whose flags are known.
#[inline(always)]
fn counters(flags: Flags, is_new_trace: bool, joins: bool) -> Counters {
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
    let trace = if is_new_trace {
        Some(new_trace)
    } else {
        joins.then_some(joined)
    };
    (started, trace)
}

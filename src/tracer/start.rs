//! How a span starts: its parent, its ids, the sampling decision, its first tags.

use std::borrow::Cow;
use std::sync::Arc;

use crate::clock::WallTime;
use crate::metrics::Counter;
use crate::model::{Flags, ReferenceType, ReportedReference, SpanId, TagRef, TraceId, tags};
use crate::record::{
    FrameKind, Lifecycle as _, LocalTrace, ParentReference, Question, SpanBuffer, SpanCell, wall,
};
use crate::sampler::{SamplingDecision, SpanView};
use crate::span::{
    Decision, Reference, Span, SpanContext, apply_decision, begin_with_sampler_tags,
    begin_with_tag, begin_with_tags, count_moved_time,
};
use crate::tracer::StartSpanOptions;
use crate::tracer::core::{Core, Roots};
use crate::tracer::origin::{Origin, Parent, Plain, PlainParent};

/// Starts a span.
pub(super) fn start(core: &Arc<Core>, mut options: StartSpanOptions<'_>) -> Span {
    // The clock first: the rest hides behind the read. Then the id, while there is little to keep for afterwards: to find
    // what belongs to a thread is, to the compiler, a call.
    let ticks = core.recorder.clock.now();
    let Some(id) = core.id_at_hand() else {
        return start_any(core, options, ticks);
    };
    let span = match Plain::find(&options) {
        Some(Plain::Root) => match core.roots.decided() {
            Some(decided) => {
                root(core, ticks, id, decided).and_then(|seed| seed.start(core, &mut options))
            }
            None => Some(start_undecided(
                core,
                options.take_name(),
                options.tags(),
                ticks,
                id,
            )),
        },
        Some(Plain::Child(parent)) => {
            child(core, ticks, id, &parent, options.is_server()).start(core, &mut options)
        }
        None => None,
    };
    match span {
        Some(span) => {
            options.give_back_plain();
            span
        }
        None => start_any(core, options, ticks),
    }
}

/// Starts a span of which nothing is said but its name.
///
/// Whatever is seldom is left to a function that ends this one: nothing has to be kept for afterwards.
pub(super) fn start_named(core: &Arc<Core>, name: &'static str) -> Span {
    match core.recorder.clock.now_at_hand() {
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
    let Some(id) = core.id_at_hand() else {
        return start_any_named(core, name, ticks);
    };
    let span = match Plain::active() {
        // Arm by arm, so that each has its counters and flags as constants.
        Some(Plain::Root) => match core.roots {
            Roots::Keep(_) => {
                root(core, ticks, id, Roots::KEPT).and_then(|seed| seed.start_named(core, name))
            }
            Roots::Drop => {
                root(core, ticks, id, Roots::DROPPED).and_then(|seed| seed.start_named(core, name))
            }
            Roots::Ask => return start_undecided_named(core, name, ticks, id),
        },
        Some(Plain::Child(parent)) => {
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
) -> Option<Seed> {
    let high = if core.is_128_bit {
        core.id_at_hand()?.get()
    } else {
        0
    };
    Some(Seed {
        flags,
        kind,
        ..Seed::root(core, ticks, high, span_id)
    })
}

/// A child of a single parent whose trace is decided and has no baggage.
#[inline(always)]
fn child(core: &Core, ticks: u64, span_id: SpanId, parent: &PlainParent, is_server: bool) -> Seed {
    Seed {
        ticks,
        anchor: match parent.anchor {
            Some(anchor) => anchor,
            None => core.recorder.clock.anchor(),
        },
        trace_id: parent.reference.trace_id,
        span_id,
        parent_id: Some(parent.reference.span_id),
        parent_reference: ParentReference::of(parent.reference.kind),
        kind: FrameKind::Usual,
        flags: parent.flags,
        is_local_root: parent.is_remote,
        is_new_trace: false,
        joins: is_server && parent.is_remote,
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
    let mut seed = Seed::root(core, ticks, core.new_high_half(), span_id);
    let view = SpanView::new(seed.trace_id, &name, seed.is_local_root);
    let (decision, is_revisable) = core.decide_first(&view);
    let sampler_tags = match decision {
        SamplingDecision::Sample(sampler_tags) => {
            seed.flags = Flags::SAMPLED;
            Some(sampler_tags)
        }
        SamplingDecision::Drop => None,
        SamplingDecision::Delay => {
            let mut cell = begin(core, name, &seed, false);
            cell.begin_undecided(undecided(core, seed.flags));
            return complete(core, start_tags, cell, &seed);
        }
    };
    let mut cell = begin(core, name, &seed, is_revisable);
    if let Some(sampler_tags) = sampler_tags {
        begin_with_sampler_tags(&mut cell, sampler_tags);
    }
    if is_revisable {
        return complete(core, start_tags, cell, &seed);
    }
    set_plain_tags(&mut cell, start_tags, seed.flags);
    core.recorder.store.count_both(seed.counters(seed.flags));
    Span::from_cell(cell)
}

/// Every other case: tags that are not plain, several references, baggage, a context made elsewhere, an undecided trace,
/// a debug id; and every case in which something is not at hand.
#[cold]
#[inline(never)]
fn start_any(core: &Arc<Core>, mut options: StartSpanOptions<'_>, ticks: u64) -> Span {
    let mut origin = Origin::find(&options);
    if let Some(given) = options.context().filter(|given| given.has_trace()) {
        origin.baggage = given.baggage().clone();
        origin.debug_id = None;
    }
    let is_forced = origin.parent.is_none()
        && origin.debug_id.is_some()
        && core.allows_debug(options.operation_name());
    let anchor = origin.parent.as_ref().and_then(|parent| parent.anchor);
    let parent = origin.parent.as_ref().map(|parent| {
        ReportedReference::new(ReferenceType::ChildOf, parent.trace_id, parent.span_id)
    });
    let (mut seed, decision) = identity(core, origin.parent.take(), options.context(), is_forced);
    seed.joins = seed.is_local_root && !seed.is_new_trace && options.is_server();
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
        Decision::Deferred => match core.roots.decided().filter(|_| seed.is_new_trace) {
            Some(decided) => {
                (seed.flags, seed.kind) = decided;
                None
            }
            None => match core.decide_first(&view) {
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
        },
    };

    let mut cell = begin(core, options.take_name(), &seed, is_revisable);
    if let Some(trace) = local_trace {
        cell.begin_undecided(trace);
    }
    if let Some(start_time) = options.start_time() {
        let start = WallTime::nearest_to(start_time);
        cell.begin_at(start.nanos);
        count_moved_time(&cell, start.is_clamped);
    }
    cell.begin_with_baggage(origin.baggage);
    // Of a span that is not sampled, too: a tag may still rescue it.
    push_references(cell.buffer_mut(), options.references(), parent);
    match answer {
        // Its flags say so already, and these are its first tags.
        Some(SamplingDecision::Sample(sampler_tags)) if cell.local_trace().is_none() => {
            begin_with_sampler_tags(&mut cell, sampler_tags);
        }
        Some(answer) => apply_decision(&cell, answer),
        None => {}
    }
    if let Some(debug_id) = origin.debug_id.filter(|_| is_forced) {
        begin_with_tag(&mut cell, tags::JAEGER_DEBUG_ID, TagRef::String(&debug_id));
    }
    let span = complete(core, options.tags(), cell, &seed);
    options.give_back();
    span
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
    /// It is the first span here of another's trace, and a server's.
    joins: bool,
}

impl Seed {
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
            kind: FrameKind::Usual,
            flags: Flags::default(),
            is_local_root: true,
            is_new_trace: true,
            joins: false,
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
            self.joins.then_some(joined)
        };
        (started, trace)
    }

    /// Puts what is fixed, and the name, into a box.
    #[inline(always)]
    fn plant(
        &self,
        mut cell: Box<SpanCell>,
        name: Cow<'static, str>,
        is_revisable: bool,
    ) -> Box<SpanCell> {
        cell.is_local_root = self.is_local_root;
        cell.header.trace_id = self.trace_id;
        cell.header.span_id = self.span_id;
        cell.header.parent_id = self.parent_id;
        cell.header.parent_reference = self.parent_reference;
        cell.header.kind = self.kind;
        cell.header.start = wall(self.anchor, self.ticks);
        cell.anchor = self.anchor;
        cell.begin(self.flags, is_revisable, name);
        cell
    }

    /// Starts a span with plain tags, if a box is at hand.
    #[inline(always)]
    fn start(self, core: &Core, options: &mut StartSpanOptions<'_>) -> Option<Span> {
        let cell = SpanCell::vacant_at_hand(&core.recorder, self.counters(self.flags))?;
        let mut cell = self.plant(cell, options.take_name(), false);
        set_plain_tags(&mut cell, options.tags(), self.flags);
        Some(Span::from_cell(cell))
    }

    /// Starts a span with nothing but a name, if a box is at hand.
    #[inline(always)]
    fn start_named(self, core: &Core, name: &'static str) -> Option<Span> {
        let cell = SpanCell::vacant_at_hand(&core.recorder, self.counters(self.flags))?;
        Some(Span::from_cell(self.plant(cell, name.into(), false)))
    }
}

fn begin(
    core: &Arc<Core>,
    name: Cow<'static, str>,
    seed: &Seed,
    is_revisable: bool,
) -> Box<SpanCell> {
    let cell = SpanCell::vacant(core, &core.recorder);
    seed.plant(cell, name, is_revisable)
}

/// Sets tags of a span whose flags are decided. None of them is one that may change those.
#[inline(always)]
fn set_plain_tags(cell: &mut SpanCell, start_tags: StartTags<'_>, flags: Flags) {
    if !start_tags.is_empty() && flags.is_sampled() {
        begin_with_tags(cell, start_tags);
    }
}

/// The tags that were given, the counters, and the first handle.
fn complete(core: &Core, start_tags: StartTags<'_>, mut cell: Box<SpanCell>, seed: &Seed) -> Span {
    set_start_tags(&mut cell, start_tags);
    count_start(core, &cell, seed);
    Span::from_cell(cell)
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
        joins: false,
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

/// Sets the tags that were given at the start, `sampling.priority` first.
fn set_start_tags(cell: &mut SpanCell, start_tags: StartTags<'_>) {
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
fn count_start(core: &Core, cell: &SpanCell, seed: &Seed) {
    let counters = if cell.is_undecided() && !cell.flags().is_sampled() {
        let trace = seed.is_new_trace.then_some(Counter::TracesStartedDelayed);
        (Counter::StartedSpansDelayed, trace)
    } else {
        seed.counters(cell.flags())
    };
    core.recorder.store.count_both(counters);
}

use std::borrow::Cow;
use std::sync::Arc;

use crate::metrics::Counter;
use crate::model::{Flags, Randomness, SpanId, TagRef, TraceId, tags};
use crate::record::{FrameKind, ParentReference, SpanSlot, wall};
use crate::sampler::SamplerTags;
use crate::span::{Decision, Span, SpanContext, begin_with_tag};
use crate::tracer::core::Core;
use crate::tracer::parent::Inherited;

/// The counter of a new span, and that of its trace if the trace begins or enters this process with it.
pub(super) type Counters = (Counter, Option<Counter>);

/// The tags that a span is started with.
pub(super) type StartTags<'a> = &'a [(&'a str, TagRef<'a>)];

/// The facts of a span that are fixed when it starts.
#[derive(Clone, Copy)]
pub(super) struct NewSpan {
    pub(super) ticks: u64,
    pub(super) anchor: i64,
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    pub(super) parent_id: Option<SpanId>,
    pub(super) parent_reference: ParentReference,
    pub(super) kind: FrameKind,
    pub(super) flags: Flags,
    pub(super) randomness: Randomness,
    pub(super) is_local_root: bool,
    pub(super) is_new_trace: bool,
    /// It is the first span of a remote trace in this process, and a server span.
    pub(super) joins_trace: bool,
}

impl NewSpan {
    /// Returns the root of a new trace that has no sampling decision yet.
    #[inline(always)]
    pub(super) fn root(core: &Core, ticks: u64, high: u64, span_id: SpanId) -> Self {
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
            randomness: core.root_randomness,
            is_local_root: true,
            is_new_trace: true,
            joins_trace: false,
        }
    }

    /// Notes the probability that kept the trace, for W3C's formats. A decision that may be revised is not noted.
    #[inline]
    pub(super) fn note_probability(&mut self, sampler_tags: &SamplerTags, is_revisable: bool) {
        if let (Some(probability), false) = (sampler_tags.probability(), is_revisable) {
            self.randomness = self.randomness.with_probability(probability);
        }
    }

    /// Returns the counters of this span if it has these flags.
    #[inline(always)]
    pub(super) fn counters(&self, flags: Flags) -> Counters {
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

    /// Writes the facts and the operation name into a slot.
    #[inline(always)]
    pub(super) fn write_to(
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
        slot.randomness = self.randomness;
        slot.begin(self.flags, is_revisable, name);
        slot
    }
}

impl NewSpan {
    /// Takes a slot from the thread, from the pool or from the allocator, and writes the facts into it.
    pub(super) fn begin(
        &self,
        core: &Arc<Core>,
        name: Cow<'static, str>,
        is_revisable: bool,
    ) -> Box<SpanSlot> {
        let slot = SpanSlot::vacant(core, &core.recorder);
        if slot.is_capped() {
            return self.begin_capped(slot, name, is_revisable);
        }
        self.write_to(slot, name, is_revisable)
    }

    /// Writes the facts into a slot beyond the limit of the tracer.
    #[cold]
    #[inline(never)]
    fn begin_capped(
        &self,
        slot: Box<SpanSlot>,
        name: Cow<'static, str>,
        is_revisable: bool,
    ) -> Box<SpanSlot> {
        let mut slot = self.write_to(slot, name, is_revisable);
        slot.begin_capped();
        slot
    }

    /// Sets the start tags, counts the span, and returns its first handle.
    pub(super) fn complete(
        &self,
        core: &Core,
        start_tags: StartTags<'_>,
        mut slot: Box<SpanSlot>,
    ) -> Span {
        set_start_tags(&mut slot, start_tags);
        self.count(core, &slot);
        Span::from_slot(slot)
    }

    /// Counts the started span by its flags, or as delayed while its trace is undecided.
    #[inline(always)]
    pub(super) fn count(&self, core: &Core, slot: &SpanSlot) {
        let counters = if slot.is_undecided() && !slot.flags().is_sampled() {
            let trace = self.is_new_trace.then_some(Counter::TracesStartedDelayed);
            (Counter::StartedSpansDelayed, trace)
        } else {
            self.counters(slot.flags())
        };
        core.recorder.queue.count_both(counters);
    }
}

/// Sets the start tags. `sampling.priority` comes first, because it decides whether the others are kept.
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

/// Returns the ids of a new span, and the owner of its sampling decision. The caller fills in the times.
pub(super) fn identity(
    core: &Core,
    inherited: &mut Inherited,
    given: Option<&SpanContext>,
    is_shared: bool,
    is_forced: bool,
) -> (NewSpan, Decision) {
    let new_span = |trace_id, span_id, parent_id, (flags, randomness), is_local_root| NewSpan {
        ticks: 0,
        anchor: 0,
        trace_id,
        span_id,
        parent_id,
        parent_reference: ParentReference::None,
        kind: FrameKind::Standard,
        flags,
        randomness,
        is_local_root,
        is_new_trace: false,
        joins_trace: false,
    };
    if let Some((context, trace_id, span_id)) =
        given.and_then(|context| Some((context, context.trace_id()?, context.span_id()?)))
    {
        let marks = (context.flags(), context.randomness());
        let parent_id = context.parent_id();
        let new_span = new_span(trace_id, span_id, parent_id, marks, context.is_remote());
        return (new_span, Decision::Made);
    }
    if let Some(parent) = inherited.parent.take() {
        let trace_id = parent.trace_id;
        let (span_id, parent_id) = if is_shared {
            (parent.span_id, parent.parent_id)
        } else {
            (core.new_id(), Some(parent.span_id))
        };
        let marks = (parent.flags, parent.randomness);
        let new_span = new_span(trace_id, span_id, parent_id, marks, parent.is_remote);
        return (new_span, parent.decision);
    }
    let span_id = core.new_id();
    let trace_id = TraceId::of_root(core.new_high_half(), span_id);
    let (flags, decision) = if is_forced {
        (Flags::SAMPLED.with(Flags::DEBUG), Decision::Made)
    } else if let Some(flags) = inherited.decision {
        (flags, Decision::Made)
    } else {
        (Flags::default(), Decision::Deferred)
    };
    let new_span = NewSpan {
        is_new_trace: true,
        ..new_span(trace_id, span_id, None, (flags, core.root_randomness), true)
    };
    (new_span, decision)
}

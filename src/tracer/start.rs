//! How a span starts: its parent, its ids, the sampling decision, its first tags.

use std::mem;
use std::sync::Arc;

use crate::clock::wall_nanos;
use crate::metrics::Counter;
use crate::model::{Baggage, Flags, ReferenceType, SpanId, SpanReference, TagRef, TraceId, tags};
use crate::record::{
    Lifecycle as _, LocalTrace, Question, SpanBuffer, SpanCell, SpanTime, random_id,
};
use crate::sampler::{SamplingDecision, SpanView};
use crate::scope::{Active, with_active_parent};
use crate::span::{
    Decision, Reference, Span, SpanContext, apply_decision, begin_with_sampler_tags, begin_with_tag,
};
use crate::tracer::StartSpanOptions;
use crate::tracer::core::Core;

/// Starts a span. The name is taken out of `options`.
pub(super) fn start(core: &Arc<Core>, options: &mut StartSpanOptions<'_>) -> Span {
    // The clock first: the rest hides behind the read.
    let ticks = core.recorder.clock.now();
    let mut origin = Origin::find(options);
    let is_forced = origin.parent.is_none()
        && origin.debug_id.is_some()
        && core.allows_debug(&options.operation_name);
    let anchor = match &origin.parent {
        Some(Parent {
            anchor: Some(anchor),
            ..
        }) => *anchor,
        _ => core.recorder.clock.anchor(),
    };
    let parent = origin
        .parent
        .as_ref()
        .map(|parent| SpanReference::new(ReferenceType::ChildOf, parent.trace_id, parent.span_id));
    let identity = Identity::new(
        core,
        origin.parent.take(),
        options.context.as_deref(),
        is_forced,
    );

    let view = SpanView::new(
        identity.trace_id,
        &options.operation_name,
        identity.is_local_root,
    );
    let mut flags = identity.flags;
    let mut answer = None;
    let mut is_revisable = false;
    let local_trace = match identity.decision {
        Decision::Made => None,
        Decision::Shared(trace) => {
            answer = Some(core.decide(Question::Create, &view));
            Some(trace)
        }
        Decision::Deferred => match core.decide(Question::Create, &view) {
            SamplingDecision::Delay => Some(Arc::new(LocalTrace::new(flags))),
            decision => {
                is_revisable = core.depends_on_operation_name();
                flags = match &decision {
                    SamplingDecision::Sample(_) => flags.with(Flags::SAMPLED),
                    _ => flags.without(Flags::SAMPLED),
                };
                answer = Some(decision);
                None
            }
        },
    };

    let mut cell = SpanCell::vacant(core, &core.recorder);
    cell.trace_id = identity.trace_id;
    cell.span_id = identity.span_id;
    cell.parent_id = identity.parent_id;
    cell.is_local_root = identity.is_local_root;
    cell.time = match options.start_time {
        Some(time) => SpanTime {
            start: wall_nanos(time),
            is_explicit: true,
            anchor,
        },
        None => SpanTime {
            start: anchor.saturating_add_unsigned(ticks),
            is_explicit: false,
            anchor,
        },
    };
    let is_stored = flags.is_sampled() || local_trace.is_some() || is_revisable;
    if local_trace.is_some() {
        cell.local_trace = local_trace;
    }
    cell.begin(
        flags,
        is_revisable,
        mem::take(&mut options.operation_name),
        origin.baggage,
    );
    if is_stored {
        push_references(cell.buffer_mut(), &options.references, parent);
    }
    match answer {
        None => {}
        Some(SamplingDecision::Sample(sampler_tags)) if cell.local_trace.is_none() => {
            begin_with_sampler_tags(&mut cell, sampler_tags);
        }
        Some(SamplingDecision::Drop) if cell.local_trace.is_none() => {}
        Some(answer) => apply_decision(&cell, answer),
    }
    if let Some(debug_id) = origin.debug_id.filter(|_| is_forced) {
        begin_with_tag(&mut cell, tags::JAEGER_DEBUG_ID, TagRef::String(&debug_id));
    }
    let is_server = set_start_tags(&mut cell, &options.tags);
    count_start(core, &cell, identity.is_new_trace, is_server);
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

/// The span that a new one depends on.
struct Parent {
    trace_id: TraceId,
    span_id: SpanId,
    flags: Flags,
    decision: Decision,
    is_remote: bool,
    anchor: Option<i64>,
}

impl Parent {
    fn from_cell(cell: &SpanCell) -> Self {
        cell.settle();
        Self {
            trace_id: cell.trace_id,
            span_id: cell.span_id,
            flags: cell.flags(),
            decision: match &cell.local_trace {
                Some(trace) if !trace.is_final() => Decision::Shared(trace.clone()),
                _ => Decision::Made,
            },
            is_remote: false,
            anchor: Some(cell.time.anchor),
        }
    }

    fn from_context(context: &SpanContext) -> Option<Self> {
        Some(Self {
            trace_id: context.trace_id()?,
            span_id: context.span_id()?,
            flags: context.flags(),
            decision: match context.decision() {
                Decision::Shared(trace) if trace.is_final() => Decision::Made,
                decision => decision.clone(),
            },
            is_remote: context.is_remote(),
            anchor: context.anchor(),
        })
    }
}

/// Where a span comes from: its parent, and what it takes over.
#[derive(Default)]
struct Origin {
    parent: Option<Parent>,
    baggage: Baggage,
    debug_id: Option<String>,
}

impl Origin {
    #[inline]
    fn find(options: &StartSpanOptions<'_>) -> Self {
        if let [reference] = &*options.references {
            return Self::of_context(&reference.context);
        }
        if !options.references.is_empty() {
            return Self::of_references(&options.references);
        }
        if options.ignore_active_span {
            return Self::default();
        }
        // Read where it stands: what is read is copied, and nothing of the user's runs.
        with_active_parent(|active| match active {
            Some(Active::Span(span)) => span.cell().map_or_else(Self::default, Self::of_cell),
            Some(Active::Context(context)) => Self::of_context(context),
            None => Self::default(),
        })
    }

    fn of_cell(cell: &SpanCell) -> Self {
        Self {
            parent: Some(Parent::from_cell(cell)),
            baggage: cell.baggage(),
            debug_id: None,
        }
    }

    /// Without a trace the context gives what it has to a new root.
    fn of_context(context: &SpanContext) -> Self {
        let parent = Parent::from_context(context);
        Self {
            debug_id: match &parent {
                Some(_) => None,
                None => context.debug_id().map(str::to_owned),
            },
            parent,
            baggage: context.baggage().clone(),
        }
    }

    /// The first `ChildOf` with a trace is the parent, else the first `FollowsFrom` with one; without any, the
    /// first context gives what it has to a new root.
    #[cold]
    fn of_references(references: &[Reference]) -> Self {
        let with_trace = || {
            references
                .iter()
                .filter(|reference| reference.context.has_trace())
        };
        let parent = with_trace()
            .find(|reference| reference.kind == ReferenceType::ChildOf)
            .or_else(|| with_trace().next());
        let Some(parent) = parent else {
            return references
                .first()
                .map_or_else(Self::default, |first| Self::of_context(&first.context));
        };
        let mut origin = Self::of_context(&parent.context);
        for other in with_trace() {
            for (key, value) in other.context.baggage().iter() {
                if origin.baggage.get(key).is_none() {
                    origin.baggage = origin.baggage.with(key, value).unwrap_or(origin.baggage);
                }
            }
        }
        origin
    }
}

/// Who a span is, and what is known of its sampling before the sampler is asked.
struct Identity {
    trace_id: TraceId,
    span_id: SpanId,
    parent_id: Option<SpanId>,
    flags: Flags,
    decision: Decision,
    is_local_root: bool,
    is_new_trace: bool,
}

impl Identity {
    #[inline]
    fn new(
        core: &Core,
        parent: Option<Parent>,
        given: Option<&SpanContext>,
        is_forced: bool,
    ) -> Self {
        if let Some((context, trace_id, span_id)) =
            given.and_then(|context| Some((context, context.trace_id()?, context.span_id()?)))
        {
            return Self {
                trace_id,
                span_id,
                parent_id: context.parent_id(),
                flags: context.flags(),
                decision: Decision::Made,
                is_local_root: context.is_remote(),
                is_new_trace: false,
            };
        }
        let id = core.new_id();
        let span_id = SpanId::new(id).unwrap_or_else(random_span_id);
        match parent {
            Some(parent) => Self {
                trace_id: parent.trace_id,
                span_id,
                parent_id: Some(parent.span_id),
                flags: parent.flags,
                decision: parent.decision,
                is_local_root: parent.is_remote,
                is_new_trace: false,
            },
            None => {
                let high = if core.is_128_bit { core.new_id() } else { 0 };
                let forced = Flags::SAMPLED.with(Flags::DEBUG);
                Self {
                    // A root's span id is the low half of its trace id, as in the Go and Java clients.
                    trace_id: TraceId::new(high, span_id.get()).expect("a span id is not zero"),
                    span_id,
                    parent_id: None,
                    flags: if is_forced { forced } else { Flags::default() },
                    decision: if is_forced {
                        Decision::Made
                    } else {
                        Decision::Deferred
                    },
                    is_local_root: true,
                    is_new_trace: true,
                }
            }
        }
    }
}

#[cold]
fn random_span_id() -> SpanId {
    SpanId::new(random_id()).expect("random ids are not zero")
}

/// Sets the tags that were given at the start, `sampling.priority` first; true for a server's span.
fn set_start_tags(cell: &mut SpanCell, start_tags: &[(&str, TagRef<'_>)]) -> bool {
    let mut is_server = false;
    for (key, value) in start_tags {
        if *key == tags::SAMPLING_PRIORITY {
            begin_with_tag(cell, key, *value);
        }
        is_server |=
            *key == tags::SPAN_KIND && matches!(value, TagRef::String(tags::SPAN_KIND_SERVER));
    }
    if !start_tags.is_empty() && cell.is_recording() {
        for (key, value) in start_tags {
            if *key != tags::SAMPLING_PRIORITY {
                begin_with_tag(cell, key, *value);
            }
        }
    }
    is_server
}

fn count_start(core: &Core, cell: &SpanCell, is_new_trace: bool, is_server: bool) {
    let is_sampled = cell.flags().is_sampled();
    let is_delayed = !is_sampled && cell.is_undecided();
    let started = match (is_sampled, is_delayed) {
        (true, _) => Counter::StartedSpansSampled,
        (false, true) => Counter::StartedSpansDelayed,
        (false, false) => Counter::StartedSpansUnsampled,
    };
    let trace = match (is_new_trace, is_sampled, is_delayed) {
        (true, true, _) => Some(Counter::TracesStartedSampled),
        (true, false, true) => Some(Counter::TracesStartedDelayed),
        (true, false, false) => Some(Counter::TracesStartedUnsampled),
        (false, _, true) => None,
        (false, true, _) => is_server.then_some(Counter::TracesJoinedSampled),
        (false, false, _) => is_server.then_some(Counter::TracesJoinedUnsampled),
    };
    core.recorder.store.count_both(started, trace);
}

//! How a span starts: its parent, its ids, the sampling decision, its first tags.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use crate::clock::wall_nanos;
use crate::metrics::Counter;
use crate::model::{Baggage, Flags, ReferenceType, SpanId, SpanReference, TagRef, TraceId, tags};
use crate::record::{Lifecycle as _, LocalTrace, Question, SpanCell, SpanTime, random_id};
use crate::sampler::{SamplingDecision, SpanView};
use crate::scope::{Active, active_parent};
use crate::span::{Decision, Reference, Span, SpanContext, apply_decision};
use crate::tracer::StartSpanOptions;
use crate::tracer::core::Core;

/// Starts a span.
pub(super) fn start(core: &Arc<Core>, options: StartSpanOptions<'_>) -> Span {
    // The clock first: the rest hides behind the read.
    let ticks = core.recorder.clock.now();
    let origin = Origin::find(&options);
    let is_forced = origin.parent.is_none()
        && origin.debug_id.is_some()
        && core.allows_debug(&options.operation_name);
    let identity = Identity::new(
        core,
        origin.parent.as_ref(),
        options.context.as_ref(),
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
                    _ => flags,
                };
                answer = Some(decision);
                None
            }
        },
    };

    let anchor = origin
        .parent
        .as_ref()
        .and_then(|parent| parent.anchor)
        .unwrap_or_else(|| core.recorder.clock.anchor());
    let time = match options.start_time {
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
    let mut cell = SpanCell::vacant(core, &core.recorder);
    cell.trace_id = identity.trace_id;
    cell.span_id = identity.span_id;
    cell.parent_id = identity.parent_id;
    cell.is_local_root = identity.is_local_root;
    cell.local_trace = local_trace;
    cell.time = time;
    let buffer = cell.begin(flags, is_revisable);
    buffer.operation_name = options.operation_name;
    buffer.baggage = origin.baggage;
    if is_stored {
        for reference in &origin.references {
            buffer.push_reference(reference);
        }
    }
    let span = Span::from_cell(cell);
    if let (Some(answer), Some(cell)) = (answer, span.cell()) {
        apply_decision(cell, answer);
    }
    if let Some(debug_id) = origin.debug_id.filter(|_| is_forced) {
        span.set_tag(tags::JAEGER_DEBUG_ID, &debug_id);
    }
    let is_server = set_start_tags(&span, &options.tags);
    count_start(core, &span, identity.is_new_trace, is_server);
    span
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

    fn reference(&self, kind: ReferenceType) -> SpanReference {
        SpanReference::new(kind, self.trace_id, self.span_id)
    }
}

/// Where a span comes from: its parent, what it refers to, and what it takes over.
#[derive(Default)]
struct Origin {
    parent: Option<Parent>,
    references: SmallVec<[SpanReference; 2]>,
    baggage: Baggage,
    debug_id: Option<String>,
}

impl Origin {
    fn find(options: &StartSpanOptions<'_>) -> Self {
        if !options.references.is_empty() {
            return Self::of_references(&options.references);
        }
        let active = if options.ignore_active_span {
            None
        } else {
            active_parent()
        };
        match active {
            Some(Active::Span(span)) => span.cell().map_or_else(Self::default, Self::of_cell),
            Some(Active::Context(context)) => Self::of_references(&[Reference {
                kind: ReferenceType::ChildOf,
                context,
            }]),
            None => Self::default(),
        }
    }

    fn of_cell(cell: &SpanCell) -> Self {
        let parent = Parent::from_cell(cell);
        Self {
            references: smallvec![parent.reference(ReferenceType::ChildOf)],
            parent: Some(parent),
            baggage: cell.lock().baggage.clone(),
            debug_id: None,
        }
    }

    /// The first `ChildOf` with a trace is the parent, else the first `FollowsFrom` with one; without any, the
    /// first context gives what it has to a new root.
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
            let Some(Reference { context, .. }) = references.first() else {
                return Self::default();
            };
            return Self {
                baggage: context.baggage().clone(),
                debug_id: context.debug_id().map(str::to_owned),
                ..Self::default()
            };
        };
        let mut baggage = parent.context.baggage().clone();
        for other in with_trace() {
            for (key, value) in other.context.baggage().iter() {
                if baggage.get(key).is_none() {
                    baggage = baggage.with(key, value).unwrap_or(baggage);
                }
            }
        }
        Self {
            references: with_trace()
                .filter_map(|reference| {
                    Some(Parent::from_context(&reference.context)?.reference(reference.kind))
                })
                .collect(),
            parent: Parent::from_context(&parent.context),
            baggage,
            debug_id: None,
        }
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
    fn new(
        core: &Core,
        parent: Option<&Parent>,
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
                decision: parent.decision.clone(),
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

fn random_span_id() -> SpanId {
    SpanId::new(random_id()).expect("random ids are not zero")
}

/// Sets the tags that were given at the start, `sampling.priority` first; true for a server's span.
fn set_start_tags(span: &Span, start_tags: &[(&str, TagRef<'_>)]) -> bool {
    let mut is_server = false;
    for (key, value) in start_tags {
        if *key == tags::SAMPLING_PRIORITY {
            span.set_tag(key, *value);
        }
        is_server |=
            *key == tags::SPAN_KIND && matches!(value, TagRef::String(tags::SPAN_KIND_SERVER));
    }
    if span.is_recording() {
        for (key, value) in start_tags {
            if *key != tags::SAMPLING_PRIORITY {
                span.set_tag(key, *value);
            }
        }
    }
    is_server
}

fn count_start(core: &Core, span: &Span, is_new_trace: bool, is_server: bool) {
    let Some(cell) = span.cell() else { return };
    let is_sampled = cell.flags().is_sampled();
    let is_delayed = !is_sampled && cell.is_undecided();
    core.recorder.store.count(match (is_sampled, is_delayed) {
        (true, _) => Counter::StartedSpansSampled,
        (false, true) => Counter::StartedSpansDelayed,
        (false, false) => Counter::StartedSpansUnsampled,
    });
    if is_new_trace {
        core.recorder.store.count(match (is_sampled, is_delayed) {
            (true, _) => Counter::TracesStartedSampled,
            (false, true) => Counter::TracesStartedDelayed,
            (false, false) => Counter::TracesStartedUnsampled,
        });
    } else if is_server && !is_delayed {
        core.recorder.store.count(match is_sampled {
            true => Counter::TracesJoinedSampled,
            false => Counter::TracesJoinedUnsampled,
        });
    }
}

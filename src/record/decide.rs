//! Sampling decisions after the start: by the sampler, asked again about a tag, a name or the finish, or by
//! `sampling.priority`.

use crate::model::{Flags, TagRef, TraceId, tags};
use crate::record::open::shared_decision::DecisionRef;
use crate::record::open::slot::SpanSlot;
use crate::record::open::tags::store_tag;
use crate::record::open::tracer::Question;
use crate::record::queue::span_queue::SpanQueue;
use crate::sampler::{SamplerTags, SamplingDecision, SpanView};

/// Puts the sampler's answer into effect.
pub(crate) fn apply_decision(slot: &SpanSlot, decision: SamplingDecision) {
    match decision {
        SamplingDecision::Sample(sampler_tags) => {
            let flags = slot.flags().with(sampler_tags.flags());
            decide(slot, flags);
            store_sampler_tags(slot, &sampler_tags);
        }
        SamplingDecision::Drop => match slot.shared_decision() {
            None => slot.set_flags(slot.flags().without(Flags::SAMPLED)),
            // A late "no" never clears a flag that another span or the user has set.
            Some(decision) if decision.is_final() => {}
            Some(decision) => decide(slot, decision.flags()),
        },
        SamplingDecision::Delay => {}
    }
}

/// Applies the `sampling.priority` tag: above zero it forces the trace, otherwise it drops the span.
///
/// A value that is no number or truth value changes nothing, and neither does a force that the throttler denies.
pub(crate) fn set_sampling_priority(slot: &SpanSlot, value: TagRef<'_>) {
    let is_positive = match value {
        TagRef::Bool(value) => value,
        TagRef::Long(value) => value > 0,
        TagRef::Unsigned(value) => value > 0,
        TagRef::Double(value) if !value.is_nan() => value > 0.0,
        TagRef::String(text) => match text.trim().parse::<f64>() {
            Ok(value) if !value.is_nan() => value > 0.0,
            _ => return,
        },
        _ => return,
    };
    if !is_positive {
        slot.fix_decision();
        let flags = slot.flags();
        decide(slot, flags.without(Flags::SAMPLED).without(Flags::DEBUG));
    } else if slot.flags().is_debug() {
        store_tag(slot, tags::SAMPLING_PRIORITY, value);
    } else {
        let name = slot.operation_name();
        if let Some(forced) = slot.tracer.forced_flags(&name) {
            slot.fix_decision();
            decide(slot, slot.flags().with(forced));
            store_tag(slot, tags::SAMPLING_PRIORITY, value);
        }
    }
}

/// Asks the sampler, and puts its answer into effect. The caller has checked that the sampler wants the question.
///
/// Runs user code, so the buffer of the span must not be locked.
pub(crate) fn ask(slot: &SpanSlot, question: Question<'_>, name: &str) {
    let decision = slot.shared_decision();
    let queue = &slot.recorder.queue;
    let view = view(
        queue,
        slot.header.trace_id,
        name,
        slot.is_local_root,
        decision,
    );
    apply_decision(slot, slot.tracer.decide(question, &view));
}

/// Returns the view that a sampler has of a span. `queue` is that of the sampler's tracer.
pub(crate) fn view<'a>(
    queue: &SpanQueue,
    trace_id: TraceId,
    name: &'a str,
    is_local_root: bool,
    decision: Option<&'a DecisionRef>,
) -> SpanView<'a> {
    let mut view = SpanView::new(trace_id, name, is_local_root);
    if let Some(decision) = decision {
        view = view.with_notes(decision.notes_for(queue));
        view.is_dropped_by_caller = decision.is_dropped_by_caller;
    }
    view
}

/// Sets the flags of the span, or makes the decision that its trace shares, and queues the spans that waited for it.
fn decide(slot: &SpanSlot, flags: Flags) {
    match slot.shared_decision() {
        Some(decision) => {
            let waited = decision.decide(flags);
            if flags.is_sampled() {
                decision.queue.push_held(&waited, flags);
            }
        }
        None => slot.set_flags(flags),
    }
}

fn store_sampler_tags(slot: &SpanSlot, sampler_tags: &SamplerTags) {
    store_tag(
        slot,
        tags::SAMPLER_TYPE,
        TagRef::String(sampler_tags.kind()),
    );
    store_tag(slot, tags::SAMPLER_PARAM, sampler_tags.param().as_ref());
}

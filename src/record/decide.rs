//! How a sampling decision comes late: by the sampler, once it knows a tag or a name, or by `sampling.priority`.

use crate::model::{Flags, TagRef, tags};
use crate::record::open::slot::SpanSlot;
use crate::record::open::tags::store_tag;
use crate::sampler::{SamplerTags, SamplingDecision};

/// Puts the sampler's answer into effect.
pub(crate) fn apply_decision(slot: &SpanSlot, decision: SamplingDecision) {
    match decision {
        SamplingDecision::Sample(sampler_tags) => {
            let flags = slot.flags().with(Flags::SAMPLED);
            decide(slot, flags);
            store_sampler_tags(slot, &sampler_tags);
        }
        // A late "no" never clears what somebody else has set.
        SamplingDecision::Drop if slot.is_undecided() => decide(slot, slot.flags()),
        SamplingDecision::Drop => decide(slot, slot.flags().without(Flags::SAMPLED)),
        SamplingDecision::Delay => {}
    }
}

pub(crate) fn set_sampling_priority(slot: &SpanSlot, value: TagRef<'_>) {
    let is_positive = match value {
        TagRef::Bool(value) => value,
        TagRef::Long(value) => value > 0,
        TagRef::Unsigned(value) => value > 0,
        TagRef::Double(value) => value > 0.0,
        TagRef::String(text) => match text.trim().parse::<f64>() {
            Ok(value) => value > 0.0,
            Err(_) => return,
        },
        _ => return,
    };
    let flags = slot.flags();
    slot.fix_decision();
    if !is_positive {
        decide(slot, flags.without(Flags::SAMPLED).without(Flags::DEBUG));
    } else if flags.is_debug() {
        store_tag(slot, tags::SAMPLING_PRIORITY, value);
    } else {
        let name = slot.operation_name();
        if slot.tracer.allows_debug(&name) {
            decide(slot, flags.with(Flags::SAMPLED).with(Flags::DEBUG));
            store_tag(slot, tags::SAMPLING_PRIORITY, value);
        }
    }
}

/// Makes `flags` the last word on the span, and on its local trace where that shares one.
fn decide(slot: &SpanSlot, flags: Flags) {
    match slot.shared_decision() {
        Some(trace) => {
            let waited = trace.decide(flags);
            if flags.is_sampled() && waited.count > 0 {
                trace.queue.push_held(&waited, flags);
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

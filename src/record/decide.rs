//! How a sampling decision comes late: by the sampler, once it knows a tag or a name, or by `sampling.priority`.

use crate::model::sampling::{SamplerTags, SamplingDecision};
use crate::model::{Flags, TagRef, tags};
use crate::record::open::slot::SpanCell;
use crate::record::open::tags::store_tag;

/// Puts the sampler's answer into effect.
pub(crate) fn apply_decision(cell: &SpanCell, decision: SamplingDecision) {
    match decision {
        SamplingDecision::Sample(sampler_tags) => {
            let flags = cell.flags().with(Flags::SAMPLED);
            decide(cell, flags);
            store_sampler_tags(cell, &sampler_tags);
        }
        // A late "no" never clears what somebody else has set.
        SamplingDecision::Drop if cell.is_undecided() => decide(cell, cell.flags()),
        SamplingDecision::Drop => decide(cell, cell.flags().without(Flags::SAMPLED)),
        SamplingDecision::Delay => {}
    }
}

pub(crate) fn set_sampling_priority(cell: &SpanCell, value: TagRef<'_>) {
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
    let flags = cell.flags();
    cell.settle();
    if !is_positive {
        decide(cell, flags.without(Flags::SAMPLED).without(Flags::DEBUG));
    } else if flags.is_debug() {
        store_tag(cell, tags::SAMPLING_PRIORITY, value);
    } else {
        let name = cell.operation_name();
        if cell.tracer.allows_debug(&name) {
            decide(cell, flags.with(Flags::SAMPLED).with(Flags::DEBUG));
            store_tag(cell, tags::SAMPLING_PRIORITY, value);
        }
    }
}

/// Makes `flags` the last word on the span, and on its local trace where that shares one.
fn decide(cell: &SpanCell, flags: Flags) {
    match cell.local_trace() {
        Some(trace) => {
            let waited = trace.decide(flags);
            if flags.is_sampled() && waited.count > 0 {
                trace.store.push_held(&waited, flags);
            }
        }
        None => cell.set_flags(flags),
    }
}

fn store_sampler_tags(cell: &SpanCell, sampler_tags: &SamplerTags) {
    store_tag(
        cell,
        tags::SAMPLER_TYPE,
        TagRef::String(sampler_tags.kind()),
    );
    store_tag(cell, tags::SAMPLER_PARAM, sampler_tags.param().as_ref());
}

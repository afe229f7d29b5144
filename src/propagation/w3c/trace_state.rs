//! The value of the header `tracestate`.

use crate::model::{TraceState, random_value};
use crate::propagation::w3c::ot_member::{self, OtMember, OtText};
use crate::span::SpanContext;

/// Calls `write` with the value for a context with a trace, unless there is nothing to write.
pub(super) fn write(context: &SpanContext, write: impl FnOnce(&str)) {
    let threshold = context.randomness().threshold();
    let threshold = threshold.filter(|_| context.is_sampled());
    match (context.trace_state(), threshold) {
        (None, None) => {}
        (None, Some(threshold)) => {
            write(decided_here(OtMember::default(), threshold, context).member())
        }
        (Some(received), threshold) => {
            let member = OtMember::of(received);
            let changed = match threshold {
                Some(threshold) => Some(decided_here(member, threshold, context)),
                None if is_stale(member, context) => Some(member.without_threshold()),
                None => None,
            };
            match changed {
                Some(member) => write_unless_empty(&with_member(received, &member), write),
                None => write_unless_empty(received, write),
            }
        }
    }
}

/// Returns the random value of a trace that is decided anew, and the list without the threshold of the decision that no
/// longer holds.
pub(crate) fn reopened(received: &TraceState) -> (Option<u64>, TraceState) {
    let member = OtMember::of(received);
    let others = match member.threshold() {
        Some(_) => with_member(received, &member.without_threshold()),
        None => received.clone(),
    };
    (member.random_value(), others)
}

fn write_unless_empty(trace_state: &TraceState, write: impl FnOnce(&str)) {
    let header = trace_state.to_header();
    if !header.is_empty() {
        write(&header);
    }
}

/// Returns the member of a trace that a probability of this program kept.
fn decided_here(received: OtMember<'_>, threshold: u64, context: &SpanContext) -> OtText {
    let random_value = context.trace_id().map_or(0, random_value);
    received.with_threshold(threshold, random_value)
}

/// Returns whether the threshold that came with a trace cannot be that of the decision: it was made here, such as by a
/// tag.
fn is_stale(received: OtMember<'_>, context: &SpanContext) -> bool {
    // A context that is passed on as it came keeps what it came with.
    let Some(threshold) = received.threshold().filter(|_| !context.is_remote()) else {
        return false;
    };
    let random_id = context.trace_id().filter(|_| context.has_random_trace_id());
    let random_value = received
        .random_value()
        .or_else(|| random_id.map(|id| id.low() & (u64::MAX >> 8)));
    let would_be_kept = random_value.is_none_or(|value| value >= threshold);
    !context.is_sampled() || !would_be_kept
}

/// Returns the list with another member `ot`, or without one.
fn with_member(received: &TraceState, member: &OtText) -> TraceState {
    let with = received.with(ot_member::KEY, member.value());
    // An empty value is not a legal one, so this is a list without the member, too.
    with.unwrap_or_else(|_| received.without(ot_member::KEY))
}

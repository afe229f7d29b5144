//! Contexts of spans in both forms.

use opentelemetry::trace::{
    SpanContext as OtelSpanContext, SpanId as OtelSpanId, TraceFlags, TraceId as OtelTraceId,
    TraceState as OtelTraceState,
};
use tracehound::SpanContext;
use tracehound::model::{Flags, SpanId, TraceId, TraceState};

/// W3C's random flag, the second bit.
const RANDOM: TraceFlags = TraceFlags::new(2);

/// Returns the ids and flags of a context, with zeros before a trace id of 64 bits. Without a trace the result is
/// invalid.
pub(crate) fn to_otel(context: &SpanContext) -> OtelSpanContext {
    let Some((trace_id, span_id)) = context.trace_id().zip(context.span_id()) else {
        return OtelSpanContext::NONE;
    };
    let mut flags = TraceFlags::default().with_sampled(context.is_sampled());
    if context.has_random_trace_id() {
        flags = flags | RANDOM;
    }
    OtelSpanContext::new(
        OtelTraceId::from_bytes(trace_id.to_bytes()),
        OtelSpanId::from(span_id.get()),
        flags,
        context.is_remote(),
        context
            .trace_state()
            .map(otel_trace_state)
            .unwrap_or_default(),
    )
}

/// Returns the context that these ids and flags stand for, or an empty one if they are invalid.
pub(crate) fn from_otel(context: &OtelSpanContext) -> SpanContext {
    let Some((trace_id, span_id)) = ids(context) else {
        return SpanContext::default();
    };
    let flags = match context.is_sampled() {
        true => Flags::SAMPLED,
        false => Flags::default(),
    };
    SpanContext::new(trace_id, span_id, None, flags)
        .with_random_trace_id(context.trace_flags() & RANDOM == RANDOM)
        .with_trace_state(trace_state(context.trace_state()))
}

/// Returns the ids of a valid context.
pub(crate) fn ids(context: &OtelSpanContext) -> Option<(TraceId, SpanId)> {
    let trace_id = u128::from_be_bytes(context.trace_id().to_bytes());
    let span_id = u64::from_be_bytes(context.span_id().to_bytes());
    let trace_id = TraceId::new((trace_id >> 64) as u64, trace_id as u64)?;
    Some((trace_id, SpanId::new(span_id)?))
}

/// Returns the members that OpenTelemetry accepts, which follows an older version of the standard.
fn otel_trace_state(state: &TraceState) -> OtelTraceState {
    if let Ok(state) = OtelTraceState::from_key_value(state.iter()) {
        return state;
    }
    let is_accepted = |member: &(&str, &str)| OtelTraceState::from_key_value([*member]).is_ok();
    OtelTraceState::from_key_value(state.iter().filter(is_accepted)).unwrap_or_default()
}

/// Returns the members that the standard allows.
fn trace_state(state: &OtelTraceState) -> TraceState {
    let mut members: Vec<_> = state.into_iter().collect();
    members.reverse();
    members
        .into_iter()
        .fold(TraceState::default(), |state, (key, value)| {
            state.with(key, value).unwrap_or(state)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_flags_and_trace_state_survive_both_ways() {
        let state: TraceState = "b=2,a=1".parse().expect("well-formed");
        for (high, is_sampled, is_random) in [(0, true, false), (7, false, true), (7, true, true)] {
            let flags = if is_sampled {
                Flags::SAMPLED
            } else {
                Flags::default()
            };
            let ids = (
                TraceId::new(high, 1).expect("not 0"),
                SpanId::new(2).expect("not 0"),
            );
            let context = SpanContext::new(ids.0, ids.1, None, flags)
                .with_random_trace_id(is_random)
                .with_trace_state(state.clone());
            let otel = to_otel(&context);
            assert_eq!(
                otel.trace_id().to_string(),
                format!("{high:016x}0000000000000001")
            );
            assert_eq!(otel.span_id().to_string(), "0000000000000002");
            assert!(otel.is_valid() && otel.is_remote());
            assert_eq!(otel.trace_state().header(), "b=2,a=1");
            let back = from_otel(&otel);
            assert_eq!(back, context);
            assert_eq!(back.has_random_trace_id(), is_random);
            assert_eq!(back.trace_state(), Some(&state));
        }
        assert!(!to_otel(&SpanContext::default()).is_valid());
        assert!(from_otel(&OtelSpanContext::NONE).is_empty());
    }

    #[test]
    fn members_that_one_side_does_not_know_are_left_out_alone() {
        let state: TraceState = "a=1,b@much-longer-than-14=2,c=3".parse().expect("level 2");
        assert_eq!(otel_trace_state(&state).header(), "a=1,c=3");
        let otel = OtelTraceState::from_key_value([("a", "1"), ("b", "é"), ("c", "3")]);
        let state = trace_state(&otel.expect("unchecked there"));
        assert_eq!(state.to_string(), "a=1,c=3");
        assert!(trace_state(&OtelTraceState::NONE).is_empty());
    }
}

//! The value of the header `tracestate`.

use crate::model::{OT_KEY, TraceState, random_value};
use crate::propagation::w3c::ot_member::{OtMember, OtText};
use crate::span::SpanContext;

/// Calls `write` with the value for a context with a trace. It is empty if there is no header to write.
// `always` saves 43 instructions a request.
#[inline(always)]
pub(super) fn write(context: &SpanContext, write: impl FnOnce(&str)) {
    let threshold = context.randomness().threshold();
    let threshold = threshold.filter(|_| context.is_sampled());
    match (context.trace_state(), threshold) {
        (None, None) => write(""),
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
                Some(member) => write(&with_member(received, &member).to_header()),
                None => write(&received.to_header()),
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
    let with = received.with(OT_KEY, member.value());
    // An empty value is not a legal one, so this is a list without the member, too.
    with.unwrap_or_else(|_| received.without(OT_KEY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Flags, Randomness, SpanId, TraceId};

    /// The random value of a trace id whose lower half is 1.
    const RV: &str = "ffffffffffffff";

    fn local(flags: Flags, randomness: Randomness) -> SpanContext {
        let ids = TraceId::new(7, 1).zip(SpanId::new(2)).expect("not zero");
        SpanContext::local((ids.0, ids.1, None), flags, randomness, 0)
    }

    fn written(context: &SpanContext) -> Option<String> {
        let mut text = String::new();
        write(context, |value| text = value.to_owned());
        (!text.is_empty()).then_some(text)
    }

    fn state(text: &str) -> TraceState {
        text.parse().expect("well-formed")
    }

    #[test]
    fn a_trace_that_a_probability_kept_says_so() {
        for (probability, threshold) in
            [(1.0, "0"), (0.5, "8"), (0.25, "c"), (0.001, "ffbe76c8b439")]
        {
            let kept = local(
                Flags::SAMPLED,
                Randomness::default().with_probability(probability),
            );
            let member = format!("ot=th:{threshold};rv:{RV}");
            assert_eq!(written(&kept), Some(member.clone()), "{probability}");

            let received = kept
                .clone()
                .with_trace_state(state("a=1,ot=rv:6e6d1a75832a2f;th:1;x:y"));
            let member = format!("ot=th:{threshold};rv:6e6d1a75832a2f;x:y,a=1");
            assert_eq!(written(&received), Some(member), "{probability}");
            let received = kept.with_trace_state(state("a=1"));
            let member = format!("ot=th:{threshold};rv:{RV},a=1");
            assert_eq!(written(&received), Some(member), "{probability}");
        }
    }

    #[test]
    fn no_other_decision_has_a_threshold() {
        let half = Randomness::default().with_probability(0.5);
        for context in [
            local(Flags::SAMPLED, Randomness::default()),
            local(Flags::SAMPLED.with(Flags::DEBUG), Randomness::default()),
            local(Flags::default(), Randomness::default()),
            local(Flags::default(), half),
        ] {
            assert_eq!(written(&context), None, "{context}");
            let received = context.with_trace_state(state("a=1,b=2"));
            assert_eq!(written(&received).as_deref(), Some("a=1,b=2"));
        }
    }

    #[test]
    fn a_received_threshold_goes_on_while_the_decision_is_that_of_the_caller() {
        let random = Randomness::default().with_random_id(true);
        let rows = [
            // The id is not known to be random.
            ("ot=th:8", Flags::SAMPLED, Randomness::default(), "ot=th:8"),
            (
                "a=1,ot=th:8;rv:80000000000000",
                Flags::SAMPLED,
                random,
                "a=1,ot=th:8;rv:80000000000000",
            ),
            // The lower 56 bits of the id are 1.
            (
                "ot=th:00000000000001,a=1",
                Flags::SAMPLED,
                random,
                "ot=th:00000000000001,a=1",
            ),
            ("ot=th:0,a=1", Flags::SAMPLED, random, "ot=th:0,a=1"),
            // A tag kept what the caller would have dropped, or the other way round.
            (
                "a=1,ot=th:8;rv:7fffffffffffff;x:y",
                Flags::SAMPLED,
                random,
                "ot=rv:7fffffffffffff;x:y,a=1",
            ),
            ("a=1,ot=th:8", Flags::SAMPLED, random, "a=1"),
            (
                "a=1,ot=th:8;rv:80000000000000",
                Flags::default(),
                random,
                "ot=rv:80000000000000,a=1",
            ),
            (
                "a=1,ot=rv:80000000000000",
                Flags::default(),
                random,
                "a=1,ot=rv:80000000000000",
            ),
        ];
        for (received, flags, randomness, expected) in rows {
            let context = local(flags, randomness).with_trace_state(state(received));
            assert_eq!(written(&context).as_deref(), Some(expected), "{received}");
        }
        let alone = local(Flags::default(), random).with_trace_state(state("ot=th:8"));
        assert_eq!(written(&alone), None);
    }

    #[test]
    fn a_context_that_is_passed_on_keeps_its_threshold() {
        let ids = TraceId::new(7, 1).zip(SpanId::new(2)).expect("not zero");
        let context = SpanContext::new(ids.0, ids.1, None, Flags::default())
            .with_trace_state(state("a=1,ot=th:8"));
        assert_eq!(written(&context).as_deref(), Some("a=1,ot=th:8"));
    }
}

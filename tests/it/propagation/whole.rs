//! All that a context says, for comparison. (`SpanContext` compares ids, flags and baggage.)

use tracehound::SpanContext;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Whole {
    /// Ids and flags.
    trace: String,
    is_deferred: bool,
    decision_without_trace: Option<u8>,
    debug_id: Option<String>,
    has_random_trace_id: bool,
    trace_state: String,
    /// Keys, values and properties, in the order of the keys.
    baggage: Vec<[String; 3]>,
}

impl Whole {
    pub(super) fn of(context: &SpanContext) -> Self {
        let items = context.baggage().iter_with_properties();
        let mut baggage: Vec<_> = items
            .map(|(key, value, properties)| [key, value, properties].map(str::to_owned))
            .collect();
        baggage.sort_unstable();
        let decision = context.decision_without_trace();
        Self {
            trace: context.to_string(),
            is_deferred: !context.is_sampling_final(),
            decision_without_trace: decision.map(|flags| flags.bits()),
            debug_id: context.debug_id().map(str::to_owned),
            has_random_trace_id: context.has_random_trace_id(),
            trace_state: context
                .trace_state()
                .map_or_else(String::new, ToString::to_string),
            baggage,
        }
    }
}

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

/// A sampler of the roots that have a priority, and of no others.
#[derive(Clone, Debug)]
pub(crate) struct PrioritySampler;

/// The attribute of a root that is sampled.
pub(crate) const PRIORITY: &str = "sampling.priority";

impl ShouldSample for PrioritySampler {
    fn should_sample(
        &self,
        _parent: Option<&Context>,
        _trace_id: TraceId,
        _name: &str,
        _kind: &SpanKind,
        attributes: &[KeyValue],
        _links: &[Link],
    ) -> SamplingResult {
        let is_sampled = attributes.contains(&KeyValue::new(PRIORITY, 1));
        SamplingResult {
            decision: if is_sampled {
                SamplingDecision::RecordAndSample
            } else {
                SamplingDecision::Drop
            },
            attributes: Vec::new(),
            trace_state: TraceState::default(),
        }
    }
}

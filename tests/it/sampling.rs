//! The samplers: which traces they keep, compared with other clients and under load.

mod basics;
mod explained;
#[cfg(feature = "remote-sampler")]
mod fleet;
mod limits;
mod per_operation;
mod priority;
mod tag_matching;
mod vectors;

use tracehound::model::TraceId;
use tracehound::sampler::{
    ProbabilisticSampler, RateLimitingSampler, Sampler, SamplerTags, SamplingDecision,
    SamplingRate, SpanView, TracesPerSecond,
};

fn root(trace_id: TraceId) -> SpanView<'static> {
    SpanView::new(trace_id, "checkout", true)
}

fn any_root() -> SpanView<'static> {
    root(TraceId::new(0, 0x1234_5678_9abc_def0).unwrap())
}

fn limiting(rate: f64) -> RateLimitingSampler {
    RateLimitingSampler::new(TracesPerSecond::new(rate).unwrap())
}

/// The tags of a kept trace; `None` for a dropped one.
fn kept(sampler: &impl Sampler, span: &SpanView<'_>) -> Option<SamplerTags> {
    match sampler.on_create_span(span) {
        SamplingDecision::Sample(tags) => Some(tags),
        SamplingDecision::Drop => None,
        SamplingDecision::Delay => unreachable!("undecided"),
    }
}

fn probabilistic(rate: f64) -> ProbabilisticSampler {
    ProbabilisticSampler::new(SamplingRate::new(rate).unwrap())
}

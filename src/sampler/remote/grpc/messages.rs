//! The messages of `jaeger.api_v2.SamplingManager`.
//!
//! Fields and numbers are those of `sampling.proto` in jaeger-idl. `defaultUpperBoundTracesPerSecond`, which nothing uses,
//! is left out.

use crate::sampler::remote::reply::{Operation, PerOperation, Probabilistic, RateLimiting, Reply};

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SamplingStrategyParameters {
    #[prost(string, tag = "1")]
    pub(super) service_name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SamplingStrategyResponse {
    /// 0 for a probability, 1 for a rate. That file tells clients to ignore it; OpenTelemetry's for Java went by it.
    #[prost(int32, tag = "1")]
    pub(super) strategy_type: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) probabilistic_sampling: Option<ProbabilisticSamplingStrategy>,
    #[prost(message, optional, tag = "3")]
    pub(super) rate_limiting_sampling: Option<RateLimitingSamplingStrategy>,
    #[prost(message, optional, tag = "4")]
    pub(super) operation_sampling: Option<PerOperationSamplingStrategies>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct ProbabilisticSamplingStrategy {
    #[prost(double, tag = "1")]
    pub(super) sampling_rate: f64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct RateLimitingSamplingStrategy {
    #[prost(int32, tag = "1")]
    pub(super) max_traces_per_second: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PerOperationSamplingStrategies {
    #[prost(double, tag = "1")]
    pub(super) default_sampling_probability: f64,
    #[prost(double, tag = "2")]
    pub(super) default_lower_bound_traces_per_second: f64,
    #[prost(message, repeated, tag = "3")]
    pub(super) per_operation_strategies: Vec<OperationSamplingStrategy>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct OperationSamplingStrategy {
    #[prost(string, tag = "1")]
    pub(super) operation: String,
    #[prost(message, optional, tag = "2")]
    pub(super) probabilistic_sampling: Option<ProbabilisticSamplingStrategy>,
}

impl From<SamplingStrategyResponse> for Reply {
    fn from(response: SamplingStrategyResponse) -> Self {
        let limit = response.rate_limiting_sampling;
        Self {
            probabilistic_sampling: response.probabilistic_sampling.map(Probabilistic::from),
            rate_limiting_sampling: limit.map(|limit| RateLimiting {
                limit: Some(limit.max_traces_per_second.into()),
            }),
            operation_sampling: response.operation_sampling.map(PerOperation::from),
        }
    }
}

impl From<ProbabilisticSamplingStrategy> for Probabilistic {
    fn from(strategy: ProbabilisticSamplingStrategy) -> Self {
        Self {
            rate: Some(strategy.sampling_rate),
        }
    }
}

impl From<PerOperationSamplingStrategies> for PerOperation {
    fn from(strategies: PerOperationSamplingStrategies) -> Self {
        let operations = strategies.per_operation_strategies.into_iter();
        Self {
            default_rate: Some(strategies.default_sampling_probability),
            lower_bound: Some(strategies.default_lower_bound_traces_per_second),
            operations: operations.map(Operation::from).collect(),
        }
    }
}

impl From<OperationSamplingStrategy> for Operation {
    fn from(strategy: OperationSamplingStrategy) -> Self {
        Self {
            name: Some(strategy.operation),
            probabilistic_sampling: strategy.probabilistic_sampling.map(Probabilistic::from),
        }
    }
}

#[cfg(feature = "_grpc-receiver")]
impl From<Reply> for SamplingStrategyResponse {
    fn from(reply: Reply) -> Self {
        let limit = reply.rate_limiting_sampling;
        Self {
            strategy_type: limit.is_some().into(),
            probabilistic_sampling: reply.probabilistic_sampling.as_ref().map(rate),
            rate_limiting_sampling: limit.map(|limit| RateLimitingSamplingStrategy {
                max_traces_per_second: limit.limit.unwrap_or_default() as i32,
            }),
            operation_sampling: reply
                .operation_sampling
                .map(|of| PerOperationSamplingStrategies {
                    default_sampling_probability: of.default_rate.unwrap_or_default(),
                    default_lower_bound_traces_per_second: of.lower_bound.unwrap_or_default(),
                    per_operation_strategies: of
                        .operations
                        .into_iter()
                        .map(|operation| OperationSamplingStrategy {
                            operation: operation.name.unwrap_or_default(),
                            probabilistic_sampling: operation
                                .probabilistic_sampling
                                .as_ref()
                                .map(rate),
                        })
                        .collect(),
                }),
        }
    }
}

#[cfg(feature = "_grpc-receiver")]
fn rate(probability: &Probabilistic) -> ProbabilisticSamplingStrategy {
    ProbabilisticSamplingStrategy {
        sampling_rate: probability.rate.unwrap_or_default(),
    }
}

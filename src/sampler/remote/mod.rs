//! Sampling strategies from a Jaeger backend: an operator changes them there, and programs follow.
//!
//! # Which backend serves what?
//!
//! | server | URL | gRPC |
//! |---|---|---|
//! | agent and all-in-one, Jaeger 1 | `http://{host}:5778/sampling` | - |
//! | collector, Jaeger 1 | `http://{host}:14268/api/sampling` | port 14250 |
//! | Jaeger 2, extension `remote_sampling` | `http://{host}:5778/sampling` | port 5779 |
//! | OpenTelemetry Collector, extension `jaegerremotesampling` | `http://{host}:5778/sampling` | port 14250 |
//!
//! A service that the server does not know gets the server's default strategy.
//!
//! # What may a reply look like?
//!
//! Servers speak several dialects of the message `SamplingStrategyResponse`, and [`Strategy::from_json`] reads them all:
//!
//! ```
//! use tracehound::sampler::remote::Strategy;
//!
//! for (json, expected) in [
//!     // Jaeger 1, and Jaeger 2 from 2.16 on.
//!     (
//!         r#"{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":0.5}}"#,
//!         "probabilistic 0.5",
//!     ),
//!     // Jaeger 2 until 2.15, and the root path of Jaeger 1's agent.
//!     (r#"{"strategyType":1,"rateLimitingSampling":{"maxTracesPerSecond":5}}"#, "ratelimiting 5"),
//!     // The OpenTelemetry Collector leaves out what is zero, and so the type.
//!     (r#"{"probabilisticSampling":{}}"#, "probabilistic 0"),
//!     // Old agents.
//!     (
//!         r#"{"strategyType":0,"probabilisticSampling":{"samplingRate":1},"rateLimitingSampling":null}"#,
//!         "probabilistic 1",
//!     ),
//!     // By operation.
//!     (
//!         r#"{"operationSampling":{
//!             "defaultSamplingProbability":0.001,
//!             "defaultLowerBoundTracesPerSecond":0.1,
//!             "perOperationStrategies":[
//!                 {"operation":"GET /a","probabilisticSampling":{"samplingRate":0.25}},
//!                 {"operation":"GET /b","probabilisticSampling":null}]}}"#,
//!         "per operation, 1 listed, else probabilistic 0.001, lowerbound 0.1/s",
//!     ),
//! ] {
//!     assert_eq!(Strategy::from_json(json.as_bytes())?.to_string(), expected);
//! }
//! # Ok::<(), tracehound::sampler::remote::StrategyError>(())
//! ```
//!
//! - The members decide, not `strategyType`, as the message's definition advises: `operationSampling` first, then
//!   `probabilisticSampling`, then `rateLimitingSampling`. The Node and the Python client go by the type.
//! - Members with other names are skipped, and so is `defaultUpperBoundTracesPerSecond`, which no Jaeger client heeds.
//!   `null` is an absent member. Of a member that comes twice the last one counts.
//! - An absent number is 0. An operation without a name or without `probabilisticSampling` follows the default.
//! - A number that is out of range or not a number, a member of another type, or more than 1 MiB: the whole reply is
//!   refused. jaeger-client-go moves probabilities of operations into the range, and takes negative limits as they are.

mod fetcher;
mod http;
mod reply;
mod strategy;

pub use self::fetcher::{CancelFetch, FetchError, MakeFetcher, StrategyFetcher};
pub use self::http::HttpStrategyFetcher;
pub use self::strategy::{Strategy, StrategyError};
pub use crate::http_client::InvalidEndpoint;

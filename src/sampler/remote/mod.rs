//! Sampling strategies from a Jaeger backend: an operator changes them there, and programs follow.
//!
//! ```text
//!  the program's threads            the tracer's poller
//!
//!  a trace begins                   once at the start, then every 60 s or so
//!    └► RemoteSampler                 fetcher.fetch(service) ──► agent, collector
//!         └► the sampler that  ◄───── a strategy: checked, compared, applied
//!            decides now
//! ```
//!
//! # What happens when?
//!
//! 1. *The tracer is built.* The [initial sampler](RemoteSampler::initial) decides: one trace in a thousand unless you
//!    choose another. If there is a [file](RemoteSampler::file), its strategy decides. A thread starts and asks for the
//!    strategy at once. Nothing waits for it.
//! 2. *A strategy comes.* It decides from the next trace on. If it is a new one, it is counted, told in a line and
//!    written to the file.
//! 3. *Later* the thread asks again and again, in pauses of the [refresh interval](RemoteSampler::refresh_interval),
//!    moved at random by up to a fifth, so that programs do not ask in step.
//! 4. *There is no answer, or a bad one.* The last good strategy goes on to decide, for ever. The pause doubles with
//!    each failure, up to five minutes: from one second on if there has been no strategy yet, and from the interval on
//!    otherwise.
//! 5. *The tracer closes.* A request in flight is cut off, and the thread ends. `close` does not wait for either.
//! 6. *The process forks.* The first span that starts in the child has it ask by itself. Until its first answer the
//!    strategy of the parent decides.
//!
//! # What does a new strategy keep?
//!
//! - A rate limit takes over the bucket, as full in proportion as it was. At the first limit the bucket is full. Of a
//!   limit that is the same as before nothing changes.
//! - Strategies by operation take over learned operations and every bucket: see
//!   [`PerOperationSampler`](crate::sampler::PerOperationSampler#what-does-an-update-keep).
//! - A strategy of another kind has no bucket to take over, but that of the former kind is kept aside: when the backend
//!   goes back to it, it goes on.
//!
//! # How do I see what it does?
//!
//! - [`RemoteSampler::state`] is a view: the strategy, since when it counts, who has stated it, the last error.
//! - [`JaegerTracer::explain_sampling`](crate::JaegerTracer::explain_sampling) says what would become of a trace.
//! - A line tells of the first strategy, of a change, of the first failure and of its end. Changes and failures make at
//!   most one line each in ten seconds; what lasts is told of then. All other polls make no line.
//! - The counters [`SamplerQueriesOk`](crate::metrics::Counter::SamplerQueriesOk) and
//!   [`SamplerQueriesErr`](crate::metrics::Counter::SamplerQueriesErr) count fetches, and
//!   [`SamplerUpdatesOk`](crate::metrics::Counter::SamplerUpdatesOk) real changes, as in the Java and the Node client;
//!   jaeger-client-go counts every good reply. A reply that is refused is a query that succeeded and an update that
//!   failed.
//! - Kept traces carry the tags `sampler.type` and `sampler.param` of the strategy, by which adaptive sampling works.
//!
//! # What is bounded?
//!
//! | | limit |
//! |---|---|
//! | a request by [`HttpStrategyFetcher`], from name resolution to the last byte | 10 s |
//! | a reply | 1 MiB |
//! | operations, listed and learned | 2000, or [`RemoteSampler::max_operations`] |
//! | the file | 8 MiB |
//! | threads | one for a tracer, and one more while a host name is resolved |
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
//! Servers speak several dialects of the message `SamplingStrategyResponse`, and [`Strategy::from_json`] reads them
//! all:
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
//!         r#"{"strategyType":0,"probabilisticSampling":{"samplingRate":1},
//!             "rateLimitingSampling":null}"#,
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

mod current;
mod fetcher;
mod file;
#[cfg(feature = "grpc")]
mod grpc;
mod http;
mod poll;
mod reply;
mod sampler;
mod state;
mod strategy;

pub use self::fetcher::{CancelFetch, FetchError, MakeFetcher, StrategyFetcher};
#[cfg(feature = "grpc")]
pub use self::grpc::GrpcStrategyFetcher;
#[cfg(feature = "_grpc-receiver")]
pub(crate) use self::grpc::served;
pub use self::http::HttpStrategyFetcher;
pub use self::sampler::RemoteSampler;
pub use self::state::RemoteSamplerState;
pub use self::strategy::{Strategy, StrategyError};
#[cfg(feature = "tls")]
#[cfg_attr(feature = "_upload", doc(no_inline))]
pub use crate::http_client::InvalidCertificates;
#[cfg_attr(feature = "_upload", doc(no_inline))] // it has its page beside the senders
pub use crate::http_client::InvalidEndpoint;

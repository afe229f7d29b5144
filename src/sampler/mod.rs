//! Samplers: which traces to keep.
//!
//! # When is a sampler asked?
//!
//! Once for each trace that begins in this process, when its first span starts. The answer travels with the trace, so
//! that the services downstream keep the same traces and do not ask their own samplers. A sampler may also put its
//! answer off ([`SamplingDecision::Delay`]) until it has seen a tag or another name.
//!
//! # Which one to pick?
//!
//! ```
//! use tracehound::JaegerTracer;
//! use tracehound::prelude::*;
//! use tracehound::reporter::NullReporter;
//! use tracehound::sampler::{RateLimitingSampler, TracesPerSecond};
//!
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(RateLimitingSampler::new(TracesPerSecond::from(5)))
//!     .reporter(NullReporter::new())
//!     .build()?;
//! assert!(tracer.start_span("checkout").context().is_sampled());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | sampler | keeps | suits |
//! |---|---|---|
//! | [`ConstSampler`] | everything or nothing | development, tests, services with little traffic |
//! | [`ProbabilisticSampler`] | a share of the traces, chosen by trace id | counts that are scaled up afterwards |
//! | [`RateLimitingSampler`] | a number of traces a second | a bound on what tracing costs, whatever the load |
//! | [`GuaranteedThroughputSampler`] | a share, and at least a number of traces a second | services with much traffic now and little then |
//! | [`PerOperationSampler`] | the same, with a share for each operation | services whose operations differ in traffic |
//! | [`TagMatchingSampler`] | traces with a tag of a certain value | a tenant, a version, a test |
//! | [`RemoteSampler`](remote::RemoteSampler) | what a Jaeger backend says, as one of the above | a fleet that an operator steers |
//! | [`KeepSampler`] around one of them | what that one keeps, failures and slow requests | every service with a low share |
//! | [`PrioritySampler`] | what the first of several samplers keeps | what is of interest, and a sample of the rest |
//!
//! A [`Config`](crate::Config) without a sampler has the remote one. A [builder](crate::JaegerTracer::builder) without
//! a sampler keeps one trace in a thousand ([`SamplingRate::DEFAULT`]), and so does a `Config` if the feature
//! `remote-sampler` is off.
//!
//! # Which one answers when?
//!
//! A trace is decided once, by the first of these that applies:
//!
//! | when | what decides | until then |
//! |---|---|---|
//! | a span starts whose caller sent a decision | the caller: the sampler is not asked, unless it [weighs](Sampler::weighs_dropped_traces) what callers drop | |
//! | a root starts whose caller sent a header `jaeger-debug-id` | the caller, if the [`throttler`](crate::throttler) allows it: the trace is kept, with the flag *debug* | |
//! | a root starts, or a span whose caller left the decision open | the sampler | |
//! | the root gets another name before its first child, injection or end | the sampler, if it [depends](Sampler::depends_on_operation_name) on the name: the new answer replaces the first | kept or dropped by the first answer |
//! | a span of an undecided trace starts, gets a tag or a name, or finishes | the sampler, as far as it is [interested](Sampler::interests) | all spans are recorded and wait, within limits |
//! | the local root of an undecided trace finishes | the sampler, for the last time | |
//!
//! The tag [`sampling.priority`](crate::model::tags::SAMPLING_PRIORITY) overrules all of them at any time: above 0
//! keeps the trace with the flag *debug*, 0 drops it. What was injected before stays as it was.
//!
//! [`JaegerTracer::explain_sampling`](crate::JaegerTracer::explain_sampling) says what the sampler would do with a new
//! trace:
//!
//! ```
//! use tracehound::JaegerTracer;
//! use tracehound::sampler::{
//!     OperationStrategies, PerOperationSampler, SamplingRate, TracesPerSecond,
//! };
//!
//! let strategies = OperationStrategies::new(SamplingRate::new(0.001)?, TracesPerSecond::from(0))
//!     .operation("GET /health", SamplingRate::ZERO);
//! let sampler = PerOperationSampler::new(strategies);
//! let tracer = JaegerTracer::builder("shop").sampler(sampler).build()?;
//! assert_eq!(
//!     tracer.explain_sampling("GET /health"),
//!     "per operation, listed: probabilistic, drops every trace"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How do I write one?
//!
//! A type that implements [`Sampler`]. This one waits until the program knows whose request it is:
//!
//! ```
//! use tracehound::JaegerTracer;
//! use tracehound::model::TagRef;
//! use tracehound::prelude::*;
//! use tracehound::reporter::InMemoryReporter;
//! use tracehound::sampler::{Sampler, SamplerTags, SamplingDecision, SpanView};
//!
//! /// Keeps the traces of one tenant.
//! struct Tenant(&'static str);
//!
//! impl Sampler for Tenant {
//!     fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
//!         SamplingDecision::Delay
//!     }
//!
//!     fn on_set_tag(&self, _: &SpanView<'_>, key: &str, value: TagRef<'_>) -> SamplingDecision {
//!         match value {
//!             TagRef::String(name) if key == "tenant" && name == self.0 => {
//!                 SamplingDecision::Sample(SamplerTags::new("tenant", true))
//!             }
//!             TagRef::String(_) if key == "tenant" => SamplingDecision::Drop,
//!             _ => SamplingDecision::Delay,
//!         }
//!     }
//! }
//!
//! let spans = InMemoryReporter::new();
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(Tenant("acme"))
//!     .reporter(spans.clone())
//!     .build()?;
//! for tenant in ["acme", "other"] {
//!     let root = tracer.start_span("checkout");
//!     tracer.build_span("read cart").child_of(&root).start().finish();
//!     root.set_tag("tenant", tenant);
//! }
//! assert_eq!(spans.spans().len(), 2); // both spans of one trace
//! # Ok::<(), tracehound::tracer::BuildError>(())
//! ```
//!
//! To count, to warn or to read the tracer's clock, it takes the tracer's [`Services`] in [`Sampler::attach`].

mod constant;
mod decision;
mod guaranteed_throughput;
mod interests;
mod keep;
mod per_operation;
mod priority;
mod probabilistic;
mod rate;
mod rate_limiter;
mod rate_limiting;
#[cfg(feature = "remote-sampler")]
pub mod remote;
mod tag_matching;

use std::any::type_name;

use crate::model::TagRef;
use crate::services::Services;

pub use self::constant::ConstSampler;
pub(crate) use self::decision::{Notes, TagList};
pub use self::decision::{SamplerTags, SamplingDecision, SpanView};
pub use self::guaranteed_throughput::GuaranteedThroughputSampler;
pub use self::interests::Interests;
pub use self::keep::KeepSampler;
pub use self::per_operation::{OperationStrategies, PerOperationSampler};
pub use self::priority::PrioritySampler;
pub use self::probabilistic::ProbabilisticSampler;
pub use self::rate::{SamplingRate, SamplingRateError, TracesPerSecond, TracesPerSecondError};
pub(crate) use self::rate_limiter::RateLimiter;
pub use self::rate_limiting::RateLimitingSampler;
#[cfg(feature = "remote-sampler")]
pub use self::tag_matching::TagMatchingError;
pub use self::tag_matching::TagMatchingSampler;

/// A policy that decides which traces are kept.
///
/// The tracer calls it on the program's threads and holds no lock meanwhile. A panic is caught and counted; the trace
/// is then dropped if it has just begun, and stays undecided otherwise. After a hundred panics the sampler is not
/// called any more.
///
/// The page of the [module](self) has an example.
///
/// This sampler leaves every decision to another one, and counts what it kept:
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// use tracehound::model::{TagRef, TraceId};
/// use tracehound::sampler::{ConstSampler, Interests, Sampler, SamplingDecision, SpanView};
/// use tracehound::services::Services;
///
/// struct Counting<S> {
///     inner: S,
///     kept: AtomicU64,
/// }
///
/// impl<S: Sampler> Counting<S> {
///     fn count(&self, decision: SamplingDecision) -> SamplingDecision {
///         if matches!(decision, SamplingDecision::Sample(_)) {
///             self.kept.fetch_add(1, Relaxed);
///         }
///         decision
///     }
/// }
///
/// impl<S: Sampler> Sampler for Counting<S> {
///     fn attach(&mut self, services: &Services) {
///         self.inner.attach(services);
///     }
///
///     fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
///         self.count(self.inner.on_create_span(span))
///     }
///
///     fn on_set_operation_name(&self, span: &SpanView<'_>) -> SamplingDecision {
///         self.count(self.inner.on_set_operation_name(span))
///     }
///
///     fn on_set_tag(
///         &self,
///         span: &SpanView<'_>,
///         key: &str,
///         value: TagRef<'_>,
///     ) -> SamplingDecision {
///         self.count(self.inner.on_set_tag(span, key, value))
///     }
///
///     fn on_finish_span(&self, span: &SpanView<'_>) -> SamplingDecision {
///         self.count(self.inner.on_finish_span(span))
///     }
///
///     fn depends_on_operation_name(&self) -> bool {
///         self.inner.depends_on_operation_name()
///     }
///
///     fn interests(&self) -> Interests {
///         self.inner.interests()
///     }
///
///     fn weighs_dropped_traces(&self) -> bool {
///         self.inner.weighs_dropped_traces()
///     }
///
///     fn constant_decision(&self) -> Option<SamplingDecision> {
///         None // otherwise the tracer would not ask, and nothing would be counted
///     }
///
///     fn description(&self) -> String {
///         format!("counted {}", self.inner.description())
///     }
///
///     fn explain(&self, operation_name: &str) -> String {
///         self.inner.explain(operation_name)
///     }
///
///     fn close(&self) {
///         self.inner.close();
///     }
/// }
///
/// let sampler = Counting { inner: ConstSampler::new(true), kept: AtomicU64::new(0) };
/// let id = TraceId::new(0, 1).expect("not zero");
/// sampler.on_create_span(&SpanView::new(id, "checkout", true));
/// assert_eq!(sampler.kept.load(Relaxed), 1);
/// assert_eq!(sampler.description(), "counted const 1");
/// assert_eq!(sampler.explain("checkout"), "const, keeps every trace");
/// ```
pub trait Sampler: Send + Sync {
    /// Takes the tracer's services: where to count and to warn, what time it is. The tracer's builder calls it once,
    /// before anything else. By default does nothing.
    ///
    /// A forked child shares the sampler with its parent: see [`Services::generation`].
    fn attach(&mut self, _services: &Services) {}

    /// Decides about a span that starts in a trace without a decision. The span has no tags yet.
    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision;

    /// Decides when a span of an undecided trace gets another name, and in the case that
    /// [`Sampler::depends_on_operation_name`] describes. By default calls [`Sampler::on_create_span`].
    fn on_set_operation_name(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.on_create_span(span)
    }

    /// Decides when a span of an undecided trace gets a tag, before the tag is set. By default leaves the trace
    /// undecided.
    fn on_set_tag(&self, _span: &SpanView<'_>, _key: &str, _value: TagRef<'_>) -> SamplingDecision {
        SamplingDecision::Delay
    }

    /// Decides when a span of an undecided trace finishes. By default leaves the trace undecided.
    fn on_finish_span(&self, _span: &SpanView<'_>) -> SamplingDecision {
        SamplingDecision::Delay
    }

    /// Returns whether the decision depends on the operation name. By default false.
    ///
    /// If so, the tracer asks again when a local root gets another name before its decision was used by a child, an
    /// injection or its end. A layer outside of a router can thus start it as `HTTP GET`.
    fn depends_on_operation_name(&self) -> bool {
        false
    }

    /// Returns what the sampler wants to be asked about while a trace is undecided. The tracer's builder asks once. By
    /// default everything.
    ///
    /// A sampler that never answers [`SamplingDecision::Delay`] may return [`Interests::nothing`], which makes samplers
    /// that wrap it faster.
    fn interests(&self) -> Interests {
        Interests::everything()
    }

    /// Returns whether the sampler also weighs traces that the caller, in another process, has dropped. By default
    /// false. The tracer's builder asks once.
    ///
    /// If so, such a trace begins undecided here. The sampler is not asked about its first span, but then as
    /// [`interests`](Self::interests) say, with [`SpanView::is_dropped_by_caller`] set. If it keeps the trace, the
    /// spans of this process are kept, and those of services that are called from then on.
    fn weighs_dropped_traces(&self) -> bool {
        false
    }

    /// Returns the decision about every local root, if it never changes. The tracer asks for it once, and then no more
    /// when a trace begins. By default there is none.
    fn constant_decision(&self) -> Option<SamplingDecision> {
        None
    }

    /// Returns what the sampler is called in a line of text: its `sampler.type` and its parameter, such as
    /// `probabilistic 0.01`. By default the name of its type.
    fn description(&self) -> String {
        short_type_name::<Self>().to_owned()
    }

    /// Says in a line of text what would become of a new trace that begins with this operation, and why: which part of
    /// the sampler answers, by which probability or limit. Decides nothing and spends nothing. By default returns
    /// [`Sampler::description`].
    ///
    /// For people. [`JaegerTracer::explain_sampling`](crate::JaegerTracer::explain_sampling) asks the sampler of a
    /// tracer.
    fn explain(&self, _operation_name: &str) -> String {
        self.description()
    }

    /// Takes note that the tracer closes. Called once; by default does nothing.
    fn close(&self) {}
}

/// Returns a type's name without path and parameters.
pub(crate) fn short_type_name<T: ?Sized>() -> &'static str {
    let name = type_name::<T>();
    let name = name.split('<').next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}

impl Sampler for Box<dyn Sampler> {
    fn attach(&mut self, services: &Services) {
        (**self).attach(services);
    }

    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        (**self).on_create_span(span)
    }

    fn on_set_operation_name(&self, span: &SpanView<'_>) -> SamplingDecision {
        (**self).on_set_operation_name(span)
    }

    fn on_set_tag(&self, span: &SpanView<'_>, key: &str, value: TagRef<'_>) -> SamplingDecision {
        (**self).on_set_tag(span, key, value)
    }

    fn on_finish_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        (**self).on_finish_span(span)
    }

    fn depends_on_operation_name(&self) -> bool {
        (**self).depends_on_operation_name()
    }

    fn interests(&self) -> Interests {
        (**self).interests()
    }

    fn weighs_dropped_traces(&self) -> bool {
        (**self).weighs_dropped_traces()
    }

    fn constant_decision(&self) -> Option<SamplingDecision> {
        (**self).constant_decision()
    }

    fn description(&self) -> String {
        (**self).description()
    }

    fn explain(&self, operation_name: &str) -> String {
        (**self).explain(operation_name)
    }

    fn close(&self) {
        (**self).close();
    }
}

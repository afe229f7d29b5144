//! Which traces to keep.
//!
//! A sampler is asked once a trace, when its first span starts in the process where the trace begins; the
//! answer travels with the trace. A sampler may also put its answer off ([`SamplingDecision::Delay`]) until it
//! has seen a tag or a name.
//!
//! | sampler | keeps |
//! |---|---|
//! | [`ConstSampler`] | all or nothing |
//! | [`ProbabilisticSampler`] | a share of the traces, chosen by trace id |
//! | [`RateLimitingSampler`] | so many traces a second |
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

mod constant;
mod decision;
mod probabilistic;
mod rate;
mod rate_limiter;
mod rate_limiting;

use std::any::type_name;

use crate::model::TagRef;
use crate::services::Services;

pub use self::constant::ConstSampler;
pub use self::decision::{SamplerTags, SamplingDecision, SpanView};
pub use self::probabilistic::ProbabilisticSampler;
pub use self::rate::{SamplingRate, SamplingRateError, TracesPerSecond, TracesPerSecondError};
pub use self::rate_limiting::RateLimitingSampler;

/// Decides which traces are kept.
///
/// Called on the program's threads, never with a lock of ours held. A panic is caught and counted, and the
/// trace is then not kept.
pub trait Sampler: Send + Sync {
    /// Takes the tracer's services: where to count and to warn, what time it is. The tracer's builder calls it once,
    /// before anything else. By default nothing.
    ///
    /// A forked child shares the sampler with its parent: see [`Services::generation`].
    fn attach(&mut self, _services: &Services) {}

    /// Asked when a span starts whose trace has no decision yet, before its tags are set.
    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision;

    /// Asked when a span of an undecided trace is renamed, and as [`Sampler::depends_on_operation_name`] says.
    /// By default the same as [`Sampler::on_create_span`].
    fn on_set_operation_name(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.on_create_span(span)
    }

    /// Asked for every tag of a span whose trace is undecided. By default undecided.
    fn on_set_tag(&self, _span: &SpanView<'_>, _key: &str, _value: TagRef<'_>) -> SamplingDecision {
        SamplingDecision::Delay
    }

    /// Asked when a span of an undecided trace finishes. By default undecided.
    fn on_finish_span(&self, _span: &SpanView<'_>) -> SamplingDecision {
        SamplingDecision::Delay
    }

    /// Whether the answer depends on the operation name. A local root that is renamed before anybody has seen
    /// its decision (a child, an injection, its end) is then asked for again, so that a layer outside of a
    /// router can start it as `HTTP GET`. By default false.
    fn depends_on_operation_name(&self) -> bool {
        false
    }

    /// The answer to [`Sampler::on_create_span`] for every local root, where it is always the same: the tracer asks for
    /// it once and then never again when a trace begins. By default there is none.
    fn constant_decision(&self) -> Option<SamplingDecision> {
        None
    }

    /// Returns what the sampler is called in a line of text: its `sampler.type` and its parameter, such as
    /// `probabilistic 0.01`. By default the name of its type.
    fn description(&self) -> String {
        short_type_name::<Self>().to_owned()
    }

    /// Called once when the tracer closes.
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

    fn constant_decision(&self) -> Option<SamplingDecision> {
        (**self).constant_decision()
    }

    fn description(&self) -> String {
        (**self).description()
    }

    fn close(&self) {
        (**self).close();
    }
}

use crate::clock::Clock;
use crate::sampler::rate_limiter::RateLimiter;
use crate::sampler::{Sampler, TracesPerSecond};
use crate::sampler::{SamplerTags, SamplingDecision, SpanView};
use crate::services::Services;

/// Keeps so many traces a second.
///
/// A leaky bucket that holds `max(rate, 1)` traces and starts full: at 5 a second a burst of 5 is kept, then
/// one every 200 ms; at 0.1, one at once and then one every 10 s. At 0 nothing is kept, whereas
/// jaeger-client-go keeps one. Takes no lock; steps of the wall clock do not matter.
///
/// Tags what it keeps with `sampler.type=ratelimiting` and `sampler.param`, the rate as a double.
///
/// ```
/// use tracehound::model::TraceId;
/// use tracehound::sampler::{
///     RateLimitingSampler, Sampler, SamplingDecision, SpanView, TracesPerSecond,
/// };
///
/// let sampler = RateLimitingSampler::new(TracesPerSecond::from(1));
/// let root = SpanView::new(TraceId::new(0, 1).expect("not zero"), "checkout", true);
/// assert!(matches!(sampler.on_create_span(&root), SamplingDecision::Sample(_)));
/// assert!(matches!(sampler.on_create_span(&root), SamplingDecision::Drop));
/// ```
#[derive(Debug)]
pub struct RateLimitingSampler {
    rate: TracesPerSecond,
    limiter: RateLimiter,
    /// The user has chosen the clock.
    keeps_clock: bool,
}

impl RateLimitingSampler {
    /// Makes a sampler that keeps `rate`.
    pub fn new(rate: TracesPerSecond) -> Self {
        Self {
            rate,
            limiter: RateLimiter::new(rate.get(), Clock::system()),
            keeps_clock: false,
        }
    }

    /// Tells the time by another clock, such as a [`ManualClock`](crate::clock::ManualClock) in a test. The
    /// bucket is full again.
    ///
    /// Defaults to the clock of the tracer, and to [`Clock::system`] before the sampler belongs to one.
    #[must_use]
    pub fn clock(self, clock: impl Into<Clock>) -> Self {
        Self {
            limiter: RateLimiter::new(self.rate.get(), clock.into()),
            keeps_clock: true,
            ..self
        }
    }

    /// Returns how many traces a second it keeps.
    pub const fn rate(&self) -> TracesPerSecond {
        self.rate
    }
}

impl Sampler for RateLimitingSampler {
    /// Tells the time by the tracer's clock from now on, unless the user has chosen another one. The bucket is full again.
    fn attach(&mut self, services: &Services) {
        if !self.keeps_clock {
            self.limiter = RateLimiter::new(self.rate.get(), services.clock().clone());
        }
    }

    /// Undecided for a span that is not a local root: the root's answer holds for it.
    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        if !span.is_local_root {
            SamplingDecision::Delay
        } else if self.limiter.try_spend(1.0) {
            SamplingDecision::Sample(SamplerTags::new("ratelimiting", self.rate.get()))
        } else {
            SamplingDecision::Drop
        }
    }

    /// Nothing new: the name does not matter, and a trace is paid for once.
    fn on_set_operation_name(&self, _span: &SpanView<'_>) -> SamplingDecision {
        SamplingDecision::Delay
    }

    fn description(&self) -> String {
        format!("ratelimiting {}", self.rate.get())
    }
}

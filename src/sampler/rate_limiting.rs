use crate::clock::Clock;
use crate::sampler::rate_limiter::RateLimiter;
use crate::sampler::{Interests, Sampler, TracesPerSecond};
use crate::sampler::{SamplerTags, SamplingDecision, SpanView};
use crate::services::Services;

/// A sampler that keeps a number of traces a second.
///
/// It is a leaky bucket that holds `max(rate, 1)` traces and starts full. At 5 a second it keeps a burst of 5, then
/// one every 200 ms; at 0.1, one at once and then one every 10 s. At 0 it keeps nothing, whereas jaeger-client-go
/// keeps one. It takes no lock, and steps of the wall clock do not affect it.
///
/// The first span of a kept trace gets the tags `sampler.type=ratelimiting` and `sampler.param`, the rate as a double.
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
    /// Makes a sampler that keeps `rate` traces.
    pub fn new(rate: TracesPerSecond) -> Self {
        Self {
            rate,
            limiter: RateLimiter::new(rate.get(), Clock::system()),
            keeps_clock: false,
        }
    }

    /// Sets the clock, such as a [`ManualClock`](crate::clock::ManualClock) in a test, and fills the bucket.
    ///
    /// Defaults to the clock of the tracer, and to [`Clock::system`] before the sampler belongs to one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::clock::ManualClock;
    /// use tracehound::model::TraceId;
    /// use tracehound::sampler::{
    ///     RateLimitingSampler, Sampler, SamplingDecision, SpanView, TracesPerSecond,
    /// };
    ///
    /// let clock = ManualClock::default();
    /// let sampler = RateLimitingSampler::new(TracesPerSecond::from(2)).clock(clock.clone());
    /// assert_eq!(sampler.rate().get(), 2.0);
    ///
    /// let root = SpanView::new(TraceId::new(0, 1).expect("not zero"), "checkout", true);
    /// let keeps = || matches!(sampler.on_create_span(&root), SamplingDecision::Sample(_));
    /// assert!(keeps() && keeps() && !keeps(), "a burst of two");
    /// clock.advance(Duration::from_millis(500));
    /// assert!(keeps() && !keeps());
    /// ```
    #[must_use]
    pub fn clock(self, clock: impl Into<Clock>) -> Self {
        Self {
            limiter: RateLimiter::new(self.rate.get(), clock.into()),
            keeps_clock: true,
            ..self
        }
    }

    /// Returns a sampler of another rate with this one's bucket, as full in proportion. This one keeps nothing from now
    /// on.
    #[cfg(feature = "remote-sampler")]
    pub(super) fn succeeded_by(&self, rate: TracesPerSecond) -> Self {
        Self {
            rate,
            limiter: self.limiter.succeeded_by(rate.get()),
            keeps_clock: self.keeps_clock,
        }
    }

    /// Returns whether a successor has the bucket.
    #[cfg(feature = "remote-sampler")]
    pub(super) fn has_moved(&self) -> bool {
        self.limiter.has_moved()
    }

    /// Returns how many traces a second the sampler keeps.
    pub const fn rate(&self) -> TracesPerSecond {
        self.rate
    }
}

impl Sampler for RateLimitingSampler {
    /// Takes the tracer's clock, unless the user has chosen another one, and fills the bucket.
    fn attach(&mut self, services: &Services) {
        if !self.keeps_clock {
            self.limiter = RateLimiter::new(self.rate.get(), services.clock().clone());
        }
    }

    /// Leaves a span undecided that is not a local root: the root's decision holds for it.
    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        if !span.is_local_root {
            SamplingDecision::Delay
        } else if self.limiter.try_spend(1.0) {
            SamplingDecision::Sample(SamplerTags::new("ratelimiting", self.rate.get()))
        } else {
            SamplingDecision::Drop
        }
    }

    /// Leaves the decision as it is: the name does not matter, and a trace costs one credit.
    fn on_set_operation_name(&self, _span: &SpanView<'_>) -> SamplingDecision {
        SamplingDecision::Delay
    }

    fn interests(&self) -> Interests {
        Interests::nothing()
    }

    fn description(&self) -> String {
        format!("ratelimiting {}", self.rate.get())
    }

    fn explain(&self, _operation_name: &str) -> String {
        match self.rate.get() {
            0.0 => "ratelimiting, drops every trace".to_owned(),
            rate => format!(
                "ratelimiting, keeps {rate} traces a second, {}",
                self.limiter
            ),
        }
    }
}

use std::fmt;
use std::sync::Arc;

use crate::clock::Clock;
use crate::sampler::rate_limiter::RateLimiter;
use crate::sampler::{
    Interests, ProbabilisticSampler, Sampler, SamplerTags, SamplingDecision, SamplingRate,
    SpanView, TracesPerSecond,
};
use crate::services::Services;

/// A sampler that keeps a share of the traces, and more if the share gives less than a number of traces a second, the
/// *lower bound*.
///
/// It asks a [`ProbabilisticSampler`] first. A trace that this one drops is kept if the bucket of the lower bound,
/// which holds `max(lower bound, 1)` traces and starts full, has a credit for it. Every kept trace costs a credit if
/// there is one, so the bound adds nothing while the probability gives enough. A lower bound of 0 adds nothing at all:
/// with a probability of 0 such a sampler keeps no trace, whereas the one of jaeger-client-go keeps one.
///
/// The first span of a kept trace gets the tags `sampler.type`, which is `probabilistic` or `lowerbound`, and
/// `sampler.param`, the probability in both cases, as in all Jaeger clients: Jaeger's adaptive sampling reads it.
///
/// ```
/// use tracehound::model::{TagValue, TraceId};
/// use tracehound::sampler::{
///     GuaranteedThroughputSampler, Sampler, SamplingDecision, SamplingRate, SpanView,
///     TracesPerSecond,
/// };
///
/// let one_in_ten_seconds = TracesPerSecond::new(0.1)?;
/// let sampler = GuaranteedThroughputSampler::new(SamplingRate::new(0.001)?, one_in_ten_seconds);
/// let unlikely = TraceId::new(0, 0x7fff_ffff_ffff_ffff).expect("not zero");
/// let root = SpanView::new(unlikely, "checkout", true);
/// let SamplingDecision::Sample(tags) = sampler.on_create_span(&root) else {
///     unreachable!("the bucket starts full");
/// };
/// assert_eq!((tags.kind(), tags.param()), ("lowerbound", &TagValue::Double(0.001)));
/// assert!(matches!(sampler.on_create_span(&root), SamplingDecision::Drop));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct GuaranteedThroughputSampler {
    throughput: Throughput,
    /// The user has chosen the clock.
    keeps_clock: bool,
}

impl GuaranteedThroughputSampler {
    /// Makes a sampler that keeps the share `rate`, and at least `lower_bound` traces if so many begin.
    pub fn new(rate: SamplingRate, lower_bound: TracesPerSecond) -> Self {
        Self {
            throughput: Throughput::new(rate, lower_bound, Clock::system()),
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
    ///     GuaranteedThroughputSampler, Sampler, SamplingDecision, SamplingRate, SpanView,
    ///     TracesPerSecond,
    /// };
    ///
    /// let clock = ManualClock::default();
    /// let one_a_second = TracesPerSecond::from(1);
    /// let sampler = GuaranteedThroughputSampler::new(SamplingRate::ZERO, one_a_second);
    /// let sampler = sampler.clock(clock.clone());
    /// assert_eq!((sampler.rate(), sampler.lower_bound()), (SamplingRate::ZERO, one_a_second));
    ///
    /// let root = SpanView::new(TraceId::new(0, 1).expect("not zero"), "checkout", true);
    /// let keeps = || matches!(sampler.on_create_span(&root), SamplingDecision::Sample(_));
    /// assert!(keeps() && !keeps());
    /// clock.advance(Duration::from_secs(1));
    /// assert!(keeps());
    /// ```
    #[must_use]
    pub fn clock(self, clock: impl Into<Clock>) -> Self {
        Self {
            throughput: self.throughput.refilled(clock.into()),
            keeps_clock: true,
        }
    }

    /// Returns the share of the traces that the sampler keeps in any case.
    pub const fn rate(&self) -> SamplingRate {
        self.throughput.rate()
    }

    /// Returns how many traces a second the sampler keeps even if the share gives less.
    pub const fn lower_bound(&self) -> TracesPerSecond {
        self.throughput.lower_bound
    }
}

impl Sampler for GuaranteedThroughputSampler {
    /// Takes the tracer's clock, unless the user has chosen another one, and fills the bucket.
    fn attach(&mut self, services: &Services) {
        if !self.keeps_clock {
            self.throughput = self.throughput.refilled(services.clock().clone());
        }
    }

    /// Leaves a span undecided that is not a local root: the root's decision holds for it.
    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        if span.is_local_root {
            self.throughput.decide(span)
        } else {
            SamplingDecision::Delay
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
        self.throughput.to_string()
    }

    fn explain(&self, operation_name: &str) -> String {
        self.throughput.explain(operation_name)
    }
}

/// A probability with a lower bound. Clones share the bucket.
#[derive(Clone, Debug)]
pub(super) struct Throughput {
    probabilistic: ProbabilisticSampler,
    lower_bound: TracesPerSecond,
    limiter: Arc<RateLimiter>,
}

impl Throughput {
    /// Makes one with a full bucket.
    pub(super) fn new(rate: SamplingRate, lower_bound: TracesPerSecond, clock: Clock) -> Self {
        Self {
            probabilistic: ProbabilisticSampler::new(rate),
            lower_bound,
            limiter: Arc::new(RateLimiter::new(lower_bound.get(), clock)),
        }
    }

    /// Returns one with a full bucket and another clock.
    pub(super) fn refilled(&self, clock: Clock) -> Self {
        Self::new(self.rate(), self.lower_bound, clock)
    }

    /// Returns one with other numbers that takes over the bucket: as it is if the lower bound stays, else in
    /// proportion, and then this one grants nothing any more.
    pub(super) fn succeeded_by(&self, rate: SamplingRate, lower_bound: TracesPerSecond) -> Self {
        let limiter = if lower_bound == self.lower_bound && !self.limiter.has_moved() {
            self.limiter.clone()
        } else {
            Arc::new(self.limiter.succeeded_by(lower_bound.get()))
        };
        Self {
            probabilistic: ProbabilisticSampler::new(rate),
            lower_bound,
            limiter,
        }
    }

    /// Returns whether a new one with these numbers would decide alike.
    pub(super) fn is_as_new(&self) -> bool {
        self.limiter.is_full()
    }

    /// Returns whether the bucket has gone to a successor, so that this one keeps nothing by its lower bound.
    #[cfg(feature = "remote-sampler")]
    pub(super) fn has_moved(&self) -> bool {
        self.limiter.has_moved()
    }

    pub(super) const fn rate(&self) -> SamplingRate {
        self.probabilistic.rate()
    }

    /// Decides about a local root.
    #[inline]
    pub(super) fn decide(&self, root: &SpanView<'_>) -> SamplingDecision {
        // Charged in both cases, so that the bound tops up what the probability gives.
        if self.probabilistic.keeps(root) {
            self.limiter.try_spend(1.0);
            SamplingDecision::Sample(self.probabilistic.tags())
        } else if self.limiter.try_spend(1.0) {
            SamplingDecision::Sample(SamplerTags::new("lowerbound", self.rate().get()))
        } else {
            SamplingDecision::Drop
        }
    }

    /// Says what would become of a new trace.
    pub(super) fn explain(&self, operation_name: &str) -> String {
        let share = self.probabilistic.explain(operation_name);
        match self.lower_bound.get() {
            0.0 => share,
            bound => format!(
                "{share}; lowerbound, keeps {bound} a second, {}",
                self.limiter
            ),
        }
    }
}

impl fmt::Display for Throughput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rate, lower_bound) = (self.rate().get(), self.lower_bound.get());
        write!(f, "probabilistic {rate}, lowerbound {lower_bound}/s")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::ManualClock;
    use crate::model::{Process, TraceId};

    #[test]
    fn the_users_clock_stays_and_the_tracers_replaces_none() {
        for has_own in [false, true] {
            let [own, tracers] = [ManualClock::default(), ManualClock::default()];
            let mut sampler = GuaranteedThroughputSampler::new(SamplingRate::ZERO, 1.into());
            if has_own {
                sampler = sampler.clock(own.clone());
            }
            let services = Services::detached(Process::new("shop", vec![]));
            sampler.attach(&services.with_clock(tracers.clone()));
            let id = TraceId::new(0, 1).expect("not zero");
            let root = SpanView::new(id, "checkout", true);
            let keeps = || matches!(sampler.on_create_span(&root), SamplingDecision::Sample(_));
            assert!(keeps() && !keeps(), "one in a burst");
            tracers.advance(Duration::from_secs(1));
            assert_eq!(keeps(), !has_own);
            own.advance(Duration::from_secs(1));
            assert_eq!(keeps(), has_own);
        }
    }
}

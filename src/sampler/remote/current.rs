use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};

use crate::clock::Clock;
use crate::sampler::remote::Strategy;
use crate::sampler::{
    ConstSampler, PerOperationSampler, ProbabilisticSampler, RateLimitingSampler, Sampler,
};
use crate::services::Services;
use crate::sync::PerProcess;

/// The present behaviour of a remote sampler. The deciding threads read it, and the poller's thread changes it.
pub(super) struct Current {
    active: ArcSwap<Active>,
    health: PerProcess<Mutex<Health>>,
    is_closed: AtomicBool,
    /// Set when a tracer has the sampler.
    clock: OnceLock<Clock>,
}

/// The sampler that decides, and its story.
#[derive(Clone)]
pub(super) struct Active {
    pub(super) kind: Kind,
    pub(super) origin: Origin,
    /// The strategy that the sampler follows; `None` for the initial sampler.
    pub(super) strategy: Option<Strategy>,
    /// The time of the clock since which it decides like this.
    pub(super) since: Duration,
}

/// Who has told the sampler what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The program.
    Initial,
    /// The file of an earlier run.
    File,
    /// The source of strategies.
    Fetched,
}

#[derive(Clone)]
pub(super) enum Kind {
    Initial(Arc<dyn Sampler>),
    Probabilistic(ProbabilisticSampler),
    RateLimiting(Arc<RateLimitingSampler>),
    PerOperation(Arc<PerOperationSampler>),
}

/// How the fetches go.
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    /// The time of the clock at the last reply that was a strategy.
    pub(super) last_reply: Option<Duration>,
    /// The reason why the last fetch failed, if it did.
    pub(super) error: Option<String>,
}

impl Current {
    /// Makes one without a sampler: the initial one is with the owner until a tracer has it.
    pub(super) fn new() -> Self {
        Self {
            active: ArcSwap::from_pointee(Active {
                kind: Kind::Initial(Arc::new(ConstSampler::new(false))),
                origin: Origin::Initial,
                strategy: None,
                since: Duration::ZERO,
            }),
            health: PerProcess::new(Mutex::default()),
            is_closed: AtomicBool::new(false),
            clock: OnceLock::new(),
        }
    }

    /// Returns the sampler that decides now. Takes no lock.
    #[inline]
    pub(super) fn load(&self) -> Guard<Arc<Active>> {
        self.active.load()
    }

    pub(super) fn set(&self, active: Active) {
        self.active.store(Arc::new(active));
    }

    pub(super) fn set_clock(&self, clock: Clock) {
        let _ = self.clock.set(clock);
    }

    /// Returns whether a tracer has the sampler.
    pub(super) fn is_attached(&self) -> bool {
        self.clock.get().is_some()
    }

    /// Returns the time of the tracer's clock.
    pub(super) fn now(&self) -> Duration {
        self.clock.get().map_or(Duration::ZERO, Clock::monotonic)
    }

    pub(super) fn health(&self) -> Health {
        self.lock().clone()
    }

    /// Takes note of a fetch, and returns what there was to say before.
    pub(super) fn replace_health(&self, health: Health) -> Health {
        mem::replace(&mut self.lock(), health)
    }

    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Health> {
        let health = self.health.get(|_| Mutex::default());
        health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Active {
    #[inline]
    pub(super) fn sampler(&self) -> &dyn Sampler {
        match &self.kind {
            Kind::Initial(sampler) => &**sampler,
            Kind::Probabilistic(sampler) => sampler,
            Kind::RateLimiting(sampler) => &**sampler,
            Kind::PerOperation(sampler) => &**sampler,
        }
    }

    /// Returns whether the bucket has gone to a limiter that a forked child does not have: its parent was about to make
    /// that one count.
    fn is_stranded(&self) -> bool {
        match &self.kind {
            Kind::Initial(_) | Kind::Probabilistic(_) => false,
            Kind::RateLimiting(sampler) => sampler.has_moved(),
            Kind::PerOperation(sampler) => sampler.has_moved(),
        }
    }
}

/// Makes samplers of strategies. It keeps those of other kinds, so that a strategy that comes back finds its operations
/// and its bucket as they were left.
pub(super) struct Follower {
    services: Services,
    max_operations: usize,
    limiter: Option<Arc<RateLimitingSampler>>,
    per_operation: Option<Arc<PerOperationSampler>>,
}

impl Follower {
    /// Makes a follower that goes on from the sampler that is active.
    pub(super) fn new(active: &Active, services: Services, max_operations: usize) -> Self {
        let mut follower = Self {
            services,
            max_operations,
            limiter: None,
            per_operation: None,
        };
        match &active.kind {
            Kind::RateLimiting(sampler) => follower.limiter = Some(sampler.clone()),
            Kind::PerOperation(sampler) => follower.per_operation = Some(sampler.clone()),
            Kind::Initial(_) | Kind::Probabilistic(_) => {}
        }
        follower
    }

    /// Makes a strategy count. Returns the strategy or initial sampler before, in words, if that changes anything.
    pub(super) fn follow(
        &mut self,
        current: &Current,
        strategy: &Strategy,
        origin: Origin,
    ) -> Option<String> {
        let before = current.load();
        let old = before.strategy.as_ref().filter(|_| !before.is_stranded());
        let is_same = old.is_some_and(|old| old.is_same(strategy));
        if is_same && before.origin == origin {
            return None;
        }
        let (kind, since) = match is_same {
            true => (before.kind.clone(), before.since),
            false => (self.kind(strategy), self.services.clock().monotonic()),
        };
        current.set(Active {
            kind,
            origin,
            strategy: Some(strategy.clone()),
            since,
        });
        (!is_same).then(|| match &before.strategy {
            Some(strategy) => strategy.to_string(),
            None => before.sampler().description(),
        })
    }

    fn kind(&mut self, strategy: &Strategy) -> Kind {
        match strategy {
            Strategy::Probabilistic(rate) => Kind::Probabilistic(ProbabilisticSampler::new(*rate)),
            Strategy::RateLimiting(rate) => {
                let sampler = match self.limiter.take() {
                    Some(sampler) if sampler.rate() == *rate && !sampler.has_moved() => sampler,
                    Some(sampler) => Arc::new(sampler.succeeded_by(*rate)),
                    None => Arc::new(self.attached(RateLimitingSampler::new(*rate))),
                };
                self.limiter = Some(sampler.clone());
                Kind::RateLimiting(sampler)
            }
            Strategy::PerOperation(strategies) => {
                let sampler = match self.per_operation.take() {
                    Some(sampler) => {
                        sampler.update(strategies.clone());
                        sampler
                    }
                    None => {
                        let sampler = PerOperationSampler::new(strategies.clone());
                        Arc::new(self.attached(sampler.max_operations(self.max_operations)))
                    }
                };
                self.per_operation = Some(sampler.clone());
                Kind::PerOperation(sampler)
            }
        }
    }

    fn attached<S: Sampler>(&self, mut sampler: S) -> S {
        sampler.attach(&self.services);
        sampler
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::model::{Process, TraceId};
    use crate::sampler::{
        OperationStrategies, SamplingDecision, SamplingRate, SpanView, TracesPerSecond,
    };

    #[test]
    fn a_limiter_that_was_left_without_its_bucket_is_replaced_by_the_same_strategy() {
        let clock = ManualClock::default();
        let services = Services::detached(Process::new("shop", vec![])).with_clock(clock.clone());
        let (current, strategy) = (
            Current::new(),
            Strategy::RateLimiting(TracesPerSecond::from(5)),
        );
        let mut parent = Follower::new(&current.load(), services.clone(), 10);
        parent.follow(&current, &strategy, Origin::Fetched);
        let Kind::RateLimiting(limiter) = &current.load().kind else {
            panic!("a limiter");
        };
        // What a fork may copy: the bucket has moved, and its new owner does not count yet.
        drop(limiter.succeeded_by(TracesPerSecond::from(6)));
        let mut child = Follower::new(&current.load(), services, 10);
        child.follow(&current, &strategy, Origin::Fetched);
        clock.advance(Duration::from_secs(1));
        let id = TraceId::new(0, 1).expect("not zero");
        let root = SpanView::new(id, "checkout", true);
        let decision = current.load().sampler().on_create_span(&root);
        assert!(matches!(decision, SamplingDecision::Sample(_)));
    }

    #[test]
    fn operations_that_were_left_without_their_buckets_get_new_ones_by_the_same_strategy() {
        let clock = ManualClock::default();
        let services = Services::detached(Process::new("shop", vec![])).with_clock(clock.clone());
        let of_bound = |bound: u32| {
            OperationStrategies::new(SamplingRate::ZERO, TracesPerSecond::from(bound))
                .operation("checkout", SamplingRate::ZERO)
        };
        let (current, strategy) = (Current::new(), Strategy::PerOperation(of_bound(5)));
        let mut parent = Follower::new(&current.load(), services.clone(), 10);
        parent.follow(&current, &strategy, Origin::Fetched);
        let Kind::PerOperation(sampler) = &current.load().kind else {
            panic!("by operation");
        };
        // What a fork may copy: the buckets have moved, and the table that has them is not in effect yet.
        sampler.prepare_update(of_bound(6));
        let mut child = Follower::new(&current.load(), services, 10);
        child.follow(&current, &strategy, Origin::Fetched);
        clock.advance(Duration::from_secs(1));
        let id = TraceId::new(0, u64::MAX >> 1).expect("not zero");
        let root = SpanView::new(id, "checkout", true);
        let decision = current.load().sampler().on_create_span(&root);
        assert!(matches!(decision, SamplingDecision::Sample(_)));
    }
}

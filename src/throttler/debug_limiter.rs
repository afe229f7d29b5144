use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::clock::Clock;
use crate::sampler::{RateLimiter, TracesPerSecond};
use crate::services::Services;
use crate::throttler::Throttler;

/// A throttler that allows a number of debug traces a second, for each operation and in all.
///
/// It has a leaky bucket for each operation and one for all operations together, all of them full at first. A debug
/// trace takes a credit from both buckets, or is denied if one of them is empty. The bucket of the operation is asked
/// first: a caller that floods one operation does not use up the credits of others.
///
/// The first [`max_operations`](Self::max_operations) operations have buckets of their own, and all others share one.
/// It remembers the hash of a name and not the name, so its memory is bounded whatever names callers make up. It takes
/// no lock.
///
/// ```
/// use tracehound::sampler::TracesPerSecond;
/// use tracehound::throttler::{DebugLimiter, Throttler};
///
/// let limiter = DebugLimiter::new()
///     .per_operation(TracesPerSecond::new(0.1)?)
///     .total(TracesPerSecond::from(5))
///     .burst(2);
/// let allowed = (0..100).filter(|_| limiter.is_allowed("GET /cart"));
/// assert_eq!(allowed.count(), 2); // the third one in ten seconds
/// # Ok::<(), tracehound::sampler::TracesPerSecondError>(())
/// ```
pub struct DebugLimiter {
    rates: Rates,
    max_operations: usize,
    clock: Clock,
    /// The user has chosen the clock.
    keeps_clock: bool,
    /// The bucket of all operations together.
    total: RateLimiter,
    /// The bucket of the operations that have none of their own.
    others: RateLimiter,
    /// The buckets of operations, by the hash of the name. Two names with one hash share a bucket, which does no harm.
    buckets: ArcSwap<HashMap<u64, Arc<RateLimiter>>>,
    hasher: RandomState,
}

#[derive(Clone, Copy, Debug)]
struct Rates {
    per_operation: TracesPerSecond,
    total: TracesPerSecond,
    burst: u32,
}

impl DebugLimiter {
    /// How many operations have buckets of their own by default.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::clock::ManualClock;
    /// use tracehound::throttler::{DebugLimiter, Throttler};
    ///
    /// let clock = ManualClock::default();
    /// let limiter = DebugLimiter::new()
    ///     .max_operations(DebugLimiter::MAX_OPERATIONS / 2)
    ///     .clock(clock.clone());
    /// assert!(limiter.is_allowed("GET /cart") && !limiter.is_allowed("GET /cart"));
    /// clock.advance(Duration::from_secs(1));
    /// assert!(limiter.is_allowed("GET /cart"));
    /// ```
    pub const MAX_OPERATIONS: usize = 2_000;

    /// Makes a limiter that allows one debug trace a second for each operation, and ten in all.
    pub fn new() -> Self {
        let rates = Rates {
            per_operation: TracesPerSecond::from(1),
            total: TracesPerSecond::from(10),
            burst: 1,
        };
        let clock = Clock::system();
        Self {
            max_operations: Self::MAX_OPERATIONS,
            keeps_clock: false,
            total: rates.total_bucket(&clock),
            others: rates.bucket(&clock),
            buckets: ArcSwap::default(),
            hasher: RandomState::new(),
            rates,
            clock,
        }
    }

    /// Sets how many debug traces a second an operation may have on average. At 0 it has none. Defaults to 1.
    #[must_use]
    pub fn per_operation(mut self, rate: TracesPerSecond) -> Self {
        self.rates.per_operation = rate;
        self.refill();
        self
    }

    /// Sets how many debug traces a second all operations may have together. At 0 there are none. Defaults to 10.
    #[must_use]
    pub fn total(mut self, rate: TracesPerSecond) -> Self {
        self.rates.total = rate;
        self.refill();
        self
    }

    /// Sets how many debug traces an operation may have at once, after it had none for a while.
    ///
    /// A bucket never holds less than a second's credits, nor less than one. Defaults to 1.
    #[must_use]
    pub fn burst(mut self, traces: u32) -> Self {
        self.rates.burst = traces;
        self.refill();
        self
    }

    /// Sets how many operations have buckets of their own. All others share one. Defaults to
    /// [`MAX_OPERATIONS`](Self::MAX_OPERATIONS).
    #[must_use]
    pub fn max_operations(mut self, operations: usize) -> Self {
        self.max_operations = operations;
        self
    }

    /// Sets the clock, such as a [`ManualClock`](crate::clock::ManualClock) in a test, and fills the buckets.
    ///
    /// Defaults to the clock of the tracer, and to [`Clock::system`] before the limiter belongs to one.
    #[must_use]
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self.keeps_clock = true;
        self.refill();
        self
    }

    fn refill(&mut self) {
        self.total = self.rates.total_bucket(&self.clock);
        self.others = self.rates.bucket(&self.clock);
        self.buckets = ArcSwap::default();
    }

    /// Takes a credit of the operation, if its bucket has one.
    fn try_spend(&self, operation_name: &str) -> bool {
        let hash = self.hasher.hash_one(operation_name);
        let buckets = self.buckets.load();
        if let Some(bucket) = buckets.get(&hash) {
            return bucket.try_spend(1.0);
        }
        if buckets.len() >= self.max_operations {
            return self.others.try_spend(1.0);
        }
        let bucket = Arc::new(self.rates.bucket(&self.clock));
        self.buckets.rcu(|buckets| {
            let mut buckets = HashMap::clone(buckets);
            // Another thread may have added this operation or the last one that has room.
            if buckets.len() < self.max_operations {
                buckets.entry(hash).or_insert_with(|| bucket.clone());
            }
            buckets
        });
        let buckets = self.buckets.load();
        buckets
            .get(&hash)
            .map_or(&self.others, |bucket| bucket)
            .try_spend(1.0)
    }
}

impl Rates {
    fn bucket(self, clock: &Clock) -> RateLimiter {
        let rate = self.per_operation.get();
        RateLimiter::with_capacity(rate, rate.max(self.burst.into()), clock.clone())
    }

    fn total_bucket(self, clock: &Clock) -> RateLimiter {
        let rate = self.total.get();
        RateLimiter::with_capacity(rate, rate.max(self.burst.into()), clock.clone())
    }
}

impl Default for DebugLimiter {
    /// Returns the limiter that [`new`](Self::new) makes.
    fn default() -> Self {
        Self::new()
    }
}

impl Throttler for DebugLimiter {
    /// Takes the tracer's clock, unless the user has chosen another one, and fills the buckets.
    fn attach(&mut self, services: &Services) {
        if !self.keeps_clock {
            self.clock = services.clock().clone();
            self.refill();
        }
    }

    fn is_allowed(&self, operation_name: &str) -> bool {
        self.try_spend(operation_name) && self.total.try_spend(1.0)
    }
}

impl fmt::Debug for DebugLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DebugLimiter")
            .field("rates", &self.rates)
            .field("operations", &self.buckets.load().len())
            .finish_non_exhaustive()
    }
}

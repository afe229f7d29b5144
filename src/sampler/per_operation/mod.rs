mod strategies;
mod table;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use self::table::Table;
use crate::clock::Clock;
use crate::sampler::{Interests, Sampler, SamplingDecision, SpanView};
use crate::services::Services;
use crate::sync::PerProcess;

pub use self::strategies::OperationStrategies;

/// A sampler that decides by operation: each has a probability and a lower bound of its own.
///
/// An operation is decided as by a [`GuaranteedThroughputSampler`](crate::sampler::GuaranteedThroughputSampler). One
/// that is not listed in the [`OperationStrategies`] has the default probability; the sampler *learns* it when its
/// first trace begins, so its first trace is kept if there is a lower bound. The sampler holds at most 2000 operations
/// ([`PerOperationSampler::max_operations`]), listed and learned ones together. The rest shares one
/// [`ProbabilisticSampler`](crate::sampler::ProbabilisticSampler) of the default probability, without a lower bound.
///
/// # What happens at a rename?
///
/// The decision depends on the operation name, so the tracer asks again if a local root gets another name before its
/// first child, injection or end. The new name's answer then counts, whether it keeps or drops the trace. The first
/// name has been learned all the same, and has spent a credit if it kept the trace. Provisional names should thus be
/// few: `HTTP GET`, not a path.
///
/// # What does an update keep?
///
/// [`PerOperationSampler::update`] keeps learned operations, and every bucket at its level: in proportion if the lower
/// bound has changed, so that half a bucket stays half a bucket. An operation that is not listed any more counts as
/// learned. jaeger-client-go forgets all operations that are not listed and gives each a full bucket when it comes
/// again, which keeps a trace of each operation for every poll.
///
/// # Cost
///
/// A decision takes no lock and allocates nothing, also while an update runs. To learn an operation copies the table,
/// which takes some 20 µs if it is nearly full.
///
/// ```
/// use tracehound::model::TraceId;
/// use tracehound::sampler::{
///     OperationStrategies, PerOperationSampler, Sampler, SamplingDecision, SamplingRate, SpanView,
///     TracesPerSecond,
/// };
///
/// let strategies = OperationStrategies::new(SamplingRate::ZERO, TracesPerSecond::from(1))
///     .operation("pay", SamplingRate::ONE);
/// let sampler = PerOperationSampler::new(strategies);
/// let id = TraceId::new(0, 1).expect("not zero");
/// let is_kept = |name| {
///     let root = SpanView::new(id, name, true);
///     matches!(sampler.on_create_span(&root), SamplingDecision::Sample(_))
/// };
/// assert!(is_kept("pay") && is_kept("pay"));
/// assert!(is_kept("search"), "the first one, by the lower bound");
/// assert!(!is_kept("search"));
///
/// sampler.update(OperationStrategies::new(SamplingRate::ZERO, TracesPerSecond::from(1)));
/// assert!(!is_kept("search"), "its bucket is as empty as before");
/// ```
pub struct PerOperationSampler {
    table: ArcSwap<Table>,
    /// Held during an update. Operations are learned without it.
    updating: PerProcess<Mutex<()>>,
    max_operations: usize,
    clock: Clock,
    /// The user has chosen the clock.
    keeps_clock: bool,
    services: Option<Services>,
}

impl PerOperationSampler {
    /// Makes a sampler with full buckets.
    pub fn new(strategies: OperationStrategies) -> Self {
        let clock = Clock::system();
        let table = Table::new(Arc::new(strategies), MAX_OPERATIONS, &clock);
        Self {
            table: ArcSwap::from_pointee(table),
            updating: PerProcess::new(Mutex::default()),
            max_operations: MAX_OPERATIONS,
            clock,
            keeps_clock: false,
            services: None,
        }
    }

    /// Sets how many operations may have a probability and a bucket of their own, and fills the buckets.
    ///
    /// Listed operations come first; those beyond the limit are left out and a line tells how many.
    ///
    /// Defaults to 2000, as in all Jaeger clients.
    ///
    /// ```
    /// use tracehound::clock::ManualClock;
    /// use tracehound::sampler::{
    ///     OperationStrategies, PerOperationSampler, SamplingRate, TracesPerSecond,
    /// };
    ///
    /// let strategies = OperationStrategies::new(SamplingRate::ONE, TracesPerSecond::from(1));
    /// let sampler = PerOperationSampler::new(strategies.clone())
    ///     .max_operations(100)
    ///     .clock(ManualClock::default());
    /// assert_eq!(sampler.strategies(), strategies);
    /// ```
    #[must_use]
    pub fn max_operations(mut self, operations: usize) -> Self {
        self.max_operations = operations;
        self.refill();
        self
    }

    /// Sets the clock, such as a [`ManualClock`](crate::clock::ManualClock) in a test, and fills the buckets.
    ///
    /// Defaults to the clock of the tracer, and to [`Clock::system`] before the sampler belongs to one.
    #[must_use]
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self.keeps_clock = true;
        self.refill();
        self
    }

    /// Replaces the strategies while other threads decide. They never wait for it.
    ///
    /// What lives on is described [above](PerOperationSampler#what-does-an-update-keep). If the operations are more
    /// than the sampler may hold, learned ones give way: first those that had no trace for so long that their bucket is
    /// full, then the latest.
    pub fn update(&self, strategies: OperationStrategies) {
        let lock = self.updating.get(|_| Mutex::default());
        let _only_one = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let strategies = Arc::new(strategies);
        let mut moved = HashMap::new();
        // Goes round again only if another thread has learned an operation meanwhile.
        self.table.rcu(|table| {
            table.succeeded_by(
                strategies.clone(),
                self.max_operations,
                &self.clock,
                &mut moved,
            )
        });
        self.warn_of_left_out();
    }

    /// Returns the strategies that the sampler follows now.
    pub fn strategies(&self) -> OperationStrategies {
        (*self.table.load().strategies).clone()
    }

    /// Does the first half of an update: takes the buckets out of the table that is in effect.
    #[cfg(all(test, feature = "remote-sampler"))]
    pub(super) fn prepare_update(&self, strategies: OperationStrategies) {
        let mut moved = HashMap::new();
        let max = self.max_operations;
        let table = self.table.load();
        table.succeeded_by(Arc::new(strategies), max, &self.clock, &mut moved);
    }

    /// Returns whether a bucket has gone to a table that a forked child does not have: its parent was in the middle of
    /// an update.
    #[cfg(feature = "remote-sampler")]
    pub(super) fn has_moved(&self) -> bool {
        self.table.load().has_moved()
    }

    /// Fills all buckets and forgets learned operations.
    fn refill(&mut self) {
        let strategies = self.table.load().strategies.clone();
        let table = Table::new(strategies, self.max_operations, &self.clock);
        self.table.store(Arc::new(table));
    }

    /// Gives the operation of a local root a place, if there is room, and decides.
    #[cold]
    fn learn(&self, root: &SpanView<'_>) -> SamplingDecision {
        let mut table = self.table.load_full();
        loop {
            if let Some(operation) = table.get(root.operation_name) {
                return operation.throughput.decide(root);
            }
            if table.len() >= self.max_operations {
                return table.rest.on_create_span(root);
            }
            let next = Arc::new(table.with_learned(root.operation_name, &self.clock));
            let found = self.table.compare_and_swap(&table, next.clone());
            table = if Arc::ptr_eq(&found, &table) {
                next
            } else {
                Arc::clone(&found)
            };
        }
    }

    fn warn_of_left_out(&self) {
        let Some(services) = &self.services else {
            return;
        };
        let table = self.table.load();
        let listed: HashSet<_> = table
            .strategies
            .operations()
            .map(|(name, _)| name)
            .collect();
        let left_out = listed.len() - table.listed();
        if left_out > 0 {
            services.diagnostics().warn("per_operation_sampler", || {
                let max = self.max_operations;
                format!(
                    "per-operation sampling: {left_out} of {} listed operations are beyond the limit of {max} and \
                     follow the default",
                    listed.len()
                )
            });
        }
    }
}

impl Sampler for PerOperationSampler {
    /// Takes the tracer's clock, unless the user has chosen another one, and fills the buckets.
    fn attach(&mut self, services: &Services) {
        if !self.keeps_clock {
            self.clock = services.clock().clone();
            self.refill();
        }
        self.services = Some(services.clone());
        self.warn_of_left_out();
    }

    /// Leaves a span undecided that is not a local root: the root's decision holds for it.
    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        if !span.is_local_root {
            return SamplingDecision::Delay;
        }
        let table = self.table.load();
        if let Some(operation) = table.get(span.operation_name) {
            operation.throughput.decide(span)
        } else if table.len() >= self.max_operations {
            table.rest.on_create_span(span)
        } else {
            drop(table);
            self.learn(span)
        }
    }

    fn depends_on_operation_name(&self) -> bool {
        true
    }

    fn interests(&self) -> Interests {
        Interests::nothing()
    }

    /// Returns the defaults and the number of listed operations, such as
    /// `per operation, 3 listed, else probabilistic 0.001, lowerbound 0.1/s`.
    fn description(&self) -> String {
        let table = self.table.load();
        format!(
            "per operation, {} listed, else {}, lowerbound {}/s",
            table.listed(),
            table.rest.description(),
            table.strategies.default_lower_bound().get()
        )
    }

    fn explain(&self, operation_name: &str) -> String {
        let table = self.table.load();
        let (standing, answer) = match table.get(operation_name) {
            Some(operation) => {
                let standing = operation.learned.map_or("listed", |_| "learned");
                (standing, operation.throughput.explain(operation_name))
            }
            None if table.len() < self.max_operations => {
                let learned = table.new_throughput(&self.clock);
                ("not seen yet", learned.explain(operation_name))
            }
            None => ("no place left", table.rest.explain(operation_name)),
        };
        format!("per operation, {standing}: {answer}")
    }
}

impl fmt::Debug for PerOperationSampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.table.load();
        f.debug_struct("PerOperationSampler")
            .field("default_rate", &table.strategies.default_rate())
            .field(
                "default_lower_bound",
                &table.strategies.default_lower_bound(),
            )
            .field("listed", &table.listed())
            .field("learned", &(table.len() - table.listed()))
            .field("max_operations", &self.max_operations)
            .finish()
    }
}

/// How many operations a sampler holds by default, as in all Jaeger clients.
const MAX_OPERATIONS: usize = 2_000;

use std::collections::HashMap;
use std::sync::Arc;

use crate::clock::Clock;
use crate::sampler::guaranteed_throughput::Throughput;
use crate::sampler::{OperationStrategies, ProbabilisticSampler};

/// The operations at one moment. A change makes another table, which shares the buckets.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) strategies: Arc<OperationStrategies>,
    /// Decides about operations that have no place.
    pub(super) rest: ProbabilisticSampler,
    operations: HashMap<Arc<str>, Operation>,
    /// The number of operations that were learned so far.
    learned: u64,
}

/// An operation with a place in the table.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) throughput: Throughput,
    /// When it was learned, as a number that grows; `None` if it is listed.
    pub(super) learned: Option<u64>,
}

impl Table {
    /// Makes a table of the listed operations, with full buckets.
    pub(super) fn new(strategies: Arc<OperationStrategies>, max: usize, clock: &Clock) -> Self {
        let empty = Self {
            rest: ProbabilisticSampler::new(strategies.default_rate()),
            strategies: strategies.clone(),
            operations: HashMap::new(),
            learned: 0,
        };
        empty.succeeded_by(strategies, max, clock, &mut HashMap::new())
    }

    /// Returns the operation's place.
    #[inline]
    pub(super) fn get(&self, name: &str) -> Option<&Operation> {
        self.operations.get(name)
    }

    pub(super) fn len(&self) -> usize {
        self.operations.len()
    }

    /// Returns how many operations are listed.
    pub(super) fn listed(&self) -> usize {
        let is_listed = |operation: &&Operation| operation.learned.is_none();
        self.operations.values().filter(is_listed).count()
    }

    /// Returns whether a bucket has gone to a table that is not in effect.
    #[cfg(feature = "remote-sampler")]
    pub(super) fn has_moved(&self) -> bool {
        let mut operations = self.operations.values();
        operations.any(|operation| operation.throughput.has_moved())
    }

    /// Returns the defaults with a full bucket, for an operation that is learned.
    pub(super) fn new_throughput(&self, clock: &Clock) -> Throughput {
        Throughput::new(
            self.strategies.default_rate(),
            self.strategies.default_lower_bound(),
            clock.clone(),
        )
    }

    /// Returns the table with one more operation.
    pub(super) fn with_learned(&self, name: &str, clock: &Clock) -> Self {
        let mut table = self.clone();
        table.learn(name.into(), self.new_throughput(clock));
        table
    }

    /// Returns the table for other strategies. Operations keep their buckets, in proportion if the lower bound changes.
    /// Those that are not listed any more count as learned.
    ///
    /// `moved` holds the buckets that an earlier attempt has taken out of this table or of one before it.
    pub(super) fn succeeded_by(
        &self,
        strategies: Arc<OperationStrategies>,
        max: usize,
        clock: &Clock,
        moved: &mut HashMap<Arc<str>, Throughput>,
    ) -> Self {
        let default_rate = strategies.default_rate();
        let lower_bound = strategies.default_lower_bound();
        let mut rates = HashMap::new();
        for (name, rate) in strategies.operations() {
            if rates.len() < max || rates.contains_key(name) {
                rates.insert(name, rate);
            }
        }

        let mut next = Self {
            rest: ProbabilisticSampler::new(default_rate),
            operations: HashMap::with_capacity(rates.len().max(self.len()).min(max)),
            strategies: strategies.clone(),
            learned: self.learned,
        };
        let mut unlisted = Vec::new();
        for (name, operation) in &self.operations {
            let rate = rates.remove(&**name);
            let throughput = moved
                .remove(name)
                .unwrap_or_else(|| operation.throughput.clone())
                .succeeded_by(rate.unwrap_or(default_rate), lower_bound);
            moved.insert(name.clone(), throughput.clone());
            match rate {
                Some(_) => next.list(name.clone(), throughput),
                None => unlisted.push((operation.learned.unwrap_or(u64::MAX), name, throughput)),
            }
        }
        for (name, rate) in rates {
            let throughput = Throughput::new(rate, lower_bound, clock.clone());
            next.list(name.into(), throughput);
        }
        let room = max.saturating_sub(next.len());
        if unlisted.len() >= room {
            // A full table could learn nothing. One whose bucket is full loses nothing when it is learned again.
            unlisted.retain(|(_, _, throughput)| !throughput.is_as_new());
        }
        // The list comes first. Of the others, those stay that were learned first.
        unlisted.sort_unstable_by_key(|(learned, name, _)| (*learned, *name));
        for (_, name, throughput) in unlisted.into_iter().take(room) {
            next.learn(name.clone(), throughput);
        }
        next
    }

    fn list(&mut self, name: Arc<str>, throughput: Throughput) {
        let learned = None;
        let operation = Operation {
            throughput,
            learned,
        };
        self.operations.insert(name, operation);
    }

    fn learn(&mut self, name: Arc<str>, throughput: Throughput) {
        let operation = Operation {
            throughput,
            learned: Some(self.learned),
        };
        self.learned += 1;
        self.operations.insert(name, operation);
    }
}

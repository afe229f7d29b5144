use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use crate::middleware::database::vocabulary;
use crate::model::{SpanId, TraceId, field, tags};
use crate::span::Span;
use crate::sync::PerProcess;

/// Counts how often a statement runs under one parent.
pub(super) struct Repeats {
    limit: u32,
    hasher: RandomState,
    /// A forked child counts anew: a thread that it does not have may hold the lock.
    counts: PerProcess<Counts>,
}

type Counts = Mutex<Box<[Count; PLACES]>>;

/// The number of counts that are kept. One that has the place of another replaces it.
const PLACES: usize = 512;

#[derive(Clone, Copy, Default)]
struct Count {
    /// The hash of the parent and the statement.
    key: u64,
    seen: u32,
}

impl Repeats {
    pub(super) fn new(limit: u32) -> Self {
        Self {
            limit,
            hasher: RandomState::new(),
            counts: PerProcess::new(no_counts()),
        }
    }

    /// Counts a statement. Returns whether it is the first one beyond the limit.
    pub(super) fn exceeds(&self, parent: (Option<TraceId>, SpanId), statement: &str) -> bool {
        let key = self.hasher.hash_one((parent, statement));
        let place = (key % PLACES as u64) as usize;
        let counts = self.counts.get(|_| no_counts()).lock();
        let mut counts = counts.unwrap_or_else(PoisonError::into_inner);
        let count = &mut counts[place];
        if count.key != key {
            *count = Count { key, seen: 0 };
        }
        count.seen = count.seen.saturating_add(1);
        self.limit.checked_add(1) == Some(count.seen)
    }

    /// Marks the span under which a statement is repeated.
    pub(super) fn mark(&self, span: &Span, name: Option<&str>, statement: Option<&str>) {
        let [name, statement] = vocabulary::call_fields(span.tag_names(), name, statement);
        span.set_tag("db.repeated", true).log([
            field(tags::EVENT, "repeated_statement"),
            name,
            statement,
            field("limit", self.limit),
        ]);
    }
}

fn no_counts() -> Counts {
    Mutex::new(Box::new([Count::default(); PLACES]))
}

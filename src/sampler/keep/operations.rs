//! The knowledge of a sampler about each operation, in bounded memory.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::clock::Clock;
use crate::sampler::TracesPerSecond;
use crate::sampler::keep::durations::Durations;
use crate::sampler::rate_limiter::RateLimiter;

/// A table of operations by name, which threads read and extend without a lock.
///
/// It never forgets a name. Names that find no room, and very long ones, share one entry.
#[derive(Debug)]
pub(super) struct Operations {
    /// A hash table with open addressing. At most half of it is filled.
    entries: Box<[OnceLock<Box<Operation>>]>,
    len: AtomicUsize,
    others: Operation,
    clock: Clock,
    limit: TracesPerSecond,
}

/// The budgets and durations of one operation.
#[derive(Debug)]
pub(super) struct Operation {
    name: Box<str>,
    /// How many traces are kept at which the span failed, and at which it did not.
    failed: RateLimiter,
    succeeded: RateLimiter,
    pub(super) durations: Durations,
}

impl Operations {
    /// Makes an empty table. Each operation keeps `limit` traces of failures, and as many others.
    pub(super) fn new(limit: TracesPerSecond, clock: Clock) -> Self {
        Self {
            entries: (0..2 * MOST.next_power_of_two())
                .map(|_| OnceLock::new())
                .collect(),
            len: AtomicUsize::new(0),
            others: Operation::new("", limit, &clock),
            clock,
            limit,
        }
    }

    /// Returns the entry of an operation, which is made if there is none and there is room.
    #[inline]
    pub(super) fn of(&self, name: &str) -> &Operation {
        let mask = self.entries.len() - 1;
        let first = hash(name) as usize;
        for step in 0..MOST_STEPS {
            let entry = &self.entries[first.wrapping_add(step) & mask];
            match entry.get() {
                Some(operation) if *operation.name == *name => return operation,
                Some(_) => {}
                None => match self.learn(entry, name) {
                    Some(operation) if *operation.name == *name => return operation,
                    // Another thread has taken the entry for another name.
                    Some(_) => {}
                    None => return &self.others,
                },
            }
        }
        &self.others
    }

    #[cold]
    fn learn<'a>(&self, entry: &'a OnceLock<Box<Operation>>, name: &str) -> Option<&'a Operation> {
        if name.len() > LONGEST {
            return None;
        }
        let len = &self.len;
        let room = len.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |len| {
            (len < MOST).then_some(len + 1)
        });
        room.ok()?;
        let mut is_new = false;
        let operation = entry.get_or_init(|| {
            is_new = true;
            Box::new(Operation::new(name, self.limit, &self.clock))
        });
        if !is_new {
            len.fetch_sub(1, Ordering::Relaxed);
        }
        Some(operation)
    }
}

impl Operation {
    fn new(name: &str, limit: TracesPerSecond, clock: &Clock) -> Self {
        let limiter = || RateLimiter::new(limit.get(), clock.clone());
        Self {
            name: name.into(),
            failed: limiter(),
            succeeded: limiter(),
            durations: Durations::new(),
        }
    }

    /// Returns whether one more trace may be kept.
    pub(super) fn may_keep(&self, has_failed: bool) -> bool {
        let limiter = if has_failed {
            &self.failed
        } else {
            &self.succeeded
        };
        limiter.try_spend(1.0)
    }
}

/// Mixes eight bytes at a time by a multiplication, as Fibonacci hashing does.
fn hash(name: &str) -> u64 {
    let mut hash = name.len() as u64;
    let mut add = |word: u64| hash = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (words, rest) = name.as_bytes().as_chunks::<8>();
    for word in words {
        add(u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    add(u64::from_le_bytes(last));
    // The upper bits are the well mixed ones.
    hash >> 32
}

/// The most names that have an entry of their own.
const MOST: usize = 2_000;
/// The longest name that has an entry of its own, in bytes.
const LONGEST: usize = 1_024;
/// How many entries are looked at. Names that are made to collide share an entry, and cost no more than this.
const MOST_STEPS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use std::collections::HashMap;
    use std::ptr;
    use std::thread;
    use std::time::Duration;

    fn operations(limit: u32) -> Operations {
        Operations::new(limit.into(), ManualClock::default().into())
    }

    /// Returns two names that are looked for at one entry first, and its place.
    fn colliding(operations: &Operations) -> ([String; 2], usize) {
        let mut seen = HashMap::new();
        let mut names = (0..).map(|n| format!("operation {n}"));
        let pair = names.find_map(|name| {
            let at = hash(&name) as usize & (operations.entries.len() - 1);
            let other = seen.insert(at, name.clone())?;
            Some(([other, name], at))
        });
        pair.expect("there are more names than entries")
    }

    #[test]
    fn names_that_collide_have_entries_of_their_own() {
        let operations = operations(1);
        let (names, _) = colliding(&operations);
        for round in 0..2 {
            for name in &names {
                assert_eq!(*operations.of(name).name, **name, "round {round}");
            }
        }
    }

    #[test]
    fn a_name_whose_entry_another_thread_takes_meanwhile_finds_the_next_one() {
        let operations = operations(1);
        let ([first, second], at) = colliding(&operations);
        let own_name = thread::scope(|scope| {
            let mut later = None;
            operations.entries[at].get_or_init(|| {
                later = Some(scope.spawn(|| &*operations.of(&second).name));
                // It is counted once it has seen the entry empty.
                let clock = Clock::system();
                let deadline = clock.monotonic() + Duration::from_secs(10);
                while operations.len.load(Ordering::Relaxed) == 0 {
                    assert!(clock.monotonic() < deadline, "it does not come");
                    thread::yield_now();
                }
                Box::new(Operation::new(&first, 1.into(), &operations.clock))
            });
            let later = later.expect("the entry was empty");
            later.join().expect("no panic")
        });
        assert_eq!(own_name, second);
        assert_eq!(*operations.of(&first).name, *first);
        assert_eq!(operations.len.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_name_finds_its_entry_again() {
        let operations = operations(1);
        for round in 0..2 {
            for name in ["", "a", "GET /cart", "GET /cart/{id}/items", "12345678"] {
                assert_eq!(&*operations.of(name).name, name, "round {round}");
            }
        }
        assert_eq!(operations.len.load(Ordering::Relaxed), 5);
    }

    #[test]
    fn names_beyond_the_bound_and_very_long_ones_share_an_entry() {
        let operations = operations(1);
        let long = "x".repeat(LONGEST + 1);
        assert!(ptr::eq(operations.of(&long), &operations.others));
        assert!(!ptr::eq(operations.of(&long[1..]), &operations.others));
        for n in 0..10 * MOST {
            operations.of(&format!("operation {n}"));
        }
        assert!(operations.len.load(Ordering::Relaxed) <= MOST);
        assert!(ptr::eq(operations.of("another"), &operations.others));
        let own = (0..MOST).filter(|n| {
            let operation = operations.of(&format!("operation {n}"));
            !ptr::eq(operation, &operations.others)
        });
        // Few collide.
        assert!(own.count() > MOST * 99 / 100);
    }

    #[test]
    fn threads_that_learn_a_name_at_once_share_its_entry() {
        for _ in 0..50 {
            let operations = operations(3);
            let kept: usize = thread::scope(|scope| {
                let spend = || {
                    let keeps = |_: &u32| operations.of("GET /cart").may_keep(true);
                    (0..10).filter(keeps).count()
                };
                let threads = [scope.spawn(spend), scope.spawn(spend)];
                threads
                    .map(|thread| thread.join().expect("no panic"))
                    .iter()
                    .sum()
            });
            assert_eq!(kept, 3);
            assert_eq!(operations.len.load(Ordering::Relaxed), 1);
        }
    }
}

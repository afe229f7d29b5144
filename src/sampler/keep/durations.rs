//! Learns how long an operation takes, in memory of constant size.

use std::array;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::sampler::SamplingRate;

/// An estimate of the duration that only a given share of an operation's spans exceeds.
///
/// It counts durations in buckets, four for each doubling, from a microsecond to more than an hour. The estimate is the
/// upper edge of the bucket in which the quantile lies, so it is up to a fifth too high and never too low. It is taken
/// anew once in 64 durations. From time to time all counts are halved, so that it follows the operation.
///
/// Threads may add durations at once. Then a count may be off by a few, which changes nothing that matters.
#[derive(Debug)]
pub(super) struct Durations {
    counts: [AtomicU32; BUCKETS],
    total: AtomicU32,
    /// In nanoseconds; [`u64::MAX`] as long as too few durations are known.
    limit: AtomicU64,
}

impl Durations {
    pub(super) fn new() -> Self {
        Self {
            counts: array::from_fn(|_| AtomicU32::new(0)),
            total: AtomicU32::new(0),
            limit: AtomicU64::new(u64::MAX),
        }
    }

    /// Adds a duration. Returns whether it is beyond the estimate that was made from those before it.
    #[inline]
    pub(super) fn add(&self, nanos: u64, slowest: SamplingRate) -> bool {
        let is_slow = nanos > self.limit.load(Ordering::Relaxed);
        self.counts[bucket(nanos)].fetch_add(1, Ordering::Relaxed);
        let total = self.total.fetch_add(1, Ordering::Relaxed) + 1;
        if total.is_multiple_of(RENEWAL) {
            self.renew(total, slowest.get());
        }
        is_slow
    }

    #[cold]
    fn renew(&self, total: u32, slowest: f64) {
        if f64::from(total) * slowest < 1.0 || total < MINIMUM {
            return;
        }
        // Ends in the bucket with the slowest share's first duration, counted from above.
        let mut beyond = f64::from(total) * slowest;
        let mut limit = 0;
        for (bucket, count) in self.counts.iter().enumerate().rev() {
            beyond -= f64::from(count.load(Ordering::Relaxed));
            if beyond < 0.0 {
                limit = upper_edge(bucket);
                break;
            }
        }
        self.limit.store(limit, Ordering::Relaxed);
        // At least sixteen durations in the slowest share before they are halved.
        if total >= WINDOW && f64::from(total) * slowest >= 16.0 || total >= LARGEST_WINDOW {
            self.halve();
        }
    }

    fn halve(&self) {
        let mut removed = 0;
        for count in &self.counts {
            // In one step: if two threads each took half of the same count from it twice, it could fall below zero.
            let halve = |count: u32| Some(count - count / 2);
            let before = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, halve);
            removed += before.unwrap_or_default() / 2;
        }
        self.total.fetch_sub(removed, Ordering::Relaxed);
    }
}

/// Returns the bucket of a duration: its highest bit and the two below.
fn bucket(nanos: u64) -> usize {
    let micros = (nanos >> 10).max(4);
    let highest = micros.ilog2();
    let quarter = (micros >> (highest - 2)) & 3;
    let bucket = (highest as usize - 2) * 4 + quarter as usize;
    bucket.min(BUCKETS - 1)
}

/// Returns the longest duration of a bucket, in nanoseconds.
fn upper_edge(bucket: usize) -> u64 {
    if bucket == BUCKETS - 1 {
        return u64::MAX;
    }
    let next = bucket as u64 + 1;
    let (doublings, quarter) = (next / 4, next % 4);
    (((4 + quarter) << doublings) << 10) - 1
}

/// From 4 µs to about 1 h 10 min.
const BUCKETS: usize = 120;
/// After how many durations the estimate is taken anew.
const RENEWAL: u32 = 64;
/// How many durations the first estimate needs.
const MINIMUM: u32 = 128;
/// How many durations are counted before all counts are halved.
const WINDOW: u32 = 4_096;
const LARGEST_WINDOW: u32 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn share(share: f64) -> SamplingRate {
        SamplingRate::new(share).expect("a share")
    }

    #[test]
    fn buckets_follow_each_other_without_gaps() {
        for at in 0..BUCKETS - 1 {
            let edge = upper_edge(at);
            assert_eq!((bucket(edge), bucket(edge + 1)), (at, at + 1), "{at}");
        }
        assert_eq!((bucket(0), bucket(u64::MAX)), (0, BUCKETS - 1));
        assert!(upper_edge(BUCKETS - 2) > 3_600 * 1_000_000_000);
        assert_eq!(upper_edge(BUCKETS - 1), u64::MAX);
    }

    #[test]
    fn nothing_is_slow_until_enough_durations_are_known() {
        let durations = Durations::new();
        for _ in 0..MINIMUM - 1 {
            assert!(!durations.add(1_000_000, share(0.01)));
        }
        assert!(!durations.add(u64::MAX, share(0.01)));
        assert!(durations.add(2_000_000, share(0.01)));
    }

    #[test]
    fn nothing_is_slow_until_the_share_has_room_for_one_duration() {
        let durations = Durations::new();
        let share = share(1.0 / 256.0);
        for n in 1..256_u64 {
            // One is longer than the others.
            let millis = 1 + u64::from(n == 200);
            assert!(!durations.add(millis * 1_000_000, share), "{n}");
        }
        assert!(!durations.add(1_000_000, share));
        assert!(durations.add(2_000_000, share));
    }

    #[test]
    fn the_slowest_share_is_found_and_followed_when_the_operation_changes() {
        let durations = Durations::new();
        // A linear spread of durations from 1 to 10 ms, and then from 10 to 100 ms.
        for scale in [1_u64, 10] {
            let mut slow = 0;
            for n in 0..100_000_u64 {
                let nanos = scale * (1_000_000 + n.wrapping_mul(7_919) % 9_000_000);
                let is_slow = durations.add(nanos, share(0.2));
                slow += u64::from(is_slow && n >= 50_000);
            }
            // A fifth of 50 000, and fewer by what lies between the quantile, 8.2 ms, and the edge of its bucket.
            assert!((8_000..=10_100).contains(&slow), "{slow} at {scale}");
            let limit = durations.limit.load(Ordering::Relaxed) / scale;
            assert!(
                (8_200_000..9_900_000).contains(&limit),
                "{limit} at {scale}"
            );
        }
    }

    #[test]
    fn counts_are_halved_once_the_share_has_sixteen() {
        for (one_in, expected) in [(16, WINDOW), (256, WINDOW), (1_024, 16_384)] {
            let durations = Durations::new();
            let total = || durations.total.load(Ordering::Relaxed);
            for n in 1..expected {
                durations.add(1_000_000, share(1.0 / f64::from(one_in)));
                assert_eq!(total(), n, "one in {one_in}");
            }
            durations.add(1_000_000, share(1.0 / f64::from(one_in)));
            assert_eq!(total(), expected / 2, "one in {one_in}");
        }
    }

    #[test]
    fn threads_that_halve_at_once_take_no_count_below_zero() {
        for _ in 0..200 {
            let durations = Durations::new();
            for _ in 0..1_000 {
                durations.add(1_000_000, share(0.0));
            }
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| (0..50).for_each(|_| durations.halve()));
                }
            });
            let count = durations.counts[bucket(1_000_000)].load(Ordering::Relaxed);
            assert_eq!((count, durations.total.load(Ordering::Relaxed)), (1, 1));
        }
    }

    #[test]
    fn a_share_of_zero_or_of_everything_is_taken_at_its_word() {
        let (none, all) = (Durations::new(), Durations::new());
        for _ in 0..10_000 {
            assert!(!none.add(1_000_000, share(0.0)));
            all.add(1_000_000, share(1.0));
        }
        assert!(all.add(1, share(1.0)));
    }
}

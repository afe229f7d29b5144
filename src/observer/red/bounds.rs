//! The buckets of a histogram of durations.

use std::time::Duration;

/// The upper bounds of all buckets but the last one, in nanoseconds, and a table that finds a bucket by a few steps.
#[derive(Debug)]
pub(super) struct Bounds {
    nanos: Vec<u64>,
    durations: Vec<Duration>,
    /// For each number of significant bits, the first bucket that may hold a duration with so many.
    first: [u8; 65],
}

impl Bounds {
    /// Makes buckets of upper bounds in any order. Only the lowest [`MAX_BOUNDS`] of them count, and each one once.
    pub(super) fn new(bounds: &[Duration]) -> Self {
        let mut nanos: Vec<u64> = bounds.iter().map(nanos_of).collect();
        nanos.sort_unstable();
        nanos.dedup();
        nanos.truncate(MAX_BOUNDS);
        let mut first = [0; 65];
        for (bits, first) in first.iter_mut().enumerate() {
            // The least number with so many bits.
            let least = if bits == 0 { 0 } else { 1_u64 << (bits - 1) };
            *first = nanos.iter().filter(|bound| **bound < least).count() as u8;
        }
        Self {
            durations: nanos.iter().copied().map(Duration::from_nanos).collect(),
            nanos,
            first,
        }
    }

    /// Returns the bucket of a duration: the first one whose bound is not below it.
    #[inline]
    pub(super) fn bucket(&self, nanos: u64) -> usize {
        let bits = (u64::BITS - nanos.leading_zeros()) as usize;
        let first = usize::from(self.first[bits]);
        let rest = self.nanos.get(first..).unwrap_or_default();
        let steps = rest.iter().take_while(|bound| **bound < nanos).count();
        first + steps
    }

    /// Returns the number of buckets.
    pub(super) fn count(&self) -> usize {
        self.nanos.len() + 1
    }

    /// Returns the bounds, in rising order.
    pub(super) fn durations(&self) -> &[Duration] {
        &self.durations
    }
}

fn nanos_of(duration: &Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The most bounds of a histogram: a word has a bit for each bucket.
pub(super) const MAX_BOUNDS: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_durations_up_to_its_bound_inclusive() {
        let sets: [&[u64]; 5] = [
            &[],
            &[0],
            &[5, 3, 5, 1],
            &[1_000, 1_001, 1_023, 1_024, 1_025, 4_000, 1 << 40],
            &[u64::MAX - 1, u64::MAX],
        ];
        for set in sets {
            let durations: Vec<_> = set.iter().copied().map(Duration::from_nanos).collect();
            let bounds = Bounds::new(&durations);
            let edges = set
                .iter()
                .flat_map(|it| [it.saturating_sub(1), *it, it.saturating_add(1)]);
            for nanos in edges.chain([0, 1, 1 << 39, u64::MAX]) {
                let expected = bounds.nanos.iter().filter(|bound| **bound < nanos).count();
                assert_eq!(bounds.bucket(nanos), expected, "{nanos} in {set:?}");
            }
        }
    }

    #[test]
    fn bounds_beyond_the_most_are_left_out() {
        let many: Vec<_> = (1..200).map(Duration::from_millis).collect();
        assert_eq!(Bounds::new(&many).count(), MAX_BOUNDS + 1);
    }
}

//! A hash of span ids that costs a few instructions.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Makes hashers with a seed of their own, so that a caller who chooses ids cannot choose where they collide.
#[derive(Clone)]
pub(super) struct IdHash {
    seed: u64,
}

impl Default for IdHash {
    fn default() -> Self {
        Self {
            seed: RandomState::new().hash_one(0),
        }
    }
}

impl BuildHasher for IdHash {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher { hash: self.seed }
    }
}

/// Folds words by a multiplication of which both halves count.
pub(super) struct IdHasher {
    hash: u64,
}

impl Hasher for IdHasher {
    #[inline]
    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.hash ^ word) * u128::from(MULTIPLIER);
        self.hash = product as u64 ^ (product >> 64) as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

/// Odd, and near 2^64 divided by the golden ratio.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_that_count_up_spread_over_both_ends_of_the_hash() {
        let hash = IdHash::default();
        for shift in [0, 8, 32, 56] {
            let hashes = (1..=256_u64).map(|id| hash.hash_one(id << shift));
            let hashes: Vec<_> = hashes.collect();
            let all: HashSet<_> = hashes.iter().collect();
            assert_eq!(all.len(), 256);
            // A map takes its place from the low end and a tag from the high end.
            for end in [0, 57] {
                let ends: HashSet<_> = hashes.iter().map(|it| it >> end & 127).collect();
                assert!(ends.len() > 64, "{} of 128 at {end}, {shift}", ends.len());
            }
        }
    }
}

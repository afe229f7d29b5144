//! Which keys a span's tags have, as far as it takes to notice one that is set twice.

use crate::model::tags;

/// Notices that a key is inserted again; now and then says so of one that is not.
///
/// The keys of the sampler's tags are there from the start, because those tags go before all others without a look at
/// the filter.
#[derive(Debug)]
pub(super) struct KeyFilter {
    /// Of the first keys; never 0. In two parts, because most spans have few tags.
    first: [u16; 8],
    rest: [u16; 24],
    count: usize,
    pub(super) has_repeated: bool,
}

const SAMPLER_KEYS: [u16; 2] = [
    hash(tags::SAMPLER_TYPE.as_bytes()),
    hash(tags::SAMPLER_PARAM.as_bytes()),
];

/// What the filter of a span without tags of its own knows.
const START: [u16; 8] = [SAMPLER_KEYS[0], SAMPLER_KEYS[1], 0, 0, 0, 0, 0, 0];

impl Default for KeyFilter {
    fn default() -> Self {
        Self {
            first: START,
            rest: Default::default(),
            count: SAMPLER_KEYS.len(),
            has_repeated: false,
        }
    }
}

impl KeyFilter {
    #[inline(always)]
    pub(super) fn insert(&mut self, key: &str) {
        let hash = hash(key.as_bytes());
        if is_among(&self.first, hash) {
            self.has_repeated = true;
        }
        match self.first.get_mut(self.count) {
            Some(free) => {
                *free = hash;
                self.count += 1;
            }
            None => self.insert_late(hash),
        }
    }

    #[cold]
    fn insert_late(&mut self, hash: u16) {
        if is_among(&self.rest, hash) {
            self.has_repeated = true;
        }
        match self.rest.get_mut(self.count - self.first.len()) {
            Some(free) => {
                *free = hash;
                self.count += 1;
            }
            // So many keys are for the reader to look through.
            None => self.has_repeated = true,
        }
    }

    #[inline(always)]
    pub(super) fn clear(&mut self) {
        if self.count > self.first.len() {
            self.rest = Default::default();
        }
        self.first = START;
        self.count = SAMPLER_KEYS.len();
        self.has_repeated = false;
    }
}

/// Looks at all of them, so that the compiler compares eight at once.
#[inline(always)]
fn is_among<const N: usize>(hashes: &[u16; N], hash: u16) -> bool {
    hashes.iter().fold(false, |found, h| found | (*h == hash))
}

/// Of the length and of up to 16 bytes at the ends, which tell the keys of one span apart; never 0.
#[inline(always)]
const fn hash(key: &[u8]) -> u16 {
    let (first, last) = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => match (key.first_chunk::<4>(), key.last_chunk::<4>()) {
            (Some(first), Some(last)) => (
                u32::from_le_bytes(*first) as u64,
                u32::from_le_bytes(*last) as u64,
            ),
            _ => match *key {
                [] => (0, 0),
                [a] => (a as u64, 0),
                [a, .., b] => (a as u64, b as u64),
            },
        },
    };
    let mixed = (first ^ (key.len() as u64))
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(32)
        .wrapping_add(last)
        .wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    (mixed >> 48) as u16 | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeats(keys: &[&str]) -> bool {
        let mut filter = KeyFilter::default();
        for key in keys {
            filter.insert(key);
        }
        filter.has_repeated
    }

    #[test]
    fn a_key_that_comes_again_is_noticed_whatever_its_length() {
        for key in [
            "",
            "a",
            "abc",
            "abcd",
            "abcdefg",
            "abcdefgh",
            "http.status_code",
        ] {
            assert!(repeats(&[key, "other", key]), "{key:?}");
            assert!(!repeats(&[key, "other"]), "{key:?}");
        }
    }

    #[test]
    fn a_key_of_the_samplers_counts_as_repeated() {
        assert!(repeats(&["sampler.type"]));
        assert!(repeats(&["other", "sampler.param"]));
    }

    #[test]
    fn the_usual_tags_of_a_request_are_told_apart() {
        let keys = [
            "span.kind",
            "component",
            "http.method",
            "http.url",
            "http.status_code",
            "http.route",
            "peer.service",
            "peer.hostname",
            "peer.ipv4",
            "peer.port",
            "error",
        ];
        assert!(!repeats(&keys));
    }

    #[test]
    fn more_keys_than_are_kept_count_as_repeated() {
        let keys: Vec<_> = (0..40).map(|n| format!("key-{n}")).collect();
        assert!(repeats(
            &keys.iter().map(String::as_str).collect::<Vec<_>>()
        ));
    }
}

//! Detects, with few false positives, that a tag key is set twice, and removes the older values.
//!
//! A span sends each key once, with its last value. Threads only append tags and hash their keys. The worker removes
//! older values, from the few spans whose filter has noticed a repeated key.

use std::collections::HashMap;

use crate::model::{TagRef, tags};
use crate::record::wire::decode::Tags;
use crate::record::wire::encode::write_tag;

/// A filter that notices when a key is inserted again. It misses none, and rarely reports a key that is new.
///
/// It starts with the keys of the sampler's tags, because those tags go before all others without passing the filter.
#[derive(Debug)]
pub(crate) struct KeyFilter {
    /// One bit for each hash, modulo 64. An unset bit spares the search.
    seen: u64,
    /// The hashes of the first `count` keys.
    hashes: [u16; KEYS],
    count: u8,
    /// Whether a key may have been inserted twice.
    pub(crate) has_repeated: bool,
}

/// The number of keys that a filter tells apart. The tags of a request are about ten; each open span takes this memory.
const KEYS: usize = 23;

const SAMPLER_KEYS: [u16; 2] = [
    KeyEnds::of(tags::SAMPLER_TYPE).hash(),
    KeyEnds::of(tags::SAMPLER_PARAM).hash(),
];

impl Default for KeyFilter {
    fn default() -> Self {
        let mut hashes = [0; KEYS];
        hashes[..SAMPLER_KEYS.len()].copy_from_slice(&SAMPLER_KEYS);
        Self {
            seen: bit(SAMPLER_KEYS[0]) | bit(SAMPLER_KEYS[1]),
            hashes,
            count: SAMPLER_KEYS.len() as u8,
            has_repeated: false,
        }
    }
}

impl KeyFilter {
    /// Adds a key.
    #[inline(always)]
    pub(crate) fn insert(&mut self, key: KeyEnds) {
        let hash = key.hash();
        let seen = self.seen | bit(hash);
        if seen == self.seen {
            self.search(hash);
        }
        self.seen = seen;
        match self.hashes.get_mut(usize::from(self.count)) {
            Some(free) => {
                *free = hash;
                self.count += 1;
            }
            // Too many keys for the filter: the worker searches them.
            None => self.has_repeated = true,
        }
    }

    #[cold]
    #[inline(never)]
    fn search(&mut self, hash: u16) {
        let mut known = self.hashes.iter().take(usize::from(self.count));
        self.has_repeated |= known.any(|known| *known == hash);
    }

    /// Removes all keys but those of the sampler.
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        self.seen = bit(SAMPLER_KEYS[0]) | bit(SAMPLER_KEYS[1]);
        self.count = SAMPLER_KEYS.len() as u8;
        self.has_repeated = false;
    }
}

#[inline(always)]
const fn bit(hash: u16) -> u64 {
    1 << (hash % 64)
}

/// The first and the last eight bytes of a key, which nearly always tell the keys of one span apart.
///
/// Shorter keys have fewer bytes here. A writer of short keys also copies keys from these two words.
#[derive(Clone, Copy)]
pub(crate) struct KeyEnds {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl KeyEnds {
    #[inline(always)]
    pub(crate) const fn of(key: &str) -> Self {
        let key = key.as_bytes();
        let (first, last) = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => match (key.first_chunk::<4>(), key.last_chunk::<4>()) {
                (Some(first), Some(last)) => (
                    u32::from_le_bytes(*first) as u64,
                    u32::from_le_bytes(*last) as u64,
                ),
                _ => match *key {
                    [] => (0, 0),
                    [a] => (a as u64, 1),
                    [a, .., b] => (a as u64, b as u64),
                },
            },
        };
        Self { first, last }
    }

    #[inline(always)]
    const fn hash(self) -> u16 {
        let mixed = (self.first ^ self.last.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 48) as u16
    }
}

/// Encodes tags with each key once, and returns how many they are. A key stands where it was first set, with its last
/// value.
pub(crate) fn without_repeated_keys(tags: Tags<'_>) -> (Vec<u8>, u32) {
    let mut kept: Vec<(&str, TagRef<'_>)> = Vec::new();
    let mut places = HashMap::new();
    for (key, value) in tags {
        let place = *places.entry(key).or_insert(kept.len());
        match kept.get_mut(place) {
            Some(tag) => tag.1 = value,
            None => kept.push((key, value)),
        }
    }
    let mut bytes = Vec::new();
    for (key, value) in &kept {
        write_tag(&mut bytes, key, *value);
    }
    (bytes, kept.len() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeats(keys: &[&str]) -> bool {
        let mut filter = KeyFilter::default();
        for key in keys {
            filter.insert(KeyEnds::of(key));
        }
        filter.has_repeated
    }

    #[test]
    fn the_filter_notices_a_repeated_key_of_any_length() {
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
    fn the_filter_takes_the_keys_of_the_sampler_for_set() {
        assert!(repeats(&["sampler.type"]));
        assert!(repeats(&["other", "sampler.param"]));
    }

    #[test]
    fn the_filter_tells_the_common_keys_of_a_request_apart() {
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
    fn a_full_filter_reports_a_repeated_key() {
        let keys: Vec<_> = (0..40).map(|n| format!("key-{n}")).collect();
        assert!(repeats(
            &keys.iter().map(String::as_str).collect::<Vec<_>>()
        ));
    }
}

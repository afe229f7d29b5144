//! The baggage that a request brings in headers of its own, one for each item.

use std::borrow::Cow;

use crate::metrics::{Counter, Metrics};
use crate::model::{Baggage, BaggageBuilder, BaggageLimit};
use crate::propagation::carrier::is_token;
use crate::propagation::coding::{form_decoded, min_decoded_len, percent_decoded, trim};

/// How baggage values are written in a carrier.
#[derive(Clone, Copy, Debug)]
pub(super) enum ValueCoding {
    /// As they are.
    Plain,
    /// With `%XX` for other characters.
    Percent,
    /// With `%XX` for other characters, and by some clients `+` for a space.
    Form,
}

impl ValueCoding {
    pub(super) fn decoded(self, value: &[u8]) -> Cow<'_, str> {
        match self {
            Self::Plain => String::from_utf8_lossy(value),
            Self::Percent => percent_decoded(value),
            Self::Form => form_decoded(value),
        }
    }

    /// Returns the least number of bytes that `value` has once it is decoded.
    pub(super) fn min_len(self, value: &[u8]) -> usize {
        match self {
            Self::Plain => value.len(),
            Self::Percent | Self::Form => min_decoded_len(value),
        }
    }
}

/// The baggage of one request, within the limits.
pub(super) struct ReceivedBaggage {
    values: ValueCoding,
    baggage: BaggageBuilder,
    seen: usize,
    pub(super) skipped: u64,
    /// The number of leading items that later headers must not replace.
    protected: usize,
}

impl ReceivedBaggage {
    /// Begins with a number of items that were left out before.
    pub(super) fn new(values: ValueCoding, skipped: u64) -> Self {
        Self {
            values,
            baggage: BaggageBuilder::default(),
            seen: 0,
            skipped,
            protected: 0,
        }
    }

    /// Allocates at once what the items of headers with these values need, within the limits.
    pub(super) fn reserve<'v>(&mut self, headers: impl Iterator<Item = (&'v str, &'v [u8])>) {
        let (items, bytes) = headers.fold((0, 0), |(items, bytes), (key, value)| {
            (items + 1, bytes + key.len() + value.len())
        });
        if items > 1 {
            self.baggage.reserve(bytes);
        }
    }

    /// Adds an item whose key needs no decoding.
    pub(super) fn read(&mut self, key: &str, value: &[u8]) {
        if self.seen == Baggage::MAX_ITEMS {
            self.skipped += 1;
            return;
        }
        self.seen += 1;
        if self.set(key, value).is_err() {
            self.skipped += 1;
        }
    }

    /// Keeps the present items: a later item with the key of one of them is left out.
    pub(super) fn protect(&mut self) {
        self.protected = self.baggage.len();
    }

    /// Adds the items of `k1=v1, k2=v2`. It splits before it decodes, so a value may hold an escaped comma.
    pub(super) fn read_list(&mut self, list: &[u8]) {
        for pair in list.split(|byte| *byte == b',') {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let (Some(key), Some(value)) = (halves.next().map(trim), halves.next().map(trim))
            else {
                continue;
            };
            if key.is_empty() {
                continue;
            }
            if self.seen == Baggage::MAX_ITEMS || self.values.min_len(key) > Baggage::MAX_BYTES {
                self.skipped += 1;
            } else {
                self.read(&self.values.decoded(key), value);
            }
        }
    }

    /// Returns the items, or `None` if there are none. Counts those that were left out.
    pub(super) fn finish(self, metrics: &Metrics) -> Option<Baggage> {
        if self.skipped > 0 {
            metrics.add(Counter::BaggageItemsSkipped, self.skipped);
        }
        (self.baggage.len() > 0).then(|| self.baggage.build())
    }

    /// Adds or replaces an item. It refuses a value that is too long before it decodes or copies it.
    fn set(&mut self, key: &str, value: &[u8]) -> Result<(), BaggageLimit> {
        if key.len() + self.values.min_len(value) > Baggage::MAX_BYTES {
            return Err(BaggageLimit::Total);
        }
        let key = lower_cased(key);
        if self
            .baggage
            .position(&key)
            .is_some_and(|at| at < self.protected)
        {
            return Ok(());
        }
        self.baggage.set(&key, &self.values.decoded(value))
    }
}

/// Returns whether a header name may end in `key`.
pub(super) fn is_header_name(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(is_token)
}

/// Returns `key` in lower case, beyond ASCII too: the Go, Java and Python clients do so in text maps.
fn lower_cased(key: &str) -> Cow<'_, str> {
    if key
        .bytes()
        .any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii())
    {
        key.to_lowercase().into()
    } else {
        key.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_that_replace_each_other_count_for_the_limit() {
        for is_list in [false, true] {
            let mut received = ReceivedBaggage::new(ValueCoding::Plain, 0);
            let mut read = |key: &str| match is_list {
                true => received.read_list(format!("{key}=1").as_bytes()),
                false => received.read(key, b"1"),
            };
            (0..Baggage::MAX_ITEMS).for_each(|_| read("a"));
            read("b");
            assert_eq!(received.skipped, 1, "is list: {is_list}");
            let baggage = received.finish(&Metrics::default()).expect("an item");
            assert!(baggage.iter().eq([("a", "1")]), "{baggage:?}");
        }
    }

    #[test]
    fn a_key_is_read_in_lower_case() {
        for (key, lower) in [("user", "user"), ("User", "user"), ("É", "é"), ("é", "é")] {
            assert_eq!(lower_cased(key), lower);
        }
    }
}

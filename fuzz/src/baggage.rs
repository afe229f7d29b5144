//! The baggage of a request as a slow reader collects it.

use tracehound::model::{Baggage, BaggageLimit};

/// Baggage within the limits, and the number of items beyond them.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// The items that are kept.
    pub baggage: Baggage,
    /// How many were left out.
    pub lost: u64,
    seen: usize,
}

impl Collected {
    /// Adds an item that replaces one with its key. After 64 items no more are read.
    pub fn add(&mut self, key: &str, value: &str, properties: &str) {
        if self.seen == Baggage::MAX_ITEMS {
            self.lost += 1;
            return;
        }
        self.seen += 1;
        let with = match self.baggage.with_properties(key, value, properties) {
            Err(BaggageLimit::Properties) => self.baggage.with(key, value),
            with => with,
        };
        match with {
            Ok(with) => self.baggage = with,
            Err(_) => self.lost += 1,
        }
    }

    /// Adds an item unless its key is one of `protected`.
    pub fn add_beside(&mut self, protected: &Baggage, key: &str, value: &str) {
        if self.seen < Baggage::MAX_ITEMS && protected.get(key).is_some() {
            self.seen += 1;
        } else {
            self.add(key, value, "");
        }
    }
}

/// Panics if baggage has more items or bytes than it may.
pub fn assert_within_limits(baggage: &Baggage) {
    let item =
        |(key, value, properties): (&str, &str, &str)| key.len() + value.len() + properties.len();
    let bytes: usize = baggage.iter_with_properties().map(item).sum();
    assert!(baggage.len() <= Baggage::MAX_ITEMS, "{baggage:?}");
    assert!(bytes <= Baggage::MAX_BYTES, "{baggage:?}");
}

/// The items in their order.
pub fn items(baggage: &Baggage) -> Vec<(&str, &str, &str)> {
    baggage.iter_with_properties().collect()
}

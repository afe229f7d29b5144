use std::collections::HashMap;

use crate::restrictions::{BaggageRestrictions, Restriction};

/// A list of the baggage keys that may be set, each with the most bytes that its value may have.
///
/// All other keys are denied, unless [`others`](Self::others) allows them. Keys are compared exactly, as
/// [`Baggage`](crate::model::Baggage) does.
///
/// ```
/// use tracehound::restrictions::{AllowedKeys, BaggageRestrictions, Restriction};
///
/// let allowed = AllowedKeys::new().key("user-id", 36);
/// assert_eq!(allowed.restriction("user-id"), Restriction::Allowed { max_value_bytes: 36 });
/// assert_eq!(allowed.restriction("cart"), Restriction::Denied);
///
/// let all = AllowedKeys::new().others(2_048); // the limit of other Jaeger clients
/// assert_eq!(all.restriction("cart"), Restriction::Allowed { max_value_bytes: 2_048 });
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedKeys {
    max_value_bytes: HashMap<String, usize>,
    max_value_bytes_of_others: usize,
}

impl AllowedKeys {
    /// Makes an empty list, which allows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key, whose value may have at most `max_value_bytes`. At 0 the key is denied. The last call for a key
    /// counts.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>, max_value_bytes: usize) -> Self {
        self.max_value_bytes.insert(key.into(), max_value_bytes);
        self
    }

    /// Sets how many bytes the value of a key that is not on the list may have. Defaults to 0: such keys are denied.
    #[must_use]
    pub fn others(mut self, max_value_bytes: usize) -> Self {
        self.max_value_bytes_of_others = max_value_bytes;
        self
    }
}

impl BaggageRestrictions for AllowedKeys {
    fn restriction(&self, key: &str) -> Restriction {
        let listed = self.max_value_bytes.get(key).copied();
        match listed.unwrap_or(self.max_value_bytes_of_others) {
            0 => Restriction::Denied,
            max_value_bytes => Restriction::Allowed { max_value_bytes },
        }
    }
}

use std::fmt;
use std::sync::Arc;

/// A short list of keys and values that a trace carries to every service downstream.
///
/// It does not change and is cheap to clone; setting an item makes a new list. It is bounded, because every request
/// carries every item: at most [`Baggage::MAX_ITEMS`] items and [`Baggage::MAX_BYTES`] in all, which one item may
/// fill. Bytes count as they go on the wire, after percent coding, keys included. (W3C Baggage demands that a service
/// passes on 64 items of together 8,192 bytes whole.)
///
/// ```
/// use tracehound::model::Baggage;
///
/// let baggage = Baggage::default().with("user", "42").expect("short");
/// assert_eq!(baggage.get("user"), Some("42"));
/// assert_eq!(baggage.iter().count(), 1);
/// ```
#[derive(Clone, Default)]
pub struct Baggage {
    items: Option<Arc<Vec<Item>>>,
}

/// A key and its value.
type Item = (Box<str>, Box<str>);

impl Baggage {
    /// The most items that a list may have.
    pub const MAX_ITEMS: usize = 64;
    pub(super) const EMPTY: Self = Self { items: None };

    /// The most bytes that all items together may have.
    pub const MAX_BYTES: usize = 8_192;

    /// Returns this list with `key` set to `value`. An item of that key is replaced in its place.
    ///
    /// # Errors
    ///
    /// Fails if the item would break a limit. The error tells which one.
    pub fn with(&self, key: &str, value: &str) -> Result<Self, BaggageLimit> {
        let size = item_bytes(key, value);
        let others: usize = self
            .iter()
            .filter(|(k, _)| *k != key)
            .map(|(k, v)| item_bytes(k, v))
            .sum();
        if others + size > Self::MAX_BYTES {
            return Err(BaggageLimit::Total);
        }
        let mut items = self
            .items
            .as_ref()
            .map_or_else(Vec::new, |items| items.to_vec());
        match items.iter().position(|(k, _)| **k == *key) {
            Some(place) => items[place].1 = value.into(),
            None if items.len() == Self::MAX_ITEMS => return Err(BaggageLimit::Items),
            None => items.push((key.into(), value.into())),
        }
        Ok(Self {
            items: Some(Arc::new(items)),
        })
    }

    /// Returns this list and, as far as there is room, those items of `other` whose keys it has not.
    pub(crate) fn or_also(self, other: &Self) -> Self {
        if self.is_empty() {
            return other.clone();
        }
        let missing = other.iter().filter(|(key, _)| self.get(key).is_none());
        missing.fold(self.clone(), |list, (key, value)| {
            list.with(key, value).unwrap_or(list)
        })
    }

    /// Returns this list without the item of that key.
    #[must_use]
    pub fn without(&self, key: &str) -> Self {
        if self.get(key).is_none() {
            return self.clone();
        }
        let items: Vec<_> = self
            .iter()
            .filter(|(k, _)| *k != key)
            .map(|(k, v)| (k.into(), v.into()))
            .collect();
        Self {
            items: (!items.is_empty()).then(|| Arc::new(items)),
        }
    }

    /// Returns the value of a key. Keys are compared exactly; extraction lower-cases them.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// Returns the items, as key and value, in the order in which they were first set.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.items
            .iter()
            .flat_map(|items| items.iter())
            .map(|(key, value)| (&**key, &**value))
    }

    /// Returns whether the list has no items.
    pub fn is_empty(&self) -> bool {
        self.items.is_none()
    }

    /// Returns how many items the list has.
    pub fn len(&self) -> usize {
        self.items.as_ref().map_or(0, |items| items.len())
    }
}

impl PartialEq for Baggage {
    /// Compares keys with their values; the order does not matter.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .iter()
                .all(|(key, value)| other.get(key) == Some(value))
    }
}

impl Eq for Baggage {}

impl fmt::Debug for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// A [`Baggage`] in the making, within its limits. A codec reads into it, because [`Baggage::with`] would copy
/// the list for each item.
#[derive(Default)]
pub(crate) struct BaggageBuilder {
    items: Vec<Item>,
    bytes: usize,
}

impl BaggageBuilder {
    /// Sets `key` to `value`; an item of that key is replaced in its place. Copies nothing that breaks a limit.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> Result<(), BaggageLimit> {
        let size = item_bytes(key, value);
        let count = self.items.len();
        let known = self.items.iter_mut().find(|(known, _)| **known == *key);
        let others = self.bytes - known.as_ref().map_or(0, |(k, v)| item_bytes(k, v));
        if others + size > Baggage::MAX_BYTES {
            return Err(BaggageLimit::Total);
        }
        match known {
            Some(item) => item.1 = value.into(),
            None if count == Baggage::MAX_ITEMS => return Err(BaggageLimit::Items),
            None => self.items.push((key.into(), value.into())),
        }
        self.bytes = others + size;
        Ok(())
    }

    /// Returns the place of the item of that key in the list.
    pub(crate) fn position(&self, key: &str) -> Option<usize> {
        self.items.iter().position(|(known, _)| **known == *key)
    }

    /// Returns how many items there are.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns the list.
    pub(crate) fn build(self) -> Baggage {
        Baggage {
            items: (!self.items.is_empty()).then(|| Arc::new(self.items)),
        }
    }
}

/// A limit that a baggage item would break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BaggageLimit {
    /// All items together would be larger than [`Baggage::MAX_BYTES`].
    Total,
    /// There would be more items than [`Baggage::MAX_ITEMS`].
    Items,
}

impl fmt::Display for BaggageLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Total => write!(f, "all items are larger than {} bytes", Baggage::MAX_BYTES),
            Self::Items => write!(f, "there are {} items already", Baggage::MAX_ITEMS),
        }
    }
}

impl std::error::Error for BaggageLimit {}

fn item_bytes(key: &str, value: &str) -> usize {
    let encoded: usize = value
        .bytes()
        .map(|byte| if is_unreserved(byte) { 1 } else { 3 })
        .sum();
    key.len() + encoded
}

/// Returns whether a byte goes on the wire as it is: an unreserved character of RFC 3986. Others are percent-encoded.
pub(crate) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_to_the_byte() {
        let baggage = Baggage::default();
        let is_too_much = |key: &str, value: &str| {
            let one = baggage.with(key, value);
            let mut builder = BaggageBuilder::default();
            assert_eq!(builder.set(key, value).err(), one.as_ref().err().copied());
            one == Err(BaggageLimit::Total)
        };
        for key_bytes in [0, 1, 2, 300, Baggage::MAX_BYTES] {
            let key = "k".repeat(key_bytes);
            let value = "v".repeat(Baggage::MAX_BYTES - key_bytes);
            assert!(!is_too_much(&key, &value), "{key_bytes}");
            assert!(is_too_much(&(key.clone() + "k"), &value), "{key_bytes}");
            assert!(is_too_much(&key, &(value + "v")), "{key_bytes}");
        }
        // Two bytes of UTF-8 are six bytes on the wire.
        assert!(is_too_much("k", &"é".repeat(1_366)));
        assert!(!is_too_much("k", &"é".repeat(1_365)));
    }

    #[test]
    fn the_sixty_fifth_item_is_refused_and_a_known_key_is_not() {
        let mut baggage = Baggage::default();
        for n in 0..Baggage::MAX_ITEMS {
            baggage = baggage
                .with(&format!("k{n}"), "v")
                .expect("within the limit");
        }
        assert_eq!(baggage.with("one-more", "v"), Err(BaggageLimit::Items));
        assert_eq!(
            baggage.with("k0", "w").expect("replaced").get("k0"),
            Some("w")
        );
    }

    #[test]
    fn the_total_counts_every_item_once() {
        let half = "v".repeat(Baggage::MAX_BYTES / 2 - 1);
        let full = Baggage::default()
            .with("a", &half)
            .and_then(|b| b.with("b", &half))
            .expect("fits");
        assert_eq!(full.with("c", ""), Err(BaggageLimit::Total));
        assert!(full.with("a", &half).is_ok());
    }

    #[test]
    fn the_builder_has_the_limits_of_the_list() {
        let half = "v".repeat(Baggage::MAX_BYTES / 2 - 1);
        let mut builder = BaggageBuilder::default();
        assert_eq!(builder.set("a", &half), Ok(()));
        assert_eq!(builder.set("b", &half), Ok(()));
        assert_eq!(builder.set("c", ""), Err(BaggageLimit::Total));
        assert_eq!(builder.set("a", "short"), Ok(()));
        assert_eq!(builder.set("c", "room again"), Ok(()));
        let baggage = builder.build();
        assert_eq!(baggage.get("a"), Some("short"));
        assert_eq!(baggage.len(), 3);

        let mut builder = BaggageBuilder::default();
        for n in 0..Baggage::MAX_ITEMS {
            assert_eq!(builder.set(&n.to_string(), ""), Ok(()));
        }
        assert_eq!(builder.set("one-more", ""), Err(BaggageLimit::Items));
        assert_eq!(builder.set("0", "replaced"), Ok(()));
        assert!(BaggageBuilder::default().build().is_empty());
    }

    #[test]
    fn removal_leaves_the_original_alone() {
        let one = Baggage::default().with("a", "1").expect("short");
        assert!(one.without("a").is_empty());
        assert_eq!(one.get("a"), Some("1"));
    }
}

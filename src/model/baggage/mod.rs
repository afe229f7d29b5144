mod builder;
mod join;

use std::fmt;
use std::sync::Arc;

pub(crate) use builder::BaggageBuilder;

use crate::model::ShortList;

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
///
/// # Properties
///
/// In W3C Baggage an item may have properties, a text whose meaning this crate does not know, as in
/// `user=42;ttl=30;internal`. They are kept and passed on in the format that has them. Jaeger's headers do not.
#[derive(Clone, Default)]
pub struct Baggage {
    list: Option<Arc<List>>,
}

/// The items in one text, so that a list of few items takes two allocations, and a longer one three.
struct List {
    /// The key, the value and the properties of each item, without separators.
    text: String,
    lengths: ItemLengths,
}

type ItemLengths = ShortList<Lengths, 4>;

/// The lengths of the parts of an item in a text.
#[derive(Clone, Copy, Default)]
struct Lengths {
    key: u16,
    value: u16,
    properties: u16,
}

// A text is never longer than what counts for it.
const _: () = assert!(Baggage::MAX_BYTES <= u16::MAX as usize);

impl Baggage {
    /// The most items that a list may have.
    pub const MAX_ITEMS: usize = 64;
    pub(super) const EMPTY: Self = Self { list: None };

    /// The most bytes that all items together may have.
    pub const MAX_BYTES: usize = 8_192;

    /// Returns this list with `key` set to `value`. An item of that key is replaced in its place, and loses its
    /// properties.
    ///
    /// # Errors
    ///
    /// Fails if the item would break a limit. The error tells which one.
    pub fn with(&self, key: &str, value: &str) -> Result<Self, BaggageLimit> {
        self.with_properties(key, value, "")
    }

    /// Returns this list with `key` set to `value` and properties, as W3C Baggage writes them after the first `;`.
    ///
    /// ```
    /// use tracehound::model::Baggage;
    ///
    /// let baggage = Baggage::default()
    ///     .with_properties("user", "42", "ttl=30;internal")
    ///     .expect("short");
    /// assert_eq!(baggage.get("user"), Some("42"));
    /// assert_eq!(baggage.properties("user"), "ttl=30;internal");
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if the item would break a limit, or the properties hold a comma or anything but printable ASCII, spaces
    /// and tabs. The error tells which one.
    pub fn with_properties(
        &self,
        key: &str,
        value: &str,
        properties: &str,
    ) -> Result<Self, BaggageLimit> {
        if !are_properties(properties.as_bytes()) {
            return Err(BaggageLimit::Properties);
        }
        let item = (key, value, properties);
        let others = || self.items().filter(|(k, ..)| *k != key);
        let bytes = others().map(item_bytes).sum::<usize>() + item_bytes(item);
        if bytes > Self::MAX_BYTES {
            return Err(BaggageLimit::Total);
        }
        let items = others().count() + 1;
        if items > Self::MAX_ITEMS {
            return Err(BaggageLimit::Items);
        }
        let replaced = self.items().map(|old| match old {
            (k, ..) if k == key => item,
            other => other,
        });
        let is_new = items > self.len();
        Ok(Self::of_items(replaced.chain(is_new.then_some(item))))
    }

    /// Returns this list without the item of that key.
    ///
    /// ```
    /// use tracehound::model::Baggage;
    ///
    /// let baggage = Baggage::default().with("user", "42").expect("short");
    /// assert_eq!((baggage.len(), baggage.is_empty()), (1, false));
    /// assert_eq!(baggage.iter_with_properties().next(), Some(("user", "42", "")));
    /// assert!(baggage.without("user").is_empty());
    /// ```
    #[must_use]
    pub fn without(&self, key: &str) -> Self {
        if self.get(key).is_none() {
            return self.clone();
        }
        Self::of_items(self.items().filter(|(k, ..)| *k != key))
    }

    /// Returns the value of a key. Keys are compared exactly; extraction lower-cases those of Jaeger's headers.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// Returns the properties of a key, or an empty text if it has none.
    pub fn properties(&self, key: &str) -> &str {
        let mut items = self.items();
        let item = items.find(|(k, ..)| *k == key);
        item.map_or("", |(.., properties)| properties)
    }

    /// Returns the items, as key and value, in the order in which they were first set.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.items().map(|(key, value, _)| (key, value))
    }

    /// Returns the items, as key, value and properties, in the order in which they were first set.
    pub fn iter_with_properties(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.items()
    }

    /// Returns whether the list has no items.
    pub fn is_empty(&self) -> bool {
        self.list.is_none()
    }

    /// Returns how many items the list has.
    pub fn len(&self) -> usize {
        self.list.as_ref().map_or(0, |list| list.lengths.len())
    }

    /// Returns the bytes of all keys, values and properties.
    pub(crate) fn text_bytes(&self) -> usize {
        self.list.as_ref().map_or(0, |list| list.text.len())
    }

    fn items(&self) -> impl Iterator<Item = Item<'_>> + Clone {
        let list = self.list.as_deref();
        let (text, lengths) = list.map_or(("", &[][..]), |list| {
            (list.text.as_str(), list.lengths.as_slice())
        });
        items_of(text, lengths)
    }

    /// Returns the list of these items, which are within the limits.
    fn of_items<'i>(items: impl Iterator<Item = Item<'i>> + Clone) -> Self {
        let lengths = items.clone().map(Lengths::of);
        let mut list = List {
            text: String::with_capacity(lengths.clone().map(Lengths::total).sum()),
            lengths: lengths.collect(),
        };
        for (key, value, properties) in items {
            list.text.extend([key, value, properties]);
        }
        Self::of_list(list)
    }

    fn of_list(list: List) -> Self {
        Self {
            list: (list.lengths.len() > 0).then(|| Arc::new(list)),
        }
    }
}

/// Returns the items whose parts stand one after the other in `text`.
fn items_of<'l>(text: &'l str, lengths: &'l [Lengths]) -> impl Iterator<Item = Item<'l>> + Clone {
    let mut rest = text;
    lengths.iter().map(move |lengths| {
        let mut next = |len| {
            let (part, after) = rest.split_at(usize::from(len));
            rest = after;
            part
        };
        (
            next(lengths.key),
            next(lengths.value),
            next(lengths.properties),
        )
    })
}

impl Lengths {
    /// Returns the lengths of an item that is within the limits.
    fn of((key, value, properties): Item<'_>) -> Self {
        Self {
            key: key.len() as u16,
            value: value.len() as u16,
            properties: properties.len() as u16,
        }
    }

    fn total(self) -> usize {
        [self.key, self.value, self.properties]
            .map(usize::from)
            .iter()
            .sum()
    }
}

/// A key, its value and its properties.
type Item<'i> = (&'i str, &'i str, &'i str);

impl PartialEq for Baggage {
    /// Compares keys with their values and properties; the order does not matter.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .iter_with_properties()
                .all(|item| other.iter_with_properties().any(|known| known == item))
    }
}

impl Eq for Baggage {}

impl fmt::Debug for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// A limit that a baggage item would break.
///
/// ```
/// use tracehound::model::{Baggage, BaggageLimit};
///
/// let long = "x".repeat(Baggage::MAX_BYTES);
/// assert_eq!(Baggage::default().with("user", &long), Err(BaggageLimit::Total));
///
/// let mut full = Baggage::default();
/// for number in 0..Baggage::MAX_ITEMS {
///     full = full.with(&number.to_string(), "")?;
/// }
/// assert_eq!(full.with("user", "42"), Err(BaggageLimit::Items));
/// # Ok::<(), BaggageLimit>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BaggageLimit {
    /// All items together would be larger than [`Baggage::MAX_BYTES`].
    Total,
    /// There would be more items than [`Baggage::MAX_ITEMS`].
    Items,
    /// The properties hold a character that may not stand in a header there.
    Properties,
}

impl fmt::Display for BaggageLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Total => write!(f, "all items are larger than {} bytes", Baggage::MAX_BYTES),
            Self::Items => write!(f, "there are {} items already", Baggage::MAX_ITEMS),
            Self::Properties => f.write_str("properties are printable ASCII without commas"),
        }
    }
}

impl std::error::Error for BaggageLimit {}

/// Returns what an item counts against [`Baggage::MAX_BYTES`].
fn item_bytes((key, value, properties): Item<'_>) -> usize {
    key.len() + value_bytes(value.as_bytes()) + properties_bytes(properties.as_bytes())
}

/// Counts a value as it is sent. One that is over the limit as it is, and may be huge, is not read.
fn value_bytes(value: &[u8]) -> usize {
    if value.len() > Baggage::MAX_BYTES {
        return value.len();
    }
    let bytes = |byte: &u8| if is_unreserved(*byte) { 1 } else { 3 };
    value.iter().map(bytes).sum()
}

/// Counts the semicolon before them, too.
fn properties_bytes(properties: &[u8]) -> usize {
    properties.len() + usize::from(!properties.is_empty())
}

/// Returns whether a byte goes on the wire as it is: an unreserved character of RFC 3986. Others are percent-encoded.
pub(crate) const fn is_unreserved(byte: u8) -> bool {
    UNRESERVED[byte as usize]
}

const UNRESERVED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] =
            (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'-' | b'_' | b'.' | b'~');
        byte += 1;
    }
    table
};

fn are_properties(text: &[u8]) -> bool {
    text.iter()
        .all(|byte| matches!(byte, b'\t' | b' '..=b'~') && *byte != b',')
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

    fn items(baggage: &Baggage) -> Vec<(&str, &str, &str)> {
        baggage.iter_with_properties().collect()
    }

    #[test]
    fn an_item_is_replaced_in_its_place() {
        let start = [("a", "1", "p"), ("b", "22", ""), ("c", "333", "q;r=2")];
        for (key, value, properties) in [
            ("a", "", ""),
            ("a", "longer", "than before"),
            ("b", "x", "y"),
            ("c", "é", ""),
            ("c", "", "p"),
            ("d", "new", "z"),
        ] {
            let mut expected = start.to_vec();
            let item = (key, value, properties);
            match expected.iter_mut().find(|(k, ..)| *k == key) {
                Some(known) => *known = item,
                None => expected.push(item),
            }
            let mut baggage = Baggage::default();
            let mut builder = BaggageBuilder::default();
            for (key, value, properties) in start.into_iter().chain([item]) {
                baggage = baggage
                    .with_properties(key, value, properties)
                    .expect("short");
                let decode = |text: &mut Vec<u8>| text.extend(value.as_bytes());
                let set = builder.set_with(key.as_bytes(), 0, decode, properties.as_bytes());
                assert_eq!(set, Ok(()));
            }
            assert_eq!(items(&baggage), expected);
            let built = builder.build();
            assert_eq!(items(&built), expected);
            assert_eq!(built, baggage);
            let without = baggage.without(key);
            expected.retain(|(k, ..)| *k != key);
            assert_eq!(items(&without), expected);
        }
    }

    #[test]
    fn properties_count_with_their_semicolon() {
        let value = "v".repeat(Baggage::MAX_BYTES - 5);
        for (properties, fits) in [("", true), ("ppp", true), ("pppp", false)] {
            let with = Baggage::default().with_properties("k", &value, properties);
            assert_eq!(with.is_ok(), fits, "{properties}");
            let mut builder = BaggageBuilder::default();
            let decode = |text: &mut Vec<u8>| text.extend(value.as_bytes());
            let set = builder.set_with(b"k", 0, decode, properties.as_bytes());
            assert_eq!(set.err(), with.err(), "{properties}");
        }
    }

    #[test]
    fn properties_hold_what_a_header_may_hold() {
        for properties in ["p", "p;q=1", "p = 1\t;q", "%2C", "\"p\"", ";"] {
            let with = Baggage::default().with_properties("k", "v", properties);
            let with = with.expect("legal");
            assert_eq!(with.properties("k"), properties);
            assert_eq!(with.with("k", "w").expect("short").properties("k"), "");
            assert_ne!(with, with.with("k", "v").expect("short"));
        }
        for properties in ["p,q", "é", "p\n", "\0", "\u{7f}"] {
            let with = Baggage::default().with_properties("k", "v", properties);
            assert_eq!(with, Err(BaggageLimit::Properties), "{properties:?}");
            let mut builder = BaggageBuilder::default();
            let set = builder.set_with(b"k", 0, |_| {}, properties.as_bytes());
            assert_eq!(set, Err(BaggageLimit::Properties), "{properties:?}");
            assert_eq!(builder.len(), 0);
        }
    }

    #[test]
    fn removal_leaves_the_original_alone() {
        let one = Baggage::default().with("a", "1").expect("short");
        assert!(one.without("a").is_empty());
        assert_eq!(one.get("a"), Some("1"));
    }
}

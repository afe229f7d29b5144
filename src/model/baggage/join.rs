//! Joins the baggage of several formats of a request into one list.

use super::{Baggage, Item, item_bytes};

impl Baggage {
    /// Returns this list and, as far as there is room, those items of `other` whose keys it has not.
    ///
    /// A format may lose the case of keys, as header names do, or the properties. So an item that both lists have, with
    /// one value and a key that differs in case at most, is one item, with the case and the properties of either.
    pub(crate) fn or_also(self, other: &Self) -> Self {
        if self.is_empty() {
            return other.clone();
        }
        let mut joined = Joined::of(&self);
        for item in other.items() {
            joined.add(item);
        }
        match joined.items {
            Some(items) => Self::of_items(items.iter().copied()),
            None => self,
        }
    }
}

/// A list to which the items of another format are added. It is copied once, and only if an item changes it.
struct Joined<'i> {
    received: &'i Baggage,
    /// All items, once one has changed.
    items: Option<Vec<Item<'i>>>,
    /// The bytes that count against the limit, once they are counted.
    bytes: Option<usize>,
}

impl<'i> Joined<'i> {
    fn of(received: &'i Baggage) -> Self {
        Self {
            received,
            items: None,
            bytes: None,
        }
    }

    fn add(&mut self, (key, value, properties): Item<'i>) {
        let equal = self.find(|(k, v, _)| k == key && v == value);
        let similar = || self.find(|(k, v, _)| k.eq_ignore_ascii_case(key) && v == value);
        let Some((at, known)) = equal.or_else(similar) else {
            if self.find(|(k, ..)| k == key).is_none() {
                self.push((key, value, properties));
            }
            return;
        };
        let (known_key, _, own) = known;
        let has_case = known_key.bytes().any(|byte| byte.is_ascii_uppercase());
        let item = (
            if has_case { known_key } else { key },
            value,
            if own.is_empty() { properties } else { own },
        );
        let is_taken = || item.0 != known_key && self.find(|(k, ..)| k == item.0).is_some();
        if item != known && !is_taken() {
            self.replace(at, known, item);
        }
    }

    fn find(&self, is_it: impl Fn(Item<'_>) -> bool) -> Option<(usize, Item<'i>)> {
        match &self.items {
            Some(items) => {
                let mut items = items.iter().copied().enumerate();
                items.find(|(_, item)| is_it(*item))
            }
            None => {
                let mut items = self.received.items().enumerate();
                items.find(|(_, item)| is_it(*item))
            }
        }
    }

    fn push(&mut self, item: Item<'i>) {
        let count = self.items.as_ref().map_or(self.received.len(), Vec::len);
        let bytes = self.bytes() + item_bytes(item);
        if count < Baggage::MAX_ITEMS && bytes <= Baggage::MAX_BYTES {
            self.changed().push(item);
            self.bytes = Some(bytes);
        }
    }

    fn replace(&mut self, at: usize, known: Item<'_>, item: Item<'i>) {
        let bytes = self.bytes() - item_bytes(known) + item_bytes(item);
        if bytes <= Baggage::MAX_BYTES
            && let Some(place) = self.changed().get_mut(at)
        {
            *place = item;
            self.bytes = Some(bytes);
        }
    }

    /// Returns what the limit counts. Both this and the copy are made only for an item that may go in: a stranger can
    /// send full lists in every format.
    fn bytes(&mut self) -> usize {
        let count = || self.received.items().map(item_bytes).sum();
        *self.bytes.get_or_insert_with(count)
    }

    /// Returns the copy of the list.
    fn changed(&mut self) -> &mut Vec<Item<'i>> {
        self.items
            .get_or_insert_with(|| self.received.items().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items_of(baggage: &Baggage) -> Vec<Item<'_>> {
        baggage.iter_with_properties().collect()
    }

    #[test]
    fn items_of_another_format_are_joined() {
        type Items<'i> = &'i [(&'i str, &'i str, &'i str)];
        let list = |items: Items<'_>| {
            items
                .iter()
                .fold(Baggage::default(), |list, (key, value, properties)| {
                    list.with_properties(key, value, properties).expect("short")
                })
        };
        let rows: [(Items<'_>, Items<'_>, Items<'_>); 11] = [
            (&[], &[("k", "1", "p")], &[("k", "1", "p")]),
            (&[("k", "1", "")], &[], &[("k", "1", "")]),
            (
                &[("k", "1", "")],
                &[("l", "2", "p")],
                &[("k", "1", ""), ("l", "2", "p")],
            ),
            // The first format counts.
            (&[("k", "1", "")], &[("k", "2", "p")], &[("k", "1", "")]),
            (&[("k", "1", "p")], &[("k", "1", "q")], &[("k", "1", "p")]),
            // Jaeger's headers have lost the properties and the case.
            (&[("k", "1", "")], &[("k", "1", "p")], &[("k", "1", "p")]),
            (
                &[("userid", "1", ""), ("l", "2", "")],
                &[("L", "2", ""), ("userId", "1", "p")],
                &[("userId", "1", "p"), ("L", "2", "")],
            ),
            (
                &[("userId", "1", "p")],
                &[("userid", "1", "")],
                &[("userId", "1", "p")],
            ),
            (
                &[("userid", "1", "")],
                &[("userId", "2", "")],
                &[("userid", "1", ""), ("userId", "2", "")],
            ),
            (
                &[("userid", "1", ""), ("userId", "2", "")],
                &[("userId", "1", "")],
                &[("userid", "1", ""), ("userId", "2", "")],
            ),
            (
                &[("k", "1", ""), ("K", "1", "")],
                &[("K", "1", "p")],
                &[("k", "1", ""), ("K", "1", "p")],
            ),
        ];
        for (first, second, expected) in rows {
            let joined = list(first).or_also(&list(second));
            assert_eq!(items_of(&joined), expected, "{first:?} {second:?}");
        }
        let full = "v".repeat(Baggage::MAX_BYTES - 1);
        let list = list(&[("k", &full, "")]);
        let properties = Baggage::of_items([("K", &*full, "p")].into_iter());
        assert_eq!(
            items_of(&list.clone().or_also(&properties)),
            items_of(&list)
        );
    }

    #[test]
    fn full_lists_are_joined_item_by_item() {
        let list = |prefix: &str, properties: &str| {
            (0..Baggage::MAX_ITEMS).fold(Baggage::default(), |list, n| {
                let key = format!("{prefix}{n}");
                list.with_properties(&key, "v", properties).expect("short")
            })
        };
        let (lower, upper) = (list("k", ""), list("K", "p"));
        assert_eq!(items_of(&lower.clone().or_also(&upper)), items_of(&upper));
        assert_eq!(
            items_of(&lower.clone().or_also(&list("l", ""))),
            items_of(&lower)
        );
        let one = Baggage::default().with("l", "v").expect("short");
        let joined = lower.without("k63").or_also(&one).or_also(&upper);
        assert_eq!((joined.len(), joined.get("l")), (64, Some("v")));
        assert!(joined.get("K62").is_some() && joined.get("K63").is_none());
    }
}

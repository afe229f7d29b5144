//! One list of what several formats of a request say.

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
        let join = |list: Self, item| list.joined_with(item).unwrap_or(list);
        other.items().fold(self, join)
    }

    /// Returns this list with an item of another format, or `None` if that changes nothing.
    fn joined_with(&self, (key, value, properties): Item<'_>) -> Option<Self> {
        let is_equal = |(k, v, _): &Item<'_>| *k == key && *v == value;
        let is_similar = |(k, v, _): &Item<'_>| k.eq_ignore_ascii_case(key) && *v == value;
        let equal = self.items().find(is_equal);
        let Some((known, _, own)) = equal.or_else(|| self.items().find(is_similar)) else {
            let is_missing = self.get(key).is_none();
            return is_missing.then(|| self.with_properties(key, value, properties).ok())?;
        };
        let has_case = known.bytes().any(|byte| byte.is_ascii_uppercase());
        let item = (
            if has_case { known } else { key },
            value,
            if own.is_empty() { properties } else { own },
        );
        let is_changed = item != (known, value, own);
        let is_taken = item.0 != known && self.get(item.0).is_some();
        let bytes: usize = self.items().map(item_bytes).sum();
        let bytes = bytes - item_bytes((known, value, own)) + item_bytes(item);
        (is_changed && !is_taken && bytes <= Self::MAX_BYTES).then(|| {
            let items = self.items();
            Self::of_items(items.map(|old| if old.0 == known { item } else { old }))
        })
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
}

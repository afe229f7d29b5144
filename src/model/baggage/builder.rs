use std::str::Utf8Chunk;

use super::{
    Baggage, BaggageLimit, ItemLengths, Lengths, List, are_properties, properties_bytes,
    value_bytes,
};

/// A [`Baggage`] in the making, within its limits. A codec reads into it, because [`Baggage::with`] would copy
/// the list for each item.
#[derive(Default)]
pub(crate) struct BaggageBuilder {
    /// The bytes of [`List::text`] so far.
    text: Vec<u8>,
    lengths: ItemLengths,
    /// The bytes that count against [`Baggage::MAX_BYTES`].
    bytes: usize,
}

impl BaggageBuilder {
    /// Allocates at once what so many more bytes of text need, within the limit.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        let room = Baggage::MAX_BYTES.saturating_sub(self.text.len());
        self.text.reserve(bytes.min(room));
    }

    /// Sets `key` to `value`; an item of that key is replaced in its place. Copies nothing that breaks a limit.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> Result<(), BaggageLimit> {
        let value = value.as_bytes();
        let decode = |text: &mut Vec<u8>| text.extend(value);
        self.set_with(key.as_bytes(), value_bytes(value), decode, b"")
    }

    /// Sets `key` to the value that `decode` adds to a text, which spares a decoder the copy. Invalid UTF-8 becomes
    /// U+FFFD.
    ///
    /// The key is UTF-8. `least` is the least number of bytes that the value counts. If that is too much already,
    /// nothing is decoded: a stranger may send many items that do not fit.
    pub(crate) fn set_with(
        &mut self,
        key: &[u8],
        least: usize,
        decode: impl FnOnce(&mut Vec<u8>),
        properties: &[u8],
    ) -> Result<(), BaggageLimit> {
        if !are_properties(properties) {
            return Err(BaggageLimit::Properties);
        }
        debug_assert!(std::str::from_utf8(key).is_ok());
        let known = self.find(key);
        let others = self.bytes - known.map_or(0, |(at, start)| self.item_bytes(at, start));
        let rest = others + key.len() + properties_bytes(properties);
        if rest + least > Baggage::MAX_BYTES {
            return Err(BaggageLimit::Total);
        }
        if known.is_none() && self.len() == Baggage::MAX_ITEMS {
            return Err(BaggageLimit::Items);
        }
        let start = self.text.len();
        self.text.extend(key);
        let key_end = self.text.len();
        decode(&mut self.text);
        let value = self.text.get(key_end..).unwrap_or_default();
        let counted = value_bytes(value);
        // A value of which nothing is escaped is ASCII.
        let is_ascii = counted == value.len() || value.is_ascii();
        let counted = if is_ascii {
            counted
        } else {
            utf8_value_bytes(value)
        };
        let size = rest + counted;
        if size > Baggage::MAX_BYTES {
            self.text.truncate(start);
            return Err(BaggageLimit::Total);
        }
        if !is_ascii {
            make_utf8(&mut self.text, key_end);
        }
        let value_end = self.text.len();
        self.text.extend(properties);
        self.bytes = size;
        let new = Lengths {
            key: (key_end - start) as u16,
            value: (value_end - key_end) as u16,
            properties: (self.text.len() - value_end) as u16,
        };
        match known {
            Some((at, start)) => self.replace_by_last(at, start, new),
            None => self.lengths.push(new),
        }
        Ok(())
    }

    /// Returns the place of the item of that key in the list.
    pub(crate) fn position(&self, key: &str) -> Option<usize> {
        self.find(key.as_bytes()).map(|(at, _)| at)
    }

    /// Returns how many items there are.
    pub(crate) fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Returns the list.
    pub(crate) fn build(self) -> Baggage {
        let text = String::from_utf8(self.text);
        Baggage::of_list(List {
            text: text.expect("each part is UTF-8: `make_utf8`"),
            lengths: self.lengths,
        })
    }

    /// Moves the last item of the text, whose lengths are `new`, to the place of another one, which is removed.
    fn replace_by_last(&mut self, at: usize, start: usize, new: Lengths) {
        let Some(lengths) = self.lengths.get_mut(at) else {
            return;
        };
        let old = std::mem::replace(lengths, new);
        if let Some(moved) = self.text.get_mut(start..) {
            moved.rotate_right(new.total());
        }
        let start = start + new.total();
        self.text.drain(start..start + old.total());
    }

    /// Returns the place of the item of that key in the list, and in the text.
    fn find(&self, key: &[u8]) -> Option<(usize, usize)> {
        let mut start = 0;
        for (at, lengths) in self.lengths.as_slice().iter().enumerate() {
            if self.part(start, lengths.key) == key {
                return Some((at, start));
            }
            start += lengths.total();
        }
        None
    }

    /// Returns what an item counts against [`Baggage::MAX_BYTES`].
    fn item_bytes(&self, at: usize, start: usize) -> usize {
        self.lengths.as_slice().get(at).map_or(0, |lengths| {
            let value = start + usize::from(lengths.key);
            let properties = value + usize::from(lengths.value);
            usize::from(lengths.key)
                + value_bytes(self.part(value, lengths.value))
                + properties_bytes(self.part(properties, lengths.properties))
        })
    }

    fn part(&self, start: usize, len: u16) -> &[u8] {
        let end = start + usize::from(len);
        self.text.get(start..end).unwrap_or_default()
    }
}

/// Returns what a value counts once [`make_utf8`] has replaced what is invalid in it.
fn utf8_value_bytes(value: &[u8]) -> usize {
    let replaced = value_bytes("\u{fffd}".as_bytes());
    let bytes = |chunk: Utf8Chunk<'_>| {
        let is_invalid = !chunk.invalid().is_empty();
        value_bytes(chunk.valid().as_bytes()) + if is_invalid { replaced } else { 0 }
    };
    value.utf8_chunks().map(bytes).sum()
}

/// Replaces invalid UTF-8 behind `start` by U+FFFD.
fn make_utf8(text: &mut Vec<u8>, start: usize) {
    let added = text.get(start..).unwrap_or_default();
    if std::str::from_utf8(added).is_err() {
        let added = String::from_utf8_lossy(added).into_owned();
        text.truncate(start);
        text.extend(added.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn nothing_is_decoded_that_cannot_fit() {
        let mut builder = BaggageBuilder::default();
        let decode = |_: &mut Vec<u8>| panic!("decoded");
        let too_much = Baggage::MAX_BYTES;
        let set = builder.set_with(b"k", too_much, decode, b"");
        assert_eq!(set, Err(BaggageLimit::Total));
        let set = builder.set_with(b"", too_much - 1, decode, b"p");
        assert_eq!(set, Err(BaggageLimit::Total));
        for n in 0..Baggage::MAX_ITEMS {
            assert_eq!(builder.set(&n.to_string(), "v"), Ok(()));
        }
        let set = builder.set_with(b"k", 1, decode, b"");
        assert_eq!(set, Err(BaggageLimit::Items));
        assert_eq!(builder.set("k", "v"), Err(BaggageLimit::Items));
    }

    #[test]
    fn a_value_that_cannot_fit_is_not_read() {
        let blanks = |count: usize| value_bytes(" ".repeat(count).as_bytes());
        assert_eq!(blanks(Baggage::MAX_BYTES), 3 * Baggage::MAX_BYTES);
        assert_eq!(blanks(Baggage::MAX_BYTES + 1), Baggage::MAX_BYTES + 1);
        let mut builder = BaggageBuilder::default();
        let huge = "é".repeat(Baggage::MAX_BYTES);
        assert_eq!(builder.set("key", &huge), Err(BaggageLimit::Total));
    }

    #[test]
    fn a_refused_item_leaves_no_trace_in_the_builder() {
        let mut builder = BaggageBuilder::default();
        assert_eq!(builder.set("a", "1"), Ok(()));
        let long = "é".repeat(Baggage::MAX_BYTES / 6 + 1);
        for key in ["a", "b"] {
            assert_eq!(builder.set(key, &long), Err(BaggageLimit::Total));
            // Found out only when it is decoded.
            let decode = |text: &mut Vec<u8>| text.extend(long.as_bytes());
            let set = builder.set_with(key.as_bytes(), long.len(), decode, b"");
            assert_eq!(set, Err(BaggageLimit::Total));
        }
        // Each becomes three bytes, which count nine.
        let bytes = Baggage::MAX_BYTES / 9;
        for (bytes, fits) in [(bytes, true), (bytes + 1, false)] {
            let decode = |text: &mut Vec<u8>| text.extend(vec![0xff; bytes]);
            let set = builder.set_with(b"a", bytes, decode, b"");
            assert_eq!(set.is_ok(), fits);
        }
        assert_eq!(builder.set("a", "1"), Ok(()));
        assert_eq!(builder.set("b", "2"), Ok(()));
        let lossy = |text: &mut Vec<u8>| text.extend(b"x\xff");
        assert_eq!(builder.set_with(b"c", 2, lossy, b""), Ok(()));
        let baggage = builder.build();
        let items: Vec<_> = baggage.iter().collect();
        assert_eq!(items, [("a", "1"), ("b", "2"), ("c", "x\u{fffd}")]);
    }
}

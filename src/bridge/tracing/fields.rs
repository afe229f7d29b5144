//! Fields of spans and events, copied out of `tracing`'s callbacks.

use std::fmt::{self, Write as _};

use crate::bounded_text::{BoundedWriter, beginning};
use crate::model::{FieldRef, TagRef};

/// Keys and values in the order in which they came. Texts lie behind each other in one string, so a field costs no
/// allocation once the memory is there.
#[derive(Debug, Default)]
pub(super) struct Fields {
    items: Vec<Field>,
    text: String,
    bytes: Vec<u8>,
    /// The number of values that were cut.
    pub(super) cut: u64,
    /// The number of values whose formatting panicked.
    pub(super) panics: u64,
}

#[derive(Clone, Copy, Debug)]
struct Field {
    key: Text,
    value: Value,
}

/// A text that lives for ever, or one in [`Fields::text`].
#[derive(Clone, Copy, Debug)]
pub(super) enum Text {
    Static(&'static str),
    Kept(Range),
}

#[derive(Clone, Copy, Debug)]
enum Value {
    Bool(bool),
    Long(i64),
    Unsigned(u64),
    Double(f64),
    Text(Text),
    /// Bytes in [`Fields::bytes`].
    Binary(Range),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    start: u32,
    end: u32,
}

impl Range {
    fn of(start: usize, end: usize) -> Self {
        Self {
            start: start as u32,
            end: end as u32,
        }
    }

    fn shifted(self, by: u32) -> Self {
        Self {
            start: self.start + by,
            end: self.end + by,
        }
    }

    fn indices(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Fields {
    /// Adds a field with a value that is no text that must be copied.
    #[inline]
    pub(super) fn push(&mut self, key: &'static str, value: TagRef<'static>) {
        self.push_with(Text::Static(key), value);
    }

    /// Adds a field with a copy of its key and value.
    pub(super) fn push_copied(&mut self, key: &str, value: TagRef<'_>) {
        let key = Text::Kept(self.keep(key));
        match value {
            TagRef::String(text) => {
                let value = Value::Text(Text::Kept(self.keep(text)));
                self.items.push(Field { key, value });
            }
            TagRef::Display(text) => {
                let value = Value::Text(Text::Kept(self.format(format_args!("{text}"))));
                self.items.push(Field { key, value });
            }
            TagRef::Binary(bytes) => {
                let value = Value::Binary(self.keep_bytes(bytes));
                self.items.push(Field { key, value });
            }
            TagRef::Bool(value) => self.push_with(key, TagRef::Bool(value)),
            TagRef::Long(value) => self.push_with(key, TagRef::Long(value)),
            TagRef::Double(value) => self.push_with(key, TagRef::Double(value)),
            TagRef::Unsigned(value) => self.push_with(key, TagRef::Unsigned(value)),
            TagRef::Unset => {}
        }
    }

    /// Adds a field with a copy of the text.
    #[inline]
    pub(super) fn push_text(&mut self, key: &'static str, text: &str) {
        let value = Value::Text(Text::Kept(self.keep(text)));
        let key = Text::Static(key);
        self.items.push(Field { key, value });
    }

    /// Adds a field with a copy of the bytes.
    pub(super) fn push_bytes(&mut self, key: &'static str, bytes: &[u8]) {
        let value = Value::Binary(self.keep_bytes(bytes));
        let key = Text::Static(key);
        self.items.push(Field { key, value });
    }

    /// Adds a field with a formatted value. Runs user code; if it panics, the panic goes on and nothing is added.
    pub(super) fn push_formatted(&mut self, key: &'static str, value: fmt::Arguments<'_>) {
        let value = Value::Text(Text::Kept(self.format(value)));
        let key = Text::Static(key);
        self.items.push(Field { key, value });
    }

    /// Adds all fields of another list.
    pub(super) fn append(&mut self, other: &Self) {
        let text_start = self.text.len() as u32;
        let bytes_start = self.bytes.len() as u32;
        self.text.push_str(&other.text);
        self.bytes.extend_from_slice(&other.bytes);
        let shifted = |text| match text {
            Text::Kept(range) => Text::Kept(range.shifted(text_start)),
            text => text,
        };
        self.items.extend(other.items.iter().map(|field| Field {
            key: shifted(field.key),
            value: match field.value {
                Value::Text(text) => Value::Text(shifted(text)),
                Value::Binary(range) => Value::Binary(range.shifted(bytes_start)),
                value => value,
            },
        }));
        self.cut += other.cut;
        self.panics += other.panics;
    }

    /// Removes all fields, and keeps their memory up to a limit.
    pub(super) fn clear(&mut self) {
        self.items.clear();
        self.text.clear();
        self.bytes.clear();
        self.items.shrink_to(KEPT_ITEMS);
        self.text.shrink_to(KEPT_BYTES);
        self.bytes.shrink_to(KEPT_BYTES);
        self.cut = 0;
        self.panics = 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns the memory of texts and bytes in use.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + self.bytes.len()
    }

    /// Returns all fields.
    #[inline]
    pub(super) fn iter(&self) -> impl Iterator<Item = FieldRef<'_>> {
        self.slice(0..self.items.len())
    }

    /// Returns the fields of a range of indices.
    #[inline]
    pub(super) fn slice(
        &self,
        range: std::ops::Range<usize>,
    ) -> impl Iterator<Item = FieldRef<'_>> {
        let items = self.items.get(range).unwrap_or_default();
        items.iter().map(|field| FieldRef {
            key: self.text(field.key),
            value: self.value(field.value),
        })
    }

    #[inline]
    fn push_with(&mut self, key: Text, value: TagRef<'static>) {
        let value = match value {
            TagRef::Bool(value) => Value::Bool(value),
            TagRef::Long(value) => Value::Long(value),
            TagRef::Unsigned(value) => Value::Unsigned(value),
            TagRef::Double(value) => Value::Double(value),
            TagRef::String(text) => Value::Text(Text::Static(text)),
            TagRef::Unset | TagRef::Binary(_) | TagRef::Display(_) => return,
        };
        self.items.push(Field { key, value });
    }

    /// Returns a text that was kept.
    #[inline]
    fn text(&self, text: Text) -> &str {
        match text {
            Text::Static(text) => text,
            Text::Kept(range) => self.text.get(range.indices()).unwrap_or_default(),
        }
    }

    #[inline]
    fn value(&self, value: Value) -> TagRef<'_> {
        match value {
            Value::Bool(value) => TagRef::Bool(value),
            Value::Long(value) => TagRef::Long(value),
            Value::Unsigned(value) => TagRef::Unsigned(value),
            Value::Double(value) => TagRef::Double(value),
            Value::Text(text) => TagRef::String(self.text(text)),
            Value::Binary(range) => {
                TagRef::Binary(self.bytes.get(range.indices()).unwrap_or_default())
            }
        }
    }

    #[inline]
    fn keep(&mut self, text: &str) -> Range {
        let start = self.text.len();
        if text.len() <= MOST_BYTES {
            self.text.push_str(text);
        } else {
            self.push_cut(text);
        }
        Range::of(start, self.text.len())
    }

    #[cold]
    fn push_cut(&mut self, text: &str) {
        self.text.push_str(beginning(text, MOST_BYTES));
        self.text.push('…');
        self.cut += 1;
    }

    fn keep_bytes(&mut self, bytes: &[u8]) -> Range {
        let kept = &bytes[..bytes.len().min(MOST_BYTES)];
        self.cut += u64::from(kept.len() < bytes.len());
        let start = self.bytes.len();
        self.bytes.extend_from_slice(kept);
        Range::of(start, self.bytes.len())
    }

    fn format(&mut self, value: fmt::Arguments<'_>) -> Range {
        let start = self.text.len();
        let mut writer = BoundedWriter::new(&mut self.text, MOST_BYTES);
        // A value that fails is cut, too: what it has written so far is kept.
        if writer.write_fmt(value).is_err() {
            self.text.push('…');
            self.cut += 1;
        }
        Range::of(start, self.text.len())
    }

    /// Takes back what a value wrote before it panicked.
    pub(super) fn take_back(&mut self, mark: Mark) {
        self.items.truncate(mark.items);
        self.text.truncate(mark.text);
        self.panics += 1;
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            items: self.items.len(),
            text: self.text.len(),
        }
    }
}

/// The length of a list at some time.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    items: usize,
    text: usize,
}

/// The most bytes of one value. The limits of the span cut it further.
const MOST_BYTES: usize = 64 * 1_024;

/// The memory that an empty list keeps.
const KEPT_ITEMS: usize = 64;
const KEPT_BYTES: usize = 4 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_too_long_is_cut_between_characters() {
        let long = "é".repeat(MOST_BYTES);
        let mut fields = Fields::default();
        fields.push_text("copied", &long);
        fields.push_formatted("formatted", format_args!("x{long}"));
        fields.push_bytes("bytes", long.as_bytes());
        let lengths: Vec<_> = fields
            .iter()
            .map(|field| match field.value {
                TagRef::String(text) => {
                    assert!(text.ends_with('…'), "{}", field.key);
                    text.len()
                }
                TagRef::Binary(bytes) => bytes.len(),
                value => panic!("{value}"),
            })
            .collect();
        assert_eq!(lengths, [MOST_BYTES + 3, MOST_BYTES - 1 + 3, MOST_BYTES]);
        assert_eq!(fields.cut, 3);
    }

    #[test]
    fn appended_fields_keep_their_values() {
        let mut first = Fields::default();
        first.push_text("a", "one");
        let mut second = Fields::default();
        second.push_copied("own", TagRef::String("two"));
        second.push_bytes("bytes", &[1, 2]);
        second.push("n", TagRef::Long(3));
        first.append(&second);
        let texts: Vec<_> = first
            .iter()
            .map(|field| format!("{}={}", field.key, field.value))
            .collect();
        assert_eq!(texts, ["a=one", "own=two", "bytes=0102", "n=3"]);
    }
}

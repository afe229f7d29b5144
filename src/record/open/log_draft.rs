//! A log record that is encoded outside of its span, because user code supplies and formats its fields.

use std::cell::Cell;

use crate::bounded_text::formatted;
use crate::model::{FieldRef, TagRef, Timestamp};
use crate::record::wire::appender::KEPT_BYTES;
use crate::record::wire::codes::{
    LONG_LIST, LONG_LIST_ITEMS, NEXT_I64, NEXT_LIST, STOP, short_list_header,
};
use crate::record::wire::encode::{write_varint, zigzag};
use crate::record::wire::limits::Limits;
use crate::record::wire::truncate::{cut, write_limited_tag};
use crate::record::wire::truncated_keys::TruncatedKeys;

/// A Thrift `Log` struct in the making, in memory that the thread uses again.
pub(crate) struct LogDraft {
    bytes: Vec<u8>,
    /// The offset of the first field, one byte after the length of the list.
    fields_at: usize,
    count: usize,
    /// The number of keys and values that were cut.
    pub(crate) truncated: u64,
    truncated_keys: TruncatedKeys,
}

impl LogDraft {
    /// Begins a record.
    pub(crate) fn new(timestamp: Timestamp) -> Self {
        let mut bytes = SCRATCH.try_with(Cell::take).unwrap_or_default();
        bytes.push(NEXT_I64);
        write_varint(&mut bytes, zigzag(timestamp.as_micros()));
        bytes.extend([NEXT_LIST, 0]);
        Self {
            fields_at: bytes.len(),
            bytes,
            count: 0,
            truncated: 0,
            truncated_keys: TruncatedKeys::default(),
        }
    }

    /// Adds a field. Runs user code if the value must be formatted.
    pub(crate) fn push(&mut self, FieldRef { key, value }: FieldRef<'_>, limits: &Limits) {
        let text;
        let value = match value {
            TagRef::Unset => return,
            TagRef::Display(display) => {
                text = formatted(display);
                TagRef::String(&text)
            }
            value => value,
        };
        self.truncated +=
            write_limited_tag(&mut self.bytes, key, value, limits.log_value_bytes, limits);
        self.count += 1;
        if let TagRef::Binary(bytes) = value
            && bytes.len() > limits.log_value_bytes
        {
            let cut_key = cut(key, limits.key_bytes);
            self.truncated_keys
                .insert(cut_key.as_deref().unwrap_or(key));
        }
    }

    /// Completes the record and returns it. No field may be added afterwards.
    pub(crate) fn finish(&mut self) -> &[u8] {
        self.count += self.truncated_keys.write(&mut self.bytes) as usize;
        if self.count < LONG_LIST_ITEMS {
            if let Some(count) = self.bytes.get_mut(self.fields_at - 1) {
                *count = short_list_header(self.count);
            }
        } else {
            self.write_long_count();
        }
        self.bytes.push(STOP);
        &self.bytes
    }

    #[cold]
    #[inline(never)]
    fn write_long_count(&mut self) {
        let mut count = vec![LONG_LIST];
        write_varint(&mut count, self.count as u64);
        self.bytes.splice(self.fields_at - 1..self.fields_at, count);
    }

    /// Keeps the memory for the next record, up to [`KEPT_BYTES`].
    pub(crate) fn discard(mut self) {
        if self.bytes.capacity() <= KEPT_BYTES {
            self.bytes.clear();
            let _ = SCRATCH.try_with(|scratch| scratch.set(self.bytes));
        }
    }
}

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

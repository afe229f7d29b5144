//! The fast path for tags: a short key, and a short text or an integer.

use crate::model::{TagRef, Timestamp};
use crate::record::wire::appender::{Appender, VARINT_BYTES};
use crate::record::wire::codes::{
    LONG_LIST_ITEMS, LONG_TAG, NEXT_BINARY, NEXT_I64, NEXT_LIST, STOP, STRING_TAG, as_word,
    short_list_header,
};
use crate::record::wire::encode::zigzag;
use crate::record::wire::repeated_keys::KeyEnds;

/// Appends `Tag` structs that are short and hold text or an integer, while the reserved room lasts.
///
/// Lengths below 128 are one byte on the wire, so all of a short tag but its key and its text has a small bound. A single
/// comparison tells whether the tag fits.
pub(crate) struct ShortTags<'a> {
    out: Appender<'a>,
    /// The end of the room, less [`TAG_BYTES`], or 0 if no tag fits. A tag fits if its key and its text would end here
    /// or before, were they written right away.
    last_end: usize,
}

impl<'a> ShortTags<'a> {
    /// Appends to `out` up to a length of `limit`. Keys and values within `key_bytes` and `value_bytes` need no cut. If
    /// a short one may need a cut, no tag fits. The tags become part of `out` when this is [finished](Self::finish).
    #[inline(always)]
    pub(crate) fn new(
        out: &'a mut Vec<u8>,
        limit: usize,
        key_bytes: usize,
        value_bytes: usize,
    ) -> Self {
        let needs_no_cut = key_bytes >= ONE_BYTE - 1 && value_bytes >= ONE_BYTE - 1;
        let room = out.capacity().min(limit).saturating_sub(out.len());
        // SAFETY: a tag is appended only if its key, its text and `TAG_BYTES` end within the room.
        let out = unsafe { Appender::with_room(out) };
        let last_end = if needs_no_cut && room >= TAG_BYTES {
            out.addr() + room - TAG_BYTES
        } else {
            0
        };
        Self { out, last_end }
    }

    /// Appends a tag. Returns `None`, and appends nothing, if the tag is not short or does not fit.
    #[inline(always)]
    pub(crate) fn write(&mut self, key: &str, value: &TagRef<'_>) -> Option<KeyEnds> {
        let number = match *value {
            TagRef::String(text) => return self.write_text(key, text),
            TagRef::Long(number) => number,
            TagRef::Unsigned(number) => i64::try_from(number).ok()?,
            _ => return None,
        };
        self.write_number(key, number)
    }

    #[inline(always)]
    fn write_text(&mut self, key: &str, text: &str) -> Option<KeyEnds> {
        let ends = self.begin(key, text.len())?;
        // SAFETY: five bytes of `TAG_BYTES`, and the text. Eight bytes are stored for the first three.
        unsafe {
            self.out.word_prefix(as_word(STRING_TAG), 3);
            self.out.byte(text.len() as u8);
            self.out.bytes(text.as_bytes());
            self.out.byte(STOP);
        }
        Some(ends)
    }

    #[inline(always)]
    fn write_number(&mut self, key: &str, number: i64) -> Option<KeyEnds> {
        let ends = self.begin(key, 0)?;
        let number = zigzag(number);
        // SAFETY: four bytes of `TAG_BYTES`, and a number.
        unsafe {
            if number < 1 << 7 {
                self.out.word_prefix(number << 24 | as_word(LONG_TAG), 5);
            } else if number < 1 << 14 {
                // A byte of seven bits, a byte of the seven above, and the end of the struct.
                let number = number << 24 & 0x7f00_0000 | number << 25 & 0x7f_0000_0000;
                self.out
                    .word_prefix(number | 0x80 << 24 | as_word(LONG_TAG), 6);
            } else {
                self.out.array(LONG_TAG);
                self.out.varint(number);
                self.out.byte(STOP);
            }
        }
        Some(ends)
    }

    /// Appends the key, if the tag is short and fits.
    #[inline(always)]
    fn begin(&mut self, key: &str, text_len: usize) -> Option<KeyEnds> {
        // The bound is a power of two, so one comparison checks both lengths.
        let is_short = (key.len() | text_len) < ONE_BYTE;
        if !is_short || self.out.addr() + key.len() + text_len > self.last_end {
            return None;
        }
        let ends = KeyEnds::of(key);
        // SAFETY: there is room for the key, the text and `TAG_BYTES`, of which this uses two.
        unsafe {
            self.out.array([NEXT_BINARY, key.len() as u8]);
            if let 8..=16 = key.len() {
                self.out.overlapping(ends.first, ends.last, key.len());
            } else {
                self.out.bytes(key.as_bytes());
            }
        }
        Some(ends)
    }

    /// Appends the beginning of a `Log` struct with `count` fields, fewer than [`LONG_LIST_ITEMS`]. The caller appends
    /// the fields and the [end](Self::end_log). Returns false, and appends nothing, if there is no room.
    #[inline(always)]
    pub(crate) fn begin_log(&mut self, timestamp: Timestamp, count: usize) -> bool {
        debug_assert!(count < LONG_LIST_ITEMS);
        if self.out.addr() > self.last_end {
            return false;
        }
        // SAFETY: there is room for three bytes, a number and the end.
        unsafe {
            self.out.byte(NEXT_I64);
            self.out.time_varint(zigzag(timestamp.as_micros()));
            self.out.array([NEXT_LIST, short_list_header(count)]);
        }
        true
    }

    /// Appends the end of a `Log` struct.
    #[inline(always)]
    pub(crate) fn end_log(&mut self) {
        // SAFETY: `TAG_BYTES` has a byte for this.
        unsafe { self.out.byte(STOP) };
    }

    /// Makes the appended tags part of the buffer.
    #[inline(always)]
    pub(crate) fn finish(self) {
        self.out.finish();
    }
}

/// Lengths below this are one byte on the wire.
const ONE_BYTE: usize = 0x80;

/// Room for all of a tag but its key and its text: at most seven bytes and a number, and one byte for the end of a log.
/// It is also room for all of a log but its fields.
const TAG_BYTES: usize = 8 + VARINT_BYTES;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::wire::encode::write_tag;

    /// Writes a tag into a buffer with `room` bytes. Returns the bytes, and whether the tag was written.
    fn write(room: usize, limits: [usize; 2], key: &str, value: TagRef<'_>) -> (Vec<u8>, bool) {
        let mut out = Vec::with_capacity(room);
        let mut tags = ShortTags::new(&mut out, usize::MAX, limits[0], limits[1]);
        let is_written = tags.write(key, &value).is_some();
        tags.finish();
        (out, is_written)
    }

    #[test]
    fn a_short_tag_has_the_bytes_of_write_tag() {
        let long = "0123456789".repeat(30);
        let step = if cfg!(miri) { 13 } else { 1 };
        let lens = || (0..140).step_by(step).chain([127, 128]);
        let texts = lens().map(|len| (len, TagRef::String(&long[..len])));
        let edges = (0..64).step_by(step).flat_map(|shift| {
            let edge = 1i64 << shift;
            [edge, edge.wrapping_neg(), edge.wrapping_sub(1)]
        });
        let numbers = edges.flat_map(|n| [(0, TagRef::Long(n)), (0, TagRef::Unsigned(n as u64))]);
        for (text_len, value) in texts.chain(numbers) {
            for key in lens().map(|len| &long[len / 2..len / 2 + len]) {
                let mut expected = Vec::new();
                write_tag(&mut expected, key, value);
                let (out, is_written) = write(1_000, [256, 1_024], key, value);
                let is_supported = !matches!(value, TagRef::Unsigned(n) if n > i64::MAX as u64);
                assert_eq!(
                    is_written,
                    key.len() < 128 && text_len < 128 && is_supported
                );
                if is_written {
                    assert_eq!(out, expected, "{key} {value:?}");
                } else {
                    assert!(out.is_empty());
                }
            }
        }
    }

    #[test]
    fn the_writer_refuses_a_tag_beyond_its_room_or_limits() {
        let value = TagRef::String("value");
        for room in 0..100 {
            let (out, is_written) = write(room, [256, 256], "key", value);
            assert_eq!(out.len(), if is_written { 15 } else { 0 });
            assert_eq!(is_written, room >= 3 + 5 + TAG_BYTES);
        }
        for limits in [[126, 256], [256, 126], [0, 0]] {
            assert_eq!(write(1_000, limits, "key", value), (Vec::new(), false));
        }
        let mut out = Vec::with_capacity(1_000);
        let mut tags = ShortTags::new(&mut out, 30, 256, 256);
        assert!(tags.write("key", &value).is_none());
        tags.finish();
        assert!(out.is_empty());
    }
}

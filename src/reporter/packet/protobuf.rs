//! Writes the parts of a protobuf message.
//!
//! A field is a key, `number << 3 | wire type`, and a value. Text, bytes and nested messages have their length before
//! them. Where the size of a nested message is cheap to compute it is written first. Elsewhere the message is written
//! behind a gap of the length's usual size, and moves if the length needs another one.

use crate::model::{SpanId, TagRef, TraceId};
use crate::record::wire::appender::append_headed;
use crate::record::wire::encode::{varint_len, write_varint};

/// Returns the key of a number. The field's number is below 16, so that the key is one byte.
const fn varint_key(field: u8) -> u8 {
    field << 3
}

/// Returns the key of a value of eight bytes.
const fn fixed64_key(field: u8) -> u8 {
    field << 3 | 1
}

/// Returns the key of text, bytes or a message.
const fn len_key(field: u8) -> u8 {
    field << 3 | 2
}

/// Returns how many bytes [`write_bytes`] appends for a value of `len` bytes.
pub(super) const fn bytes_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

/// Appends a field with text or bytes.
#[inline]
pub(super) fn write_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    write_header(out, field, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends the ids as fields 1 and 2, as which all messages of spans and of references have them.
#[inline]
pub(super) fn write_ids(out: &mut Vec<u8>, trace_id: TraceId, span_id: SpanId) {
    let mut ids = [0; 28];
    ids[..2].copy_from_slice(&[len_key(1), 16]);
    ids[2..18].copy_from_slice(&trace_id.to_bytes());
    ids[18..].copy_from_slice(&id_field(2, span_id));
    out.extend_from_slice(&ids);
}

/// Returns a field with the id of a span.
#[inline]
pub(super) fn id_field(field: u8, span_id: SpanId) -> [u8; 10] {
    let mut id = [8; 10];
    id[0] = len_key(field);
    id[2..].copy_from_slice(&span_id.get().to_be_bytes());
    id
}

/// Appends the key and the length of a field with `len` bytes.
#[inline]
pub(super) fn write_header(out: &mut Vec<u8>, field: u8, len: usize) {
    if len < ONE_BYTE {
        out.extend_from_slice(&[len_key(field), len as u8]);
    } else {
        out.push(len_key(field));
        write_varint(out, len as u64);
    }
}

/// Appends the header of a field that is a message of `len` bytes, and the first field of this message, which is text.
#[inline]
pub(super) fn write_keyed_header(out: &mut Vec<u8>, field: u8, len: usize, key: &str) {
    // The key is a part of the message, so both lengths are short.
    if len < ONE_BYTE {
        let headers = [len_key(field), len as u8, len_key(1), key.len() as u8];
        out.extend_from_slice(&headers);
        out.extend_from_slice(key.as_bytes());
    } else {
        write_header(out, field, len);
        write_bytes(out, 1, key.as_bytes());
    }
}

/// Appends a message of a key, and of a message around a value: text, or an integer that is not negative and small, as
/// most are. Returns false, and appends nothing, if it is not of that kind.
#[inline]
pub(super) fn write_short_pair(
    out: &mut Vec<u8>,
    field: u8,
    key: &str,
    value: TagRef<'_>,
    fields: &ValueFields,
) -> bool {
    const HEADERS: usize = 6;
    let key_len = key.len();
    match value {
        TagRef::String(text) if key_len + text.len() + HEADERS < ONE_BYTE => {
            let len = (key_len + text.len() + HEADERS) as u8;
            let key_header = [len_key(field), len, len_key(1), key_len as u8];
            let text_len = text.len() as u8;
            let text_header = [len_key(2), text_len + 2, len_key(fields.string), text_len];
            let parts = [(key_header, key.as_bytes()), (text_header, text.as_bytes())];
            append_headed(out, parts);
        }
        TagRef::Long(number @ 0..0x4000) if key_len + HEADERS + 1 < ONE_BYTE => {
            let low = number as u8 & 0x7f;
            let (len, low, high) = match number {
                0..0x80 => (2, low, &[][..]),
                _ => (3, low | 0x80, &[(number >> 7) as u8][..]),
            };
            let key_header = [
                len_key(field),
                key_len as u8 + len + 4,
                len_key(1),
                key_len as u8,
            ];
            let number_header = [len_key(2), len, varint_key(fields.long), low];
            append_headed(out, [(key_header, key.as_bytes()), (number_header, high)]);
        }
        _ => return false,
    }
    true
}

/// Lengths below this are one byte.
const ONE_BYTE: usize = 0x80;

/// Returns how many bytes [`write_number`] appends.
pub(super) const fn number_len(value: u64) -> usize {
    if value == 0 { 0 } else { 1 + varint_len(value) }
}

/// Appends a field with a number, unless it is zero, as which a missing field is read.
pub(super) fn write_number(out: &mut Vec<u8>, field: u8, value: u64) {
    match value {
        0 => {}
        1..0x80 => out.extend_from_slice(&[varint_key(field), value as u8]),
        _ => {
            out.push(varint_key(field));
            write_varint(out, value);
        }
    }
}

/// Appends a field with a number of eight bytes.
#[inline]
pub(super) fn write_fixed64(out: &mut Vec<u8>, field: u8, value: u64) {
    let mut bytes = [fixed64_key(field); 9];
    bytes[1..].copy_from_slice(&value.to_le_bytes());
    out.extend_from_slice(&bytes);
}

/// Appends a field with the message that `write` appends. Its length mostly takes `usual` bytes.
pub(super) fn write_message(
    out: &mut Vec<u8>,
    field: u8,
    usual: usize,
    write: impl FnOnce(&mut Vec<u8>),
) {
    out.push(len_key(field));
    let at = out.len();
    out.resize(at + usual, 0);
    write(out);
    let len = out.len() - at - usual;
    let len_size = varint_len(len as u64);
    if len_size != usual {
        move_message(out, at + usual, at + len_size);
    }
    let mut rest = len;
    for byte in &mut out[at..at + len_size] {
        *byte = rest as u8 & 0x7f | 0x80;
        rest >>= 7;
    }
    out[at + len_size - 1] &= 0x7f;
}

/// Moves the end of `out` that begins at `from`.
#[cold]
fn move_message(out: &mut Vec<u8>, from: usize, to: usize) {
    let end = out.len();
    if to > from {
        out.resize(end + to - from, 0);
    }
    out.copy_within(from..end, to);
    out.truncate(end + to - from);
}

/// The fields of a message that hold a tag's value, one for each type.
pub(super) struct ValueFields {
    pub(super) string: u8,
    pub(super) bool: u8,
    pub(super) long: u8,
    pub(super) double: u8,
    pub(super) binary: u8,
}

impl ValueFields {
    /// Returns how many bytes [`write`](Self::write) appends.
    pub(super) fn len(value: TagRef<'_>) -> usize {
        match value {
            TagRef::String(text) => bytes_len(text.len()),
            TagRef::Binary(bytes) => bytes_len(bytes.len()),
            TagRef::Bool(_) => 2,
            TagRef::Long(number) => 1 + varint_len(number as u64),
            TagRef::Double(_) => 9,
            TagRef::Unset | TagRef::Unsigned(_) | TagRef::Display(_) => 0,
        }
    }

    /// Appends the field of a value. It is there even if its value is the default of its type.
    pub(super) fn write(&self, out: &mut Vec<u8>, value: TagRef<'_>) {
        match value {
            TagRef::String(text) => write_bytes(out, self.string, text.as_bytes()),
            TagRef::Binary(bytes) => write_bytes(out, self.binary, bytes),
            TagRef::Bool(value) => {
                out.extend_from_slice(&[varint_key(self.bool), value.into()]);
            }
            TagRef::Long(number) => {
                out.push(varint_key(self.long));
                write_varint(out, number as u64);
            }
            TagRef::Double(number) => write_fixed64(out, self.double, number.to_bits()),
            // A finished span has none of these.
            TagRef::Unset | TagRef::Unsigned(_) | TagRef::Display(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_length_before_it_whatever_size_was_expected() {
        for len in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152] {
            let body: Vec<_> = (0..len).map(|n| n as u8).collect();
            let mut expected = b"before".to_vec();
            write_bytes(&mut expected, 2, &body);
            assert_eq!(expected.len(), 6 + bytes_len(len));
            for usual in 1..5 {
                let mut out = b"before".to_vec();
                write_message(&mut out, 2, usual, |out| out.extend_from_slice(&body));
                assert!(out == expected, "{len} bytes, {usual} expected");
            }
        }
    }

    #[test]
    fn the_length_of_a_value_is_known_before_it_is_written() {
        let fields = ValueFields {
            string: 1,
            bool: 2,
            long: 3,
            double: 4,
            binary: 7,
        };
        let long = "x".repeat(200);
        for value in [
            TagRef::String(""),
            TagRef::String(&long),
            TagRef::Bool(false),
            TagRef::Long(0),
            TagRef::Long(i64::MAX),
            TagRef::Long(-1),
            TagRef::Double(0.0),
            TagRef::Binary(&[7; 128]),
        ] {
            let mut out = Vec::new();
            fields.write(&mut out, value);
            assert_eq!(out.len(), ValueFields::len(value), "{value:?}");
        }
    }
}

//! Writes tags, log records and references as structs of `jaeger.thrift` in the compact protocol.
//!
//! A sender copies these bytes into its packets unchanged. [`decode`](super::decode) reads them back.

use crate::model::{FieldRef, ReferenceType, ReportedReference, TagRef, Timestamp};
use crate::record::wire::appender::{Appender, VARINT_BYTES};
use crate::record::wire::codes::{
    BINARY_TAG, DOUBLE_TAG, FALSE_TAG, LONG_LIST, LONG_LIST_ITEMS, LONG_TAG, NEXT_BINARY, NEXT_I32,
    NEXT_I64, NEXT_LIST, STOP, STRING_TAG, TRUE_TAG, short_list_header,
};

/// Appends a `Tag` struct. The caller has turned `None` and `Display` into another kind of value.
pub(crate) fn write_tag(out: &mut Vec<u8>, key: &str, value: TagRef<'_>) {
    match value {
        TagRef::String(text) => write_struct(out, key, text.len(), |out| {
            // SAFETY: three bytes and a number of `TAG_BYTES`, and the payload.
            unsafe {
                out.array(STRING_TAG);
                out.sized_bytes(text.as_bytes());
            }
        }),
        TagRef::Long(value) => write_long_tag(out, key, value),
        TagRef::Unsigned(number) => match i64::try_from(number) {
            Ok(number) => write_long_tag(out, key, number),
            Err(_) => write_as_text(out, key, value),
        },
        TagRef::Double(value) if value.is_finite() => {
            write_struct(out, key, 8, |out| {
                // SAFETY: three bytes of `TAG_BYTES`, and the payload of eight.
                unsafe {
                    out.array(DOUBLE_TAG);
                    out.array(value.to_le_bytes());
                }
            });
        }
        TagRef::Bool(value) => write_struct(out, key, 0, |out| {
            // SAFETY: three bytes of `TAG_BYTES`.
            unsafe { out.array(if value { TRUE_TAG } else { FALSE_TAG }) };
        }),
        TagRef::Binary(bytes) => write_struct(out, key, bytes.len(), |out| {
            // SAFETY: three bytes and a number of `TAG_BYTES`, and the payload.
            unsafe {
                out.array(BINARY_TAG);
                out.sized_bytes(bytes);
            }
        }),
        _ => write_as_text(out, key, value),
    }
}

#[inline(always)]
fn write_long_tag(out: &mut Vec<u8>, key: &str, value: i64) {
    write_struct(out, key, 0, |out| {
        // SAFETY: three bytes and a number of `TAG_BYTES`.
        unsafe {
            out.array(LONG_TAG);
            out.varint(zigzag(value));
        }
    });
}

/// Appends a tag: its key, the bytes that `write_value` appends, and the end of the struct.
///
/// `write_value` appends `payload` bytes, and three bytes and a number besides.
#[inline(always)]
fn write_struct(
    out: &mut Vec<u8>,
    key: &str,
    payload: usize,
    write_value: impl FnOnce(&mut Appender<'_>),
) {
    let room = key.len().saturating_add(payload).saturating_add(TAG_BYTES);
    let mut out = Appender::new(out, room);
    // SAFETY: a tag is its key, its payload and at most `TAG_BYTES`: a header and a length for the key, three bytes and
    // a number for the value, and the end.
    unsafe {
        out.byte(NEXT_BINARY);
        out.sized_bytes(key.as_bytes());
        write_value(&mut out);
        out.byte(STOP);
    }
    out.finish();
}

/// Room for all of a tag but its key and its text or bytes.
const TAG_BYTES: usize = 5 + 2 * VARINT_BYTES;

/// Appends a tag as text, because Jaeger has no type for its value.
#[cold]
#[inline(never)]
fn write_as_text(out: &mut Vec<u8>, key: &str, value: TagRef<'_>) {
    write_tag(out, key, TagRef::String(&value.to_string()));
}

/// Appends a `Log` struct.
pub(crate) fn write_log(out: &mut Vec<u8>, timestamp: Timestamp, fields: &[FieldRef<'_>]) {
    out.push(NEXT_I64);
    write_varint(out, zigzag(timestamp.as_micros()));
    out.push(NEXT_LIST);
    write_list_header(out, fields.len());
    for field in fields {
        write_tag(out, field.key, field.value);
    }
    out.push(STOP);
}

/// Appends a `SpanRef` struct.
pub(crate) fn write_reference(out: &mut Vec<u8>, reference: &ReportedReference) {
    let kind = zigzag(reference_kind(reference.kind)) as u8;
    let mut out = Appender::new(out, REFERENCE_BYTES);
    // SAFETY: a reference is six bytes and three numbers: `REFERENCE_BYTES`.
    unsafe {
        out.array([NEXT_I32, kind, NEXT_I64]);
        out.varint(zigzag(reference.trace_id.low() as i64));
        out.byte(NEXT_I64);
        out.varint(zigzag(reference.trace_id.high() as i64));
        out.byte(NEXT_I64);
        out.varint(zigzag(reference.span_id.get() as i64));
        out.byte(STOP);
    }
    out.finish();
}

/// Returns the code of a kind of reference.
pub(crate) const fn reference_kind(kind: ReferenceType) -> i64 {
    match kind {
        ReferenceType::ChildOf => 0,
        ReferenceType::FollowsFrom => 1,
    }
}

/// Room for a reference.
const REFERENCE_BYTES: usize = 6 + 3 * VARINT_BYTES;

/// Appends the header of a list of structs.
pub(crate) fn write_list_header(out: &mut Vec<u8>, count: usize) {
    if count < LONG_LIST_ITEMS {
        out.push(short_list_header(count));
    } else {
        out.push(LONG_LIST);
        write_varint(out, count as u64);
    }
}

/// Appends the length of a slice, and the slice.
pub(crate) fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends an unsigned LEB128 number.
#[inline]
pub(crate) fn write_varint(out: &mut Vec<u8>, value: u64) {
    let mut out = Appender::new(out, VARINT_BYTES);
    // SAFETY: room for a number is reserved.
    unsafe { out.varint(value) };
    out.finish();
}

/// Returns how many bytes [`write_varint`] appends.
pub(crate) const fn varint_len(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// Returns the zigzag form of a number, in which small numbers of either sign are small: 0, -1, 1, -2 become 0, 1, 2,
/// 3.
pub(crate) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

//! Encodes a finished span as a `Span` struct in Thrift's compact protocol.
//!
//! Tags, log records and references are encoded already, so this writes the header's numbers and copies the rest.
//! [`codes`](crate::record::wire::codes) explains the bytes.

use crate::model::TraceId;
use crate::record::queue::finished_span::FinishedSpan;
use crate::record::wire::appender::{Appender, CONTINUED, spread_7};
use crate::record::wire::codes::{
    I32, LIST, LONG_LIST, LONG_LIST_ITEMS, NEXT_BINARY, NEXT_I32, NEXT_I64, NEXT_LIST, STOP,
    field_header, short_list_header,
};
use crate::record::wire::encode::{reference_kind, varint_len, zigzag};

/// Appends a `Span` struct.
#[inline]
pub(crate) fn write_span(out: &mut Vec<u8>, span: &FinishedSpan<'_>, last: &mut LastTrace) {
    let header = span.header();
    let lists_len = span.reference_bytes().len() + span.tag_bytes().len() + span.log_bytes().len();
    let name_len = span.operation_name().len();
    let mut out = Appender::new(out, SPAN_BYTES + name_len + lists_len);
    // SAFETY: a span is its name, its lists, and fewer than `SPAN_BYTES` bytes: four ids, and three of them again for
    // the parent's reference, at 11 bytes; three numbers at 11 bytes; the lengths of a name and three lists at 12
    // bytes; and fewer than ten bytes more. The slack behind a field is less than 32 bytes.
    unsafe {
        last.append(&mut out, header.trace_id);
        IdField::of_id(header.span_id.get()).append(&mut out);
        let parent = IdField::of_id(header.parent_id.map_or(0, |id| id.get()));
        parent.append(&mut out);
        number_field(&mut out, NEXT_BINARY, name_len as u64);
        out.bytes(span.operation_name().as_bytes());

        // Field 6, the references, is left out if there are none.
        let mut flags_field = field_header(2, I32);
        if span.all_references() > 0 {
            list_field(&mut out, NEXT_LIST, span.all_references());
            if let Some(kind) = header.parent_reference.kind() {
                out.array([NEXT_I32, zigzag(reference_kind(kind)) as u8]);
                last.append_again(&mut out);
                parent.append(&mut out);
                out.byte(STOP);
            }
            if span.reference_count() > 0 {
                out.long_bytes(span.reference_bytes());
            }
            flags_field = NEXT_I32;
        }
        number_field(&mut out, flags_field, zigzag(header.flags.bits().into()));
        time_field(&mut out, header.start().as_micros());
        let duration = i64::try_from(header.duration_micros()).unwrap_or(i64::MAX);
        number_field(&mut out, NEXT_I64, zigzag(duration));

        // Likewise field 10, the tags.
        let mut logs_field = field_header(2, LIST);
        if header.tag_count > 0 {
            list_field(&mut out, NEXT_LIST, header.tag_count);
            out.long_bytes(span.tag_bytes());
            logs_field = NEXT_LIST;
        }
        if span.log_count() > 0 {
            list_field(&mut out, logs_field, span.log_count());
            out.long_bytes(span.log_bytes());
        }
        out.byte(STOP);
    }
    out.finish();
}

/// Room for all of a span but its name and its lists.
const SPAN_BYTES: usize = 256;

/// The last trace id with its two encoded fields. Spans of one trace often follow each other, and then need no second
/// encoding.
#[derive(Debug, Default)]
pub(crate) struct LastTrace {
    id: Option<TraceId>,
    fields: [u8; TRACE_BYTES],
    len: usize,
}

impl LastTrace {
    /// Appends the two fields of a trace id.
    ///
    /// # Safety
    ///
    /// There is room for `TRACE_BYTES`.
    #[inline]
    unsafe fn append(&mut self, out: &mut Appender<'_>, id: TraceId) {
        if self.id != Some(id) {
            self.id = Some(id);
            let (low, high) = (IdField::of_id(id.low()), IdField::of_id(id.high()));
            // Not copied from `fields` to `out`: loading a whole that was just stored in pieces defeats store
            // forwarding.
            let (start, rest) = self.fields.split_at_mut(low.len);
            start.copy_from_slice(&low.bytes.to_le_bytes()[..low.len]);
            rest[..FIELD_BYTES].copy_from_slice(&high.bytes.to_le_bytes());
            self.len = low.len + high.len;
            // SAFETY: the caller's promise.
            unsafe {
                low.append(out);
                high.append(out);
            }
        } else {
            // SAFETY: the caller's promise.
            unsafe { self.append_again(out) };
        }
    }

    /// Appends the last fields again. They are equal in a span and in a reference.
    ///
    /// # Safety
    ///
    /// As [`Self::append`].
    #[inline]
    unsafe fn append_again(&self, out: &mut Appender<'_>) {
        // SAFETY: the caller's promise; the array has `TRACE_BYTES`.
        unsafe { out.array_prefix(self.fields, self.len) };
    }
}

/// The encoded field of an id: the first `len` bytes, at most 11.
#[derive(Clone, Copy)]
struct IdField {
    bytes: u128,
    len: usize,
}

/// How many bytes appending a field stores, whatever its length.
const FIELD_BYTES: usize = size_of::<u128>();
/// How many bytes appending two fields stores at most.
const TRACE_BYTES: usize = 2 * FIELD_BYTES;

impl IdField {
    /// Encodes an id. Ids are random bits, which make nine or ten bytes, or zero.
    #[inline]
    fn of_id(id: u64) -> Self {
        if id == 0 {
            return Self {
                bytes: NEXT_I64.into(),
                len: 2,
            };
        }
        let value = zigzag(id as i64);
        let top = value >> 56;
        if top == 0 {
            return Self::of_small_id(value);
        }
        Self {
            bytes: Self::join(spread_7(value) | CONTINUED, top),
            len: 10 + (top >> 7) as usize,
        }
    }

    /// Encodes an id of at most eight bytes.
    #[cold]
    #[inline(never)]
    fn of_small_id(value: u64) -> Self {
        let len = varint_len(value);
        let continued = CONTINUED & !(u64::MAX << (8 * (len - 1)));
        Self {
            bytes: Self::join(spread_7(value) | continued, 0),
            len: 1 + len,
        }
    }

    /// Joins the header, eight bytes, and two bytes for the bits from the 56th on.
    #[inline]
    fn join(first: u64, top: u64) -> u128 {
        let last = top + 2 * (top & 0x80);
        u128::from(NEXT_I64) | u128::from(first) << 8 | u128::from(last) << 72
    }

    /// Appends the field.
    ///
    /// # Safety
    ///
    /// There is room for `FIELD_BYTES`.
    #[inline]
    unsafe fn append(self, out: &mut Appender<'_>) {
        // SAFETY: the caller's promise.
        unsafe { out.array_prefix(self.bytes.to_le_bytes(), self.len) };
    }
}

/// Appends the field of a number that is mostly small.
///
/// # Safety
///
/// There is room for a byte and `VARINT_BYTES`.
#[inline]
unsafe fn number_field(out: &mut Appender<'_>, header: u8, value: u64) {
    // SAFETY: the caller's promise.
    unsafe {
        out.byte(header);
        out.varint(value);
    }
}

/// Appends the field of a time in microseconds.
///
/// # Safety
///
/// As [`number_field`].
#[inline]
unsafe fn time_field(out: &mut Appender<'_>, micros: i64) {
    // SAFETY: the caller's promise.
    unsafe {
        out.byte(NEXT_I64);
        out.time_varint(zigzag(micros));
    }
}

/// Appends the field header and the list header of a list of structs.
///
/// # Safety
///
/// There is room for two bytes and `VARINT_BYTES`.
#[inline]
unsafe fn list_field(out: &mut Appender<'_>, header: u8, count: u32) {
    // SAFETY: the caller's promise.
    unsafe {
        if count < LONG_LIST_ITEMS as u32 {
            out.array([header, short_list_header(count as usize)]);
        } else {
            out.byte(header);
            number_field(out, LONG_LIST, count.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Flags, SpanId};
    use crate::record::queue::frame::{FrameBytes, FrameHeader, FrameKind, ParentReference};
    use crate::record::wire::appender::VARINT_BYTES;
    use crate::record::wire::encode::write_varint;

    #[test]
    fn each_field_is_a_header_and_a_varint() {
        let write: [unsafe fn(&mut Appender<'_>, u64); 3] = [
            // SAFETY: room is reserved below.
            |out, value| unsafe { number_field(out, NEXT_I64, zigzag(value as i64)) },
            |out, value| unsafe { IdField::of_id(value).append(out) },
            |out, value| unsafe { time_field(out, value as i64) },
        ];
        for shift in 0..64 {
            for value in [1 << shift, (1 << shift) - 1, u64::MAX >> shift] {
                for value in [value, value.wrapping_neg(), !value] {
                    let mut expected = vec![0xee, NEXT_I64];
                    write_varint(&mut expected, zigzag(value as i64));
                    for write in write {
                        let mut written = vec![0xee];
                        let mut out = Appender::new(&mut written, 1 + VARINT_BYTES);
                        // SAFETY: room for a header and a number is reserved.
                        unsafe { write(&mut out, value) };
                        out.finish();
                        assert_eq!(written, expected, "{value:#x}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_reserved_room_holds_the_longest_fields() {
        const TOP: u64 = 1 << 63;
        let (trace_id, id) = TraceId::new(TOP, TOP)
            .zip(SpanId::new(TOP))
            .expect("not zero");
        let header = FrameHeader {
            parent_id: Some(id),
            start: i64::MIN,
            duration: u64::MAX,
            tag_count: u32::MAX,
            flags: Flags::from_bits(0xff),
            parent_reference: ParentReference::ChildOf,
            kind: FrameKind::InMicros,
            ..FrameHeader::new(trace_id, id)
        };
        let list = [7; 9];
        let bytes = FrameBytes {
            operation_name: "n",
            tags: &list,
            references: &list,
            reference_count: u32::MAX - 1,
            logs: [&list, &[]],
            log_count: u32::MAX,
        };
        let (mut out, mut last) = (Vec::new(), LastTrace::default());
        for n in 1..=2 {
            write_span(&mut out, &FinishedSpan::new(header, bytes), &mut last);
            // Seven ids, two times, the name, three lists, the flags, and two bytes and an end of the reference.
            let len = 7 * 11 + 2 * 11 + 3 + 3 * (7 + list.len()) + 3 + 3 + 1;
            assert_eq!(out.len(), n * len);
        }
        // The second one's trace is copied from the first one's.
        let (first, second) = out.split_at(out.len() / 2);
        assert_eq!(first, second);
    }
}

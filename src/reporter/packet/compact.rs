//! `jaeger.thrift` in the compact protocol: agent port 6831.
//!
//! Field headers are a byte, `(id - previous id) << 4 | type`.

use crate::model::{Process, SpanReference};
use crate::record::FinishedSpan;
pub(super) use crate::record::encode::write_list_header;
use crate::record::encode::{
    reference_kind, varint_len, write_bytes, write_tag, write_varint, zigzag,
};
use crate::reporter::packet::{METHOD, Numbers, ONEWAY};

/// Appends a `Process` struct.
pub(super) fn write_process(out: &mut Vec<u8>, process: &Process) {
    out.push(0x18);
    write_bytes(out, process.service_name.as_bytes());
    if !process.tags.is_empty() {
        out.push(0x19);
        write_list_header(out, process.tags.len());
        for tag in &process.tags {
            write_tag(out, &tag.key, tag.value.as_ref());
        }
    }
    out.push(0);
}

/// Appends a message up to the header of its list of spans.
pub(super) fn write_head(out: &mut Vec<u8>, seqid: u32, process: &[u8]) {
    out.extend_from_slice(&[0x82, ONEWAY << 5 | 1]);
    write_varint(out, seqid.into());
    write_bytes(out, METHOD);
    out.extend_from_slice(&[0x1c, 0x1c]);
    out.extend_from_slice(process);
    out.push(0x19);
}

/// Appends what comes behind the spans.
pub(super) fn write_tail(out: &mut Vec<u8>, numbers: Option<&Numbers>) {
    if let Some(numbers) = numbers {
        out.push(0x16);
        write_varint(out, zigzag(numbers.seq_no as i64));
        out.push(0x1c);
        for count in numbers.stats() {
            out.push(0x16);
            write_varint(out, zigzag(count as i64));
        }
        out.push(0);
    }
    out.extend_from_slice(&[0, 0]);
}

/// Writes a `Span` struct to `out` from `at` on and returns where it ends. Its lists are in this form already.
///
/// The vector grows as it must and never shrinks: what lies behind the end means nothing.
pub(super) fn write_span(out: &mut Vec<u8>, at: usize, span: &FinishedSpan<'_>) -> usize {
    let header = span.header();
    let name = span.operation_name();
    let (references, tags, logs) = (span.reference_bytes(), span.tag_bytes(), span.log_bytes());
    let most = at + FIELDS_BYTES + name.len() + references.len() + tags.len() + logs.len();
    if out.len() < most {
        out.resize(most, 0);
    }
    let mut out = Cursor { bytes: out, at };

    out.field(0x16, zigzag(header.trace_id.low() as i64));
    out.field(0x16, zigzag(header.trace_id.high() as i64));
    out.field(0x16, zigzag(header.span_id.get() as i64));
    let parent_id = header.parent_id.map_or(0, |id| id.get());
    out.field(0x16, zigzag(parent_id as i64));
    out.field(0x18, name.len() as u64);
    out.bytes(name.as_bytes());
    let mut flags_field = 0x25;
    if header.all_references() > 0 {
        out.list(0x19, header.all_references());
        if let Some(parent) = span.parent_reference() {
            out.reference(&parent);
        }
        out.bytes(references);
        flags_field = 0x15;
    }
    out.field(flags_field, zigzag(header.flags.bits().into()));
    out.field(0x16, zigzag(header.start().as_micros()));
    let duration = i64::try_from(header.duration_micros()).unwrap_or(i64::MAX);
    out.field(0x16, zigzag(duration));
    let mut logs_field = 0x29;
    if header.tag_count > 0 {
        out.list(0x19, header.tag_count);
        out.bytes(tags);
        logs_field = 0x19;
    }
    if header.log_count > 0 {
        out.list(logs_field, header.log_count);
        out.bytes(logs);
    }
    out.byte(0);
    out.at
}

/// At least what a span's eight fields, three list headers and its parent's reference take, each stored as if it were of the longest.
const FIELDS_BYTES: usize = 17 * MOST_FIELD_BYTES;

/// Writes into room that is known to suffice.
struct Cursor<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl Cursor<'_> {
    #[inline]
    fn byte(&mut self, byte: u8) {
        self.bytes[self.at] = byte;
        self.at += 1;
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        let end = self.at + bytes.len();
        self.bytes[self.at..end].copy_from_slice(bytes);
        self.at = end;
    }

    /// Without a loop: ids take nine or ten bytes, and byte by byte they would be half of a span's cost.
    #[inline]
    fn field(&mut self, header: u8, value: u64) {
        let len = varint_len(value);
        let (low, high) = spread(value);
        let room = &mut self.bytes[self.at..self.at + MOST_FIELD_BYTES];
        room[0] = header;
        room[1..9].copy_from_slice(&(low | CONTINUED[len]).to_le_bytes());
        room[9..].copy_from_slice(&(high | u16::from(len == 10) << 7).to_le_bytes());
        self.at += 1 + len;
    }

    fn reference(&mut self, reference: &SpanReference) {
        self.field(0x15, zigzag(reference_kind(reference.kind)));
        self.field(0x16, zigzag(reference.trace_id.low() as i64));
        self.field(0x16, zigzag(reference.trace_id.high() as i64));
        self.field(0x16, zigzag(reference.span_id.get() as i64));
        self.byte(0);
    }

    #[inline]
    fn list(&mut self, header: u8, count: u32) {
        self.byte(header);
        if count < 15 {
            self.byte((count as u8) << 4 | 0x0c);
        } else {
            self.field(0xfc, count.into());
        }
    }
}

/// A header and the longest varint.
const MOST_FIELD_BYTES: usize = 11;

/// For each length of a varint, the bits in its first eight bytes that say that it goes on.
const CONTINUED: [u64; 11] = {
    let mut bits = [0; 11];
    let mut len = 2;
    while len < 11 {
        bits[len] = bits[len - 1] << 8 | 0x80;
        len += 1;
    }
    bits
};

/// Seven bits to a byte, the lowest first: the first eight bytes and the last two.
#[inline]
const fn spread(value: u64) -> (u64, u16) {
    let low = value & 0x00ff_ffff_ffff_ffff;
    let low = (low & 0x0000_0000_0fff_ffff) | (low & 0x00ff_ffff_f000_0000) << 4;
    let low = (low & 0x0000_3fff_0000_3fff) | (low & 0x0fff_c000_0fff_c000) << 2;
    let low = (low & 0x007f_007f_007f_007f) | (low & 0x3f80_3f80_3f80_3f80) << 1;
    let high = (value >> 56 & 0x7f) | (value >> 63) << 8;
    (low, high as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_a_header_and_a_varint() {
        for shift in 0..64 {
            for value in [1 << shift, (1 << shift) - 1, u64::MAX >> shift] {
                let mut room = [0; MOST_FIELD_BYTES];
                let mut cursor = Cursor {
                    bytes: &mut room,
                    at: 0,
                };
                cursor.field(0x16, value);
                let at = cursor.at;
                let mut expected = vec![0x16];
                write_varint(&mut expected, value);
                assert_eq!(room[..at], expected, "{value:#x}");
            }
        }
    }
}

//! `jaeger.thrift` in the compact protocol: agent port 6831.
//!
//! Field headers are a byte, `(id - previous id) << 4 | type`.

use crate::model::Process;
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
#[inline(always)]
pub(super) fn write_span(
    out: &mut Vec<u8>,
    at: usize,
    span: &FinishedSpan<'_>,
    last: &mut LastTrace,
) -> usize {
    let header = span.header();
    let name = span.operation_name().as_bytes();
    let (references, tags, logs) = (span.reference_bytes(), span.tag_bytes(), span.log_bytes());
    let most = SPAN_BYTES + name.len() + references.len() + tags.len() + logs.len();
    if out.len() < at + most {
        grow(out, at + most);
    }
    let mut rest = Rest(&mut out[at..at + most]);

    let block = rest.block();
    let id_at = last.write_fields(block, 0, header.trace_id.high(), header.trace_id.low());
    let parent_at = id_field(block, id_at, header.span_id.get());
    let name_at = id_field(block, parent_at, header.parent_id.map_or(0, |id| id.get()));
    let parent_field: [u8; ID_BYTES] = *room(block, parent_at);
    let mut end = field(block, name_at, 0x18, name.len() as u64);
    rest.skip(end);
    rest.copy_short(name);

    end = 0;
    let mut flags_field = 0x25;
    if span.all_references() > 0 {
        let block = rest.block();
        end = list_field(block, 0, 0x19, span.all_references());
        if let Some(kind) = header.parent_reference.kind() {
            end = field(block, end, 0x15, zigzag(reference_kind(kind)));
            end = last.copy_fields(block, end);
            *room(block, end) = parent_field;
            end += name_at - parent_at;
            *room(block, end) = [0];
            end += 1;
        }
        if span.reference_count() > 0 {
            rest.skip(end);
            rest.copy(references);
            end = 0;
        }
        flags_field = 0x15;
    }
    let duration = i64::try_from(header.duration_micros()).unwrap_or(i64::MAX);
    let block = rest.block();
    end = field(block, end, flags_field, zigzag(header.flags.bits().into()));
    end = time_field(block, end, header.start().as_micros());
    end = duration_field(block, end, duration);
    let mut logs_field = 0x29;
    if header.tag_count > 0 {
        end = list_field(block, end, 0x19, header.tag_count);
        rest.skip(end);
        rest.copy(tags);
        end = 0;
        logs_field = 0x19;
    }
    let mut block = rest.block();
    if span.log_count() > 0 {
        end = list_field(block, end, logs_field, span.log_count());
        rest.skip(end);
        rest.copy(logs);
        end = 0;
        block = rest.block();
    }
    *room(block, end) = [0];
    at + most - rest.0.len() + end + 1
}

/// The trace id that was written last, with its fields: the spans of a trace often come one behind the other.
#[derive(Default)]
pub(super) struct LastTrace {
    /// Zero for none.
    high: u64,
    low: u64,
    fields: [u8; TRACE_BYTES],
    len: usize,
}

/// The longest field of an id, and of a trace's two; rounded up to what is copied at once.
const ID_BYTES: usize = 16;
const TRACE_BYTES: usize = 24;

impl LastTrace {
    #[inline]
    fn write_fields(&mut self, block: &mut Block, at: usize, high: u64, low: u64) -> usize {
        if (high, low) == (self.high, self.low) {
            return self.copy_fields(block, at);
        }
        let end = id_field(block, at, low);
        let end = id_field(block, end, high);
        (self.high, self.low, self.len) = (high, low, end - at);
        self.fields = *room(block, at);
        end
    }

    /// The same fields once more: they look alike in a span and in a reference.
    #[inline]
    fn copy_fields(&self, block: &mut Block, at: usize) -> usize {
        *room(block, at) = self.fields;
        at + self.len
    }
}

#[cold]
#[inline(never)]
fn grow(out: &mut Vec<u8>, len: usize) {
    out.reserve(len - out.len());
    out.resize(out.capacity(), 0);
}

/// What is left of the bytes that were reserved for a span.
struct Rest<'a>(&'a mut [u8]);

/// Room for some fields, of which each may store more than it takes.
type Block = [u8; BLOCK_BYTES];

/// A power of two, for [`room`].
const BLOCK_BYTES: usize = 256;

/// What a span may take beside its name and its lists, and a whole block behind it.
const SPAN_BYTES: usize = 2 * BLOCK_BYTES;

impl Rest<'_> {
    #[inline]
    fn block(&mut self) -> &mut Block {
        let block = self.0.first_chunk_mut();
        block.expect("reserved beside what is copied")
    }

    #[inline]
    fn skip(&mut self, len: usize) {
        let (_, rest) = std::mem::take(&mut self.0).split_at_mut(len);
        self.0 = rest;
    }

    #[inline]
    fn copy(&mut self, bytes: &[u8]) {
        let (room, rest) = std::mem::take(&mut self.0).split_at_mut(bytes.len());
        room.copy_from_slice(bytes);
        self.0 = rest;
    }

    /// The same for text that is often short: without a call then.
    #[inline]
    fn copy_short(&mut self, bytes: &[u8]) {
        let (room, rest) = std::mem::take(&mut self.0).split_at_mut(bytes.len());
        if bytes.len() <= 16
            && let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>())
        {
            let len = room.len();
            room[..8].copy_from_slice(first);
            room[len - 8..].copy_from_slice(last);
        } else {
            room.copy_from_slice(bytes);
        }
        self.0 = rest;
    }
}

/// Writes the field of an id, and returns where it ends. Ids are zero or random bits, of which nine or ten bytes come.
#[inline]
fn id_field(block: &mut Block, at: usize, id: u64) -> usize {
    let value = zigzag(id as i64);
    let top = value >> 56;
    if top == 0 {
        return field(block, at, 0x16, value);
    }
    let room: &mut [u8; 11] = room(block, at);
    room[0] = 0x16;
    room[1..9].copy_from_slice(&(spread(value) | CONTINUED[9]).to_le_bytes());
    room[9..].copy_from_slice(&last_bytes(top).to_le_bytes());
    at + 10 + (top >> 7) as usize
}

/// The ninth byte and the tenth, for the bits from the 56th on.
#[inline]
const fn last_bytes(top: u64) -> u16 {
    (top + 2 * (top & 0x80)) as u16
}

/// The same for a point in time: from 1987 to 2540 they take eight bytes.
#[inline]
fn time_field(block: &mut Block, at: usize, micros: i64) -> usize {
    let value = zigzag(micros);
    if !(1..0x80).contains(&(value >> 49)) {
        return field(block, at, 0x16, value);
    }
    let room: &mut [u8; 9] = room(block, at);
    room[0] = 0x16;
    room[1..].copy_from_slice(&(spread(value) | CONTINUED[8]).to_le_bytes());
    at + 9
}

/// The same for a duration, which has four bytes at most if it is shorter than two minutes.
#[inline]
fn duration_field(block: &mut Block, at: usize, micros: i64) -> usize {
    let value = zigzag(micros);
    if !(0x80..1 << 28).contains(&value) {
        return field(block, at, 0x16, value);
    }
    let len = 2 + usize::from(value >= 1 << 14) + usize::from(value >= 1 << 21);
    let number = (spread(value) | CONTINUED[len]) as u32;
    let room: &mut [u8; 5] = room(block, at);
    room[0] = 0x16;
    room[1..].copy_from_slice(&number.to_le_bytes());
    at + 1 + len
}

/// The same for any number.
#[inline]
fn field(block: &mut Block, at: usize, header: u8, value: u64) -> usize {
    if value < 0x80 {
        *room(block, at) = [header, value as u8];
        return at + 2;
    }
    *room(block, at) = [header];
    long_number(block, at + 1, value)
}

/// The same for a list of structs.
#[inline]
fn list_field(block: &mut Block, at: usize, header: u8, count: u32) -> usize {
    if count < 15 {
        *room(block, at) = [header, (count as u8) << 4 | 0x0c];
        return at + 2;
    }
    *room(block, at) = [header, 0xfc];
    long_number(block, at + 2, count.into())
}

/// Any number, and where it ends.
#[inline(never)]
fn long_number(block: &mut Block, at: usize, value: u64) -> usize {
    let len = varint_len(value);
    let room: &mut [u8; 10] = room(block, at);
    room[..8].copy_from_slice(&(spread(value) | CONTINUED[len.min(9)]).to_le_bytes());
    room[8..].copy_from_slice(&last_bytes(value >> 56).to_le_bytes());
    at + len
}

/// Some bytes that begin in the first half of a block, which is said to the compiler so that it needs no check.
#[inline]
fn room<const N: usize>(block: &mut Block, at: usize) -> &mut [u8; N] {
    debug_assert!(at < BLOCK_BYTES / 2, "{at} is not in the first half");
    let room = block[at % (BLOCK_BYTES / 2)..].first_chunk_mut();
    room.expect("less than the second half")
}

/// For each length of a varint, the bits in its first eight bytes that say that it goes on.
const CONTINUED: [u64; 10] = {
    let mut bits = [0; 10];
    let mut len = 2;
    while len < 10 {
        bits[len] = bits[len - 1] << 8 | 0x80;
        len += 1;
    }
    bits
};

/// The first 56 bits, seven to a byte, the lowest first.
///
/// Each step moves the upper half of every group up, by adding a multiple of it. Byte by byte, ids would be half of a
/// span's cost.
#[inline]
const fn spread(value: u64) -> u64 {
    let bits = value & 0x00ff_ffff_ffff_ffff;
    let bits = bits + (bits & 0x00ff_ffff_f000_0000) * 0xf;
    let bits = bits + (bits & 0x0fff_c000_0fff_c000) * 3;
    bits + (bits & 0x3f80_3f80_3f80_3f80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_a_header_and_a_varint() {
        let write: [fn(&mut Block, usize, u64) -> usize; 4] = [
            |block, at, value| field(block, at, 0x16, zigzag(value as i64)),
            id_field,
            |block, at, value| time_field(block, at, value as i64),
            |block, at, value| duration_field(block, at, value as i64),
        ];
        for shift in 0..64 {
            for value in [1 << shift, (1 << shift) - 1, u64::MAX >> shift] {
                for value in [value, value.wrapping_neg(), !value] {
                    let mut expected = vec![0x16];
                    write_varint(&mut expected, zigzag(value as i64));
                    for (at, write) in [0, 7, 117]
                        .into_iter()
                        .flat_map(|at| write.map(|write| (at, write)))
                    {
                        let mut block = [0xee; BLOCK_BYTES];
                        let end = write(&mut block, at, value);
                        assert_eq!(block[at..end], expected, "{value:#x}");
                        assert!(block[..at].iter().all(|byte| *byte == 0xee));
                    }
                }
            }
        }
    }
}

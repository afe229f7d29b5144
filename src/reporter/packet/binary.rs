//! Messages of `jaeger.thrift` in the binary protocol: `emitBatch` for an agent's port 6832, and a bare `Batch` for a
//! collector.
//!
//! A field header is one byte for the type and two for the id. Every number is big-endian and of fixed size.

use crate::model::{Process, ReferenceType, TagRef};
use crate::record::FinishedSpan;
use crate::record::wire::decode::Tags;
use crate::reporter::packet::emit_batch::{METHOD, Numbers, ONEWAY};
use crate::reporter::packet::encoding::{Encoding, Envelope, encoded_tags};

/// A message in the binary protocol.
pub(super) struct Binary {
    /// The encoded `Process` struct.
    process: Vec<u8>,
    is_bare: bool,
}

impl Binary {
    /// Returns the encoding of an `emitBatch` message.
    pub(super) fn emit_batch(process: &Process) -> Self {
        Self::new(process, false)
    }

    /// Returns the encoding of a `Batch` struct without a message around it.
    pub(super) fn batch(process: &Process) -> Self {
        Self::new(process, true)
    }

    fn new(process: &Process, is_bare: bool) -> Self {
        let mut encoded = Vec::new();
        write_process(&mut encoded, process);
        Self {
            process: encoded,
            is_bare,
        }
    }
}

impl Encoding for Binary {
    fn begin(&mut self, head: &mut Vec<u8>, tail: &mut Vec<u8>, envelope: &Envelope<'_>) {
        if !self.is_bare {
            write_call(head, envelope.seqid);
        }
        write_field(head, STRUCT, 1);
        head.extend_from_slice(&self.process);
        write_field(head, LIST, 2);
        write_tail(tail, envelope.numbers);
        if !self.is_bare {
            tail.push(STOP);
        }
    }

    fn write_span(&mut self, out: &mut Vec<u8>, span: &FinishedSpan<'_>) {
        write_span(out, span);
    }

    fn write_list_header(&self, head: &mut Vec<u8>, count: usize, _bytes: usize) {
        write_list_header(head, count);
    }

    fn list_header_len(&self, _count: usize, _bytes: usize) -> usize {
        LIST_HEADER_BYTES
    }

    fn max_head_len(&self) -> usize {
        MAX_FRAME_BYTES + self.process.len()
    }

    fn max_list_header_len(&self) -> usize {
        LIST_HEADER_BYTES
    }
}

/// The length of a head without the process is at most 35 bytes.
const MAX_FRAME_BYTES: usize = 40;

const LIST_HEADER_BYTES: usize = 5;

const STOP: u8 = 0;
const BOOL: u8 = 2;
const DOUBLE: u8 = 4;
const I32: u8 = 8;
const I64: u8 = 10;
const STRING: u8 = 11;
const STRUCT: u8 = 12;
const LIST: u8 = 15;

/// Appends a `Process` struct.
fn write_process(out: &mut Vec<u8>, process: &Process) {
    write_string(out, 1, process.service_name.as_bytes());
    if !process.tags.is_empty() {
        let tags = encoded_tags(process);
        write_tags(out, 2, Tags::new(&tags, process.tags.len()));
    }
    out.push(STOP);
}

/// Appends the start of a message, up to the `Batch` that is its argument.
fn write_call(out: &mut Vec<u8>, seqid: u32) {
    out.extend_from_slice(&[0x80, 0x01, 0, ONEWAY]);
    write_bytes(out, METHOD);
    out.extend_from_slice(&seqid.to_be_bytes());
    write_field(out, STRUCT, 1);
}

/// Appends the header of a list of structs.
fn write_list_header(out: &mut Vec<u8>, count: usize) {
    out.push(STRUCT);
    out.extend_from_slice(&(count as u32).to_be_bytes());
}

/// Appends the rest of a `Batch`, behind its spans.
fn write_tail(out: &mut Vec<u8>, numbers: Option<&Numbers>) {
    if let Some(numbers) = numbers {
        write_i64(out, 3, numbers.seq_no as i64);
        write_field(out, STRUCT, 4);
        for (id, count) in (1..).zip(numbers.stats()) {
            write_i64(out, id, count as i64);
        }
        out.push(STOP);
    }
    out.push(STOP);
}

/// Appends a `Span` struct.
fn write_span(out: &mut Vec<u8>, span: &FinishedSpan<'_>) {
    let header = span.header();
    write_i64(out, 1, header.trace_id.low() as i64);
    write_i64(out, 2, header.trace_id.high() as i64);
    write_i64(out, 3, header.span_id.get() as i64);
    write_i64(out, 4, header.parent_id.map_or(0, |id| id.get()) as i64);
    write_string(out, 5, span.operation_name().as_bytes());
    if span.all_references() > 0 {
        write_list(out, 6, span.references(), |out, reference| {
            let kind = match reference.kind {
                ReferenceType::ChildOf => 0,
                ReferenceType::FollowsFrom => 1,
            };
            write_i32(out, 1, kind);
            write_i64(out, 2, reference.trace_id.low() as i64);
            write_i64(out, 3, reference.trace_id.high() as i64);
            write_i64(out, 4, reference.span_id.get() as i64);
        });
    }
    write_i32(out, 7, header.flags.bits().into());
    write_i64(out, 8, header.start().as_micros());
    let duration = i64::try_from(header.duration_micros()).unwrap_or(i64::MAX);
    write_i64(out, 9, duration);
    if header.tag_count > 0 {
        write_tags(out, 10, span.tags());
    }
    if span.log_count() > 0 {
        write_list(out, 11, span.logs(), |out, log| {
            write_i64(out, 1, log.timestamp.as_micros());
            write_tags(out, 2, log.fields);
        });
    }
    out.push(STOP);
}

fn write_tags(out: &mut Vec<u8>, id: u16, tags: Tags<'_>) {
    write_list(out, id, tags, |out, (key, value)| {
        write_string(out, 1, key.as_bytes());
        match value {
            TagRef::Double(value) => {
                write_i32(out, 2, 1);
                write_field(out, DOUBLE, 4);
                out.extend_from_slice(&value.to_be_bytes());
            }
            TagRef::Bool(value) => {
                write_i32(out, 2, 2);
                write_field(out, BOOL, 5);
                out.push(value.into());
            }
            TagRef::Long(value) => {
                write_i32(out, 2, 3);
                write_i64(out, 6, value);
            }
            TagRef::Binary(bytes) => {
                write_i32(out, 2, 4);
                write_string(out, 7, bytes);
            }
            TagRef::String(text) => {
                write_i32(out, 2, 0);
                write_string(out, 3, text.as_bytes());
            }
            // The iterator yields none of these.
            TagRef::Unset | TagRef::Unsigned(_) | TagRef::Display(_) => {
                write_i32(out, 2, 0);
                write_string(out, 3, value.to_string().as_bytes());
            }
        }
    });
}

/// Appends a list of structs, and counts them while it writes.
fn write_list<T>(
    out: &mut Vec<u8>,
    id: u16,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    write_field(out, LIST, id);
    let at = out.len();
    write_list_header(out, 0);
    let mut count = 0_u32;
    for item in items {
        write(out, item);
        out.push(STOP);
        count += 1;
    }
    out[at + 1..at + 5].copy_from_slice(&count.to_be_bytes());
}

fn write_field(out: &mut Vec<u8>, kind: u8, id: u16) {
    let [high, low] = id.to_be_bytes();
    out.extend_from_slice(&[kind, high, low]);
}

fn write_i32(out: &mut Vec<u8>, id: u16, value: i32) {
    write_field(out, I32, id);
    out.extend_from_slice(&value.to_be_bytes());
}

fn write_i64(out: &mut Vec<u8>, id: u16, value: i64) {
    write_field(out, I64, id);
    out.extend_from_slice(&value.to_be_bytes());
}

fn write_string(out: &mut Vec<u8>, id: u16, bytes: &[u8]) {
    write_field(out, STRING, id);
    write_bytes(out, bytes);
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

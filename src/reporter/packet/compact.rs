//! Messages of `jaeger.thrift` in the compact protocol, for an agent's port 6831. `record` writes the spans in them.
//!
//! Field headers are a byte, `(id - previous id) << 4 | type`.

use crate::model::Process;
use crate::record::wire::codes::{NEXT_BINARY, NEXT_I64, NEXT_LIST, NEXT_STRUCT, STOP};
use crate::record::wire::encode::{
    varint_len, write_bytes, write_list_header, write_tag, write_varint, zigzag,
};
use crate::record::{self, FinishedSpan, LastTrace};
use crate::reporter::packet::emit_batch::{METHOD, Numbers, ONEWAY};
use crate::reporter::packet::encoding::{Encoding, Envelope};

/// An `emitBatch` message in the compact protocol.
pub(super) struct Compact {
    /// The encoded `Process` struct.
    process: Vec<u8>,
    last: LastTrace,
}

impl Compact {
    pub(super) fn new(process: &Process) -> Self {
        let mut encoded = Vec::new();
        write_process(&mut encoded, process);
        Self {
            process: encoded,
            last: LastTrace::default(),
        }
    }
}

impl Encoding for Compact {
    fn begin(&mut self, head: &mut Vec<u8>, tail: &mut Vec<u8>, envelope: &Envelope<'_>) {
        write_head(head, envelope.seqid, &self.process);
        write_tail(tail, envelope.numbers);
    }

    #[inline]
    fn write_span(&mut self, out: &mut Vec<u8>, span: &FinishedSpan<'_>) {
        record::write_span(out, span, &mut self.last);
    }

    fn write_list_header(&self, head: &mut Vec<u8>, count: usize, _bytes: usize) {
        write_list_header(head, count);
    }

    fn list_header_len(&self, count: usize, _bytes: usize) -> usize {
        if count < 15 {
            1
        } else {
            1 + varint_len(count as u64)
        }
    }

    fn max_head_len(&self) -> usize {
        MAX_FRAME_BYTES + self.process.len()
    }

    fn max_list_header_len(&self) -> usize {
        MAX_LIST_HEADER_BYTES
    }
}

/// The length of a head without the process is at most 26 bytes.
const MAX_FRAME_BYTES: usize = 32;

const MAX_LIST_HEADER_BYTES: usize = 6;

/// Appends a `Process` struct.
fn write_process(out: &mut Vec<u8>, process: &Process) {
    out.push(NEXT_BINARY);
    write_bytes(out, process.service_name.as_bytes());
    if !process.tags.is_empty() {
        out.push(NEXT_LIST);
        write_list_header(out, process.tags.len());
        for tag in &process.tags {
            write_tag(out, &tag.key, tag.value.as_ref());
        }
    }
    out.push(STOP);
}

/// Appends the start of a message, up to the header of its list of spans.
fn write_head(out: &mut Vec<u8>, seqid: u32, process: &[u8]) {
    out.extend_from_slice(&[0x82, ONEWAY << 5 | 1]);
    write_varint(out, seqid.into());
    write_bytes(out, METHOD);
    out.extend_from_slice(&[NEXT_STRUCT, NEXT_STRUCT]);
    out.extend_from_slice(process);
    out.push(NEXT_LIST);
}

/// Appends the rest of a message, behind its spans.
fn write_tail(out: &mut Vec<u8>, numbers: Option<&Numbers>) {
    if let Some(numbers) = numbers {
        out.push(NEXT_I64);
        write_varint(out, zigzag(numbers.seq_no as i64));
        out.push(NEXT_STRUCT);
        for count in numbers.stats() {
            out.push(NEXT_I64);
            write_varint(out, zigzag(count as i64));
        }
        out.push(STOP);
    }
    out.extend_from_slice(&[STOP, STOP]);
}

//! `jaeger.thrift` in the compact protocol: agent port 6831.
//!
//! Field headers are a byte, `(id - previous id) << 4 | type`.

use crate::model::Process;
use crate::record::FinishedSpan;
pub(super) use crate::record::encode::write_list_header;
use crate::record::encode::{write_bytes, write_tag, write_varint, zigzag};
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

/// Appends a `Span` struct. Its lists are in this form already.
pub(super) fn write_span(out: &mut Vec<u8>, span: &FinishedSpan<'_>) {
    let header = span.header();
    let name = span.operation_name();
    let (references, tags, logs) = (span.reference_bytes(), span.tag_bytes(), span.log_bytes());
    out.reserve(3 * LINE_BYTES + name.len() + references.len() + tags.len() + logs.len());

    let mut line = Line::new();
    line.field(0x16, zigzag(header.trace_id.low() as i64));
    line.field(0x16, zigzag(header.trace_id.high() as i64));
    line.field(0x16, zigzag(header.span_id.get() as i64));
    let parent_id = header.parent_id.map_or(0, |id| id.get());
    line.field(0x16, zigzag(parent_id as i64));
    line.field(0x18, name.len() as u64);
    line.write(out);
    out.extend_from_slice(name.as_bytes());

    let mut line = Line::new();
    if header.reference_count > 0 {
        out.push(0x19);
        write_list_header(out, header.reference_count as usize);
        out.extend_from_slice(references);
        line.field(0x15, zigzag(header.flags.bits().into()));
    } else {
        line.field(0x25, zigzag(header.flags.bits().into()));
    }
    line.field(0x16, zigzag(header.start.as_micros()));
    let duration = i64::try_from(header.duration_micros).unwrap_or(i64::MAX);
    line.field(0x16, zigzag(duration));
    let mut logs_field = 0x29;
    if header.tag_count > 0 {
        line.list(0x19, header.tag_count);
        line.write(out);
        out.extend_from_slice(tags);
        line = Line::new();
        logs_field = 0x19;
    }
    if header.log_count > 0 {
        line.list(logs_field, header.log_count);
        line.write(out);
        out.extend_from_slice(logs);
        line = Line::new();
    }
    line.byte(0);
    line.write(out);
}

/// Five fields of at most eleven bytes, and a little more.
const LINE_BYTES: usize = 64;

/// A few fields, collected on the stack: one check of the vector's capacity for all.
struct Line {
    bytes: [u8; LINE_BYTES],
    len: usize,
}

impl Line {
    fn new() -> Self {
        Self {
            bytes: [0; LINE_BYTES],
            len: 0,
        }
    }

    fn byte(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    fn field(&mut self, header: u8, mut value: u64) {
        self.byte(header);
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    fn list(&mut self, header: u8, count: u32) {
        self.byte(header);
        if count < 15 {
            self.byte((count as u8) << 4 | 0x0c);
        } else {
            self.field(0xfc, count.into());
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes[..self.len]);
    }
}

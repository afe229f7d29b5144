//! Messages of `jaeger.thrift` in the compact protocol, for an agent's port 6831. `record` writes the spans in them.
//!
//! Field headers are a byte, `(id - previous id) << 4 | type`.

use crate::model::Process;
use crate::record::wire::codes::{NEXT_BINARY, NEXT_I64, NEXT_LIST, NEXT_STRUCT, STOP};
pub(super) use crate::record::wire::encode::write_list_header;
use crate::record::wire::encode::{write_bytes, write_tag, write_varint, zigzag};
use crate::reporter::packet::{METHOD, Numbers, ONEWAY};

/// Appends a `Process` struct.
pub(super) fn write_process(out: &mut Vec<u8>, process: &Process) {
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
pub(super) fn write_head(out: &mut Vec<u8>, seqid: u32, process: &[u8]) {
    out.extend_from_slice(&[0x82, ONEWAY << 5 | 1]);
    write_varint(out, seqid.into());
    write_bytes(out, METHOD);
    out.extend_from_slice(&[NEXT_STRUCT, NEXT_STRUCT]);
    out.extend_from_slice(process);
    out.push(NEXT_LIST);
}

/// Appends the rest of a message, behind its spans.
pub(super) fn write_tail(out: &mut Vec<u8>, numbers: Option<&Numbers>) {
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

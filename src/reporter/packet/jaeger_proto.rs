//! Messages of `jaeger.api_v2` in protobuf: a `PostSpansRequest` with one `Batch`, for a collector's port 14250.
//!
//! [`BatchFormat::JaegerProto`](crate::reporter::sender::BatchFormat::JaegerProto) tells what becomes of each part of a
//! span.

use std::time::Duration;

use crate::model::{Process, ReferenceType, ReportedReference, TagRef};
use crate::record::FinishedSpan;
use crate::record::wire::decode::Tags;
use crate::record::wire::encode::varint_len;
use crate::reporter::packet::encoding::{Encoding, Envelope, encoded_tags};
use crate::reporter::packet::protobuf::{
    ValueFields, bytes_len, number_len, write_bytes, write_header, write_ids, write_keyed_header,
    write_message, write_number,
};

/// A `PostSpansRequest`.
pub(super) struct JaegerProto {
    /// The `Process` field of `Batch`.
    process: Vec<u8>,
}

impl JaegerProto {
    pub(super) fn new(process: &Process) -> Self {
        let mut encoded = Vec::new();
        write_message(&mut encoded, 2, 2, |out| write_process(out, process));
        Self { process: encoded }
    }
}

impl Encoding for JaegerProto {
    fn begin(&mut self, _head: &mut Vec<u8>, tail: &mut Vec<u8>, _envelope: &Envelope<'_>) {
        tail.extend_from_slice(&self.process);
    }

    fn write_span(&mut self, out: &mut Vec<u8>, span: &FinishedSpan<'_>) {
        // 128 to 16,383 bytes, as most spans have.
        write_message(out, 1, 2, |out| write_span(out, span));
    }

    fn write_list_header(&self, head: &mut Vec<u8>, _count: usize, bytes: usize) {
        write_header(head, 1, bytes + self.process.len());
    }

    fn list_header_len(&self, _count: usize, bytes: usize) -> usize {
        1 + varint_len((bytes + self.process.len()) as u64)
    }

    fn max_head_len(&self) -> usize {
        self.max_list_header_len()
    }

    fn max_list_header_len(&self) -> usize {
        1 + varint_len(u64::MAX)
    }
}

fn write_process(out: &mut Vec<u8>, process: &Process) {
    write_bytes(out, 1, process.service_name.as_bytes());
    let tags = encoded_tags(process);
    write_tags(out, 2, Tags::new(&tags, process.tags.len()));
}

fn write_span(out: &mut Vec<u8>, span: &FinishedSpan<'_>) {
    let header = span.header();
    write_ids(out, header.trace_id, header.span_id);
    write_bytes(out, 3, span.operation_name().as_bytes());
    write_references(out, span);
    write_number(out, 5, header.flags.bits().into());
    let start = u64::try_from(header.start().as_micros()).unwrap_or(0);
    write_time(out, 6, Duration::from_micros(start));
    write_time(out, 7, span.duration());
    write_tags(out, 8, span.tags());
    for log in span.logs() {
        let time = u64::try_from(log.timestamp.as_micros()).unwrap_or(0);
        write_message(out, 9, 1, |out| {
            write_time(out, 1, Duration::from_micros(time));
            write_tags(out, 2, log.fields);
        });
    }
}

/// Appends the references, that to the parent first.
fn write_references(out: &mut Vec<u8>, span: &FinishedSpan<'_>) {
    let trace_id = span.trace_id();
    let parent = span.parent_id().map(|parent_id| {
        let child_of = ReportedReference::new(ReferenceType::ChildOf, trace_id, parent_id);
        let mut known = span.references();
        known
            .find(|known| known.trace_id == trace_id && known.span_id == parent_id)
            .unwrap_or(child_of)
    });
    let others = span.references().filter(|other| Some(*other) != parent);
    for reference in parent.into_iter().chain(others) {
        write_message(out, 4, 1, |out| {
            write_ids(out, reference.trace_id, reference.span_id);
            let kind = match reference.kind {
                ReferenceType::ChildOf => 0,
                ReferenceType::FollowsFrom => 1,
            };
            write_number(out, 3, kind);
        });
    }
}

/// Appends a `Timestamp` or a `Duration`.
fn write_time(out: &mut Vec<u8>, field: u8, time: Duration) {
    let (seconds, nanos) = (time.as_secs(), time.subsec_nanos().into());
    write_header(out, field, number_len(seconds) + number_len(nanos));
    write_number(out, 1, seconds);
    write_number(out, 2, nanos);
}

fn write_tags(out: &mut Vec<u8>, field: u8, tags: Tags<'_>) {
    for (key, value) in tags {
        let kind = match value {
            TagRef::Bool(_) => 1,
            TagRef::Long(_) => 2,
            TagRef::Double(_) => 3,
            TagRef::Binary(_) => 4,
            _ => 0,
        };
        let len = bytes_len(key.len()) + number_len(kind) + ValueFields::len(value);
        write_keyed_header(out, field, len, key);
        write_number(out, 2, kind);
        VALUE_FIELDS.write(out, value);
    }
}

/// The fields of `KeyValue` for the value.
const VALUE_FIELDS: ValueFields = ValueFields {
    string: 3,
    bool: 4,
    long: 5,
    double: 6,
    binary: 7,
};

#[cfg(test)]
mod tests {
    use crate::reporter::packet::tests::{bytes, golden_message};
    use crate::reporter::sender::BatchFormat;

    /// Each line is a field of the request, of the batch, of the span or of the process: its key, its length, and what
    /// is in it.
    const GOLDEN: &str = "
        0ac301
          0ab101
            0a10 0102030405060708ffffffffffffffff
            1208 1112131415161718
            1a05 474554202f
            221c 0a100102030405060708ffffffffffffffff 12080000000000000005
            2801
            3206 0880e2cfaa06
            3a04 10e0c65b
            4206 0a0173 1a0176
            420e 0a0164 1003 31000000000000e03f
            4207 0a0162 1001 2001
            4207 0a0166 1001 2000
            4210 0a016c 1002 28fdffffffffffffffff01
            4209 0a0179 1004 3a02007f
            4a17 0a090880e2cfaa0610e807 120a0a056576656e741a0165
          120d
            0a03 737663
            1206 0a016b 1a0176";

    #[test]
    fn a_request_has_the_bytes_of_its_proto_file() {
        assert_eq!(golden_message(BatchFormat::JaegerProto), bytes(GOLDEN));
    }
}

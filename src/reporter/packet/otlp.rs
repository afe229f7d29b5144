//! Messages of OTLP in protobuf: an `ExportTraceServiceRequest` with one resource and one scope.
//!
//! [`BatchFormat::Otlp`](crate::reporter::sender::BatchFormat::Otlp) has the table of what becomes of each part of a
//! span.

use crate::model::{Process, ReferenceType, ReportedReference, SpanId, SpanKind, TagRef, tags};
use crate::record::wire::decode::Tags;
use crate::record::wire::encode::varint_len;
use crate::record::{FinishedSpan, LogView};
use crate::reporter::packet::encoding::{Encoding, Envelope, encoded_tags};
use crate::reporter::packet::protobuf::{
    ValueFields, bytes_len, id_field, write_bytes, write_fixed64, write_header, write_ids,
    write_keyed_header, write_message, write_number, write_short_pair,
};

/// An `ExportTraceServiceRequest`.
pub(super) struct Otlp {
    /// The `Resource` field of `ResourceSpans`.
    resource: Vec<u8>,
}

impl Otlp {
    pub(super) fn new(process: &Process) -> Self {
        let mut resource = Vec::new();
        write_message(&mut resource, 1, 2, |out| write_resource(out, process));
        Self { resource }
    }

    /// Returns the length of the `ResourceSpans` message.
    fn resource_spans_len(&self, bytes: usize) -> usize {
        self.resource.len() + bytes_len(bytes)
    }
}

impl Encoding for Otlp {
    fn begin(&mut self, _head: &mut Vec<u8>, _tail: &mut Vec<u8>, _envelope: &Envelope<'_>) {}

    fn write_span(&mut self, out: &mut Vec<u8>, span: &FinishedSpan<'_>) {
        // Most spans have 128 to 16,383 bytes. The ids, the times and the flags are 72 of them.
        let bytes = span.frame_bytes();
        let is_short = bytes.operation_name.len() + bytes.tags.len() + bytes.logs[0].len() < 48;
        write_message(out, 2, if is_short { 1 } else { 2 }, |out| {
            write_span(out, span);
        });
    }

    fn write_list_header(&self, head: &mut Vec<u8>, _count: usize, bytes: usize) {
        write_header(head, 1, self.resource_spans_len(bytes));
        head.extend_from_slice(&self.resource);
        write_header(head, 2, bytes);
    }

    fn list_header_len(&self, _count: usize, bytes: usize) -> usize {
        bytes_len(self.resource_spans_len(bytes)) - bytes
    }

    fn max_head_len(&self) -> usize {
        self.max_list_header_len()
    }

    fn max_list_header_len(&self) -> usize {
        self.resource.len() + 2 * (1 + varint_len(u64::MAX))
    }
}

fn write_resource(out: &mut Vec<u8>, process: &Process) {
    let service = &*process.service_name;
    write_attribute(out, 1, SERVICE_NAME, TagRef::String(service));
    let has = |name: &str| process.tags.iter().any(|tag| tag.key == name);
    let encoded = encoded_tags(process);
    for (key, value) in Tags::new(&encoded, process.tags.len()) {
        match key {
            SERVICE_NAME => {}
            tags::JAEGER_VERSION => {
                for (key, value) in SDK.into_iter().filter(|(key, _)| !has(key)) {
                    write_attribute(out, 1, key, TagRef::String(value));
                }
            }
            tags::HOSTNAME if !has(HOST_NAME) => write_attribute(out, 1, HOST_NAME, value),
            _ => write_attribute(out, 1, key, value),
        }
    }
}

fn write_span(out: &mut Vec<u8>, span: &FinishedSpan<'_>) {
    let header = span.header();
    write_ids(out, header.trace_id, header.span_id);
    let parent = parent(span);
    if let Some(parent) = parent {
        out.extend_from_slice(&id_field(4, parent));
    }
    write_bytes(out, 5, span.operation_name().as_bytes());
    let start = nanos(header.start().as_micros());
    let end = start.saturating_add(header.duration_micros().saturating_mul(1_000));
    write_fixed64(out, 7, start);
    write_fixed64(out, 8, end);
    write_tags(out, span.tags());
    for log in span.logs() {
        write_message(out, 11, 1, |out| write_event(out, log));
    }
    if span.all_references() > 0 {
        write_links(out, span, parent);
    }
    if header.flags.is_sampled() {
        out.extend_from_slice(&SAMPLED_FLAGS);
    }
}

/// Returns the id of the parent: the span's own, else that of the first reference of the same trace, of which a
/// `ChildOf` comes before a `FollowsFrom`.
fn parent(span: &FinishedSpan<'_>) -> Option<SpanId> {
    if let Some(parent) = span.parent_id() {
        return Some(parent);
    }
    if span.all_references() == 0 {
        return None;
    }
    let first = |kind| {
        let mut same_trace = span
            .references()
            .filter(|reference| reference.trace_id == span.trace_id());
        same_trace.find(|reference| reference.kind == kind)
    };
    let reference = first(ReferenceType::ChildOf).or_else(|| first(ReferenceType::FollowsFrom));
    reference.map(|reference| reference.span_id)
}

/// Appends the links: every reference that `parent_span_id` does not tell.
fn write_links(out: &mut Vec<u8>, span: &FinishedSpan<'_>, parent: Option<SpanId>) {
    let is_told = |reference: &ReportedReference| {
        reference.kind == ReferenceType::ChildOf
            && reference.trace_id == span.trace_id()
            && Some(reference.span_id) == parent
    };
    for reference in span.references().filter(|reference| !is_told(reference)) {
        let kind = match reference.kind {
            ReferenceType::ChildOf => "child_of",
            ReferenceType::FollowsFrom => "follows_from",
        };
        write_message(out, 13, 1, |out| {
            write_ids(out, reference.trace_id, reference.span_id);
            write_attribute(out, 4, "opentracing.ref_type", TagRef::String(kind));
        });
    }
}

fn write_event(out: &mut Vec<u8>, log: LogView<'_>) {
    write_fixed64(out, 1, nanos(log.timestamp.as_micros()));
    let mut has_name = false;
    for (key, value) in log.fields {
        match value {
            TagRef::String(name) if key == tags::EVENT && !has_name => {
                write_bytes(out, 2, name.as_bytes());
                has_name = true;
            }
            _ => write_attribute(out, 3, key, value),
        }
    }
}

/// Appends the attributes, and the fields that OTLP has in place of some tags.
fn write_tags(out: &mut Vec<u8>, tags: Tags<'_>) {
    let mut standard = StandardTags::default();
    for (key, value) in tags {
        if !standard.read(key, value) {
            write_attribute(out, ATTRIBUTE, key, value);
        }
    }
    standard.write(out);
}

/// The tags that OTLP has fields for.
#[derive(Default)]
struct StandardTags<'a> {
    kind: Option<u64>,
    trace_state: Option<&'a str>,
    is_error: bool,
    status_code: Option<u64>,
    description: Option<&'a str>,
    http_message: Option<&'a str>,
}

impl<'a> StandardTags<'a> {
    /// Reads a tag. Returns false if it is to be an attribute.
    fn read(&mut self, key: &str, value: TagRef<'a>) -> bool {
        match (key, value) {
            (tags::SPAN_KIND, TagRef::String(text)) => match kind(text) {
                None => return false,
                kind => self.kind = kind,
            },
            (tags::ERROR, TagRef::Bool(true)) => self.is_error = true,
            (STATUS_CODE, TagRef::String(text)) => match status_code(text) {
                None => return false,
                code => self.status_code = code,
            },
            (STATUS_DESCRIPTION, TagRef::String(text)) => self.description = Some(text),
            (TRACE_STATE, TagRef::String(text)) => self.trace_state = Some(text),
            ("http.status_message", TagRef::String(text)) => {
                self.http_message = Some(text);
                return false;
            }
            _ => return false,
        }
        true
    }

    fn write(&self, out: &mut Vec<u8>) {
        if let Some(trace_state) = self.trace_state {
            write_bytes(out, 3, trace_state.as_bytes());
        }
        if let Some(kind) = self.kind {
            write_number(out, 6, kind);
        }
        let (code, message) = match (self.is_error, self.status_code) {
            (true, _) => (STATUS_ERROR, self.description.or(self.http_message)),
            (false, Some(code)) => (code, self.description),
            (false, None) => {
                if let Some(text) = self.description {
                    write_attribute(out, ATTRIBUTE, STATUS_DESCRIPTION, TagRef::String(text));
                }
                return;
            }
        };
        write_message(out, 15, 1, |out| {
            if let Some(message) = message {
                write_bytes(out, 2, message.as_bytes());
            }
            write_number(out, 3, code);
        });
    }
}

fn kind(text: &str) -> Option<u64> {
    if text == "internal" {
        return Some(1);
    }
    match SpanKind::of_tag(text)? {
        SpanKind::Server => Some(2),
        SpanKind::Client => Some(3),
        SpanKind::Producer => Some(4),
        SpanKind::Consumer => Some(5),
    }
}

fn status_code(text: &str) -> Option<u64> {
    if text.eq_ignore_ascii_case("OK") {
        Some(1)
    } else if text.eq_ignore_ascii_case("ERROR") {
        Some(STATUS_ERROR)
    } else {
        None
    }
}

/// Returns the nanoseconds of a time. A span has a time that fits: others are clamped before they come here.
fn nanos(micros: i64) -> u64 {
    u64::try_from(micros).unwrap_or(0).saturating_mul(1_000)
}

/// Appends a `KeyValue`: a key, and an `AnyValue` around the value.
fn write_attribute(out: &mut Vec<u8>, field: u8, key: &str, value: TagRef<'_>) {
    if write_short_pair(out, field, key, value, &VALUE_FIELDS) {
        return;
    }
    let value_len = ValueFields::len(value);
    let len = bytes_len(key.len()) + bytes_len(value_len);
    write_keyed_header(out, field, len, key);
    write_header(out, 2, value_len);
    VALUE_FIELDS.write(out, value);
}

/// The fields of `AnyValue`.
const VALUE_FIELDS: ValueFields = ValueFields {
    string: 1,
    bool: 2,
    long: 3,
    double: 4,
    binary: 7,
};

/// The field of `Span` for attributes.
const ATTRIBUTE: u8 = 9;

/// Field 16 of `Span`, four bytes: the flags of W3C Trace Context, of which `sampled` is the first.
const SAMPLED_FLAGS: [u8; 6] = [0x85, 0x01, 1, 0, 0, 0];

const STATUS_ERROR: u64 = 2;

const SERVICE_NAME: &str = "service.name";
const HOST_NAME: &str = "host.name";
const STATUS_CODE: &str = "otel.status_code";
const STATUS_DESCRIPTION: &str = "otel.status_description";
const TRACE_STATE: &str = "w3c.tracestate";

/// The attributes of the resource that name this library.
const SDK: [(&str, &str); 3] = [
    ("telemetry.sdk.name", "tracehound"),
    ("telemetry.sdk.language", "rust"),
    ("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
];

#[cfg(test)]
mod tests {
    use crate::reporter::packet::tests::{bytes, golden_message};
    use crate::reporter::sender::BatchFormat;

    /// Each line is a field of the request, of the resource or of the span: its key, its length, and what is in it.
    const GOLDEN: &str = "
        0ac501
          0a21
            0a15 0a0c736572766963652e6e616d65 12050a03737663
            0a08 0a016b 12030a0176
          129f01
            129c01
              0a10 0102030405060708ffffffffffffffff
              1208 1112131415161718
              2208 0000000000000005
              2a05 474554202f
              39 00002a36fe9c9717
              41 60e34036fe9c9717
              4a08 0a0173 12030a0176
              4a0e 0a0164 120921000000000000e03f
              4a07 0a0162 12021001
              4a07 0a0166 12021000
              4a10 0a016c 120b18fdffffffffffffffff01
              4a09 0a0179 12043a02007f
              5a0c 09e8032a36fe9c9717 120165
              8501 01000000";

    #[test]
    fn a_request_has_the_bytes_of_its_proto_file() {
        assert_eq!(golden_message(BatchFormat::Otlp), bytes(GOLDEN));
    }
}

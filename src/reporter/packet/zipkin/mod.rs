//! Messages of Zipkin: a JSON list of spans in version 2 of its model, for `POST /api/v2/spans`.
//!
//! [`BatchFormat::ZipkinJson`](crate::reporter::sender::BatchFormat::ZipkinJson) has the table of what becomes of each
//! part of a span.

mod endpoint;
mod json;

use std::mem;

use crate::model::{Process, SpanId, SpanKind, TagRef, TraceId, hex_digits, tags};
use crate::record::wire::decode::Tags;
use crate::record::{FinishedSpan, LogView};
use crate::reporter::packet::encoding::{Encoding, Envelope, encoded_tags};
use crate::reporter::packet::zipkin::endpoint::{Endpoint, Peer};
use crate::reporter::packet::zipkin::json::{
    Members, write_escaped, write_key, write_number, write_quoted, write_string, write_text,
};

/// A JSON list of spans.
///
/// Each span has a comma before it. The head of a message puts the bracket in the place of the first one.
pub(super) struct ZipkinJson {
    local_endpoint: Vec<u8>,
    /// The process tags as members of `tags`.
    process_tags: Vec<u8>,
    scratch: Vec<u8>,
}

impl ZipkinJson {
    pub(super) fn new(process: &Process) -> Self {
        let mut endpoint = Endpoint::of_service(&process.service_name);
        let mut process_tags = Vec::new();
        let encoded = encoded_tags(process);
        for (key, value) in Tags::new(&encoded, process.tags.len()) {
            if key == tags::IP && endpoint.read_ip(value) {
                continue;
            }
            if !process_tags.is_empty() {
                process_tags.push(b',');
            }
            process_tags.extend_from_slice(b"\"tracer.");
            write_escaped(&mut process_tags, key.as_bytes());
            process_tags.extend_from_slice(b"\":");
            write_text(&mut process_tags, value);
        }
        let mut local_endpoint = Vec::new();
        endpoint.write(&mut local_endpoint);
        Self {
            local_endpoint,
            process_tags,
            scratch: Vec::new(),
        }
    }

    /// Appends the tags, and the members that Zipkin has in place of some.
    fn write_tags(&self, out: &mut Vec<u8>, span: &FinishedSpan<'_>) {
        let (mut kind, mut peer) = (None, Peer::default());
        let mut members = Members::begin(out, "tags", b'{');
        for (key, value) in span.tags() {
            match (key, value) {
                (tags::SPAN_KIND, TagRef::String(text)) if SpanKind::of_tag(text).is_some() => {
                    kind = SpanKind::of_tag(text);
                    continue;
                }
                (tags::ERROR, TagRef::Bool(false) | TagRef::String("false")) => continue,
                _ => peer.read(key, value),
            }
            let out = members.next();
            write_string(out, key);
            out.push(b':');
            write_text(out, value);
        }
        let is_root = span.parent_id().is_none() && span.all_references() == 0;
        if (is_root || kind == Some(SpanKind::Server)) && !self.process_tags.is_empty() {
            members.next().extend_from_slice(&self.process_tags);
        }
        members.end(b'}');
        if let Some(kind) = kind {
            let name = match kind {
                SpanKind::Client => "CLIENT",
                SpanKind::Server => "SERVER",
                SpanKind::Producer => "PRODUCER",
                SpanKind::Consumer => "CONSUMER",
            };
            write_key(out, "kind");
            write_string(out, name);
        }
        let is_caller = matches!(kind, Some(SpanKind::Client | SpanKind::Producer));
        let endpoint = peer.endpoint(is_caller);
        if endpoint != Endpoint::default() {
            write_key(out, "remoteEndpoint");
            endpoint.write(out);
        }
    }

    fn write_annotations(&mut self, out: &mut Vec<u8>, span: &FinishedSpan<'_>) {
        if span.log_count() == 0 {
            return;
        }
        let mut items = Members::begin(out, "annotations", b'[');
        for log in span.logs() {
            let out = items.next();
            out.extend_from_slice(b"{\"timestamp\":");
            write_number(out, log.timestamp.as_micros());
            write_key(out, "value");
            match event(&log) {
                Some(event) => write_string(out, event),
                None => {
                    self.scratch.clear();
                    write_fields(&mut self.scratch, log.fields);
                    write_quoted(out, &self.scratch);
                }
            }
            out.push(b'}');
        }
        items.end(b']');
    }
}

impl Encoding for ZipkinJson {
    fn begin(&mut self, _head: &mut Vec<u8>, tail: &mut Vec<u8>, _envelope: &Envelope<'_>) {
        tail.push(b']');
    }

    fn write_span(&mut self, out: &mut Vec<u8>, span: &FinishedSpan<'_>) {
        out.extend_from_slice(b",{\"traceId\":\"");
        write_trace_id(out, span.trace_id());
        out.extend_from_slice(b"\",\"id\":\"");
        out.extend_from_slice(&hex_digits(span.span_id().get()));
        out.push(b'"');
        let not_itself = |parent_id: &SpanId| *parent_id != span.span_id();
        if let Some(parent_id) = span.parent_id().filter(not_itself) {
            write_key(out, "parentId");
            write_quoted(out, &hex_digits(parent_id.get()));
        }
        write_key(out, "name");
        write_string(out, span.operation_name());
        // Zero would mean that the time is not known.
        let start = span.start().as_micros();
        if start > 0 {
            write_key(out, "timestamp");
            write_number(out, start);
        }
        write_key(out, "duration");
        write_number(out, span.header().duration_micros());
        write_key(out, "localEndpoint");
        out.extend_from_slice(&self.local_endpoint);
        self.write_tags(out, span);
        self.write_annotations(out, span);
        if span.flags().is_debug() {
            write_key(out, "debug");
            out.extend_from_slice(b"true");
        }
        out.push(b'}');
    }

    fn write_list_header(&self, head: &mut Vec<u8>, _count: usize, _bytes: usize) {
        head.push(b'[');
    }

    fn list_header_len(&self, _count: usize, _bytes: usize) -> usize {
        1
    }

    fn max_head_len(&self) -> usize {
        1
    }

    fn max_list_header_len(&self) -> usize {
        1
    }

    fn separator_len(&self) -> usize {
        1
    }
}

/// Returns the event of a log record that has nothing else.
fn event<'a>(log: &LogView<'a>) -> Option<&'a str> {
    let mut fields = log.fields.clone();
    match (fields.next(), fields.next()) {
        (Some((tags::EVENT, TagRef::String(event))), None) => Some(event),
        _ => None,
    }
}

/// Appends fields as an object.
fn write_fields(out: &mut Vec<u8>, fields: Tags<'_>) {
    let mut separator = b'{';
    for (key, value) in fields {
        out.push(mem::replace(&mut separator, b','));
        write_string(out, key);
        out.push(b':');
        match value {
            TagRef::Bool(_) | TagRef::Long(_) | TagRef::Double(_) => write_number(out, value),
            _ => write_text(out, value),
        }
    }
    if separator == b'{' {
        out.push(b'{');
    }
    out.push(b'}');
}

fn write_trace_id(out: &mut Vec<u8>, id: TraceId) {
    if id.high() != 0 {
        out.extend_from_slice(&hex_digits(id.high()));
    }
    out.extend_from_slice(&hex_digits(id.low()));
}

#[cfg(test)]
mod tests {
    use crate::reporter::packet::tests::golden_message;
    use crate::reporter::sender::BatchFormat;

    #[test]
    fn a_message_is_a_list_of_spans() {
        let parts = [
            r#"[{"traceId":"0102030405060708ffffffffffffffff","id":"1112131415161718","name":"GET /","#,
            r#""timestamp":1700000000000000,"duration":1500,"localEndpoint":{"serviceName":"svc"},"#,
            r#""tags":{"s":"v","d":"0.5","b":"true","f":"false","l":"-3","y":"007f"},"#,
            r#""annotations":[{"timestamp":1700000000000001,"value":"e"}]}]"#,
        ];
        let message = golden_message(BatchFormat::ZipkinJson);
        assert_eq!(String::from_utf8_lossy(&message), parts.concat());
    }
}

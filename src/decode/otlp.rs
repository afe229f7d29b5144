use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value as Json;

use crate::bounded_text::beginning;
use crate::decode::parts::Parts;
use crate::decode::protobuf::{Fields, Value, text};
use crate::decode::{NO_NAME, Reason, ReceivedBatch};
use crate::model::{
    Flags, LogRecord, Process, ReferenceType, ReportedReference, SpanId, Tag, TagValue, Timestamp,
    TraceId, tags,
};
use crate::reporter::OwnedSpan;
use crate::reporter::sender::BatchFormat;

/// Reads an `ExportTraceServiceRequest`. Each of its resources is a batch.
///
/// Fields of OTLP become tags as in Jaeger, in its order: the scope is `otel.scope.name` and `otel.scope.version`, the
/// kind is `span.kind`, the status is `otel.status_code` with `error` and `otel.status_description`, the name of an
/// event is its field `event`, and links are references.
pub(crate) fn otlp_request(bytes: &[u8]) -> Result<Vec<ReceivedBatch>, Reason> {
    let mut parts = Parts::of_message();
    let mut batches = Vec::new();
    for field in Fields::new(bytes) {
        if let (1, Value::Bytes(resource_spans)) = field? {
            batches.push(batch(resource_spans, &mut parts)?);
        }
    }
    Ok(batches)
}

/// Reads a `ResourceSpans`.
fn batch(bytes: &[u8], parts: &mut Parts) -> Result<ReceivedBatch, Reason> {
    parts.take()?;
    let mut process = Process::new(NO_NAME, Vec::new());
    let mut spans = Vec::new();
    let mut left_out = 0;
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(resource)) => process = self::process(resource, parts)?,
            (2, Value::Bytes(scope_spans)) => {
                let scope = scope_of(scope_spans)?;
                for field in Fields::new(scope_spans) {
                    if let (2, Value::Bytes(bytes)) = field? {
                        match span(bytes, &scope, parts)? {
                            Some(span) => spans.push(span),
                            None => left_out += 1,
                        }
                    }
                }
            }
            _ => {}
        }
    }
    let mut batch = ReceivedBatch::new(BatchFormat::Otlp, process, spans);
    batch.left_out = left_out;
    Ok(batch)
}

/// The tags that a scope gives to each of its spans.
struct Scope {
    tags: Vec<Tag>,
    /// The bytes of their values.
    bytes: usize,
}

/// Returns the scope of a `ScopeSpans`, wherever it stands in the message. Each span gets a copy, so long texts are cut:
/// a message of some megabytes could else take terabytes of memory.
fn scope_of(scope_spans: &[u8]) -> Result<Scope, Reason> {
    let (mut name, mut version) = (String::new(), String::new());
    for field in Fields::new(scope_spans) {
        let (1, Value::Bytes(scope)) = field? else {
            continue;
        };
        for field in Fields::new(scope) {
            match field? {
                (1, Value::Bytes(bytes)) => name = text(bytes).into_owned(),
                (2, Value::Bytes(bytes)) => version = text(bytes).into_owned(),
                _ => {}
            }
        }
    }
    let texts = [("otel.scope.name", name), ("otel.scope.version", version)];
    let told = texts.map(|(key, value)| (key, cut(value)));
    Ok(Scope {
        bytes: told.iter().map(|(_, value)| value.len()).sum(),
        tags: told
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| Tag::new(key, value))
            .collect(),
    })
}

/// Returns the longest beginning of whole characters that a scope may have.
fn cut(mut text: String) -> String {
    text.truncate(beginning(&text, MAX_SCOPE_BYTES).len());
    text
}

/// Reads a `Resource`.
fn process(bytes: &[u8], parts: &mut Parts) -> Result<Process, Reason> {
    let mut process = Process::new(NO_NAME, Vec::new());
    for field in Fields::new(bytes) {
        if let (1, Value::Bytes(attribute)) = field? {
            let tag = tag(attribute, parts)?;
            if tag.key == "service.name" {
                process.service_name = match tag.value {
                    TagValue::String(name) if name.is_empty() => EMPTY_NAME.to_owned(),
                    TagValue::String(name) => name.into_owned(),
                    _ => WRONG_NAME.to_owned(),
                };
            } else {
                process.tags.push(tag);
            }
        }
    }
    Ok(process)
}

/// Reads a `Span`; `None` if an id of it is zero.
fn span(bytes: &[u8], scope: &Scope, parts: &mut Parts) -> Result<Option<OwnedSpan>, Reason> {
    parts.take_copy(scope.bytes)?;
    let (mut trace_id, mut span_id, mut parent_id) = (None, None, None);
    let (mut name, mut flags) = (String::new(), Flags::default());
    let (mut start, mut end) = (0, 0);
    let (mut logs, mut links) = (Vec::new(), Vec::new());
    // What a Jaeger shows behind the attributes.
    let (mut kind, mut status, mut trace_state) = (None, Status::default(), None);
    let mut tags = scope.tags.clone();
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(id)) => trace_id = self::trace_id(id)?,
            (2, Value::Bytes(id)) => span_id = self::span_id(id)?,
            (3, Value::Bytes(state)) if !state.is_empty() => {
                trace_state = Some(Tag::new("w3c.tracestate", text(state).into_owned()));
            }
            (4, Value::Bytes(id)) => parent_id = self::span_id(id)?,
            (5, Value::Bytes(bytes)) => name = text(bytes).into_owned(),
            (6, Value::Varint(number)) => kind = self::kind(number),
            (7, Value::Fixed64(nanos)) => start = nanos,
            (8, Value::Fixed64(nanos)) => end = nanos,
            (9, Value::Bytes(attribute)) => tags.push(tag(attribute, parts)?),
            (11, Value::Bytes(event)) => logs.push(log(event, parts)?),
            (13, Value::Bytes(bytes)) => links.extend(link(bytes, parts)?),
            (15, Value::Bytes(bytes)) => status.read(bytes)?,
            (16, Value::Fixed32(bits)) if bits & 1 == 1 => flags = Flags::SAMPLED,
            _ => {}
        }
    }
    let (Some(trace_id), Some(span_id)) = (trace_id, span_id) else {
        return Ok(None);
    };
    tags.extend(kind);
    tags.extend(status.into_tags());
    tags.extend(trace_state);
    let mut span = OwnedSpan::new(trace_id, span_id, name);
    span.parent_id = parent_id;
    span.flags = flags;
    span.start = timestamp(start);
    span.duration = Duration::from_micros(end.saturating_sub(start) / 1_000);
    span.tags = tags;
    span.logs = logs;
    span.references = references(trace_id, parent_id, links);
    Ok(Some(span))
}

/// Returns the reference to the parent, and then the others. A link to the parent tells the type of the reference to
/// it.
fn references(
    trace_id: TraceId,
    parent_id: Option<SpanId>,
    mut links: Vec<ReportedReference>,
) -> Vec<ReportedReference> {
    if let Some(parent_id) = parent_id {
        let is_parent =
            |link: &ReportedReference| (link.trace_id, link.span_id) == (trace_id, parent_id);
        let link = links.iter().position(is_parent).map(|at| links.remove(at));
        let kind = link.map_or(ReferenceType::ChildOf, |link| link.kind);
        links.insert(0, ReportedReference::new(kind, trace_id, parent_id));
    }
    links
}

/// Returns the tag for a `SpanKind`.
fn kind(number: u64) -> Option<Tag> {
    let kind = match number {
        1 => "internal",
        2 => tags::SPAN_KIND_SERVER,
        3 => tags::SPAN_KIND_CLIENT,
        4 => tags::SPAN_KIND_PRODUCER,
        5 => tags::SPAN_KIND_CONSUMER,
        _ => return None,
    };
    Some(Tag::new(tags::SPAN_KIND, kind))
}

/// Reads a `Link`; `None` if an id of it is zero.
fn link(bytes: &[u8], parts: &mut Parts) -> Result<Option<ReportedReference>, Reason> {
    parts.take()?;
    let (mut trace_id, mut span_id) = (None, None);
    let mut kind = ReferenceType::FollowsFrom;
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(id)) => trace_id = self::trace_id(id)?,
            (2, Value::Bytes(id)) => span_id = self::span_id(id)?,
            (4, Value::Bytes(attribute)) => {
                let tag = tag(attribute, parts)?;
                if tag == Tag::new("opentracing.ref_type", "child_of") {
                    kind = ReferenceType::ChildOf;
                }
            }
            _ => {}
        }
    }
    Ok(trace_id
        .zip(span_id)
        .map(|(trace_id, span_id)| ReportedReference::new(kind, trace_id, span_id)))
}

/// Reads an `Event`.
fn log(bytes: &[u8], parts: &mut Parts) -> Result<LogRecord, Reason> {
    parts.take()?;
    let mut log = LogRecord::new(Timestamp::default(), Vec::new());
    let mut name = String::new();
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Fixed64(nanos)) => log.timestamp = timestamp(nanos),
            (2, Value::Bytes(bytes)) => name = text(bytes).into_owned(),
            (3, Value::Bytes(attribute)) => log.fields.push(tag(attribute, parts)?),
            _ => {}
        }
    }
    if !name.is_empty() && !log.fields.iter().any(|field| field.key == tags::EVENT) {
        log.fields.insert(0, Tag::new(tags::EVENT, name));
    }
    Ok(log)
}

/// A `Status`, which may come in several parts.
#[derive(Default)]
struct Status {
    code: u64,
    message: String,
}

impl Status {
    fn read(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        for field in Fields::new(bytes) {
            match field? {
                (2, Value::Bytes(bytes)) => self.message = text(bytes).into_owned(),
                (3, Value::Varint(number)) => self.code = number,
                _ => {}
            }
        }
        Ok(())
    }

    fn into_tags(self) -> Vec<Tag> {
        let mut tags = match self.code {
            1 => vec![Tag::new("otel.status_code", "OK")],
            2 => vec![
                Tag::new("otel.status_code", "ERROR"),
                Tag::new(tags::ERROR, true),
            ],
            _ => Vec::new(),
        };
        if !self.message.is_empty() {
            tags.push(Tag::new("otel.status_description", self.message));
        }
        tags
    }
}

/// Reads a `KeyValue`.
fn tag(bytes: &[u8], parts: &mut Parts) -> Result<Tag, Reason> {
    let (key, value) = key_value(bytes, 0, parts)?;
    let value = match value {
        Any::Value(value) => value,
        Any::Nested(json) => TagValue::from(json.to_string()),
    };
    Ok(Tag::new(key, value))
}

/// An `AnyValue`: one that a tag can hold, or an array or a map, which become JSON.
enum Any {
    Value(TagValue),
    Nested(Json),
}

fn key_value(bytes: &[u8], depth: u8, parts: &mut Parts) -> Result<(String, Any), Reason> {
    parts.take()?;
    let (mut key, mut value) = (String::new(), Any::Value(TagValue::from("")));
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(bytes)) => key = text(bytes).into_owned(),
            (2, Value::Bytes(bytes)) => value = any(bytes, depth, parts)?,
            _ => {}
        }
    }
    Ok((key, value))
}

fn any(bytes: &[u8], depth: u8, parts: &mut Parts) -> Result<Any, Reason> {
    if depth == MAX_DEPTH {
        return Err(format!("a value is nested more than {MAX_DEPTH} deep"));
    }
    let mut value = Any::Value(TagValue::from(""));
    for field in Fields::new(bytes) {
        value = match field? {
            (1, Value::Bytes(bytes)) => Any::Value(TagValue::from(text(bytes).into_owned())),
            (2, Value::Varint(bool)) => Any::Value(TagValue::Bool(bool != 0)),
            (3, Value::Varint(long)) => Any::Value(TagValue::Long(long as i64)),
            (4, Value::Fixed64(bits)) => Any::Value(TagValue::Double(f64::from_bits(bits))),
            (5, Value::Bytes(array)) => {
                let mut items = Vec::new();
                for field in Fields::new(array) {
                    if let (1, Value::Bytes(item)) = field? {
                        parts.take()?;
                        items.push(any(item, depth + 1, parts)?.into_json());
                    }
                }
                Any::Nested(items.into())
            }
            (6, Value::Bytes(map)) => {
                // Sorted, whether or not the map keeps the order of its entries.
                let mut entries = BTreeMap::new();
                for field in Fields::new(map) {
                    if let (1, Value::Bytes(entry)) = field? {
                        let (key, value) = key_value(entry, depth + 1, parts)?;
                        entries.insert(key, value.into_json());
                    }
                }
                Any::Nested(
                    entries
                        .into_iter()
                        .collect::<serde_json::Map<_, _>>()
                        .into(),
                )
            }
            (7, Value::Bytes(bytes)) => Any::Value(TagValue::Binary(bytes.to_vec())),
            _ => continue,
        };
    }
    Ok(value)
}

impl Any {
    fn into_json(self) -> Json {
        match self {
            Self::Nested(json) => json,
            Self::Value(TagValue::Bool(value)) => value.into(),
            Self::Value(TagValue::Long(value)) => value.into(),
            Self::Value(TagValue::Double(value)) if value.is_finite() => value.into(),
            Self::Value(other) => other.to_string().into(),
        }
    }
}

/// Returns `None` for an id of zero, and for one of no bytes.
pub(super) fn trace_id(bytes: &[u8]) -> Result<Option<TraceId>, Reason> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let bytes: [u8; 16] = bytes.try_into().map_err(|_| {
        let length = bytes.len();
        format!("a trace id has {length} bytes instead of 16")
    })?;
    let id = u128::from_be_bytes(bytes);
    Ok(TraceId::new((id >> 64) as u64, id as u64))
}

/// Returns `None` for an id of zero, and for one of no bytes.
pub(super) fn span_id(bytes: &[u8]) -> Result<Option<SpanId>, Reason> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let bytes: [u8; 8] = bytes.try_into().map_err(|_| {
        let length = bytes.len();
        format!("a span id has {length} bytes instead of 8")
    })?;
    Ok(SpanId::new(u64::from_be_bytes(bytes)))
}

fn timestamp(nanos: u64) -> Timestamp {
    Timestamp::from_micros((nanos / 1_000) as i64)
}

/// The names of a service whose resource tells none that can be used, as in Jaeger 2.
const EMPTY_NAME: &str = "empty-service-name";
const WRONG_NAME: &str = "service-name-wrong-type";
const MAX_DEPTH: u8 = 16;
/// Names of scopes are those of packages.
const MAX_SCOPE_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::parts::MAX_PARTS;

    fn message(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        let mut length = content.len();
        while length >= 0x80 {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend(content);
        bytes
    }

    fn ids() -> Vec<u8> {
        [message(1, &[1; 16]), message(2, &[1; 8])].concat()
    }

    /// Returns a request with one span that has this further content.
    fn span_with(content: &[u8]) -> Vec<u8> {
        let span = message(2, &[ids(), content.to_vec()].concat());
        message(1, &message(2, &span))
    }

    #[test]
    fn a_message_has_a_bounded_number_of_parts() {
        let empty = |number: u8, count| [number << 3 | 2, 0].repeat(count);
        let attributes = |count| span_with(&empty(9, count));
        let of_span = 2;
        assert!(otlp_request(&attributes(MAX_PARTS - of_span)).is_ok());
        let list = |count| message(2, &message(5, &empty(1, count)));
        for (place, request) in [
            ("attributes", attributes(MAX_PARTS - of_span + 1)),
            ("events", span_with(&empty(11, MAX_PARTS))),
            ("fields", span_with(&message(11, &empty(3, MAX_PARTS)))),
            ("links", span_with(&empty(13, MAX_PARTS))),
            ("a list", span_with(&message(9, &list(MAX_PARTS)))),
            ("resources", empty(1, MAX_PARTS + 1)),
            (
                "attributes of resources",
                message(1, &message(1, &empty(1, MAX_PARTS))),
            ),
            ("spans", message(1, &message(2, &empty(2, MAX_PARTS)))),
        ] {
            let why = otlp_request(&request).expect_err(place);
            assert_eq!(
                why,
                format!("a message has at most {MAX_PARTS} parts"),
                "{place}"
            );
        }
    }

    #[test]
    fn an_id_of_another_length_refuses_the_message() {
        for (trace, span, why) in [
            (15, 8, "a trace id has 15 bytes instead of 16"),
            (16, 9, "a span id has 9 bytes instead of 8"),
        ] {
            let ids = [message(1, &vec![1; trace]), message(2, &vec![1; span])];
            let request = message(1, &message(2, &message(2, &ids.concat())));
            assert_eq!(otlp_request(&request).expect_err(why), why);
        }
    }

    #[test]
    fn a_scope_that_many_spans_copy_counts_by_its_length() {
        let spans = message(2, &ids()).repeat(MAX_PARTS / 4);
        let request = |scope: &[u8]| {
            let scope = message(1, &message(1, scope));
            message(1, &message(2, &[scope, spans.clone()].concat()))
        };
        assert!(otlp_request(&request(b"io.opentelemetry.http")).is_ok());
        assert!(otlp_request(&request(&[b'n'; 256])).is_err());
    }

    #[test]
    fn a_service_without_a_name_is_called_as_in_jaeger_2() {
        for (resource, name) in [
            (&b""[..], "missing-service-name"),
            (
                b"\x0a\x12\x0a\x0cservice.name\x12\x02\x0a\0",
                "empty-service-name",
            ),
            (
                b"\x0a\x12\x0a\x0cservice.name\x12\x02\x18\x07",
                "service-name-wrong-type",
            ),
        ] {
            let batches = otlp_request(&message(1, &message(1, resource))).expect("well-formed");
            assert_eq!(*batches[0].process, Process::new(name, Vec::new()));
        }
    }
}

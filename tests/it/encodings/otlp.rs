//! OTLP, read by `opentelemetry-proto`.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span, Status};
use prost::Message;
use tracehound::model::{Process, ReferenceType, SpanId, Tag, TagValue, TraceId};
use tracehound::reporter::OwnedSpan;
use tracehound::reporter::sender::BatchFormat;

use super::{bare_span, for_each_batch, message, number, process, rich_span, sent, text};

fn decode(bytes: &[u8]) -> ResourceSpans {
    let mut request = ExportTraceServiceRequest::decode(bytes).expect("a request");
    assert_eq!(request.resource_spans.len(), 1);
    request.resource_spans.remove(0)
}

pub(super) fn span_ids(bytes: &[u8]) -> Vec<u64> {
    let read = decode(bytes);
    let spans = read.scope_spans[0].spans.iter();
    spans.map(|span| number(&span.span_id)).collect()
}

#[test]
fn spans_arrive_as_the_mapping_says() {
    for_each_batch(|process, spans| {
        let read = decode(&message(BatchFormat::Otlp, process.clone(), spans));
        assert_eq!(read.resource.unwrap().attributes, resource(process));
        assert_eq!((read.schema_url.as_str(), read.scope_spans.len()), ("", 1));
        let scope = &read.scope_spans[0];
        assert_eq!((scope.schema_url.as_str(), &scope.scope), ("", &None));
        assert_eq!(scope.spans.len(), spans.len());
        for (read, span) in scope.spans.iter().zip(spans) {
            let mut read = read.clone();
            read.attributes.sort_by(|a, b| a.key.cmp(&b.key));
            assert_eq!(read, expected(span), "{span:?}");
        }
    });
}

/// Returns what the attributes of the resource should be.
fn resource(process: &Process) -> Vec<KeyValue> {
    let has = |key: &str| process.tags.iter().any(|tag| tag.key == key);
    let mut all = vec![attribute("service.name", process.service_name.clone())];
    for tag in &process.tags {
        match &*tag.key {
            "jaeger.version" => {
                all.push(attribute("telemetry.sdk.name", "tracehound"));
                all.push(attribute("telemetry.sdk.language", "rust"));
                all.push(attribute(
                    "telemetry.sdk.version",
                    env!("CARGO_PKG_VERSION"),
                ));
            }
            "hostname" if !has("host.name") => all.push(attribute("host.name", tag.value.clone())),
            key => all.push(attribute(key, tag.value.clone())),
        }
    }
    all
}

/// Returns what a span should be, with its attributes sorted.
fn expected(span: &OwnedSpan) -> Span {
    let is_error = span
        .tags
        .iter()
        .any(|tag| tag.key == "error" && tag.value == TagValue::Bool(true));
    let code = match text(span, "otel.status_code") {
        Some("OK") => Some(StatusCode::Ok),
        Some("error") => Some(StatusCode::Error),
        _ => None,
    };
    let description = text(span, "otel.status_description");
    let status = if is_error {
        let message = description.or_else(|| text(span, "http.status_message"));
        Some((StatusCode::Error, message))
    } else {
        code.map(|code| (code, description))
    };
    let kind = match text(span, "span.kind") {
        Some("internal") => SpanKind::Internal,
        Some("server") => SpanKind::Server,
        Some("client") => SpanKind::Client,
        Some("producer") => SpanKind::Producer,
        Some("consumer") => SpanKind::Consumer,
        _ => SpanKind::Unspecified,
    };
    let is_told = |tag: &&Tag| match &*tag.key {
        "span.kind" => kind != SpanKind::Unspecified,
        "error" => is_error,
        "otel.status_code" => code.is_some(),
        "otel.status_description" => description.is_some() && status.is_some(),
        "w3c.tracestate" => matches!(tag.value, TagValue::String(_)),
        _ => false,
    };
    let tags = span.tags.iter().filter(|tag| !is_told(tag));
    let mut attributes: Vec<_> = tags
        .map(|tag| attribute(&tag.key, tag.value.clone()))
        .collect();
    attributes.sort_by(|a, b| a.key.cmp(&b.key));
    let parent = parent(span);
    let start = span.start.as_micros() as u64 * 1_000;
    Span {
        trace_id: trace_id_bytes(span.trace_id),
        span_id: span_id_bytes(span.span_id),
        trace_state: text(span, "w3c.tracestate").unwrap_or("").to_owned(),
        parent_span_id: parent.map(span_id_bytes).unwrap_or_default(),
        flags: u32::from(span.flags.is_sampled()),
        name: span.operation_name.clone(),
        kind: kind.into(),
        start_time_unix_nano: start,
        end_time_unix_nano: start + span.duration.as_nanos() as u64,
        attributes,
        events: span
            .logs
            .iter()
            .map(|log| event(log.timestamp.as_micros(), &log.fields))
            .collect(),
        links: links(span, parent),
        status: status.map(|(code, message)| Status {
            message: message.unwrap_or("").to_owned(),
            code: code.into(),
        }),
        ..Span::default()
    }
}

fn parent(span: &OwnedSpan) -> Option<SpanId> {
    let first = |kind| {
        let mut all = span.references.iter();
        let found = all.find(|other| other.kind == kind && other.trace_id == span.trace_id);
        found.map(|found| found.span_id)
    };
    span.parent_id
        .or_else(|| first(ReferenceType::ChildOf))
        .or_else(|| first(ReferenceType::FollowsFrom))
}

fn links(span: &OwnedSpan, parent: Option<SpanId>) -> Vec<Link> {
    let mut links = Vec::new();
    for reference in &span.references {
        let is_child = reference.kind == ReferenceType::ChildOf;
        let is_same_trace = reference.trace_id == span.trace_id;
        if is_child && is_same_trace && Some(reference.span_id) == parent {
            continue;
        }
        let kind = if is_child { "child_of" } else { "follows_from" };
        links.push(Link {
            trace_id: trace_id_bytes(reference.trace_id),
            span_id: span_id_bytes(reference.span_id),
            attributes: vec![attribute("opentracing.ref_type", kind)],
            ..Link::default()
        });
    }
    links
}

fn event(micros: i64, fields: &[Tag]) -> Event {
    let is_name = |tag: &Tag| tag.key == "event" && matches!(tag.value, TagValue::String(_));
    let at = fields.iter().position(is_name);
    let mut rest = fields.to_vec();
    let name = at.map(|at| rest.remove(at).value.to_string());
    Event {
        time_unix_nano: micros as u64 * 1_000,
        name: name.unwrap_or_default(),
        attributes: rest
            .iter()
            .map(|tag| attribute(&tag.key, tag.value.clone()))
            .collect(),
        ..Event::default()
    }
}

fn attribute(key: &str, value: impl Into<TagValue>) -> KeyValue {
    let value = match sent(&value.into()) {
        TagValue::String(text) => Value::StringValue(text.into_owned()),
        TagValue::Bool(value) => Value::BoolValue(value),
        TagValue::Long(value) => Value::IntValue(value),
        TagValue::Double(value) => Value::DoubleValue(value),
        TagValue::Binary(bytes) => Value::BytesValue(bytes),
    };
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn trace_id_bytes(id: TraceId) -> Vec<u8> {
    [id.high().to_be_bytes(), id.low().to_be_bytes()].concat()
}

fn span_id_bytes(id: SpanId) -> Vec<u8> {
    id.get().to_be_bytes().to_vec()
}

#[test]
fn a_message_has_no_byte_that_the_specification_does_not_know() {
    let bytes = message(BatchFormat::Otlp, process(), &[rich_span()]);
    let request = ExportTraceServiceRequest::decode(&*bytes).expect("a request");
    assert_eq!(request.encoded_len(), bytes.len());
}

#[test]
fn a_tag_of_the_process_with_a_standard_name_is_not_doubled() {
    let tags = [
        ("hostname", "a"),
        ("host.name", "b"),
        ("service.name", "other"),
        ("telemetry.sdk.name", "mine"),
        ("jaeger.version", "Rust-0.1.0"),
    ];
    let tags = tags.map(|(key, value)| Tag::new(key, value)).to_vec();
    let bytes = message(
        BatchFormat::Otlp,
        Process::new("shop", tags),
        &[bare_span()],
    );
    let attributes = decode(&bytes).resource.unwrap().attributes;
    let all: Vec<_> = attributes.iter().map(|one| &*one.key).collect();
    assert_eq!(
        all,
        [
            "service.name",
            "hostname",
            "host.name",
            "telemetry.sdk.name",
            "telemetry.sdk.language",
            "telemetry.sdk.version"
        ]
    );
    assert_eq!(attributes[0], attribute("service.name", "shop"));
    assert_eq!(attributes[3], attribute("telemetry.sdk.name", "mine"));
}

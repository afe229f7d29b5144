use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    Log, OtlpAttribute, OtlpEvent, OtlpFields, OtlpLink, OtlpSpan, OtlpStatus, OtlpValue,
    ReferenceKind, SentBatch, SentSpan, Tag, Value,
};

impl OtlpSpan {
    /// Returns what the collector should get of a span that the library sent to it.
    pub fn expected(batch: &SentBatch, sent: &SentSpan) -> Self {
        let mut attributes = sent.tags.clone();
        let kind = kind(&mut attributes);
        let status = status(&mut attributes);
        let parent = match sent.parent_span_id {
            0 => first_within_trace(sent).unwrap_or(0),
            parent => parent,
        };
        let is_told = |kind, trace_id, span_id| {
            kind == ReferenceKind::ChildOf && trace_id == sent.trace_id && span_id == parent
        };
        let links = sent.references.iter();
        let links = links.filter(|it| !is_told(it.kind, it.trace_id, it.span_id));
        let nanos = |micros: i64| (micros * 1_000).to_string();
        Self {
            resource: resource(batch),
            scope: String::new(),
            fields: OtlpFields {
                trace_id: format!("{:032x}", sent.trace_id),
                span_id: format!("{:016x}", sent.span_id),
                parent_span_id: Some(format!("{parent:016x}"))
                    .filter(|_| parent != 0)
                    .unwrap_or_default(),
                flags: sent.flags & SAMPLED,
                name: sent.operation.clone(),
                kind,
                start_time_unix_nano: nanos(sent.start_us),
                end_time_unix_nano: nanos(sent.start_us + sent.duration_us),
                attributes: attributes.iter().map(attribute).collect(),
                events: sent.logs.iter().map(event).collect(),
                links: links
                    .map(|it| OtlpLink {
                        trace_id: format!("{:032x}", it.trace_id),
                        span_id: format!("{:016x}", it.span_id),
                        attributes: vec![attribute(&Tag::new(
                            "opentracing.ref_type",
                            match it.kind {
                                ReferenceKind::ChildOf => "child_of",
                                ReferenceKind::FollowsFrom => "follows_from",
                            },
                        ))],
                        ..OtlpLink::default()
                    })
                    .collect(),
                status,
                ..OtlpFields::default()
            },
        }
    }
}

fn resource(batch: &SentBatch) -> Vec<OtlpAttribute> {
    let mut attributes = vec![Tag::new("service.name", batch.service.clone())];
    for tag in &batch.process_tags {
        match (tag.key.as_str(), &tag.value) {
            ("hostname", value) => attributes.push(Tag::new("host.name", value.clone())),
            ("jaeger.version", Value::String(version)) => attributes.extend([
                Tag::new("telemetry.sdk.name", "tracehound"),
                Tag::new("telemetry.sdk.language", "rust"),
                Tag::new("telemetry.sdk.version", version.trim_start_matches("Rust-")),
            ]),
            _ => attributes.push(tag.clone()),
        }
    }
    attributes.iter().map(attribute).collect()
}

/// Returns the parent of a span without a parent id: the first reference within the trace, of which a
/// `CHILD_OF` comes before a `FOLLOWS_FROM`.
fn first_within_trace(sent: &SentSpan) -> Option<u64> {
    let mut references = sent.references.clone();
    references.retain(|it| it.trace_id == sent.trace_id);
    references.sort_by_key(|it| it.kind != ReferenceKind::ChildOf);
    references.first().map(|it| it.span_id)
}

fn kind(attributes: &mut Vec<Tag>) -> u32 {
    const KINDS: [&str; 5] = ["internal", "server", "client", "producer", "consumer"];
    let number = |tag: &Tag| match &tag.value {
        Value::String(text) if tag.key == "span.kind" => KINDS.iter().position(|kind| kind == text),
        _ => None,
    };
    let kind = attributes.iter().find_map(number);
    attributes.retain(|tag| number(tag).is_none());
    kind.map_or(0, |kind| kind as u32 + 1)
}

fn status(attributes: &mut Vec<Tag>) -> OtlpStatus {
    let text = |key: &str| {
        attributes
            .iter()
            .find(|tag| tag.key == key)
            .and_then(|tag| match &tag.value {
                Value::String(text) => Some(text.clone()),
                _ => None,
            })
    };
    let is_error = |tag: &Tag| tag.key == "error" && tag.value == Value::Bool(true);
    let named = match text("otel.status_code")
        .unwrap_or_default()
        .to_uppercase()
        .as_str()
    {
        "OK" => 1,
        "ERROR" => 2,
        _ => 0,
    };
    let has_error = attributes.iter().any(is_error);
    let code = if has_error { 2 } else { named };
    if code == 0 {
        return OtlpStatus::default();
    }
    let by_http = || text("http.status_message").filter(|_| has_error);
    let message = text("otel.status_description").or_else(by_http);
    let is_used = |tag: &Tag| {
        is_error(tag) || ["otel.status_code", "otel.status_description"].contains(&tag.key.as_str())
    };
    attributes.retain(|tag| !is_used(tag));
    OtlpStatus {
        message: message.unwrap_or_default(),
        code,
    }
}

fn event(log: &Log) -> OtlpEvent {
    let mut fields = log.fields.clone();
    let mut name = String::new();
    let is_name = |tag: &Tag| tag.key == "event" && matches!(tag.value, Value::String(_));
    if let Some(at) = fields.iter().position(is_name)
        && let Value::String(text) = fields.remove(at).value
    {
        name = text;
    }
    OtlpEvent {
        time_unix_nano: (log.timestamp_us * 1_000).to_string(),
        name,
        attributes: fields.iter().map(attribute).collect(),
        dropped_attributes_count: 0,
    }
}

fn attribute(tag: &Tag) -> OtlpAttribute {
    let mut value = OtlpValue::default();
    match &tag.value {
        Value::String(text) => value.string_value = Some(text.clone()),
        Value::Bool(it) => value.bool_value = Some(*it),
        Value::Long(it) => value.int_value = Some(it.to_string()),
        Value::Double(it) => value.double_value = Some(*it),
        Value::Binary(bytes) | Value::NotUtf8(bytes) => {
            value.bytes_value = Some(STANDARD.encode(bytes));
        }
    }
    OtlpAttribute {
        key: tag.key.clone(),
        value,
    }
}

const SAMPLED: u32 = 1;

//! Traces in the JSON of OTLP, as the third version of the API has them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::model::{
    LogRecord, Process, ReferenceType, Tag, TagRef, TagValue, TraceId, non_finite, tags,
};
use crate::reporter::OwnedSpan;
use crate::view::Trace;

/// Returns a `TracesData` with the spans of traces. The spans of one process stand together.
pub(super) fn traces_data<'a>(traces: impl IntoIterator<Item = &'a Trace>) -> Value {
    let mut resources = Vec::new();
    for trace in traces {
        let mut groups: Vec<(&Arc<Process>, Vec<&OwnedSpan>)> = Vec::new();
        for received in &trace.spans {
            let same =
                |(process, _): &&mut (&Arc<Process>, _)| Arc::ptr_eq(process, &received.process);
            match groups.iter_mut().rev().find(same) {
                Some((_, spans)) => spans.push(&received.span),
                None => groups.push((&received.process, vec![&received.span])),
            }
        }
        resources.extend(
            groups
                .into_iter()
                .map(|(process, spans)| resource_spans(process, &spans)),
        );
    }
    json!({ "resourceSpans": resources })
}

fn resource_spans(process: &Process, spans: &[&OwnedSpan]) -> Value {
    let name = Tag::new("service.name", process.service_name.clone());
    let attributes: Vec<Value> = [&name]
        .into_iter()
        .chain(&process.tags)
        .map(attribute)
        .collect();
    let mut scopes: Vec<([String; 2], Vec<Value>)> = Vec::new();
    for span in spans {
        let scope = [SCOPE_NAME, SCOPE_VERSION].map(|key| tag_text(span, key).to_owned());
        let json = span_json(span);
        match scopes.iter_mut().rev().find(|(known, _)| *known == scope) {
            Some((_, spans)) => spans.push(json),
            None => scopes.push((scope, vec![json])),
        }
    }
    let scopes = scopes.into_iter().map(|([name, version], spans)| {
        let mut scope = Map::new();
        put_text(&mut scope, "name", &name);
        put_text(&mut scope, "version", &version);
        json!({ "scope": scope, "spans": spans })
    });
    json!({
        "resource": { "attributes": attributes },
        "scopeSpans": scopes.collect::<Vec<_>>(),
    })
}

fn span_json(span: &OwnedSpan) -> Value {
    let own = |kind: ReferenceType| {
        let mut references = span.references.iter();
        references.find(move |it| it.kind == kind && it.trace_id == span.trace_id)
    };
    let first = own(ReferenceType::ChildOf).or_else(|| own(ReferenceType::FollowsFrom));
    let parent = span.parent_id.or_else(|| Some(first?.span_id));
    let is_told = |place: &&crate::model::ReportedReference| {
        place.kind == ReferenceType::ChildOf
            && place.trace_id == span.trace_id
            && Some(place.span_id) == parent
    };
    let links = span
        .references
        .iter()
        .filter(|it| !is_told(it))
        .map(|link| {
            let kind = match link.kind {
                ReferenceType::ChildOf => "child_of",
                ReferenceType::FollowsFrom => "follows_from",
            };
            json!({
                "traceId": whole_id(link.trace_id),
                "spanId": link.span_id.to_string(),
                "attributes": [attribute(&Tag::new("opentracing.ref_type", kind))],
            })
        });
    let kind = tag_text(span, tags::SPAN_KIND);
    let kind = KINDS.iter().position(|known| *known == kind);
    let is_error = matches!(span.tag(tags::ERROR), Some(TagRef::Bool(true)));
    let code = match tag_text(span, STATUS_CODE) {
        _ if is_error => 2,
        "ERROR" => 2,
        "OK" => 1,
        _ => 0,
    };
    let mut status = Map::new();
    put_text(&mut status, "message", tag_text(span, STATUS_DESCRIPTION));
    if code > 0 {
        status.insert("code".to_owned(), code.into());
    }
    let is_field = |tag: &Tag| match &*tag.key {
        SCOPE_NAME | SCOPE_VERSION | TRACE_STATE | STATUS_DESCRIPTION => {
            matches!(tag.value, TagValue::String(_))
        }
        tags::SPAN_KIND => kind.is_some(),
        tags::ERROR => is_error && tag.value == TagValue::Bool(true),
        STATUS_CODE => code > 0,
        _ => false,
    };
    let attributes = span.tags.iter().filter(|tag| !is_field(tag)).map(attribute);
    let start = i128::from(span.start.as_micros()).max(0) * 1_000;
    let nanos = i128::try_from(span.duration.as_nanos()).unwrap_or(i128::MAX);
    let end = start.saturating_add(nanos);

    let mut json = Map::new();
    json.insert("traceId".to_owned(), whole_id(span.trace_id).into());
    json.insert("spanId".to_owned(), span.span_id.to_string().into());
    put_text(&mut json, "traceState", tag_text(span, TRACE_STATE));
    let parent = parent.map_or_else(String::new, |parent| parent.to_string());
    put_text(&mut json, "parentSpanId", &parent);
    if span.flags.bits() > 0 {
        json.insert("flags".to_owned(), (span.flags.bits() & 1).into());
    }
    put_text(&mut json, "name", &span.operation_name);
    if let Some(kind) = kind {
        json.insert("kind".to_owned(), (kind + 1).into());
    }
    json.insert("startTimeUnixNano".to_owned(), start.to_string().into());
    json.insert("endTimeUnixNano".to_owned(), end.to_string().into());
    put_list(&mut json, "attributes", attributes.collect());
    put_list(&mut json, "events", span.logs.iter().map(event).collect());
    put_list(&mut json, "links", links.collect());
    json.insert("status".to_owned(), status.into());
    json.into()
}

fn event(log: &LogRecord) -> Value {
    let is_name =
        |field: &&Tag| field.key == tags::EVENT && matches!(field.value, TagValue::String(_));
    let name = log.fields.iter().find(is_name);
    let rest = log
        .fields
        .iter()
        .filter(|field| !name.is_some_and(|name| std::ptr::eq(name, *field)));
    let nanos = i128::from(log.timestamp.as_micros()).max(0) * 1_000;
    let mut json = Map::new();
    json.insert("timeUnixNano".to_owned(), nanos.to_string().into());
    if let Some(TagValue::String(name)) = name.map(|name| &name.value) {
        put_text(&mut json, "name", name);
    }
    put_list(&mut json, "attributes", rest.map(attribute).collect());
    json.into()
}

fn attribute(tag: &Tag) -> Value {
    let value = match &tag.value {
        TagValue::String(text) => json!({ "stringValue": text }),
        TagValue::Bool(value) => json!({ "boolValue": value }),
        TagValue::Long(value) => json!({ "intValue": value.to_string() }),
        TagValue::Double(value) if value.is_finite() => json!({ "doubleValue": value }),
        TagValue::Double(value) => json!({ "stringValue": non_finite(*value) }),
        TagValue::Binary(bytes) => json!({ "bytesValue": STANDARD.encode(bytes) }),
    };
    json!({ "key": tag.key, "value": value })
}

fn put_text(json: &mut Map<String, Value>, name: &str, text: &str) {
    if !text.is_empty() {
        json.insert(name.to_owned(), text.into());
    }
}

fn put_list(json: &mut Map<String, Value>, name: &str, list: Vec<Value>) {
    if !list.is_empty() {
        json.insert(name.to_owned(), list.into());
    }
}

/// Returns a tag that is text, or nothing.
fn tag_text<'s>(span: &'s OwnedSpan, key: &str) -> &'s str {
    match span.tag(key) {
        Some(TagRef::String(text)) => text,
        _ => "",
    }
}

/// Returns all 32 digits of an id.
fn whole_id(id: TraceId) -> String {
    format!("{:0>32}", id.to_string())
}

const KINDS: [&str; 5] = [
    "internal",
    tags::SPAN_KIND_SERVER,
    tags::SPAN_KIND_CLIENT,
    tags::SPAN_KIND_PRODUCER,
    tags::SPAN_KIND_CONSUMER,
];
const SCOPE_NAME: &str = "otel.scope.name";
const SCOPE_VERSION: &str = "otel.scope.version";
const TRACE_STATE: &str = "w3c.tracestate";
const STATUS_CODE: &str = "otel.status_code";
const STATUS_DESCRIPTION: &str = "otel.status_description";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::otlp_json_request;
    use crate::view::fixtures::{span, trace};

    #[test]
    fn spans_are_read_back_as_they_were() {
        let trace = trace([
            span("shop", "checkout", 1, 0, 5_000)
                .tag("span.kind", "server")
                .tag("items", 3i64)
                .tag("ratio", 0.5)
                .log("message", "hello"),
            span("pay", "charge", 2, 1_000, 2_000)
                .child_of(1)
                .follows(7)
                .tag("otel.status_code", "ERROR")
                .tag("error", true),
        ]);
        let json = traces_data([&trace]).to_string();
        let batches = otlp_json_request(json.as_bytes()).expect("well-formed");
        let read = batches.iter().flat_map(|batch| &batch.spans);
        for (read, made) in read.zip(&trace.spans) {
            let sorted = |span: &OwnedSpan| {
                let mut span = span.clone();
                span.process = None;
                span.tags.sort_by(|a, b| a.key.cmp(&b.key));
                span.parent_id = made.parent().map(|(parent, _)| parent);
                span
            };
            assert_eq!(sorted(read), sorted(&made.span));
        }
        let names: Vec<_> = batches
            .iter()
            .map(|batch| &batch.process.service_name)
            .collect();
        assert_eq!(names, ["shop", "pay"]);
    }
}

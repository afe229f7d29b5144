//! The changes that the entries of the tables of differences make. Their reasons stand in the tables.

use std::mem;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{Reference, ReferenceKind, SentSpan, StoredSpan, Tag, Value};

pub(crate) fn v1_parent(sent: &SentSpan, span: &mut StoredSpan) {
    let parent = parent(sent, sent.parent_span_id);
    let is_parent = |reference: &Reference| is_same_span(reference, &parent);
    if parent.span_id != 0 && !span.references.iter().any(is_parent) {
        span.references.insert(0, parent);
    }
}

pub(crate) fn v1_append_format(span: &mut StoredSpan, format: &str) {
    span.tags.push(Tag::new("internal.span.format", format));
}

pub(crate) fn v1_drop_sign_of_zero(span: &mut StoredSpan) {
    for tag in every_list(span).flatten() {
        if tag.value == Value::Double(-0.0) {
            tag.value = Value::Double(0.0);
        }
    }
}

pub(crate) fn v2_references(sent: &SentSpan, span: &mut StoredSpan) {
    // The receiver compares the span id alone, so a reference to a span with the parent's id in another
    // trace is lost.
    links(sent, span, |link, parent_id| link.span_id == parent_id);
}

pub(crate) fn otlp_references(sent: &SentSpan, span: &mut StoredSpan) {
    links(sent, span, |link, parent_id| {
        (link.trace_id, link.span_id) == (sent.trace_id, parent_id)
    });
}

/// Makes the references a parent and links. A link of kind `CHILD_OF` that `is_parent` is left out.
fn links(sent: &SentSpan, span: &mut StoredSpan, is_parent: impl Fn(&Reference, u64) -> bool) {
    let within_trace = |kind| {
        sent.references
            .iter()
            .find(|it| it.kind == kind && it.trace_id == sent.trace_id)
    };
    let parent_id = match sent.parent_span_id {
        0 => within_trace(ReferenceKind::ChildOf)
            .or_else(|| within_trace(ReferenceKind::FollowsFrom))
            .map_or(0, |it| it.span_id),
        id => id,
    };
    let mut shown = Vec::new();
    if parent_id != 0 {
        shown.push(parent(sent, parent_id));
    }
    for link in &sent.references {
        if link.kind == ReferenceKind::ChildOf && is_parent(link, parent_id) {
            continue;
        }
        match shown
            .first_mut()
            .filter(|first| parent_id != 0 && is_same_span(first, link))
        {
            Some(first) => first.kind = link.kind,
            None => shown.push(*link),
        }
    }
    span.references = shown;
}

pub(crate) fn name_service(span: &mut StoredSpan, name: &str) {
    if span.service.is_empty() {
        name.clone_into(&mut span.service);
    }
}

pub(crate) fn replace_wrong_bytes(span: &mut StoredSpan) {
    for tag in every_list(span).flatten() {
        if let Value::NotUtf8(bytes) = &tag.value {
            tag.value = Value::String(String::from_utf8_lossy(bytes).into_owned());
        }
    }
}

pub(crate) fn v2_make_binary(span: &mut StoredSpan) {
    for tag in span.tags.iter_mut().chain(&mut span.process_tags) {
        if let Value::NotUtf8(bytes) = &mut tag.value {
            tag.value = Value::Binary(mem::take(bytes));
        }
    }
}

pub(crate) fn keep_last_values(span: &mut StoredSpan) {
    for list in every_list(span) {
        let mut kept: Vec<Tag> = Vec::new();
        for tag in mem::take(list) {
            match kept.iter_mut().find(|earlier| earlier.key == tag.key) {
                Some(earlier) => earlier.value = tag.value,
                None => kept.push(tag),
            }
        }
        *list = kept;
    }
}

pub(crate) fn v2_service_name(span: &mut StoredSpan) {
    if let Some(value) = take(&mut span.process_tags, "service.name") {
        span.service = text(value);
    }
}

pub(crate) fn v2_rename_process_tags(span: &mut StoredSpan) {
    let tags = &mut span.process_tags;
    if find(tags, "host.name").is_none()
        && let Some(value) = take(tags, "hostname")
    {
        tags.push(Tag {
            key: "host.name".to_owned(),
            value,
        });
    }
    if find(tags, "opencensus.exporterversion").is_none()
        && let Some(value) = take(tags, "jaeger.version")
    {
        let version = format!("Jaeger-{}", text(value));
        tags.push(Tag::new("opencensus.exporterversion", version));
    }
}

pub(crate) fn v2_span_kind(span: &mut StoredSpan) {
    const KINDS: [&str; 5] = ["client", "server", "producer", "consumer", "internal"];
    span.tags
        .retain(|tag| tag.key != "span.kind" || is_text(&tag.value, &KINDS));
}

pub(crate) fn v2_status(span: &mut StoredSpan) {
    let tags = &mut span.tags;
    let http_message = find(tags, "http.status_message")
        .cloned()
        .map_or_else(String::new, text);
    let mut status = None;
    if find(tags, "error") == Some(&Value::Bool(true)) {
        take(tags, "error");
        let description = take(tags, "otel.status_description").map(text);
        status = Some(("ERROR", description.unwrap_or_else(|| http_message.clone())));
    }
    if let Some(code) = take(tags, "otel.status_code") {
        status = status.or_else(|| {
            let code = match text(code).to_uppercase().as_str() {
                "OK" => "OK",
                "ERROR" => "ERROR",
                _ => "",
            };
            Some((
                code,
                take(tags, "otel.status_description")
                    .map(text)
                    .unwrap_or_default(),
            ))
        });
    } else if status.is_none() && is_http_error(tags) {
        status = Some(("ERROR", http_message));
    }
    let Some((code, description)) = status else {
        return;
    };
    if !code.is_empty() {
        tags.push(Tag::new("otel.status_code", code));
    }
    if code == "ERROR" {
        tags.push(Tag::new("error", true));
    }
    if !description.is_empty() {
        tags.push(Tag::new("otel.status_description", description));
    }
}

pub(crate) fn v2_event_names(span: &mut StoredSpan) {
    for log in &mut span.logs {
        let is_name = |value: &Value| matches!(value, Value::String(name) if !name.is_empty());
        log.fields
            .retain(|field| field.key != "event" || is_name(&field.value));
    }
}

pub(crate) fn v2_duration(span: &mut StoredSpan) {
    if span.duration_us <= 0 {
        span.duration_us = 0;
        span.warnings.push(NEGATIVE_DURATION.to_owned());
    }
}

pub(crate) fn v2_shorten_warnings(span: &mut StoredSpan) {
    for warning in &mut span.warnings {
        if warning.starts_with(NEGATIVE_DURATION) {
            warning.truncate(NEGATIVE_DURATION.len());
        }
    }
}

/// Sorts by key; values of one key stay in their order.
pub(crate) fn sort_tags(span: &mut StoredSpan) {
    for list in every_list(span) {
        list.sort_by(|a, b| a.key.cmp(&b.key));
    }
}

pub(crate) fn v2_tag_as_warning(span: &mut StoredSpan) {
    let is_warning = |key: &str| key == "@jaeger@warnings";
    for tag in span.tags.extract_if(.., |tag| is_warning(&tag.key)) {
        span.warnings.push(match tag.value {
            Value::String(text) => text,
            Value::NotUtf8(bytes) | Value::Binary(bytes) => STANDARD.encode(bytes),
            Value::Bool(value) => value.to_string(),
            Value::Long(value) => value.to_string(),
            Value::Double(value) => value.to_string(),
        });
    }
}

fn is_http_error(tags: &[Tag]) -> bool {
    let code = match find(tags, "http.status_code") {
        Some(Value::Long(code)) => *code,
        Some(Value::String(digits)) => match digits.parse() {
            Ok(code) => code,
            Err(_) => return false,
        },
        _ => return false,
    };
    let is_server = find(tags, "span.kind").is_some_and(|kind| is_text(kind, &["server"]));
    // Jaeger counts 399 as an error, by an oversight.
    match code {
        100..=398 => false,
        400..=499 => !is_server,
        _ => true,
    }
}

const fn parent(sent: &SentSpan, span_id: u64) -> Reference {
    Reference {
        kind: ReferenceKind::ChildOf,
        trace_id: sent.trace_id,
        span_id,
    }
}

fn is_same_span(a: &Reference, b: &Reference) -> bool {
    (a.trace_id, a.span_id) == (b.trace_id, b.span_id)
}

pub(crate) fn every_list(span: &mut StoredSpan) -> impl Iterator<Item = &mut Vec<Tag>> {
    let logs = span.logs.iter_mut().map(|log| &mut log.fields);
    [&mut span.tags, &mut span.process_tags]
        .into_iter()
        .chain(logs)
}

pub(crate) fn find<'a>(tags: &'a [Tag], key: &str) -> Option<&'a Value> {
    tags.iter().find(|tag| tag.key == key).map(|tag| &tag.value)
}

pub(crate) fn take(tags: &mut Vec<Tag>, key: &str) -> Option<Value> {
    let i = tags.iter().position(|tag| tag.key == key)?;
    Some(tags.remove(i).value)
}

/// Returns the text of a string value; `None` for every other type.
pub(crate) fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        _ => String::new(),
    }
}

pub(crate) fn is_text(value: &Value, texts: &[&str]) -> bool {
    matches!(value, Value::String(text) if texts.contains(&text.as_str()))
}

const NEGATIVE_DURATION: &str = "Negative duration detected";

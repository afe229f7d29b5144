//! OTLP by HTTP and by gRPC.

use std::mem;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    Change, Difference,
    thrift::{NO_BYTES, V1_MINUS_ZERO, V2_FLAGS, V2_ORDER},
};
use crate::{
    StoredSpan, Tag, Value,
    rules::{self, every_list, find, is_text, take, text},
};

const PARENT_AND_LINKS: Difference = Difference {
    name: "parent and links",
    reason: "the parent, or else the first reference within the trace, becomes the parent id and is \
             shown first; the other references become links with their type",
    change: Change::Expect(rules::otlp_references),
};

const PROCESS_TAGS: Difference = Difference {
    name: "process tags renamed",
    reason: "`hostname` to `host.name`, and `jaeger.version` to three attributes, as OpenTelemetry's \
             conventions want",
    change: Change::Expect(|_, span| process_tags(span)),
};

const STATUS: Difference = Difference {
    name: "kind and status",
    reason: "`span.kind`, and `error` or `otel.status_code`, become fields, shown behind the other \
             tags",
    change: Change::Expect(|_, span| status(span)),
};

const EVENT_NAMES: Difference = Difference {
    name: "name of an event",
    reason: "the first text of a field `event` is the name, shown first unless it is empty",
    change: Change::Expect(|_, span| event_names(span)),
};

/// To v1's collector.
pub(super) const V1: &[Difference] = &[
    Difference {
        name: "bytes as text",
        reason: "the translation has bytes in base64",
        change: Change::Expect(|_, span| bytes(span)),
    },
    V2_FLAGS,
    PARENT_AND_LINKS,
    PROCESS_TAGS,
    STATUS,
    EVENT_NAMES,
    V1_MINUS_ZERO,
    Difference {
        name: "format tag",
        reason: "the collector appends how the span came to it",
        change: Change::Expect(|_, span| rules::v1_append_format(span, "otlp")),
    },
];

/// To v2's receiver.
pub(super) const V2: &[Difference] = &[
    NO_BYTES,
    V2_FLAGS,
    PARENT_AND_LINKS,
    PROCESS_TAGS,
    STATUS,
    EVENT_NAMES,
    V2_ORDER,
];

/// Renames the host, and names the library by the attributes of OpenTelemetry.
fn process_tags(span: &mut StoredSpan) {
    let mut renamed = Vec::new();
    for tag in mem::take(&mut span.process_tags) {
        match tag.key.as_str() {
            "hostname" => renamed.push(Tag {
                key: "host.name".to_owned(),
                ..tag
            }),
            "jaeger.version" => {
                let version = text(tag.value);
                let version = version.trim_start_matches("Rust-");
                renamed.extend([
                    Tag::new("telemetry.sdk.name", "tracehound"),
                    Tag::new("telemetry.sdk.language", "rust"),
                    Tag::new("telemetry.sdk.version", version),
                ]);
            }
            _ => renamed.push(tag),
        }
    }
    span.process_tags = renamed;
}

fn bytes(span: &mut StoredSpan) {
    for tag in every_list(span).flatten() {
        if let Value::Binary(bytes) = &tag.value {
            tag.value = Value::String(STANDARD.encode(bytes));
        }
    }
}

/// Moves the kind and the status behind the other tags, and adds what follows from the status.
fn status(span: &mut StoredSpan) {
    let tags = &mut span.tags;
    const KINDS: [&str; 5] = ["client", "server", "producer", "consumer", "internal"];
    if find(tags, "span.kind").is_some_and(|kind| is_text(kind, &KINDS)) {
        let kind = take(tags, "span.kind");
        tags.extend(kind.map(|kind| Tag::new("span.kind", kind)));
    }
    let http_message = find(tags, "http.status_message").cloned();
    let is_error = find(tags, "error") == Some(&Value::Bool(true));
    let code = find(tags, "otel.status_code").cloned().map(text);
    let code = code.map(|code| code.to_uppercase());
    let code = code.filter(|code| code == "OK" || code == "ERROR");
    let Some(code) = is_error.then(|| "ERROR".to_owned()).or(code) else {
        return;
    };
    take(tags, "otel.status_code");
    let description = take(tags, "otel.status_description");
    let description = description.or_else(|| http_message.filter(|_| is_error));
    tags.push(Tag::new("otel.status_code", code.clone()));
    if code == "ERROR" {
        take(tags, "error");
        tags.push(Tag::new("error", true));
    }
    tags.extend(description.map(|text| Tag::new("otel.status_description", text)));
}

fn event_names(span: &mut StoredSpan) {
    for log in &mut span.logs {
        let is_name = |field: &Tag| field.key == "event" && matches!(field.value, Value::String(_));
        if let Some(at) = log.fields.iter().position(is_name) {
            let name = log.fields.remove(at);
            if !is_text(&name.value, &[""]) {
                log.fields.insert(0, name);
            }
        }
    }
}

//! Zipkin's JSON by HTTP.
//!
//! Some entries are Zipkin's model, into which the library brings spans; the others are its translation
//! by the receiver.

use std::net::IpAddr;

use super::{
    Change, Difference,
    thrift::{V2_FLAGS, V2_ORDER},
};
use crate::{
    Reference, ReferenceKind, SentSpan, StoredSpan, Tag, rules,
    zipkin::text::{annotation, text},
};

const REFERENCES: Difference = Difference {
    name: "parent alone",
    reason: "the model has no other references, and none of their types",
    change: Change::Expect(parent_alone),
};

const PROCESS_TAGS: Difference = Difference {
    name: "process tags",
    reason: "a process has a name and an address only; its tags stand on roots and servers as \
             `tracer.…`, and its address is shown as `net.host.ip`",
    change: Change::Expect(|_, span| process_tags(span)),
};

const TEXTS: Difference = Difference {
    name: "values as text",
    reason: "the model has no other values",
    change: Change::Expect(|_, span| {
        for tag in &mut span.tags {
            tag.value = text(&tag.value).into();
        }
    }),
};

const KIND: Difference = Difference {
    name: "span.kind that is none",
    reason: "the kind is a field of its own; a tag in its place has one value only",
    change: Change::Expect(|_, span| rules::v2_span_kind(span)),
};

const STATUS_CODE: Difference = Difference {
    name: "status code",
    reason: "the receiver takes `otel.status_code` for a status, and knows neither `OK` nor `ERROR`",
    change: Change::Expect(|_, span| span.tags.retain(|tag| tag.key != "otel.status_code")),
};

const ERROR: Difference = Difference {
    name: "error",
    reason: "`true` becomes the status; the library leaves out `false`, because Zipkin takes every value \
             as a failure",
    change: Change::Expect(|_, span| error(span)),
};

const PEER: Difference = Difference {
    name: "address of the peer",
    reason: "the model has a field for it, shown as `net.peer.…`",
    change: Change::Expect(|_, span| peer(span)),
};

const ANNOTATIONS: Difference = Difference {
    name: "logs as annotations",
    reason: "an annotation is a text: an event alone, or else all fields as JSON",
    change: Change::Expect(|_, span| {
        for log in &mut span.logs {
            let text = Some(annotation(log)).filter(|text| !text.is_empty());
            log.fields = text
                .map(|text| Tag::new("event", text))
                .into_iter()
                .collect();
        }
    }),
};

/// To v1's collector.
pub(super) const V1: &[Difference] = &[
    V2_FLAGS,
    REFERENCES,
    PROCESS_TAGS,
    TEXTS,
    KIND,
    STATUS_CODE,
    ERROR,
    PEER,
    ANNOTATIONS,
    Difference {
        name: "format tag",
        reason: "the collector appends how the span came to it",
        change: Change::Expect(|_, span| rules::v1_append_format(span, "zipkin")),
    },
    V2_ORDER,
];

/// To v2's receiver.
pub(super) const V2: &[Difference] = &[
    V2_FLAGS,
    REFERENCES,
    PROCESS_TAGS,
    TEXTS,
    KIND,
    STATUS_CODE,
    ERROR,
    PEER,
    ANNOTATIONS,
    V2_ORDER,
];

fn parent_alone(sent: &SentSpan, span: &mut StoredSpan) {
    let parent = Reference {
        kind: ReferenceKind::ChildOf,
        trace_id: sent.trace_id,
        span_id: sent.parent_span_id,
    };
    span.references = Some(parent)
        .filter(|it| it.span_id != 0)
        .into_iter()
        .collect();
}

fn process_tags(span: &mut StoredSpan) {
    let is_server = is(span, "span.kind", "server");
    let has_tags = is_server || span.references.is_empty();
    for tag in span.process_tags.drain(..) {
        if tag.key == "ip" {
            span.tags.push(Tag::new("net.host.ip", tag.value));
        } else if has_tags {
            span.tags.push(Tag {
                key: format!("tracer.{}", tag.key),
                ..tag
            });
        }
    }
}

fn error(span: &mut StoredSpan) {
    let is_true = is(span, "error", "true");
    if is_true || is(span, "error", "false") {
        span.tags.retain(|tag| tag.key != "error");
    }
    if is_true {
        span.tags.push(Tag::new("otel.status_code", "ERROR"));
        span.tags.push(Tag::new("error", true));
    }
}

fn peer(span: &mut StoredSpan) {
    let of = |key: &str| {
        span.tags
            .iter()
            .find(|tag| tag.key == key)
            .map(|tag| text(&tag.value))
    };
    let is_caller = is(span, "span.kind", "client") || is(span, "span.kind", "producer");
    let name = of("peer.hostname").or_else(|| of("peer.address"));
    let mut addresses = of("peer.ipv4").into_iter().chain(of("peer.ipv6"));
    let address = addresses.rfind(|text| text.parse::<IpAddr>().is_ok());
    let port = of("peer.port").and_then(|port| port.parse::<u16>().ok());
    let has_service = of("peer.service").is_some();
    if let Some(name) = name.filter(|_| is_caller && !has_service) {
        span.tags.push(Tag::new("peer.service", name));
    }
    span.tags
        .extend(address.map(|it| Tag::new("net.peer.ip", it)));
    span.tags
        .extend(port.map(|it| Tag::new("net.peer.port", i64::from(it))));
}

fn is(span: &StoredSpan, key: &str, wanted: &str) -> bool {
    span.tags
        .iter()
        .any(|tag| tag.key == key && text(&tag.value) == wanted)
}

//! What the spans of version 1 of Zipkin's model hold, and what becomes of it in version 2.

use std::time::Duration;

use crate::decode::zipkin::span::{Endpoint, ZipkinSpan};
use crate::model::{Tag, TagValue, Timestamp};

/// An annotation: an event at a time.
#[derive(Debug)]
pub(super) struct Annotation {
    pub(super) at: Timestamp,
    pub(super) value: String,
    pub(super) host: Endpoint,
}

/// A binary annotation: a tag, or the address of a side.
#[derive(Debug)]
pub(super) struct BinaryAnnotation {
    pub(super) key: String,
    pub(super) value: TagValue,
    pub(super) host: Endpoint,
}

/// Adds annotations to a span that has its other fields.
///
/// The annotations `cs`, `cr`, `sr`, `ss`, `ms` and `mr` tell the kind and the service; all others are events. If
/// `has_start` is false, the first and the last of them tell the times. A binary annotation is a tag, but `sa`, `ca` and
/// `ma` are the address of the other side, and `lc` is the tag `component`. As in Jaeger 2, the address of the service is
/// among the tags of its process. If no annotation of a kind names the service, another annotation does, or `lc`.
pub(super) fn annotate(
    span: &mut ZipkinSpan,
    annotations: Vec<Annotation>,
    binary: Vec<BinaryAnnotation>,
    has_start: bool,
) {
    let at = || annotations.iter().map(|annotation| annotation.at);
    if let (false, Some(first), Some(last)) = (has_start, at().min(), at().max()) {
        span.start = first;
        let micros = last.as_micros().saturating_sub(first.as_micros());
        span.duration = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
    }
    let (mut local, mut fallback, mut component) = (None, None, None);
    for annotation in annotations {
        match kind(&annotation.value) {
            Some(kind) => {
                span.kind.get_or_insert_with(|| kind.to_owned());
                local = local.or_else(|| named(annotation.host));
            }
            None => {
                span.annotations.push((annotation.at, annotation.value));
                fallback = named(annotation.host).or(fallback);
            }
        }
    }
    for BinaryAnnotation { key, value, host } in binary {
        match key.as_str() {
            "sa" | "ca" | "ma" => {
                span.remote = host;
                continue;
            }
            "lc" => component = Some(value.to_string()),
            _ => {}
        }
        fallback = named(host).or(fallback);
        let is_component = key == "lc";
        let key = if is_component {
            "component".to_owned()
        } else {
            key
        };
        span.tags.insert(key, value);
    }
    match local {
        Some(Endpoint {
            service,
            ipv4,
            ipv6,
            port,
        }) => {
            span.local.service = service;
            let said = |text: Option<String>| text.filter(|text| !text.is_empty());
            let port = port.filter(|&port| port > 0).map(|port| port.to_string());
            for (key, text) in [("ipv4", said(ipv4)), ("ipv6", said(ipv6)), ("port", port)] {
                span.process_tags
                    .extend(text.map(|text| Tag::new(key, text)));
            }
        }
        None => {
            let fallback = fallback.and_then(|host| host.service);
            let component = component.filter(|name| !name.is_empty());
            span.local.service = fallback.or(component);
        }
    }
}

/// Returns the kind of a span that has such an annotation.
fn kind(annotation: &str) -> Option<&'static str> {
    Some(match annotation {
        "cs" | "cr" => "client",
        "sr" | "ss" => "server",
        "ms" => "producer",
        "mr" => "consumer",
        _ => return None,
    })
}

/// Returns an endpoint if it tells a service.
fn named(host: Endpoint) -> Option<Endpoint> {
    let is_named = host.service.as_ref().is_some_and(|name| !name.is_empty());
    is_named.then_some(host)
}

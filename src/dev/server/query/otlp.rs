//! Traces in the JSON of OTLP, as the third version of the API has them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::model::{
    LogRecord, Process, ReferenceType, ReportedReference, Tag, TagRef, TagValue, Timestamp,
    TraceId, non_finite, tags,
};
use crate::reporter::OwnedSpan;
use crate::view::{ReceivedSpan, Trace};

/// A `TracesData` with the spans of traces. The spans of one process stand together.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TracesData<'a> {
    resource_spans: Vec<ResourceSpans<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Resource<'a>,
    scope_spans: Vec<ScopeSpans<'a>>,
}

#[derive(Serialize)]
struct Resource<'a> {
    attributes: Vec<Attribute<'a>>,
}

#[derive(Serialize)]
struct ScopeSpans<'a> {
    scope: Scope<'a>,
    spans: Vec<SpanJson<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize)]
struct Scope<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpanJson<'a> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace_state: &'a str,
    #[serde(skip_serializing_if = "String::is_empty")]
    parent_span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<u8>,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<usize>,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<Attribute<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<Event<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<LinkJson>,
    status: Status<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    time_unix_nano: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<Attribute<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LinkJson {
    trace_id: String,
    span_id: String,
    attributes: [Attribute<'static>; 1],
}

#[derive(Serialize)]
struct Status<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
}

#[derive(Serialize)]
struct Attribute<'a> {
    key: &'a str,
    value: AnyValue<'a>,
}

/// An `AnyValue`. Whole numbers are text, because JavaScript cannot hold all of them.
#[derive(Serialize)]
enum AnyValue<'a> {
    #[serde(rename = "stringValue")]
    Text(Cow<'a, str>),
    #[serde(rename = "boolValue")]
    Bool(bool),
    #[serde(rename = "intValue")]
    Long(String),
    #[serde(rename = "doubleValue")]
    Double(f64),
    #[serde(rename = "bytesValue")]
    Bytes(String),
}

impl<'a> From<&'a TagValue> for AnyValue<'a> {
    fn from(value: &'a TagValue) -> Self {
        match value {
            TagValue::String(text) => Self::Text(text.as_ref().into()),
            TagValue::Bool(value) => Self::Bool(*value),
            TagValue::Long(value) => Self::Long(value.to_string()),
            TagValue::Double(value) if value.is_finite() => Self::Double(*value),
            TagValue::Double(value) => Self::Text(non_finite(*value).into()),
            TagValue::Binary(bytes) => Self::Bytes(STANDARD.encode(bytes)),
        }
    }
}

impl<'a> TracesData<'a> {
    pub(super) fn new(traces: &'a [Trace]) -> Self {
        let mut resource_spans = Vec::new();
        for trace in traces {
            let mut groups: Vec<(&Process, Vec<&OwnedSpan>)> = Vec::new();
            // By address: spans with equal processes share one.
            let mut places: HashMap<*const Process, usize> = HashMap::new();
            for ReceivedSpan { span, process } in trace.spans.iter().map(|span| &**span) {
                let place = *places.entry(Arc::as_ptr(process)).or_insert(groups.len());
                match groups.get_mut(place) {
                    Some((_, spans)) => spans.push(span),
                    None => groups.push((process, vec![span])),
                }
            }
            let groups = groups.into_iter();
            resource_spans.extend(groups.map(|(of, spans)| ResourceSpans::new(of, &spans)));
        }
        Self { resource_spans }
    }
}

impl<'a> ResourceSpans<'a> {
    fn new(process: &'a Process, spans: &[&'a OwnedSpan]) -> Self {
        let name = Attribute {
            key: "service.name",
            value: AnyValue::Text(process.service_name.as_str().into()),
        };
        let tags = process.tags.iter().map(Attribute::new);
        let mut scope_spans: Vec<ScopeSpans<'a>> = Vec::new();
        let mut places: HashMap<Scope<'a>, usize> = HashMap::new();
        for span in spans {
            let [name, version] = [SCOPE_NAME, SCOPE_VERSION].map(|key| tag_text(span, key));
            let scope = Scope { name, version };
            let json = SpanJson::new(span);
            let place = *places.entry(scope).or_insert(scope_spans.len());
            match scope_spans.get_mut(place) {
                Some(of) => of.spans.push(json),
                None => scope_spans.push(ScopeSpans {
                    scope,
                    spans: vec![json],
                }),
            }
        }
        Self {
            resource: Resource {
                attributes: [name].into_iter().chain(tags).collect(),
            },
            scope_spans,
        }
    }
}

impl<'a> SpanJson<'a> {
    fn new(span: &'a OwnedSpan) -> Self {
        let own = |kind: ReferenceType| {
            let mut references = span.references.iter();
            references.find(move |it| it.kind == kind && it.trace_id == span.trace_id)
        };
        let first = own(ReferenceType::ChildOf).or_else(|| own(ReferenceType::FollowsFrom));
        let parent = span.parent_id.or_else(|| Some(first?.span_id));
        let is_told = |place: &&ReportedReference| {
            place.kind == ReferenceType::ChildOf
                && place.trace_id == span.trace_id
                && Some(place.span_id) == parent
        };
        let links = span.references.iter().filter(|it| !is_told(it));
        let kind = tag_text(span, tags::SPAN_KIND);
        let kind = KINDS.iter().position(|known| *known == kind);
        let is_error = matches!(span.tag(tags::ERROR), Some(TagRef::Bool(true)));
        let code = match tag_text(span, STATUS_CODE) {
            _ if is_error => Some(2),
            "ERROR" => Some(2),
            "OK" => Some(1),
            _ => None,
        };
        let is_field = |tag: &Tag| match &*tag.key {
            SCOPE_NAME | SCOPE_VERSION | TRACE_STATE | STATUS_DESCRIPTION => {
                matches!(tag.value, TagValue::String(_))
            }
            tags::SPAN_KIND => kind.is_some(),
            tags::ERROR => is_error && tag.value == TagValue::Bool(true),
            STATUS_CODE => code.is_some(),
            _ => false,
        };
        let attributes = span.tags.iter().filter(|tag| !is_field(tag));
        let start = nanos(span.start);
        let length = u64::try_from(span.duration.as_nanos()).unwrap_or(u64::MAX);
        Self {
            trace_id: whole_id(span.trace_id),
            span_id: span.span_id.to_string(),
            trace_state: tag_text(span, TRACE_STATE),
            parent_span_id: parent.map_or_else(String::new, |parent| parent.to_string()),
            flags: Some(span.flags.bits())
                .filter(|&bits| bits > 0)
                .map(|bits| bits & 1),
            name: &span.operation_name,
            kind: kind.map(|kind| kind + 1),
            start_time_unix_nano: start.to_string(),
            end_time_unix_nano: start.saturating_add(length).to_string(),
            attributes: attributes.map(Attribute::new).collect(),
            events: span.logs.iter().map(Event::new).collect(),
            links: links.map(LinkJson::new).collect(),
            status: Status {
                message: tag_text(span, STATUS_DESCRIPTION),
                code,
            },
        }
    }
}

impl<'a> Event<'a> {
    fn new(log: &'a LogRecord) -> Self {
        let named = log.fields.iter().enumerate().find_map(|(at, field)| {
            let TagValue::String(name) = &field.value else {
                return None;
            };
            (field.key == tags::EVENT).then_some((at, &**name))
        });
        let fields = log.fields.iter().enumerate();
        let rest = fields.filter(|(at, _)| named.is_none_or(|(place, _)| place != *at));
        Self {
            time_unix_nano: nanos(log.timestamp).to_string(),
            name: named.map_or("", |(_, name)| name),
            attributes: rest.map(|(_, field)| Attribute::new(field)).collect(),
        }
    }
}

impl LinkJson {
    fn new(link: &ReportedReference) -> Self {
        let kind = match link.kind {
            ReferenceType::ChildOf => "child_of",
            ReferenceType::FollowsFrom => "follows_from",
        };
        Self {
            trace_id: whole_id(link.trace_id),
            span_id: link.span_id.to_string(),
            attributes: [Attribute {
                key: "opentracing.ref_type",
                value: AnyValue::Text(kind.into()),
            }],
        }
    }
}

impl<'a> Attribute<'a> {
    fn new(tag: &'a Tag) -> Self {
        Self {
            key: &tag.key,
            value: (&tag.value).into(),
        }
    }
}

/// Returns nanoseconds since the epoch, within 64 bits as OTLP has them.
pub(super) fn nanos(time: Timestamp) -> u64 {
    let micros = u64::try_from(time.as_micros()).unwrap_or(0);
    micros.saturating_mul(1_000)
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
    use std::time::Duration;

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
        let traces = [trace];
        let json = serde_json::to_vec(&TracesData::new(&traces)).expect("JSON");
        let [trace] = traces;
        let batches = otlp_json_request(&json).expect("well-formed");
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

    /// Jaeger's user interface refuses a whole trace for one time beyond that.
    #[test]
    fn times_fit_in_64_bits() {
        let mut trace = trace([span("shop", "checkout", 1, 0, 1).log("message", "hello")]);
        let mut odd = ReceivedSpan::clone(&trace.spans[0]);
        for (start, duration) in [(i64::MAX, Duration::MAX), (i64::MIN, Duration::ZERO)] {
            odd.span.start = Timestamp::from_micros(start);
            odd.span.duration = duration;
            odd.span.logs[0].timestamp = odd.span.start;
            trace.spans = vec![odd.clone().into()];
            let traces = [trace.clone()];
            let json = serde_json::to_value(TracesData::new(&traces)).expect("JSON");
            let span = &json["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
            for time in [
                &span["startTimeUnixNano"],
                &span["endTimeUnixNano"],
                &span["events"][0]["timeUnixNano"],
            ] {
                let time = time.as_str().map(str::parse::<u64>);
                let expected = if start < 0 { 0 } else { u64::MAX };
                assert_eq!(time, Some(Ok(expected)), "{start}");
            }
        }
    }
}

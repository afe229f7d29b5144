//! Reported spans of both in one form, with the numbers that the program has given them in place of ids.

use std::collections::HashMap;
use std::time::SystemTime;

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{Array, KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;
use tracehound::model::{ReferenceType, Tag, TagValue, Timestamp};
use tracehound::reporter::OwnedSpan;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reported {
    name: String,
    trace: String,
    parent: Option<String>,
    /// Microseconds since the epoch, if the program gave the time.
    times: (Option<u64>, Option<u64>),
    kind: Option<&'static str>,
    scope: (String, Option<String>),
    attributes: Shown,
    events: Vec<(Option<u64>, Shown)>,
    /// The spans that are linked.
    links: Vec<String>,
    /// The attributes of links, and the ids of those that no reference can hold.
    link_logs: Vec<(String, Shown)>,
    status: (bool, bool, Option<String>),
}

/// Keys and values, with the types of the values.
type Shown = Vec<(String, String)>;

/// The number of a span by its id, and the name of a trace by its id: the lowest number in it.
struct Numbers {
    spans: HashMap<u64, String>,
    traces: HashMap<u128, String>,
}

impl Numbers {
    fn of(ids: impl Iterator<Item = (u128, u64, String)>) -> Self {
        let (mut spans, mut traces) = (HashMap::new(), HashMap::<u128, String>::new());
        for (trace, span, number) in ids {
            let first = traces.entry(trace).or_insert_with(|| number.clone());
            if (number.len(), &number) < (first.len(), first) {
                first.clone_from(&number);
            }
            spans.insert(span, number);
        }
        Self { spans, traces }
    }

    /// Remote spans have small ids, and spans that were not reported have no number.
    fn span(&self, id: u64) -> String {
        let number = self.spans.get(&id).cloned();
        number.unwrap_or_else(|| match id {
            id if id < 1_000 => format!("remote {id}"),
            _ => "unreported".to_owned(),
        })
    }

    fn trace(&self, id: u128) -> String {
        match id {
            id if id & u128::from(u64::MAX) < 1_000 => format!("remote {id:x}"),
            id => self.traces.get(&id).cloned().unwrap_or_default(),
        }
    }
}

pub(super) fn of_sdk(spans: &[SpanData]) -> Vec<Reported> {
    let trace = |id: opentelemetry::TraceId| u128::from_be_bytes(id.to_bytes());
    let span = |id: opentelemetry::SpanId| u64::from_be_bytes(id.to_bytes());
    let numbers = Numbers::of(spans.iter().map(|it| {
        let number = it.attributes[0].value.to_string();
        let context = &it.span_context;
        (trace(context.trace_id()), span(context.span_id()), number)
    }));
    let reported = |it: &SpanData| {
        let is_root = span(it.parent_span_id) == 0;
        let own_trace = it.span_context.trace_id();
        let looks_like_parent = |link: &&opentelemetry::trace::Link| {
            is_root && link.span_context.trace_id() == own_trace
        };
        let valid = || it.links.iter().filter(|link| link.span_context.is_valid());
        let start = explicit(it.start_time);
        let end = explicit(it.end_time);
        Reported {
            name: it.name.to_string(),
            trace: numbers.trace(trace(own_trace)),
            parent: (!is_root).then(|| numbers.span(span(it.parent_span_id))),
            // An end before the start is moved to the start, and a span without a length has a microsecond.
            times: (start, start.and_then(|start| Some(end?.max(start + 1)))),
            kind: match it.span_kind {
                SpanKind::Client => Some("client"),
                SpanKind::Server => Some("server"),
                SpanKind::Producer => Some("producer"),
                SpanKind::Consumer => Some("consumer"),
                SpanKind::Internal => None,
            },
            scope: (
                it.instrumentation_scope.name().to_owned(),
                it.instrumentation_scope.version().map(str::to_owned),
            ),
            attributes: last_of_each(&it.attributes),
            events: it
                .events
                .iter()
                .map(|event| {
                    (
                        explicit(event.timestamp),
                        named(&event.name, &event.attributes),
                    )
                })
                .collect(),
            links: valid()
                .filter(|link| !looks_like_parent(link))
                .map(|link| numbers.span(span(link.span_context.span_id())))
                .collect(),
            link_logs: valid()
                .filter(|link| looks_like_parent(link) || !link.attributes.is_empty())
                .map(|link| {
                    let to = numbers.span(span(link.span_context.span_id()));
                    (to, shown_all(&link.attributes))
                })
                .collect(),
            status: match &it.status {
                Status::Unset => (false, false, None),
                Status::Ok => (true, false, None),
                Status::Error { description } => {
                    let text = (!description.is_empty()).then(|| description.to_string());
                    (false, true, text)
                }
            },
        }
    };
    spans.iter().map(reported).collect()
}

pub(super) fn of_tracehound(spans: &[OwnedSpan]) -> Vec<Reported> {
    let trace = |id: tracehound::model::TraceId| u128::from_be_bytes(id.to_bytes());
    let numbers = Numbers::of(spans.iter().map(|it| {
        (
            trace(it.trace_id),
            it.span_id.get(),
            it.tag_text("number").into_owned(),
        )
    }));
    let reported = |it: &OwnedSpan| {
        let text = |key: &str| {
            let tag = it.tags.iter().find(|tag| tag.key == key);
            tag.map(|tag| tag.value.to_string())
        };
        let parent = it.parent_id.map(|id| (it.trace_id, id));
        let is_link =
            |log: &&tracehound::model::LogRecord| log.fields[0].value == TagValue::from("link");
        let start = explicit_micros(it.start);
        let end = Timestamp::from_micros(it.start.as_micros() + it.duration.as_micros() as i64);
        let is_ok = text("otel.status_code").as_deref() == Some("OK");
        let is_error = it.is_error();
        Reported {
            name: it.operation_name.clone(),
            trace: numbers.trace(trace(it.trace_id)),
            parent: it.parent_id.map(|id| numbers.span(id.get())),
            times: (start, start.and_then(|_| explicit_micros(end))),
            kind: match text("span.kind").as_deref() {
                Some("client") => Some("client"),
                Some("server") => Some("server"),
                Some("producer") => Some("producer"),
                Some("consumer") => Some("consumer"),
                _ => None,
            },
            scope: (
                text("otel.scope.name").unwrap_or_default(),
                text("otel.scope.version"),
            ),
            attributes: it
                .tags
                .iter()
                .filter(|tag| !OWN_TAGS.contains(&&*tag.key))
                .map(shown_tag)
                .collect(),
            events: it
                .logs
                .iter()
                .filter(|log| !is_link(log))
                .map(|log| {
                    (
                        explicit_micros(log.timestamp),
                        log.fields.iter().map(shown_tag).collect(),
                    )
                })
                .collect(),
            links: it
                .references
                .iter()
                .filter(|to| {
                    to.kind == ReferenceType::FollowsFrom
                        || parent != Some((to.trace_id, to.span_id))
                })
                .map(|to| numbers.span(to.span_id.get()))
                .collect(),
            link_logs: it
                .logs
                .iter()
                .filter(is_link)
                .map(|log| {
                    let span_id = log.fields[2].value.to_string();
                    let span_id = u64::from_str_radix(&span_id, 16).expect("an id");
                    (
                        numbers.span(span_id),
                        log.fields[3..].iter().map(shown_tag).collect(),
                    )
                })
                .collect(),
            status: (
                is_ok,
                is_error,
                text("otel.status_description").filter(|_| is_error),
            ),
        }
    };
    spans.iter().map(reported).collect()
}

const OWN_TAGS: [&str; 8] = [
    "sampler.type",
    "sampler.param",
    "otel.scope.name",
    "otel.scope.version",
    "otel.status_code",
    "otel.status_description",
    "span.kind",
    "error",
];

/// The program's times are of November 2023, and the clock's are not.
fn explicit(time: SystemTime) -> Option<u64> {
    explicit_micros(Timestamp::from(time))
}

fn explicit_micros(time: Timestamp) -> Option<u64> {
    let micros = u64::try_from(time.as_micros()).ok()?;
    (micros < 1_700_000_002_000_000).then_some(micros)
}

/// The last value of each key, in the place of the first.
fn last_of_each(attributes: &[KeyValue]) -> Shown {
    let mut kept = Shown::new();
    for (key, value) in shown_all(attributes) {
        match kept.iter_mut().find(|(known, _)| *known == key) {
            Some((_, place)) => *place = value,
            None => kept.push((key, value)),
        }
    }
    kept
}

fn named(name: &str, attributes: &[KeyValue]) -> Shown {
    let name = ("event".to_owned(), format!("{name:?}"));
    [name].into_iter().chain(shown_all(attributes)).collect()
}

fn shown_all(attributes: &[KeyValue]) -> Shown {
    let pairs = attributes.iter();
    pairs
        .map(|it| (it.key.to_string(), shown(&it.value)))
        .collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::F64(value) => format!("double {value:?}"),
        Value::I64(value) => format!("long {value}"),
        Value::Bool(value) => format!("bool {value}"),
        Value::String(text) => format!("{:?}", text.as_str()),
        Value::Array(list) => format!("{:?}", json(list)),
        other => unreachable!("a new kind of value: {other:?}"),
    }
}

fn json(list: &Array) -> String {
    let items: Vec<_> = match list {
        Array::Bool(items) => items.iter().map(ToString::to_string).collect(),
        Array::I64(items) => items.iter().map(ToString::to_string).collect(),
        Array::F64(items) => items.iter().map(|it| format!("{it:?}")).collect(),
        Array::String(items) => {
            let quoted = |it: &opentelemetry::StringValue| {
                format!(
                    "\"{}\"",
                    it.as_str().replace('\\', "\\\\").replace('"', "\\\"")
                )
            };
            items.iter().map(quoted).collect()
        }
        other => unreachable!("a new kind of list: {other:?}"),
    };
    format!("[{}]", items.join(","))
}

fn shown_tag(tag: &Tag) -> (String, String) {
    let value = match &tag.value {
        TagValue::Double(value) => format!("double {value:?}"),
        TagValue::Long(value) => format!("long {value}"),
        TagValue::Bool(value) => format!("bool {value}"),
        TagValue::String(text) => format!("{text:?}"),
        TagValue::Binary(bytes) => format!("{bytes:?}"),
    };
    (tag.key.to_string(), value)
}

//! `get_span_details` and `get_trace_errors`: all that is known of a few spans.

use std::collections::{BTreeSet, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::dev::server::state::ServerState;
use crate::dev::server::viewer::mcp::allowance::Allowance;
use crate::dev::server::viewer::mcp::tools::times::rfc3339;
use crate::dev::server::viewer::mcp::tools::{find, long, short};
use crate::model::{LogRecord, SpanId, Tag, TagValue, non_finite, tags};
use crate::view::ReceivedSpan;
use crate::view::tree::TreeSpan;
use crate::view::waterfall::message;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpansArguments {
    trace_id: String,
    span_ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorsArguments {
    trace_id: String,
}

#[derive(Serialize)]
pub(super) struct Spans {
    trace_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_error_count: Option<usize>,
    spans: Vec<SpanDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct SpanDetail {
    span_id: String,
    trace_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    service: String,
    span_name: String,
    start_time: String,
    duration_us: u64,
    status: Status,
    #[serde(skip_serializing_if = "Map::is_empty")]
    attributes: Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<Event>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<SpanLink>,
}

#[derive(Serialize)]
struct Status {
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

#[derive(Serialize)]
struct Event {
    name: String,
    timestamp: String,
    #[serde(skip_serializing_if = "Map::is_empty")]
    attributes: Map<String, Value>,
}

#[derive(Serialize)]
struct SpanLink {
    trace_id: String,
    span_id: String,
}

/// Shows the spans with the given ids, in the order of the ids.
pub(super) fn spans(state: &ServerState, asked: SpansArguments) -> Result<Spans, String> {
    let asked_for = asked.span_ids.len();
    if asked_for == 0 || asked_for > MAX_SPANS {
        return Err(format!(
            "span_ids: from 1 to {MAX_SPANS} ids are taken, not {asked_for}"
        ));
    }
    let ids: Result<Vec<SpanId>, _> = asked.span_ids.iter().map(|id| id.parse()).collect();
    let ids = ids.map_err(|error| format!("invalid span_ids: {error}"))?;
    let trace = find(state, &asked.trace_id)?;
    let mut by_id: HashMap<SpanId, Vec<&ReceivedSpan>> = HashMap::new();
    for span in &trace.spans {
        by_id.entry(span.span.span_id).or_default().push(span);
    }
    let wanted: BTreeSet<SpanId> = ids.iter().copied().collect();
    let missing: Vec<String> = wanted
        .iter()
        .filter(|id| !by_id.contains_key(id))
        .map(|id| short(*id))
        .collect();
    // A client and its server may share an id, as in Zipkin's model.
    let found = ids
        .iter()
        .filter_map(|id| by_id.remove(id))
        .flatten()
        .take(MAX_SPANS);
    let mut answer = show(long(trace.trace_id), found);
    if !missing.is_empty() {
        let missing = format!("spans not found: {}", missing.join(", "));
        answer.error = Some(match answer.error {
            Some(error) => format!("{missing}; {error}"),
            None => missing,
        });
    }
    Ok(answer)
}

/// Shows the spans that failed, in the order in which they came.
pub(super) fn errors(state: &ServerState, asked: ErrorsArguments) -> Result<Spans, String> {
    let trace = find(state, &asked.trace_id)?;
    let is_error = |span: &&ReceivedSpan| status_code(TreeSpan::Received(span)) == ERROR;
    let failed: Vec<&ReceivedSpan> = trace
        .spans
        .iter()
        .map(|span| &**span)
        .filter(is_error)
        .collect();
    let total = failed.len();
    let mut answer = show(long(trace.trace_id), failed.into_iter().take(MAX_SPANS));
    answer.total_error_count = Some(total);
    Ok(answer)
}

fn show<'a>(trace_id: String, spans: impl Iterator<Item = &'a ReceivedSpan>) -> Spans {
    let mut allowance = Allowance::new();
    let mut details = Vec::new();
    for span in spans {
        if !allowance.take(SPAN) {
            break;
        }
        details.push(SpanDetail::new(span, &mut allowance));
    }
    Spans {
        trace_id,
        total_error_count: None,
        spans: details,
        error: allowance.note(),
    }
}

impl SpanDetail {
    fn new(received: &ReceivedSpan, allowance: &mut Allowance) -> Self {
        let span = &received.span;
        let parent = received.parent().map(|(parent, _)| parent);
        let mut events = Vec::new();
        for log in &span.logs {
            if !allowance.take(EVENT) {
                break;
            }
            events.push(Event::new(log, allowance));
        }
        let is_parent = |trace_id, span_id| trace_id == span.trace_id && Some(span_id) == parent;
        let others = span
            .references
            .iter()
            .filter(|other| !is_parent(other.trace_id, other.span_id));
        let mut links = Vec::new();
        for other in others {
            if !allowance.take(LINK) {
                break;
            }
            links.push(SpanLink {
                trace_id: long(other.trace_id),
                span_id: short(other.span_id),
            });
        }
        Self {
            span_id: short(span.span_id),
            trace_id: long(span.trace_id),
            parent_span_id: parent.map(short),
            service: allowance.text(received.service_name()),
            span_name: allowance.text(&span.operation_name),
            start_time: rfc3339(span.start.as_micros()),
            duration_us: u64::try_from(span.duration.as_micros()).unwrap_or(u64::MAX),
            status: Status::new(received, allowance),
            attributes: attributes(&span.tags, allowance),
            events,
            links,
        }
    }
}

impl Status {
    fn new(span: &ReceivedSpan, allowance: &mut Allowance) -> Self {
        let code = status_code(TreeSpan::Received(span));
        let described = span.span.tag_text(STATUS_DESCRIPTION);
        let described = (!described.is_empty()).then(|| described.into_owned());
        let message = described.or_else(|| message(span));
        let message = message.filter(|_| code == ERROR);
        Self {
            code,
            message: message.map(|message| allowance.text(&message)),
        }
    }
}

impl Event {
    /// A log is an event whose name is its field `event`.
    fn new(log: &LogRecord, allowance: &mut Allowance) -> Self {
        let name = log.fields.iter().find(|field| field.key == tags::EVENT);
        let name = name.map_or_else(String::new, |field| match &field.value {
            TagValue::String(name) => name.to_string(),
            other => other.to_string(),
        });
        let mut attributes = attributes(&log.fields, allowance);
        attributes.remove(tags::EVENT);
        Self {
            name: allowance.text(&name),
            timestamp: rfc3339(log.timestamp.as_micros()),
            attributes,
        }
    }
}

/// Returns whether a span failed, in the words of OpenTelemetry: `Unset`, `Ok` or `Error`.
pub(super) fn status_code(span: TreeSpan<'_>) -> &'static str {
    let TreeSpan::Received(received) = span else {
        return "Unset";
    };
    match &*received.span.tag_text(STATUS_CODE) {
        _ if received.is_error() => ERROR,
        "ERROR" => ERROR,
        "OK" => "Ok",
        _ => "Unset",
    }
}

/// Returns tags by their keys. Of two with one key the first one stays.
fn attributes(tags: &[Tag], allowance: &mut Allowance) -> Map<String, Value> {
    let mut attributes = Map::new();
    for tag in tags {
        if !allowance.take(TAG) {
            break;
        }
        let key = allowance.text(&tag.key);
        let value = match &tag.value {
            TagValue::String(text) => json!(allowance.text(text)),
            TagValue::Bool(value) => json!(value),
            TagValue::Long(value) => json!(value),
            TagValue::Double(value) if value.is_finite() => json!(value),
            TagValue::Double(value) => json!(non_finite(*value)),
            TagValue::Binary(bytes) => json!(allowance.text(&STANDARD.encode(bytes))),
        };
        attributes.entry(key).or_insert(value);
    }
    attributes
}

/// How many spans an answer shows.
const MAX_SPANS: usize = 20;
/// The bytes of a span, an event, a link and a tag beside their texts, about.
const SPAN: usize = 260;
const EVENT: usize = 70;
const LINK: usize = 90;
const TAG: usize = 24;

const ERROR: &str = "Error";
const STATUS_CODE: &str = "otel.status_code";
const STATUS_DESCRIPTION: &str = "otel.status_description";

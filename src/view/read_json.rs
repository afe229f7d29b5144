//! Traces out of the JSON of Jaeger's query API.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::model::{
    Flags, LogRecord, Process, ReferenceType, ReportedReference, SpanId, Tag, TagValue, Timestamp,
    TraceId,
};
use crate::reporter::OwnedSpan;
use crate::view::micros::Micros;
use crate::view::{ReceivedSpan, Trace};

impl Trace {
    /// Reads traces from JSON as Jaeger's query API and user interface write it: an answer with `data`, a list of
    /// traces, or one trace.
    ///
    /// Fields that are not known are ignored, and so are references to a zero id. A duration below zero is zero. Traces
    /// come in the order of the text; spans with another trace id than their trace's keep it and belong to the trace that
    /// they are in.
    ///
    /// ```
    /// use tracehound::view::Trace;
    ///
    /// let text = r#"{"data": [{
    ///     "traceID": "7f3c", "processes": {"p1": {"serviceName": "shop", "tags": []}},
    ///     "spans": [{"traceID": "7f3c", "spanID": "1", "operationName": "checkout",
    ///                "processID": "p1", "startTime": 1700000000000000, "duration": 2500}]
    /// }]}"#;
    /// let traces = Trace::from_json(text)?;
    /// assert_eq!(traces[0].services(), ["shop"]);
    /// assert_eq!(traces[0].spans[0].span.operation_name, "checkout");
    /// # Ok::<(), tracehound::view::InvalidTraceJson>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if the text is no JSON, or if a trace or span lacks an id, a process or a time, or has one that makes no
    /// sense. The error says where.
    pub fn from_json(text: &str) -> Result<Vec<Self>, InvalidTraceJson> {
        let whole: &RawValue = serde_json::from_str(text).map_err(InvalidTraceJson::syntax)?;
        let numbered = raw_traces(whole)?.into_iter().enumerate();
        numbered
            .map(|(index, trace)| {
                let read = TraceJson::read(trace.get()).map_err(InvalidTraceJson::new);
                read.and_then(TraceJson::into_trace)
                    .map_err(|error| error.within(format_args!("trace {}", index + 1)))
            })
            .collect()
    }
}

/// Returns the texts of traces. They are read one after the other, because a tree of a whole file would take ten times as
/// much memory as its spans.
fn raw_traces(whole: &RawValue) -> Result<Vec<&RawValue>, InvalidTraceJson> {
    let list = |raw: &RawValue| raw.get().starts_with('[');
    if list(whole) {
        return serde_json::from_str(whole.get()).map_err(InvalidTraceJson::syntax);
    }
    if !whole.get().starts_with('{') {
        return Err(InvalidTraceJson::new("neither a list nor an object"));
    }
    let members: BTreeMap<String, &RawValue> =
        serde_json::from_str(whole.get()).map_err(InvalidTraceJson::syntax)?;
    match members.get("data") {
        None => Ok(vec![whole]),
        Some(data) if data.get() == "null" => Err(InvalidTraceJson::new("the answer has no data")),
        Some(data) if list(data) => {
            serde_json::from_str(data.get()).map_err(InvalidTraceJson::syntax)
        }
        Some(data) => Ok(vec![data]),
    }
}

/// A text that [`Trace::from_json`] could not read.
///
/// ```
/// use tracehound::view::Trace;
///
/// let error = Trace::from_json(r#"{"data": [{"spans": 7}]}"#).expect_err("spans are a list");
/// println!("{error}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidTraceJson {
    reason: String,
}

impl InvalidTraceJson {
    fn new(reason: impl fmt::Display) -> Self {
        Self {
            reason: reason.to_string(),
        }
    }

    fn syntax(error: serde_json::Error) -> Self {
        Self::new(error)
    }

    fn within(self, place: fmt::Arguments<'_>) -> Self {
        Self {
            reason: format!("{place}: {}", self.reason),
        }
    }
}

impl fmt::Display for InvalidTraceJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no traces in Jaeger's JSON: {}", self.reason)
    }
}

impl Error for InvalidTraceJson {}

#[derive(Deserialize)]
struct TraceJson {
    #[serde(rename = "traceID")]
    trace_id: String,
    spans: Option<Vec<SpanJson>>,
    processes: Option<BTreeMap<String, ProcessJson>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpanJson {
    #[serde(rename = "traceID")]
    trace_id: Option<String>,
    #[serde(rename = "spanID")]
    span_id: String,
    /// The parent as files of old versions have it.
    #[serde(rename = "parentSpanID")]
    parent_id: Option<String>,
    flags: Option<u32>,
    operation_name: String,
    references: Option<Vec<ReferenceJson>>,
    start_time: Micros,
    duration: Micros,
    tags: Option<Vec<TagJson>>,
    logs: Option<Vec<LogJson>>,
    #[serde(rename = "processID")]
    process_id: Option<String>,
    process: Option<ProcessJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReferenceJson {
    ref_type: String,
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Deserialize)]
struct LogJson {
    timestamp: Micros,
    fields: Option<Vec<TagJson>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProcessJson {
    service_name: String,
    tags: Option<Vec<TagJson>>,
}

#[derive(Deserialize)]
struct TagJson {
    key: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    value: Value,
}

impl TraceJson {
    fn read(text: &str) -> Result<Self, serde_json::Error> {
        // By way of a value a name may be there twice, and errors have no place within the text of this trace.
        let by_value =
            |_| serde_json::from_str(text).and_then(|value: Value| Self::deserialize(value));
        serde_json::from_str(text).or_else(by_value)
    }

    fn into_trace(self) -> Result<Trace, InvalidTraceJson> {
        let trace_id = trace_id(&self.trace_id)?;
        let processes = self.processes.unwrap_or_default().into_iter();
        let processes: HashMap<_, _> = processes
            .map(|(name, process)| (name, Arc::new(process.into_process())))
            .collect();
        let numbered = self.spans.into_iter().flatten().enumerate();
        let spans: Result<_, _> = numbered
            .map(|(index, span)| {
                let span = span.into_received(trace_id, &processes);
                span.map(Arc::new)
                    .map_err(|error| error.within(format_args!("span {}", index + 1)))
            })
            .collect();
        Ok(Trace {
            trace_id,
            spans: spans?,
            open: Vec::new(),
        })
    }
}

impl SpanJson {
    fn into_received(
        self,
        of_trace: TraceId,
        processes: &HashMap<String, Arc<Process>>,
    ) -> Result<ReceivedSpan, InvalidTraceJson> {
        let own_trace = self.trace_id.as_deref().map_or(Ok(of_trace), trace_id)?;
        let mut references = Vec::new();
        for reference in self.references.into_iter().flatten() {
            references.extend(reference.into_reported()?);
        }
        if let Some(parent) = self.parent_id.filter(|parent| !is_zero(parent)) {
            let parent =
                ReportedReference::new(ReferenceType::ChildOf, own_trace, span_id(&parent)?);
            if !references.contains(&parent) {
                references.insert(0, parent);
            }
        }
        let is_parent = |reference: &&ReportedReference| {
            reference.kind == ReferenceType::ChildOf && reference.trace_id == own_trace
        };
        // A clock that went back within a span gives it a duration below zero.
        let micros = u64::try_from(self.duration.0).unwrap_or(0);
        let process = match (self.process, self.process_id) {
            (Some(process), _) => Arc::new(process.into_process()),
            (None, Some(id)) => processes.get(&id).cloned().ok_or_else(|| {
                InvalidTraceJson::new(format_args!("the trace has no process {id:?}"))
            })?,
            (None, None) => return Err(InvalidTraceJson::new("the span has no process")),
        };
        let span = OwnedSpan {
            parent_id: references
                .iter()
                .find(is_parent)
                .map(|parent| parent.span_id),
            flags: Flags::from_bits(self.flags.unwrap_or_default() as u8),
            start: Timestamp::from_micros(self.start_time.0),
            duration: Duration::from_micros(micros),
            tags: tags(self.tags),
            logs: self
                .logs
                .into_iter()
                .flatten()
                .map(|log| {
                    let timestamp = Timestamp::from_micros(log.timestamp.0);
                    LogRecord::new(timestamp, tags(log.fields))
                })
                .collect(),
            references,
            ..OwnedSpan::new(own_trace, span_id(&self.span_id)?, self.operation_name)
        };
        Ok(ReceivedSpan { span, process })
    }
}

impl ReferenceJson {
    /// Returns `None` for a reference to a zero id.
    fn into_reported(self) -> Result<Option<ReportedReference>, InvalidTraceJson> {
        if is_zero(&self.trace_id) || is_zero(&self.span_id) {
            return Ok(None);
        }
        let kind = match self.ref_type.as_str() {
            "CHILD_OF" => ReferenceType::ChildOf,
            "FOLLOWS_FROM" => ReferenceType::FollowsFrom,
            other => {
                let reason = format!("{other:?} is no type of a reference");
                return Err(InvalidTraceJson::new(reason));
            }
        };
        Ok(Some(ReportedReference::new(
            kind,
            trace_id(&self.trace_id)?,
            span_id(&self.span_id)?,
        )))
    }
}

impl ProcessJson {
    fn into_process(self) -> Process {
        Process::new(self.service_name, tags(self.tags))
    }
}

fn tags(list: Option<Vec<TagJson>>) -> Vec<Tag> {
    let list = list.into_iter().flatten();
    list.map(|tag| Tag {
        value: value(tag.kind.as_deref().unwrap_or_default(), tag.value),
        key: Cow::Owned(tag.key),
    })
    .collect()
}

/// Converts a value by the type that is written beside it. One that does not fit its type is kept as text.
fn value(kind: &str, value: Value) -> TagValue {
    let typed = match (kind, &value) {
        ("int64", Value::Number(number)) => number.as_i64().map(TagValue::Long),
        ("int64", Value::String(text)) => text.parse().ok().map(TagValue::Long),
        ("float64", Value::Number(number)) => number.as_f64().map(TagValue::Double),
        ("float64", Value::String(text)) => text.parse().ok().map(TagValue::Double),
        ("binary", Value::String(text)) => STANDARD.decode(text).ok().map(TagValue::Binary),
        (_, Value::Bool(value)) => Some(TagValue::Bool(*value)),
        ("bool", Value::String(text)) => text.parse().ok().map(TagValue::Bool),
        ("", Value::Number(number)) => match number.as_i64() {
            Some(number) => Some(TagValue::Long(number)),
            None => number.as_f64().map(TagValue::Double),
        },
        _ => None,
    };
    typed.unwrap_or_else(|| match value {
        Value::String(text) => TagValue::String(text.into()),
        other => TagValue::String(other.to_string().into()),
    })
}

fn trace_id(text: &str) -> Result<TraceId, InvalidTraceJson> {
    text.parse()
        .map_err(|_| InvalidTraceJson::new(format_args!("{text:?} is no trace id")))
}

fn span_id(text: &str) -> Result<SpanId, InvalidTraceJson> {
    text.parse()
        .map_err(|_| InvalidTraceJson::new(format_args!("{text:?} is no span id")))
}

fn is_zero(id: &str) -> bool {
    id.bytes().all(|digit| digit == b'0')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::view::fixtures::{span, trace};
    use crate::view::json::{Envelope, TraceJson as Written};

    #[test]
    fn a_trace_that_was_written_is_read_again() {
        let written = trace([
            span("shop", "checkout", 1, 0, 5).log("message", "hello"),
            span("pay", "charge", 2, 1, 4)
                .child_of(1)
                .follows(7)
                .tag("n", 42i64)
                .tag("big", i64::MIN)
                .tag("half", 0.5)
                .tag("yes", true)
                .tag("bytes", vec![0u8, 255]),
        ]);
        let text = serde_json::to_string(&Envelope::one(Written::new(&written))).expect("JSON");
        let read = Trace::from_json(&text).expect("traces");
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].trace_id, written.trace_id);
        for (read, written) in read[0].spans.iter().zip(&written.spans) {
            let mut expected = written.span.clone();
            expected.parent_id = read.span.parent_id;
            assert_eq!(read.span, expected);
            assert_eq!(read.process, written.process);
        }
        assert_eq!(read[0].spans[1].span.parent_id, SpanId::new(1));
    }

    #[test]
    fn a_duration_below_zero_is_zero_in_both_ways_to_write_it() {
        for duration in [json!(-5), json!(18_446_744_073_709_551_611_u64)] {
            let trace = json!({"traceID": "a", "spans": [{
                "spanID": "1", "operationName": "x", "startTime": 7.5, "duration": duration,
                "process": {"serviceName": "shop"},
            }]});
            let read = Trace::from_json(&trace.to_string()).expect("traces");
            let span = &read[0].spans[0].span;
            assert_eq!((span.start.as_micros(), span.duration), (7, Duration::ZERO));
        }
    }

    #[test]
    fn a_list_and_a_single_trace_are_read() {
        let trace = json!({"traceID": "a", "spans": []});
        for text in [trace.clone(), json!([trace]), json!({"data": [trace]})] {
            let read = Trace::from_json(&text.to_string()).expect("traces");
            assert_eq!(read.len(), 1, "{text}");
        }
    }

    #[test]
    fn a_name_may_be_there_twice_and_the_last_one_counts() {
        let text = r#"{"data":{},"data":[{"traceID":"a","traceID":"b","spans":[]}]}"#;
        let read = Trace::from_json(text).expect("traces");
        assert_eq!(read[0].trace_id.low(), 0xb);
    }

    #[test]
    fn parts_that_are_null_are_read_as_missing() {
        let trace = json!({
            "traceID": "a",
            "processes": {"p1": {"serviceName": "shop", "tags": null}},
            "spans": [{
                "spanID": "1", "operationName": "x", "startTime": 1, "duration": 1, "processID": "p1",
                "flags": null, "references": null, "tags": [{"key": "k", "type": null, "value": null}],
                "logs": [{"timestamp": 1, "fields": null}],
            }],
        });
        let read = Trace::from_json(&trace.to_string()).expect("traces");
        assert_eq!(read[0].spans[0].span.logs.len(), 1);
        let empty = json!({"traceID": "a", "spans": null, "processes": null});
        let read = Trace::from_json(&empty.to_string()).expect("traces");
        assert!(read[0].spans.is_empty());
    }

    #[test]
    fn an_error_says_where_it_is() {
        let span = |changes: Value| {
            let mut span = json!({
                "spanID": "1", "operationName": "x", "startTime": 1, "duration": 1, "processID": "p1",
            });
            for (key, value) in changes.as_object().expect("an object") {
                span[key] = value.clone();
            }
            json!({
                "traceID": "a",
                "processes": {"p1": {"serviceName": "shop"}},
                "spans": [span],
            })
        };
        let rows = [
            (json!(7), "neither a list nor an object"),
            (json!({"data": null}), "the answer has no data"),
            (json!({"traceID": "0"}), "trace 1: \"0\" is no trace id"),
            (json!([{"spans": []}]), "trace 1: missing field `traceID`"),
            (
                span(json!({"spanID": "x"})),
                "trace 1: span 1: \"x\" is no span id",
            ),
            (
                span(json!({"processID": "p2"})),
                "trace 1: span 1: the trace has no process \"p2\"",
            ),
            (
                span(json!({"references": [{"refType": "KIN", "traceID": "a", "spanID": "2"}]})),
                "trace 1: span 1: \"KIN\" is no type of a reference",
            ),
        ];
        for (text, reason) in rows {
            let error = Trace::from_json(&text.to_string()).expect_err("an error");
            assert_eq!(
                error.to_string(),
                format!("no traces in Jaeger's JSON: {reason}")
            );
        }
        assert!(Trace::from_json("{").is_err());
    }
}

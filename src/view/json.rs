//! Traces in the JSON of Jaeger's query API, which its user interface reads.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::model::{Process, ReferenceType, Tag, TagValue, non_finite};
use crate::view::{ReceivedSpan, Trace};

/// The wrapping of every answer.
#[derive(Debug, Serialize)]
pub(crate) struct Envelope<T> {
    data: Option<T>,
    total: usize,
    limit: usize,
    offset: usize,
    errors: Option<Vec<ErrorJson>>,
}

#[derive(Debug, Serialize)]
struct ErrorJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    msg: Cow<'static, str>,
    #[serde(rename = "traceID", skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

impl<T> Envelope<Vec<T>> {
    /// Wraps one item.
    pub(crate) fn one(item: T) -> Self {
        Self {
            total: 0,
            ..Self::list(vec![item])
        }
    }

    /// Wraps a whole list.
    pub(crate) fn list(items: Vec<T>) -> Self {
        Self {
            total: items.len(),
            data: Some(items),
            limit: 0,
            offset: 0,
            errors: None,
        }
    }
}

#[cfg(feature = "dev")]
impl<T> Envelope<Vec<T>> {
    /// Wraps what was found, and names the traces that were not.
    pub(crate) fn found(items: Vec<T>, missing: Vec<String>) -> Self {
        let error = |trace_id| ErrorJson {
            code: None,
            msg: Cow::Borrowed("trace not found"),
            trace_id: Some(trace_id),
        };
        Self {
            total: 0,
            errors: (!missing.is_empty()).then(|| missing.into_iter().map(error).collect()),
            ..Self::list(items)
        }
    }
}

#[cfg(feature = "dev")]
impl Envelope<()> {
    /// Wraps an error in place of data.
    pub(crate) fn error(
        code: u16,
        msg: impl Into<Cow<'static, str>>,
        trace_id: Option<String>,
    ) -> Self {
        let msg = msg.into();
        Self {
            data: None,
            total: 0,
            limit: 0,
            offset: 0,
            errors: Some(vec![ErrorJson {
                code: Some(code),
                msg,
                trace_id,
            }]),
        }
    }
}

/// A trace with its spans and processes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TraceJson<'a> {
    #[serde(rename = "traceID")]
    trace_id: String,
    spans: Vec<SpanJson<'a>>,
    /// Ordered by name, so `p10` comes before `p2`; readers look processes up by name.
    processes: BTreeMap<String, ProcessJson<'a>>,
    warnings: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SpanJson<'a> {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u8,
    operation_name: &'a str,
    references: Vec<ReferenceJson>,
    start_time: i64,
    duration: i64,
    tags: Vec<TagJson<'a>>,
    logs: Vec<LogJson<'a>>,
    #[serde(rename = "processID")]
    process_id: String,
    warnings: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReferenceJson {
    ref_type: &'static str,
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Debug, Serialize)]
struct LogJson<'a> {
    timestamp: i64,
    fields: Vec<TagJson<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ProcessJson<'a> {
    service_name: &'a str,
    tags: Vec<TagJson<'a>>,
}

#[derive(Debug, Serialize)]
struct TagJson<'a> {
    key: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    value: ValueJson<'a>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ValueJson<'a> {
    Text(&'a str),
    Owned(String),
    Bool(bool),
    Long(i64),
    Double(f64),
}

impl<'a> TraceJson<'a> {
    pub(crate) fn new(trace: &'a Trace) -> Self {
        let mut processes = Processes::default();
        let spans = trace
            .spans
            .iter()
            .map(|span| SpanJson::new(span, processes.id(&span.process)))
            .collect();
        Self {
            trace_id: trace.trace_id.to_string(),
            spans,
            processes: processes.into_json(),
            warnings: None,
        }
    }
}

/// The processes of a trace, numbered `p1`, `p2` and so on in the order of their first spans.
#[derive(Default)]
struct Processes<'a> {
    /// By address: spans with equal processes share one.
    numbers: std::collections::HashMap<*const Process, (usize, &'a Process)>,
}

impl<'a> Processes<'a> {
    fn id(&mut self, process: &'a Arc<Process>) -> String {
        let next = self.numbers.len() + 1;
        let (number, _) = self
            .numbers
            .entry(Arc::as_ptr(process))
            .or_insert((next, process));
        format!("p{number}")
    }

    fn into_json(self) -> BTreeMap<String, ProcessJson<'a>> {
        let processes = self.numbers.into_values();
        processes
            .map(|(number, process)| {
                let json = ProcessJson {
                    service_name: &process.service_name,
                    tags: process.tags.iter().map(TagJson::new).collect(),
                };
                (format!("p{number}"), json)
            })
            .collect()
    }
}

impl<'a> SpanJson<'a> {
    fn new(received: &'a ReceivedSpan, process_id: String) -> Self {
        let span = &received.span;
        Self {
            trace_id: span.trace_id.to_string(),
            span_id: span.span_id.to_string(),
            flags: span.flags.bits(),
            operation_name: &span.operation_name,
            references: span
                .references
                .iter()
                .map(|reference| ReferenceJson {
                    ref_type: match reference.kind {
                        ReferenceType::ChildOf => "CHILD_OF",
                        ReferenceType::FollowsFrom => "FOLLOWS_FROM",
                    },
                    trace_id: reference.trace_id.to_string(),
                    span_id: reference.span_id.to_string(),
                })
                .collect(),
            start_time: span.start.as_micros(),
            duration: micros(span.duration),
            tags: span.tags.iter().map(TagJson::new).collect(),
            logs: span
                .logs
                .iter()
                .map(|log| LogJson {
                    timestamp: log.timestamp.as_micros(),
                    fields: log.fields.iter().map(TagJson::new).collect(),
                })
                .collect(),
            process_id,
            warnings: None,
        }
    }
}

impl<'a> TagJson<'a> {
    /// Converts a tag as Jaeger does: a whole number that JavaScript cannot hold becomes text with the type of a
    /// number, bytes become base64. A double that JSON cannot hold becomes text, for which Jaeger would answer 500.
    fn new(tag: &'a Tag) -> Self {
        let (kind, value) = match &tag.value {
            TagValue::String(text) => ("string", ValueJson::Text(text)),
            TagValue::Bool(value) => ("bool", ValueJson::Bool(*value)),
            TagValue::Long(value) if value.unsigned_abs() > MAX_SAFE_INTEGER => {
                ("int64", ValueJson::Owned(value.to_string()))
            }
            TagValue::Long(value) => ("int64", ValueJson::Long(*value)),
            TagValue::Double(value) if value.is_finite() => ("float64", ValueJson::Double(*value)),
            TagValue::Double(value) => ("string", ValueJson::Text(non_finite(*value))),
            TagValue::Binary(bytes) => ("binary", ValueJson::Owned(STANDARD.encode(bytes))),
        };
        Self {
            key: &tag.key,
            kind,
            value,
        }
    }
}

/// The largest whole number that JavaScript holds exactly.
pub(crate) const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(flags: &u8) -> bool {
    *flags == 0
}

/// Returns microseconds, at most as many as a signed number has: Grafana reads nothing of an answer with a larger one.
fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::TraceId;
    use crate::view::fixtures::{START, span, trace};

    fn json_of(value: &impl Serialize) -> Value {
        serde_json::to_value(value).expect("JSON")
    }

    #[test]
    fn a_trace_has_the_shape_that_the_user_interface_reads() {
        let trace = trace([
            span("shop", "checkout", 1, 0, 5).log("message", "hello"),
            span("pay", "charge", 2, 1, 4)
                .child_of(1)
                .follows(7)
                .tag("n", 42i64),
        ]);
        let root = json!({
            "traceID": "7f3c00000000a91e",
            "spanID": "0000000000000001",
            "flags": 1,
            "operationName": "checkout",
            "references": [],
            "startTime": START,
            "duration": 5,
            "tags": [],
            "logs": [{"timestamp": START, "fields": [
                {"key": "event", "type": "string", "value": "error"},
                {"key": "message", "type": "string", "value": "hello"},
            ]}],
            "processID": "p1",
            "warnings": null,
        });
        let child = json!({
            "traceID": "7f3c00000000a91e",
            "spanID": "0000000000000002",
            "flags": 1,
            "operationName": "charge",
            "references": [
                {"refType": "CHILD_OF", "traceID": "7f3c00000000a91e", "spanID": "0000000000000001"},
                {"refType": "FOLLOWS_FROM", "traceID": "7f3c00000000a91e", "spanID": "0000000000000007"},
            ],
            "startTime": START + 1,
            "duration": 3,
            "tags": [{"key": "n", "type": "int64", "value": 42}],
            "logs": [],
            "processID": "p2",
            "warnings": null,
        });
        let expected = json!({
            "data": [{
                "traceID": "7f3c00000000a91e",
                "spans": [root, child],
                "processes": {
                    "p1": {"serviceName": "shop", "tags": []},
                    "p2": {"serviceName": "pay", "tags": []},
                },
                "warnings": null,
            }],
            "total": 0, "limit": 0, "offset": 0, "errors": null,
        });
        assert_eq!(json_of(&Envelope::one(TraceJson::new(&trace))), expected);
    }

    #[test]
    fn values_keep_their_types_and_become_text_if_json_cannot_hold_them() {
        for (value, kind, expected) in [
            (TagValue::from("é\""), "string", json!("é\"")),
            (TagValue::from(false), "bool", json!(false)),
            (TagValue::from(-3i64), "int64", json!(-3)),
            (
                TagValue::from((1i64 << 53) - 1),
                "int64",
                json!((1i64 << 53) - 1),
            ),
            (
                TagValue::from(1i64 << 53),
                "int64",
                json!("9007199254740992"),
            ),
            (
                TagValue::from(i64::MIN),
                "int64",
                json!("-9223372036854775808"),
            ),
            (TagValue::from(0.5), "float64", json!(0.5)),
            (TagValue::Double(f64::NAN), "string", json!("NaN")),
            (TagValue::Double(f64::NEG_INFINITY), "string", json!("-Inf")),
            (
                TagValue::Binary(vec![0, 0x7f, 0xff]),
                "binary",
                json!("AH//"),
            ),
        ] {
            let tag = Tag::new("key", value);
            let expected = json!({"key": "key", "type": kind, "value": expected});
            assert_eq!(json_of(&TagJson::new(&tag)), expected, "{tag:?}");
        }
    }

    #[test]
    fn flags_of_zero_are_left_out_and_long_ids_are_written_whole() {
        let mut sample = span("shop", "call", 1, 0, 1);
        sample.0.flags = crate::model::Flags::default();
        sample.0.trace_id = TraceId::new(1, 2).expect("not zero");
        let json = json_of(&SpanJson::new(&sample.received(), "p1".to_owned()));
        assert_eq!(json.get("flags"), None);
        assert_eq!(json["traceID"], "00000000000000010000000000000002");
    }

    #[test]
    fn an_error_comes_in_the_envelope_of_answers() {
        let error = Envelope::error(404, "trace not found", Some("1".to_owned()));
        let expected = json!({
            "data": null, "total": 0, "limit": 0, "offset": 0,
            "errors": [{"code": 404, "msg": "trace not found", "traceID": "1"}],
        });
        assert_eq!(json_of(&error), expected);
    }

    #[test]
    fn a_duration_fits_in_a_signed_number() {
        let mut trace = trace([span("shop", "checkout", 1, 0, 5)]);
        let mut long = ReceivedSpan::clone(&trace.spans[0]);
        for duration in [Duration::MAX, Duration::from_micros(u64::MAX)] {
            long.span.duration = duration;
            trace.spans = vec![long.clone().into()];
            let json = json_of(&TraceJson::new(&trace));
            assert_eq!(json["spans"][0]["duration"], i64::MAX);
        }
    }
}

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value as Json;

use crate::{Error, Log, Reference, ReferenceKind, Tag, Value};

/// A trace as the query API shows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// The spans, in the order shown.
    pub spans: Vec<StoredSpan>,
    /// The backend's warnings about the trace as a whole.
    pub warnings: Vec<String>,
}

/// A span as the query API shows it, with its process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredSpan {
    /// Both halves of the trace id.
    pub trace_id: u128,
    /// The span's id.
    pub span_id: u64,
    /// The references; the parent is one of them.
    pub references: Vec<Reference>,
    /// The operation name.
    pub operation: String,
    /// The flags; 0 if not shown.
    pub flags: u32,
    /// The start time, in microseconds since the epoch.
    pub start_us: i64,
    /// The duration, in microseconds.
    pub duration_us: i64,
    /// The tags, in the order shown.
    pub tags: Vec<Tag>,
    /// The logs, in the order shown.
    pub logs: Vec<Log>,
    /// The service's name.
    pub service: String,
    /// The process' tags, in the order shown.
    pub process_tags: Vec<Tag>,
    /// The backend's warnings about the span.
    pub warnings: Vec<String>,
}

impl Trace {
    /// Reads one element of `data` of `/api/traces/{trace id}`.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`], naming the place, if the JSON is not of the documented form.
    pub fn from_json(json: &Json) -> Result<Self, Error> {
        let processes = At::root(json).member("processes");
        let spans = At::root(json)
            .member("spans")
            .elements(|span| stored_span(&span, &processes))?;
        Ok(Self {
            spans,
            warnings: At::root(json).member("warnings").elements(|at| at.text())?,
        })
    }
}

fn stored_span(span: &At<'_>, processes: &At<'_>) -> Result<StoredSpan, Error> {
    let process = processes.member(&span.member("processID").text()?);
    Ok(StoredSpan {
        trace_id: trace_id(&span.member("traceID"))?,
        span_id: span_id(&span.member("spanID"))?,
        references: span.member("references").elements(|at| reference(&at))?,
        operation: span.member("operationName").text()?,
        flags: match span.member("flags") {
            At {
                json: Json::Null, ..
            } => 0,
            flags => flags.read(|json| json.as_u64().and_then(|bits| bits.try_into().ok()))?,
        },
        start_us: span.member("startTime").read(Json::as_i64)?,
        duration_us: span.member("duration").read(Json::as_i64)?,
        tags: span.member("tags").elements(|at| tag(&at))?,
        logs: span.member("logs").elements(|at| log(&at))?,
        service: process.member("serviceName").text()?,
        process_tags: process.member("tags").elements(|at| tag(&at))?,
        warnings: span.member("warnings").elements(|at| at.text())?,
    })
}

fn reference(at: &At<'_>) -> Result<Reference, Error> {
    let kind = at.member("refType").read(|json| match json.as_str()? {
        "CHILD_OF" => Some(ReferenceKind::ChildOf),
        "FOLLOWS_FROM" => Some(ReferenceKind::FollowsFrom),
        _ => None,
    })?;
    let trace_id = trace_id(&at.member("traceID"))?;
    Ok(Reference {
        kind,
        trace_id,
        span_id: span_id(&at.member("spanID"))?,
    })
}

fn log(at: &At<'_>) -> Result<Log, Error> {
    Ok(Log {
        timestamp_us: at.member("timestamp").read(Json::as_i64)?,
        fields: at.member("fields").elements(|at| tag(&at))?,
    })
}

fn tag(at: &At<'_>) -> Result<Tag, Error> {
    let value = at.member("value");
    let value = match at.member("type").text()?.as_str() {
        "string" => Value::String(value.text()?),
        "bool" => Value::Bool(value.read(Json::as_bool)?),
        // Beyond ±(2^53 - 1) the number is in quotes, for readers that have doubles only.
        "int64" => Value::Long(value.read(|json| match json.as_str() {
            Some(quoted) => quoted.parse().ok(),
            None => json.as_i64(),
        })?),
        "float64" => Value::Double(value.read(Json::as_f64)?),
        // Go writes an empty list of bytes as null.
        "binary" => Value::Binary(value.read(|json| match json {
            Json::Null => Some(Vec::new()),
            json => STANDARD.decode(json.as_str()?).ok(),
        })?),
        _ => return Err(at.member("type").shape()),
    };
    Ok(Tag {
        key: at.member("key").text()?,
        value,
    })
}

/// Reads 16 digits if the high half is zero, else 32.
fn trace_id(at: &At<'_>) -> Result<u128, Error> {
    at.read(|json| {
        let digits = json.as_str().filter(|text| matches!(text.len(), 16 | 32))?;
        u128::from_str_radix(digits, 16).ok()
    })
}

fn span_id(at: &At<'_>) -> Result<u64, Error> {
    at.read(|json| {
        let digits = json.as_str().filter(|text| text.len() == 16)?;
        u64::from_str_radix(digits, 16).ok()
    })
}

/// A place in a JSON document, with the path that led there.
struct At<'a> {
    json: &'a Json,
    path: String,
}

impl<'a> At<'a> {
    const fn root(json: &'a Json) -> Self {
        Self {
            json,
            path: String::new(),
        }
    }

    /// Returns the member, or null if there is none.
    fn member(&self, name: &str) -> Self {
        let json = self.json.get(name).unwrap_or(&Json::Null);
        Self {
            json,
            path: format!("{}.{name}", self.path),
        }
    }

    /// Returns the elements of the list; a missing list and null are empty.
    fn elements<T>(&self, read: impl Fn(Self) -> Result<T, Error>) -> Result<Vec<T>, Error> {
        let list = match self.json {
            Json::Null => return Ok(Vec::new()),
            Json::Array(list) => list,
            _ => return Err(self.shape()),
        };
        let element = |(i, json)| {
            read(Self {
                json,
                path: format!("{}[{i}]", self.path),
            })
        };
        list.iter().enumerate().map(element).collect()
    }

    fn text(&self) -> Result<String, Error> {
        self.read(|json| json.as_str().map(str::to_owned))
    }

    fn read<T>(&self, read: impl FnOnce(&Json) -> Option<T>) -> Result<T, Error> {
        read(self.json).ok_or_else(|| self.shape())
    }

    fn shape(&self) -> Error {
        Error::shape(format!("trace{}", self.path), self.json)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_of_a_span_is_read() -> Result<(), Error> {
        let trace = Trace::from_json(&json!({
            "traceID": "00000000000000010000000000000002",
            "spans": [{
                "traceID": "00000000000000010000000000000002", "spanID": "0000000000000003", "flags": 255,
                "operationName": "o", "startTime": 1500000000000000_i64, "duration": 7, "processID": "p1",
                "references": [{"refType": "FOLLOWS_FROM", "traceID": "0000000000000004", "spanID": "0000000000000005"}],
                "tags": [
                    {"key": "s", "type": "string", "value": "x"},
                    {"key": "b", "type": "bool", "value": true},
                    {"key": "l", "type": "int64", "value": -1},
                    {"key": "L", "type": "int64", "value": "-9223372036854775808"},
                    {"key": "d", "type": "float64", "value": 1},
                    {"key": "y", "type": "binary", "value": "AP8="},
                ],
                "logs": [{"timestamp": 9, "fields": [{"key": "event", "type": "string", "value": "e"}]}],
                "warnings": ["w"],
            }],
            "processes": {"p1": {"serviceName": "svc", "tags": [{"key": "k", "type": "string", "value": "v"}]}},
            "warnings": null,
        }))?;
        let expected = StoredSpan {
            trace_id: (1 << 64) | 2,
            span_id: 3,
            references: vec![Reference {
                kind: ReferenceKind::FollowsFrom,
                trace_id: 4,
                span_id: 5,
            }],
            operation: "o".to_owned(),
            flags: 255,
            start_us: 1_500_000_000_000_000,
            duration_us: 7,
            tags: vec![
                Tag::new("s", "x"),
                Tag::new("b", true),
                Tag::new("l", -1),
                Tag::new("L", i64::MIN),
                Tag::new("d", 1.0),
                Tag::new("y", vec![0, 255]),
            ],
            logs: vec![Log {
                timestamp_us: 9,
                fields: vec![Tag::new("event", "e")],
            }],
            service: "svc".to_owned(),
            process_tags: vec![Tag::new("k", "v")],
            warnings: vec!["w".to_owned()],
        };
        assert_eq!(
            trace,
            Trace {
                spans: vec![expected],
                warnings: Vec::new()
            }
        );
        Ok(())
    }

    #[test]
    fn a_broken_answer_is_an_error_that_names_the_place() {
        for (span, place) in [
            (json!({}), "trace.spans[0].processID"),
            (
                json!({"processID": "p", "traceID": "1"}),
                "trace.spans[0].traceID",
            ),
            (
                json!({"processID": "p", "traceID": "0000000000000001", "spanID": 1}),
                "trace.spans[0].spanID",
            ),
        ] {
            let broken = json!({"spans": [span], "processes": {}});
            let error = Trace::from_json(&broken).expect_err(place).to_string();
            assert!(error.starts_with(&format!("{place}: ")), "{error}");
        }
    }
}

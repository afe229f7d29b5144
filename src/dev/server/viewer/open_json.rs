//! Open spans in JSON, in the words of the query API.

use std::time::UNIX_EPOCH;

use serde::Serialize;

use crate::model::Place;
use crate::watch::OpenSpanInfo;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OpenSpanJson<'a> {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
    operation_name: &'a str,
    service_name: &'a str,
    kind: Option<&'static str>,
    /// Microseconds since the epoch.
    start_time: u64,
    /// Microseconds so far.
    age: u64,
    place: Option<PlaceJson>,
    thread: &'a str,
}

#[derive(Debug, Serialize)]
struct PlaceJson {
    file: &'static str,
    line: u32,
}

impl<'a> OpenSpanJson<'a> {
    pub(crate) fn new(span: &'a OpenSpanInfo) -> Self {
        let start = span.start_time.duration_since(UNIX_EPOCH);
        let place = |place: Place| PlaceJson {
            file: place.file(),
            line: place.line(),
        };
        Self {
            trace_id: span.trace_id.to_string(),
            span_id: span.span_id.to_string(),
            operation_name: &span.operation_name,
            service_name: &span.service,
            kind: span.kind.map(|kind| kind.name()),
            start_time: start.map_or(0, |start| start.as_micros() as u64),
            age: span.age.as_micros() as u64,
            place: span.place.map(place),
            thread: &span.thread,
        }
    }
}

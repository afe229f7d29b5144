//! Batches in three forms: as the vectors give them, as a reporter takes them, and as they are decoded. A sender keeps
//! the messages.
#![expect(clippy::panic, reason = "a vector that cannot be read fails its test")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tracehound::diagnostics::Diagnostics;
use tracehound::model::{
    Flags, LogRecord, Process, ReferenceType, ReportedReference, SpanId, Tag, TagRef, TagValue,
    Timestamp, TraceId,
};
use tracehound::reporter::sender::{Batch, BatchFormat, SendOutcome, Sender};
use tracehound::reporter::{OwnedSpan, RemoteReporter, Reporter, Unsent, WorkerHandle};
use tracehound::services::Services;

use crate::support::jaeger_thrift::{self as wire, Message, Value, decode};

/// A sender that keeps its messages.
#[derive(Clone)]
pub(crate) struct Capture {
    pub(crate) format: BatchFormat,
    pub(crate) max_bytes: usize,
    pub(crate) max_single_bytes: usize,
    messages: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Capture {
    pub(crate) fn new(format: BatchFormat, max_bytes: usize) -> Self {
        Self {
            format,
            max_bytes,
            max_single_bytes: max_bytes,
            messages: Arc::default(),
        }
    }

    pub(crate) fn messages(&self) -> Vec<Vec<u8>> {
        self.messages.lock().unwrap().clone()
    }

    pub(crate) fn decoded(&self) -> Vec<Message> {
        self.messages()
            .iter()
            .map(|bytes| decode(self.format, bytes).expect("a message of the IDL"))
            .collect()
    }
}

impl Sender for Capture {
    fn format(&self) -> BatchFormat {
        self.format
    }

    fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    fn max_single_bytes(&self) -> usize {
        self.max_single_bytes
    }

    fn send(&mut self, batch: &Batch<'_>, _: Instant) -> SendOutcome {
        self.messages.lock().unwrap().push(batch.bytes.to_vec());
        SendOutcome::default()
    }
}

/// Sends a batch through a reporter and returns the messages.
pub(crate) fn report_all(
    reporter: &mut RemoteReporter,
    process: Process,
    spans: &[OwnedSpan],
) -> Unsent {
    let silent = Diagnostics::with_handler(|_| {});
    let services = Services::detached(process).with_diagnostics(silent);
    reporter.attach(&WorkerHandle::detached(services));
    report(reporter, spans);
    reporter.flush(soon())
}

/// Hands the spans to a reporter as the worker does.
pub(crate) fn report(reporter: &mut RemoteReporter, spans: &[OwnedSpan]) {
    for span in spans {
        span.view(|span| reporter.report(span));
    }
}

/// A process with tags that no backend could read if they were sent unchanged.
pub(crate) fn process() -> Process {
    let tags = vec![Tag::new("zone", "eu-1"), Tag::new("n", f64::NAN)];
    Process::new("shop", tags)
}

/// Returns a worker handle for that process, and the diagnostic lines.
pub(crate) fn listening_worker() -> (WorkerHandle, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let diagnostics =
        Diagnostics::with_handler(move |line| sink.lock().unwrap().push(line.to_owned()));
    let services = Services::detached(process()).with_diagnostics(diagnostics);
    (WorkerHandle::detached(services), lines)
}

/// A timeout that no test reaches.
pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// Returns a small span that its id tells from others.
pub(crate) fn span(id: u64) -> OwnedSpan {
    let trace_id = TraceId::new(0, 0x5af7_183f_b1d4_cf5f).unwrap();
    OwnedSpan::new(trace_id, SpanId::new(id).unwrap(), "operation")
}

/// Reads `service`, `process_tags` and a list of `spans`.
pub(crate) fn input(input: &Json) -> (Process, Vec<OwnedSpan>) {
    let spans = input["spans"].as_array().unwrap();
    (input_process(input), spans.iter().map(input_span).collect())
}

pub(crate) fn input_process(input: &Json) -> Process {
    let tags = input["process_tags"].as_array().unwrap();
    let tags = tags.iter().map(input_tag).collect();
    Process::new(input["service"].as_str().unwrap(), tags)
}

pub(crate) fn input_span(span: &Json) -> OwnedSpan {
    let text = |key: &str| span[key].as_str().unwrap();
    let list = |key: &str| span[key].as_array().unwrap();
    let (trace_id, span_id) = input_ids(span);
    let mut owned = OwnedSpan::new(trace_id, span_id, text("operation"));
    owned.parent_id = text("parent_id").parse().ok();
    owned.flags = Flags::from_bits(span["flags"].as_u64().unwrap() as u8);
    owned.start = Timestamp::from_micros(span["start_us"].as_i64().unwrap());
    owned.duration = Duration::from_micros(span["duration_us"].as_u64().unwrap());
    owned.tags = list("tags").iter().map(input_tag).collect();
    for log in list("logs") {
        let timestamp = Timestamp::from_micros(log["timestamp_us"].as_i64().unwrap());
        let fields = log["fields"].as_array().unwrap();
        let fields = fields.iter().map(input_tag).collect();
        owned.logs.push(LogRecord::new(timestamp, fields));
    }
    for reference in list("references") {
        let kind = match reference["type"].as_str().unwrap() {
            "child_of" => ReferenceType::ChildOf,
            "follows_from" => ReferenceType::FollowsFrom,
            other => panic!("an unknown reference {other}"),
        };
        let (trace_id, span_id) = input_ids(reference);
        let reference = ReportedReference::new(kind, trace_id, span_id);
        owned.references.push(reference);
    }
    owned
}

fn input_ids(json: &Json) -> (TraceId, SpanId) {
    let text = |key: &str| json[key].as_str().unwrap();
    (
        text("trace_id").parse().unwrap(),
        text("span_id").parse().unwrap(),
    )
}

fn input_tag(tag: &Json) -> Tag {
    let value = tag["value"].clone();
    let text = || value.as_str().unwrap().to_owned();
    let value = match tag["type"].as_str().unwrap() {
        "string" => TagValue::from(text()),
        "bool" => TagValue::Bool(value.as_bool().unwrap()),
        "long" => TagValue::Long(text().parse().unwrap()),
        "double" => TagValue::Double(text().parse().unwrap()),
        "binary" => TagValue::Binary(from_hex(&text())),
        other => panic!("an unknown type {other}"),
    };
    Tag::new(tag["key"].as_str().unwrap().to_owned(), value)
}

/// Returns the expected process on the wire.
pub(crate) fn wire_process(process: &Process) -> wire::Process {
    wire::Process {
        service_name: process.service_name.clone(),
        tags: process.tags.iter().map(wire_tag).collect(),
    }
}

/// Returns the expected span on the wire.
pub(crate) fn wire_span(span: &OwnedSpan) -> wire::Span {
    wire::Span {
        trace_id_low: span.trace_id.low() as i64,
        trace_id_high: span.trace_id.high() as i64,
        span_id: span.span_id.get() as i64,
        parent_span_id: span.parent_id.map_or(0, |id| id.get() as i64),
        operation_name: span.operation_name.clone(),
        references: span
            .references
            .iter()
            .map(|reference| wire::Reference {
                kind: (reference.kind == ReferenceType::FollowsFrom).into(),
                trace_id_low: reference.trace_id.low() as i64,
                trace_id_high: reference.trace_id.high() as i64,
                span_id: reference.span_id.get() as i64,
            })
            .collect(),
        flags: span.flags.bits().into(),
        start_time: span.start.as_micros(),
        duration: span.duration.as_micros() as i64,
        tags: span.tags.iter().map(wire_tag).collect(),
        logs: span
            .logs
            .iter()
            .map(|log| wire::Log {
                timestamp: log.timestamp.as_micros(),
                fields: log.fields.iter().map(wire_tag).collect(),
            })
            .collect(),
    }
}

/// Returns the text of NaN and the infinities, which are sent as text.
fn wire_tag(tag: &Tag) -> wire::Tag {
    let value = match tag.value.as_ref() {
        TagRef::Bool(value) => Value::Bool(value),
        TagRef::Long(value) => Value::Long(value),
        TagRef::Double(value) if value.is_finite() => Value::Double(value.to_bits()),
        TagRef::Binary(bytes) => Value::Binary(bytes.to_vec()),
        text => Value::String(text.to_string()),
    };
    wire::Tag {
        key: tag.key.to_string(),
        value,
    }
}

/// Reads a batch that a client sent, as the vectors show it.
pub(crate) fn client_batch(batch: &Json) -> wire::Batch {
    wire::Batch {
        process: wire::Process {
            service_name: batch["process"]["serviceName"].as_str().unwrap().to_owned(),
            tags: client_list(&batch["process"]["tags"], client_tag),
        },
        spans: client_list(&batch["spans"], client_span),
        seq_no: batch["seqNo"].as_i64(),
        stats: batch["stats"].is_object().then(|| {
            [
                "fullQueueDroppedSpans",
                "tooLargeDroppedSpans",
                "failedToEmitSpans",
            ]
            .map(|key| batch["stats"][key].as_i64().unwrap())
        }),
    }
}

fn client_span(span: &Json) -> wire::Span {
    let long = |key: &str| span[key].as_i64().unwrap();
    wire::Span {
        trace_id_low: long("traceIdLow"),
        trace_id_high: long("traceIdHigh"),
        span_id: long("spanId"),
        parent_span_id: long("parentSpanId"),
        operation_name: span["operationName"].as_str().unwrap().to_owned(),
        references: client_list(&span["references"], |reference| wire::Reference {
            kind: match reference["refType"].as_str().unwrap() {
                "CHILD_OF" => 0,
                "FOLLOWS_FROM" => 1,
                other => panic!("an unknown reference {other}"),
            },
            trace_id_low: reference["traceIdLow"].as_i64().unwrap(),
            trace_id_high: reference["traceIdHigh"].as_i64().unwrap(),
            span_id: reference["spanId"].as_i64().unwrap(),
        }),
        flags: long("flags") as i32,
        start_time: long("startTime"),
        duration: long("duration"),
        tags: client_list(&span["tags"], client_tag),
        logs: client_list(&span["logs"], |log| wire::Log {
            timestamp: log["timestamp"].as_i64().unwrap(),
            fields: client_list(&log["fields"], client_tag),
        }),
    }
}

fn client_tag(tag: &Json) -> wire::Tag {
    let value = match tag["vType"].as_str().unwrap() {
        "STRING" => Value::String(client_text(&tag["vStr"])),
        "BOOL" => Value::Bool(tag["vBool"].as_bool().unwrap()),
        "LONG" => Value::Long(tag["vLong"].as_i64().unwrap()),
        "DOUBLE" => {
            let bits = tag["vDouble_bits"].as_str();
            let bits = bits.map(|bits| u64::from_str_radix(bits, 16).unwrap());
            Value::Double(bits.unwrap_or_else(|| tag["vDouble"].as_f64().unwrap().to_bits()))
        }
        "BINARY" => Value::Binary(from_hex(tag["vBinary"].as_str().unwrap())),
        other => panic!("an unknown type {other}"),
    };
    wire::Tag {
        key: tag["key"].as_str().unwrap().to_owned(),
        value,
    }
}

/// Returns a text. One that is not UTF-8 is in hex in the vectors, and is shown so that it equals no text of ours.
fn client_text(text: &Json) -> String {
    match text.as_str() {
        Some(text) => text.to_owned(),
        None => format!("not UTF-8: {text}"),
    }
}

fn client_list<T>(list: &Json, item: impl Fn(&Json) -> T) -> Vec<T> {
    list.as_array()
        .map(|list| list.iter().map(item).collect())
        .unwrap_or_default()
}

pub(crate) fn from_hex(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

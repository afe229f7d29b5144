use std::time::Duration;

use crate::decode::otlp::{span_id, trace_id};
use crate::decode::parts::Parts;
use crate::decode::protobuf::{Fields, Value, text};
use crate::decode::{Reason, ReceivedBatch};
use crate::model::{
    Flags, LogRecord, Process, ReferenceType, ReportedReference, Tag, TagValue, Timestamp,
};
use crate::reporter::OwnedSpan;
use crate::reporter::sender::BatchFormat;

/// Reads a `PostSpansRequest` of `jaeger.api_v2`. Spans that name a process of their own are batches of their own.
pub(crate) fn post_spans_request(bytes: &[u8]) -> Result<Vec<ReceivedBatch>, Reason> {
    let mut parts = Parts::of_message();
    let mut batches = Vec::new();
    for field in Fields::new(bytes) {
        if let (1, Value::Bytes(batch)) = field? {
            read_batch(batch, &mut batches, &mut parts)?;
        }
    }
    Ok(batches)
}

/// Reads a `Batch`.
fn read_batch(
    bytes: &[u8],
    batches: &mut Vec<ReceivedBatch>,
    parts: &mut Parts,
) -> Result<(), Reason> {
    parts.take()?;
    let mut process = Process::new(String::new(), Vec::new());
    let mut spans = Vec::new();
    let mut left_out = 0;
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(bytes)) => match span(bytes, parts)? {
                (Some(span), None) => spans.push(span),
                (Some(span), Some(own)) => batches.push(batch(own, vec![span])),
                (None, _) => left_out += 1,
            },
            (2, Value::Bytes(bytes)) => process = self::process(bytes, parts)?,
            _ => {}
        }
    }
    let mut rest = batch(process, spans);
    rest.left_out = left_out;
    batches.push(rest);
    Ok(())
}

fn batch(process: Process, spans: Vec<OwnedSpan>) -> ReceivedBatch {
    ReceivedBatch::new(BatchFormat::JaegerProto, process, spans)
}

fn process(bytes: &[u8], parts: &mut Parts) -> Result<Process, Reason> {
    let mut process = Process::new(String::new(), Vec::new());
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(name)) => process.service_name = text(name).into_owned(),
            (2, Value::Bytes(bytes)) => process.tags.push(tag(bytes, parts)?),
            _ => {}
        }
    }
    Ok(process)
}

/// Reads a `Span`, and its own process if it has one. There is no span if an id of it is zero.
fn span(bytes: &[u8], parts: &mut Parts) -> Result<(Option<OwnedSpan>, Option<Process>), Reason> {
    parts.take()?;
    let (mut own_trace, mut own_id, mut own_process) = (None, None, None);
    let (mut name, mut flags) = (String::new(), Flags::default());
    let (mut start, mut duration) = (Timestamp::default(), Duration::ZERO);
    let (mut tags, mut logs, mut references) = (Vec::new(), Vec::new(), Vec::new());
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(id)) => own_trace = trace_id(id)?,
            (2, Value::Bytes(id)) => own_id = span_id(id)?,
            (3, Value::Bytes(bytes)) => name = text(bytes).into_owned(),
            (4, Value::Bytes(bytes)) => references.extend(reference(bytes, parts)?),
            (5, Value::Varint(bits)) => flags = Flags::from_bits(bits as u8),
            (6, Value::Bytes(bytes)) => start = timestamp(bytes)?,
            (7, Value::Bytes(bytes)) => {
                let micros = timestamp(bytes)?.as_micros();
                duration = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
            }
            (8, Value::Bytes(bytes)) => tags.push(tag(bytes, parts)?),
            (9, Value::Bytes(bytes)) => logs.push(log(bytes, parts)?),
            (10, Value::Bytes(bytes)) => own_process = Some(process(bytes, parts)?),
            _ => {}
        }
    }
    let (Some(own_trace), Some(own_id)) = (own_trace, own_id) else {
        return Ok((None, own_process));
    };
    let mut span = OwnedSpan::new(own_trace, own_id, name);
    let is_parent = |reference: &&ReportedReference| {
        reference.kind == ReferenceType::ChildOf && reference.trace_id == own_trace
    };
    span.parent_id = references
        .iter()
        .find(is_parent)
        .map(|parent| parent.span_id);
    span.flags = flags;
    span.start = start;
    span.duration = duration;
    span.tags = tags;
    span.logs = logs;
    span.references = references;
    Ok((Some(span), own_process))
}

/// Reads a `SpanRef`; `None` if an id of it is zero.
fn reference(bytes: &[u8], parts: &mut Parts) -> Result<Option<ReportedReference>, Reason> {
    parts.take()?;
    let (mut of_trace, mut of_span) = (None, None);
    let mut kind = ReferenceType::ChildOf;
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(id)) => of_trace = trace_id(id)?,
            (2, Value::Bytes(id)) => of_span = span_id(id)?,
            (3, Value::Varint(1)) => kind = ReferenceType::FollowsFrom,
            _ => {}
        }
    }
    let ids = of_trace.zip(of_span);
    Ok(ids.map(|(of_trace, of_span)| ReportedReference::new(kind, of_trace, of_span)))
}

fn log(bytes: &[u8], parts: &mut Parts) -> Result<LogRecord, Reason> {
    parts.take()?;
    let mut log = LogRecord::new(Timestamp::default(), Vec::new());
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(bytes)) => log.timestamp = timestamp(bytes)?,
            (2, Value::Bytes(bytes)) => log.fields.push(tag(bytes, parts)?),
            _ => {}
        }
    }
    Ok(log)
}

/// Reads a `KeyValue`. Fields that are left out have the default of their type.
fn tag(bytes: &[u8], parts: &mut Parts) -> Result<Tag, Reason> {
    parts.take()?;
    let mut key = String::new();
    let (mut kind, mut string, mut binary) = (0, String::new(), Vec::new());
    let (mut bool, mut long, mut double) = (false, 0, 0.0);
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(bytes)) => key = text(bytes).into_owned(),
            (2, Value::Varint(number)) => kind = number,
            (3, Value::Bytes(bytes)) => string = text(bytes).into_owned(),
            (4, Value::Varint(value)) => bool = value != 0,
            (5, Value::Varint(value)) => long = value as i64,
            (6, Value::Fixed64(bits)) => double = f64::from_bits(bits),
            (7, Value::Bytes(bytes)) => binary = bytes.to_vec(),
            _ => {}
        }
    }
    let value = match kind {
        1 => TagValue::Bool(bool),
        2 => TagValue::Long(long),
        3 => TagValue::Double(double),
        4 => TagValue::Binary(binary),
        _ => TagValue::from(string),
    };
    Ok(Tag::new(key, value))
}

/// Reads a `Timestamp` or a `Duration`, in microseconds.
fn timestamp(bytes: &[u8]) -> Result<Timestamp, Reason> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Varint(value)) => seconds = value as i64,
            (2, Value::Varint(value)) => nanos = value as i64,
            _ => {}
        }
    }
    let micros = seconds.saturating_mul(1_000_000);
    Ok(Timestamp::from_micros(micros.saturating_add(nanos / 1_000)))
}

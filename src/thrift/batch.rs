use ::thrift::protocol::{TInputProtocol, TType};

use crate::model::{Process, Tag, TagValue};
use crate::thrift::{DecodeError, read_list, read_struct, read_text};

/// The spans of one process. An optional list that is absent is read as an empty one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Batch {
    pub(crate) process: Process,
    pub(crate) spans: Vec<Span>,
    pub(crate) seq_no: Option<i64>,
    pub(crate) stats: Option<ClientStats>,
}

/// The numbers of spans that a client has lost since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientStats {
    pub(crate) full_queue_dropped_spans: i64,
    pub(crate) too_large_dropped_spans: i64,
    pub(crate) failed_to_emit_spans: i64,
}

/// A span, with its fields as they are on the wire.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) trace_id_low: i64,
    pub(crate) trace_id_high: i64,
    pub(crate) span_id: i64,
    /// Zero if there is none. The Java client leaves it zero unless there is exactly one reference.
    pub(crate) parent_span_id: i64,
    pub(crate) operation_name: String,
    pub(crate) references: Vec<SpanRef>,
    pub(crate) flags: i32,
    /// Microseconds since the epoch.
    pub(crate) start_time: i64,
    /// Microseconds.
    pub(crate) duration: i64,
    pub(crate) tags: Vec<Tag>,
    pub(crate) logs: Vec<Log>,
}

/// A reference, as it is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SpanRef {
    /// 0 is `CHILD_OF`, 1 is `FOLLOWS_FROM`.
    pub(crate) ref_type: i32,
    pub(crate) trace_id_low: i64,
    pub(crate) trace_id_high: i64,
    pub(crate) span_id: i64,
}

/// A log record, as it is on the wire.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Log {
    /// Microseconds since the epoch.
    pub(crate) timestamp: i64,
    pub(crate) fields: Vec<Tag>,
}

impl Batch {
    pub(crate) fn read<P: TInputProtocol>(protocol: &mut P) -> Result<Self, DecodeError> {
        let (mut process, mut spans, mut seq_no, mut stats) = (None, None, None, None);
        read_struct(protocol, |protocol, id, kind| {
            match (id, kind) {
                (1, TType::Struct) => process = Some(read_process(protocol)?),
                (2, TType::List) => {
                    spans = Some(read_list(protocol, "Batch.spans", Span::read)?);
                }
                (3, TType::I64) => seq_no = Some(protocol.read_i64()?),
                (4, TType::Struct) => stats = Some(ClientStats::read(protocol)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self {
            process: process.ok_or(DecodeError::Missing("Batch.process"))?,
            spans: spans.ok_or(DecodeError::Missing("Batch.spans"))?,
            seq_no,
            stats,
        })
    }
}

impl ClientStats {
    fn read<P: TInputProtocol>(protocol: &mut P) -> Result<Self, DecodeError> {
        let mut stats = Self::default();
        read_struct(protocol, |protocol, id, kind| {
            match (id, kind) {
                (1, TType::I64) => stats.full_queue_dropped_spans = protocol.read_i64()?,
                (2, TType::I64) => stats.too_large_dropped_spans = protocol.read_i64()?,
                (3, TType::I64) => stats.failed_to_emit_spans = protocol.read_i64()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(stats)
    }
}

fn read_process<P: TInputProtocol>(protocol: &mut P) -> Result<Process, DecodeError> {
    let (mut service_name, mut tags) = (None, Vec::new());
    read_struct(protocol, |protocol, id, kind| {
        match (id, kind) {
            (1, TType::String) => service_name = Some(read_text(protocol)?),
            (2, TType::List) => tags = read_list(protocol, "Process.tags", read_tag)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let service_name = service_name.ok_or(DecodeError::Missing("Process.serviceName"))?;
    Ok(Process::new(service_name, tags))
}

impl Span {
    fn read<P: TInputProtocol>(protocol: &mut P) -> Result<Self, DecodeError> {
        let (mut trace_id_low, mut trace_id_high, mut span_id) = (None, None, None);
        let (mut parent_span_id, mut operation_name, mut flags) = (None, None, None);
        let (mut start_time, mut duration) = (None, None);
        let (mut references, mut tags, mut logs) = (Vec::new(), Vec::new(), Vec::new());
        read_struct(protocol, |protocol, id, kind| {
            match (id, kind) {
                (1, TType::I64) => trace_id_low = Some(protocol.read_i64()?),
                (2, TType::I64) => trace_id_high = Some(protocol.read_i64()?),
                (3, TType::I64) => span_id = Some(protocol.read_i64()?),
                (4, TType::I64) => parent_span_id = Some(protocol.read_i64()?),
                (5, TType::String) => operation_name = Some(read_text(protocol)?),
                (6, TType::List) => {
                    references = read_list(protocol, "Span.references", SpanRef::read)?;
                }
                (7, TType::I32) => flags = Some(protocol.read_i32()?),
                (8, TType::I64) => start_time = Some(protocol.read_i64()?),
                (9, TType::I64) => duration = Some(protocol.read_i64()?),
                (10, TType::List) => tags = read_list(protocol, "Span.tags", read_tag)?,
                (11, TType::List) => logs = read_list(protocol, "Span.logs", Log::read)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self {
            trace_id_low: trace_id_low.ok_or(DecodeError::Missing("Span.traceIdLow"))?,
            trace_id_high: trace_id_high.ok_or(DecodeError::Missing("Span.traceIdHigh"))?,
            span_id: span_id.ok_or(DecodeError::Missing("Span.spanId"))?,
            parent_span_id: parent_span_id.ok_or(DecodeError::Missing("Span.parentSpanId"))?,
            operation_name: operation_name.ok_or(DecodeError::Missing("Span.operationName"))?,
            references,
            flags: flags.ok_or(DecodeError::Missing("Span.flags"))?,
            start_time: start_time.ok_or(DecodeError::Missing("Span.startTime"))?,
            duration: duration.ok_or(DecodeError::Missing("Span.duration"))?,
            tags,
            logs,
        })
    }
}

impl SpanRef {
    fn read<P: TInputProtocol>(protocol: &mut P) -> Result<Self, DecodeError> {
        let (mut ref_type, mut trace_id_low, mut trace_id_high, mut span_id) =
            (None, None, None, None);
        read_struct(protocol, |protocol, id, kind| {
            match (id, kind) {
                (1, TType::I32) => ref_type = Some(protocol.read_i32()?),
                (2, TType::I64) => trace_id_low = Some(protocol.read_i64()?),
                (3, TType::I64) => trace_id_high = Some(protocol.read_i64()?),
                (4, TType::I64) => span_id = Some(protocol.read_i64()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self {
            ref_type: ref_type.ok_or(DecodeError::Missing("SpanRef.refType"))?,
            trace_id_low: trace_id_low.ok_or(DecodeError::Missing("SpanRef.traceIdLow"))?,
            trace_id_high: trace_id_high.ok_or(DecodeError::Missing("SpanRef.traceIdHigh"))?,
            span_id: span_id.ok_or(DecodeError::Missing("SpanRef.spanId"))?,
        })
    }
}

impl Log {
    fn read<P: TInputProtocol>(protocol: &mut P) -> Result<Self, DecodeError> {
        let (mut timestamp, mut fields) = (None, None);
        read_struct(protocol, |protocol, id, kind| {
            match (id, kind) {
                (1, TType::I64) => timestamp = Some(protocol.read_i64()?),
                (2, TType::List) => fields = Some(read_list(protocol, "Log.fields", read_tag)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self {
            timestamp: timestamp.ok_or(DecodeError::Missing("Log.timestamp"))?,
            fields: fields.ok_or(DecodeError::Missing("Log.fields"))?,
        })
    }
}

/// Reads a `Tag`. Only `vType` says which of the value fields counts, because the Node client writes all five. A
/// field that is absent is read as zero.
fn read_tag<P: TInputProtocol>(protocol: &mut P) -> Result<Tag, DecodeError> {
    let (mut key, mut kind_of_value) = (None, None);
    let (mut text, mut double, mut boolean, mut long, mut binary) =
        (String::new(), 0.0, false, 0, Vec::new());
    read_struct(protocol, |protocol, id, kind| {
        match (id, kind) {
            (1, TType::String) => key = Some(read_text(protocol)?),
            (2, TType::I32) => kind_of_value = Some(protocol.read_i32()?),
            (3, TType::String) => text = read_text(protocol)?,
            (4, TType::Double) => double = protocol.read_double()?,
            (5, TType::Bool) => boolean = protocol.read_bool()?,
            (6, TType::I64) => long = protocol.read_i64()?,
            (7, TType::String) => binary = protocol.read_bytes()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let value = match kind_of_value.ok_or(DecodeError::Missing("Tag.vType"))? {
        0 => TagValue::String(text.into()),
        1 => TagValue::Double(double),
        2 => TagValue::Bool(boolean),
        3 => TagValue::Long(long),
        4 => TagValue::Binary(binary),
        unknown => TagValue::String(format!("value of the unknown type {unknown}").into()),
    };
    Ok(Tag::new(key.ok_or(DecodeError::Missing("Tag.key"))?, value))
}

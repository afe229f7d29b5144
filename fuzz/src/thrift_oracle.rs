//! Batches of `jaeger.thrift` as the crate `thrift` writes them.

use thrift::protocol::{
    TFieldIdentifier, TListIdentifier, TMessageIdentifier, TMessageType, TOutputProtocol,
    TStructIdentifier, TType,
};
use tracehound::model::{
    LogRecord, Process, ReferenceType, ReportedReference, Tag, TagRef, Timestamp,
};
use tracehound::reporter::OwnedSpan;

type Out<'a> = &'a mut dyn TOutputProtocol;

/// Writes an `emitBatch` message with this sequence id.
pub fn emit_batch(
    out: Out<'_>,
    seqid: i32,
    process: &Process,
    spans: &[OwnedSpan],
) -> thrift::Result<()> {
    let message = TMessageIdentifier::new("emitBatch", TMessageType::OneWay, seqid);
    out.write_message_begin(&message)?;
    structure(out, |out| {
        field(out, 1, TType::Struct, |out| batch(out, process, spans))
    })?;
    out.write_message_end()
}

/// Writes a `Batch` struct without numbers.
pub fn batch(out: Out<'_>, process: &Process, spans: &[OwnedSpan]) -> thrift::Result<()> {
    structure(out, |out| {
        field(out, 1, TType::Struct, |out| {
            structure(out, |out| {
                string(out, 1, process.service_name.as_bytes())?;
                optional_list(out, 2, &process.tags, tag)
            })
        })?;
        list(out, 2, spans, span)
    })
}

fn span(out: Out<'_>, span: &OwnedSpan) -> thrift::Result<()> {
    structure(out, |out| {
        i64_field(out, 1, span.trace_id.low() as i64)?;
        i64_field(out, 2, span.trace_id.high() as i64)?;
        i64_field(out, 3, span.span_id.get() as i64)?;
        i64_field(out, 4, span.parent_id.map_or(0, |id| id.get()) as i64)?;
        string(out, 5, span.operation_name.as_bytes())?;
        optional_list(out, 6, &span.references, reference)?;
        i32_field(out, 7, span.flags.bits().into())?;
        i64_field(out, 8, micros(span.start))?;
        let duration = i64::try_from(span.duration.as_micros()).unwrap_or(i64::MAX);
        i64_field(out, 9, duration)?;
        optional_list(out, 10, &span.tags, tag)?;
        optional_list(out, 11, &span.logs, log)
    })
}

fn reference(out: Out<'_>, reference: &ReportedReference) -> thrift::Result<()> {
    structure(out, |out| {
        i32_field(
            out,
            1,
            (reference.kind == ReferenceType::FollowsFrom).into(),
        )?;
        i64_field(out, 2, reference.trace_id.low() as i64)?;
        i64_field(out, 3, reference.trace_id.high() as i64)?;
        i64_field(out, 4, reference.span_id.get() as i64)
    })
}

fn log(out: Out<'_>, log: &LogRecord) -> thrift::Result<()> {
    structure(out, |out| {
        i64_field(out, 1, micros(log.timestamp))?;
        list(out, 2, &log.fields, tag)
    })
}

fn tag(out: Out<'_>, tag: &Tag) -> thrift::Result<()> {
    structure(out, |out| {
        string(out, 1, tag.key.as_bytes())?;
        match tag.value.as_ref() {
            TagRef::Double(value) if value.is_finite() => {
                i32_field(out, 2, 1)?;
                field(out, 4, TType::Double, |out| out.write_double(value))
            }
            TagRef::Bool(value) => {
                i32_field(out, 2, 2)?;
                field(out, 5, TType::Bool, |out| out.write_bool(value))
            }
            TagRef::Long(value) => {
                i32_field(out, 2, 3)?;
                i64_field(out, 6, value)
            }
            TagRef::Binary(bytes) => {
                i32_field(out, 2, 4)?;
                string(out, 7, bytes)
            }
            value => {
                i32_field(out, 2, 0)?;
                string(out, 3, text(value).as_bytes())
            }
        }
    })
}

fn text(value: TagRef<'_>) -> String {
    match value {
        TagRef::Double(value) if value.is_nan() => "NaN".to_owned(),
        TagRef::Double(value) if value > 0.0 => "+Inf".to_owned(),
        TagRef::Double(_) => "-Inf".to_owned(),
        value => value.to_string(),
    }
}

fn micros(time: Timestamp) -> i64 {
    time.as_micros()
}

fn structure(
    out: Out<'_>,
    write: impl FnOnce(Out<'_>) -> thrift::Result<()>,
) -> thrift::Result<()> {
    out.write_struct_begin(&TStructIdentifier::new(""))?;
    write(out)?;
    out.write_field_stop()?;
    out.write_struct_end()
}

fn field(
    out: Out<'_>,
    id: i16,
    kind: TType,
    write: impl FnOnce(Out<'_>) -> thrift::Result<()>,
) -> thrift::Result<()> {
    out.write_field_begin(&TFieldIdentifier::new("", kind, id))?;
    write(out)?;
    out.write_field_end()
}

fn i32_field(out: Out<'_>, id: i16, value: i32) -> thrift::Result<()> {
    field(out, id, TType::I32, |out| out.write_i32(value))
}

fn i64_field(out: Out<'_>, id: i16, value: i64) -> thrift::Result<()> {
    field(out, id, TType::I64, |out| out.write_i64(value))
}

fn string(out: Out<'_>, id: i16, bytes: &[u8]) -> thrift::Result<()> {
    field(out, id, TType::String, |out| out.write_bytes(bytes))
}

/// Writes a list, unless it is empty.
fn optional_list<T>(
    out: Out<'_>,
    id: i16,
    items: &[T],
    write: fn(Out<'_>, &T) -> thrift::Result<()>,
) -> thrift::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    list(out, id, items, write)
}

fn list<T>(
    out: Out<'_>,
    id: i16,
    items: &[T],
    write: fn(Out<'_>, &T) -> thrift::Result<()>,
) -> thrift::Result<()> {
    field(out, id, TType::List, |out| {
        out.write_list_begin(&TListIdentifier::new(TType::Struct, items.len() as i32))?;
        for item in items {
            write(out, item)?;
        }
        out.write_list_end()
    })
}

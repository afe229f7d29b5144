//! Encodes batches as datagrams and requests with the `thrift` crate, for spans that no published client was
//! recorded sending.

use thrift::protocol::{
    TBinaryOutputProtocol, TCompactOutputProtocol, TFieldIdentifier, TListIdentifier,
    TMessageIdentifier, TMessageType, TOutputProtocol, TStructIdentifier, TType,
};
use tracehound_interop::{Log, Reference, ReferenceKind, SentBatch, SentSpan, Tag, Value};

/// Returns an `emitBatch` message in the compact protocol.
pub(crate) fn compact(batch: &SentBatch) -> thrift::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    emit_batch(&mut TCompactOutputProtocol::new(&mut bytes), batch)?;
    Ok(bytes)
}

/// Returns an `emitBatch` message in the binary protocol.
pub(crate) fn binary(batch: &SentBatch) -> thrift::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    emit_batch(&mut TBinaryOutputProtocol::new(&mut bytes, true), batch)?;
    Ok(bytes)
}

/// Returns a `Batch` in the binary protocol.
pub(crate) fn binary_batch(batch: &SentBatch) -> thrift::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write_batch(&mut TBinaryOutputProtocol::new(&mut bytes, true), batch)?;
    Ok(bytes)
}

fn emit_batch(out: &mut dyn TOutputProtocol, batch: &SentBatch) -> thrift::Result<()> {
    out.write_message_begin(&TMessageIdentifier::new(
        "emitBatch",
        TMessageType::OneWay,
        1,
    ))?;
    fields(out, |out| {
        field(out, 1, TType::Struct, |out| write_batch(out, batch))
    })?;
    out.write_message_end()?;
    out.flush()
}

fn write_batch(out: &mut dyn TOutputProtocol, batch: &SentBatch) -> thrift::Result<()> {
    fields(out, |out| {
        field(out, 1, TType::Struct, |out| {
            fields(out, |out| {
                field(out, 1, TType::String, |out| {
                    out.write_string(&batch.service)
                })?;
                list(out, 2, &batch.process_tags, tag)
            })
        })?;
        list(out, 2, &batch.spans, span)
    })
}

fn span(out: &mut dyn TOutputProtocol, span: &SentSpan) -> thrift::Result<()> {
    fields(out, |out| {
        i64_field(out, 1, span.trace_id as i64)?;
        i64_field(out, 2, (span.trace_id >> 64) as i64)?;
        i64_field(out, 3, span.span_id as i64)?;
        i64_field(out, 4, span.parent_span_id as i64)?;
        field(out, 5, TType::String, |out| {
            out.write_string(&span.operation)
        })?;
        list(out, 6, &span.references, reference)?;
        field(out, 7, TType::I32, |out| out.write_i32(span.flags as i32))?;
        i64_field(out, 8, span.start_us)?;
        i64_field(out, 9, span.duration_us)?;
        list(out, 10, &span.tags, tag)?;
        list(out, 11, &span.logs, log)
    })
}

fn reference(out: &mut dyn TOutputProtocol, reference: &Reference) -> thrift::Result<()> {
    let kind = i32::from(reference.kind == ReferenceKind::FollowsFrom);
    fields(out, |out| {
        field(out, 1, TType::I32, |out| out.write_i32(kind))?;
        i64_field(out, 2, reference.trace_id as i64)?;
        i64_field(out, 3, (reference.trace_id >> 64) as i64)?;
        i64_field(out, 4, reference.span_id as i64)
    })
}

fn log(out: &mut dyn TOutputProtocol, log: &Log) -> thrift::Result<()> {
    fields(out, |out| {
        i64_field(out, 1, log.timestamp_us)?;
        list(out, 2, &log.fields, tag)
    })
}

fn tag(out: &mut dyn TOutputProtocol, tag: &Tag) -> thrift::Result<()> {
    let of_type = |out: &mut dyn TOutputProtocol, value_type| {
        field(out, 1, TType::String, |out| out.write_string(&tag.key))?;
        field(out, 2, TType::I32, |out| out.write_i32(value_type))
    };
    fields(out, |out| match &tag.value {
        Value::String(text) => {
            of_type(out, 0)?;
            field(out, 3, TType::String, |out| out.write_string(text))
        }
        Value::NotUtf8(bytes) => {
            of_type(out, 0)?;
            field(out, 3, TType::String, |out| out.write_bytes(bytes))
        }
        Value::Double(value) => {
            of_type(out, 1)?;
            field(out, 4, TType::Double, |out| out.write_double(*value))
        }
        Value::Bool(value) => {
            of_type(out, 2)?;
            field(out, 5, TType::Bool, |out| out.write_bool(*value))
        }
        Value::Long(value) => {
            of_type(out, 3)?;
            i64_field(out, 6, *value)
        }
        Value::Binary(bytes) => {
            of_type(out, 4)?;
            field(out, 7, TType::String, |out| out.write_bytes(bytes))
        }
        _ => Err("a value of a type this encoder does not know".into()),
    })
}

fn fields(
    out: &mut dyn TOutputProtocol,
    write: impl FnOnce(&mut dyn TOutputProtocol) -> thrift::Result<()>,
) -> thrift::Result<()> {
    out.write_struct_begin(&TStructIdentifier::new(""))?;
    write(out)?;
    out.write_field_stop()?;
    out.write_struct_end()
}

fn field(
    out: &mut dyn TOutputProtocol,
    id: i16,
    field_type: TType,
    write: impl FnOnce(&mut dyn TOutputProtocol) -> thrift::Result<()>,
) -> thrift::Result<()> {
    out.write_field_begin(&TFieldIdentifier::new("", field_type, id))?;
    write(out)?;
    out.write_field_end()
}

fn i64_field(out: &mut dyn TOutputProtocol, id: i16, value: i64) -> thrift::Result<()> {
    field(out, id, TType::I64, |out| out.write_i64(value))
}

/// Writes the fields, even an empty list: a log record must have the field.
fn list<T>(
    out: &mut dyn TOutputProtocol,
    id: i16,
    elements: &[T],
    write: fn(&mut dyn TOutputProtocol, &T) -> thrift::Result<()>,
) -> thrift::Result<()> {
    field(out, id, TType::List, |out| {
        out.write_list_begin(&TListIdentifier::new(TType::Struct, elements.len() as i32))?;
        for element in elements {
            write(out, element)?;
        }
        out.write_list_end()
    })
}

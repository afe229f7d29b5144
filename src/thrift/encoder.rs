//! An oracle for the reader: batches of all kinds, and their bytes as the `thrift` crate writes them.

use ::thrift::protocol::{
    TBinaryOutputProtocol, TCompactOutputProtocol, TFieldIdentifier, TListIdentifier,
    TMapIdentifier, TMessageIdentifier, TMessageType, TOutputProtocol, TSetIdentifier,
    TStructIdentifier, TType,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::model::{Process, Tag, TagValue};
use crate::thrift::{Batch, ClientStats, Log, Protocol, Span, SpanRef};

pub(crate) fn encode(
    protocol: Protocol,
    method: &str,
    kind: TMessageType,
    sequence_number: i32,
    batch: &Batch,
) -> Vec<u8> {
    fn write<P: TOutputProtocol>(mut protocol: P, message: &TMessageIdentifier, batch: &Batch) {
        protocol.write_message_begin(message).expect("to memory");
        write_struct(&mut protocol, |protocol| {
            field(protocol, 1, TType::Struct, |protocol| {
                write_batch(protocol, batch)
            });
        });
        protocol.write_message_end().expect("to memory");
        protocol.flush().expect("to memory");
    }
    let message = TMessageIdentifier::new(method, kind, sequence_number);
    let mut bytes = Vec::new();
    match protocol {
        Protocol::Compact => write(TCompactOutputProtocol::new(&mut bytes), &message, batch),
        Protocol::Binary => write(
            TBinaryOutputProtocol::new(&mut bytes, true),
            &message,
            batch,
        ),
    }
    bytes
}

pub(crate) fn write_struct<P: TOutputProtocol>(protocol: &mut P, fields: impl FnOnce(&mut P)) {
    let name = TStructIdentifier::new("");
    protocol.write_struct_begin(&name).expect("to memory");
    fields(protocol);
    protocol.write_field_stop().expect("to memory");
    protocol.write_struct_end().expect("to memory");
}

pub(crate) fn field<P: TOutputProtocol>(
    protocol: &mut P,
    id: i16,
    kind: TType,
    write: impl FnOnce(&mut P),
) {
    let name = TFieldIdentifier::new("", kind, id);
    protocol.write_field_begin(&name).expect("to memory");
    write(protocol);
    protocol.write_field_end().expect("to memory");
}

pub(crate) fn list<P: TOutputProtocol>(protocol: &mut P, len: usize) {
    let list = TListIdentifier::new(TType::Struct, len as i32);
    protocol.write_list_begin(&list).expect("to memory");
}

fn long<P: TOutputProtocol>(protocol: &mut P, id: i16, value: i64) {
    field(protocol, id, TType::I64, |protocol| {
        protocol.write_i64(value).expect("to memory");
    });
}

fn text<P: TOutputProtocol>(protocol: &mut P, id: i16, value: &str) {
    field(protocol, id, TType::String, |protocol| {
        protocol.write_string(value).expect("to memory");
    });
}

fn int<P: TOutputProtocol>(protocol: &mut P, id: i16, value: i32) {
    field(protocol, id, TType::I32, |protocol| {
        protocol.write_i32(value).expect("to memory");
    });
}

pub(crate) fn write_batch<P: TOutputProtocol>(protocol: &mut P, batch: &Batch) {
    write_struct(protocol, |protocol| {
        field(protocol, 1, TType::Struct, |protocol| {
            write_process(protocol, &batch.process);
        });
        field(protocol, 2, TType::List, |protocol| {
            list(protocol, batch.spans.len());
            for span in &batch.spans {
                write_span(protocol, span);
            }
        });
        if let Some(seq_no) = batch.seq_no {
            long(protocol, 3, seq_no);
        }
        if let Some(stats) = batch.stats {
            field(protocol, 4, TType::Struct, |protocol| {
                write_struct(protocol, |protocol| {
                    long(protocol, 1, stats.full_queue_dropped_spans);
                    long(protocol, 2, stats.too_large_dropped_spans);
                    long(protocol, 3, stats.failed_to_emit_spans);
                });
            });
        }
    });
}

pub(crate) fn write_process<P: TOutputProtocol>(protocol: &mut P, process: &Process) {
    write_struct(protocol, |protocol| {
        text(protocol, 1, &process.service_name);
        if !process.tags.is_empty() {
            write_tags(protocol, 2, &process.tags);
        }
    });
}

fn write_tags<P: TOutputProtocol>(protocol: &mut P, id: i16, tags: &[Tag]) {
    field(protocol, id, TType::List, |protocol| {
        list(protocol, tags.len());
        for tag in tags {
            write_struct(protocol, |protocol| {
                text(protocol, 1, &tag.key);
                match &tag.value {
                    TagValue::String(value) => {
                        int(protocol, 2, 0);
                        text(protocol, 3, value);
                    }
                    TagValue::Double(value) => {
                        int(protocol, 2, 1);
                        field(protocol, 4, TType::Double, |protocol| {
                            protocol.write_double(*value).expect("to memory");
                        });
                    }
                    TagValue::Bool(value) => {
                        int(protocol, 2, 2);
                        field(protocol, 5, TType::Bool, |protocol| {
                            protocol.write_bool(*value).expect("to memory");
                        });
                    }
                    TagValue::Long(value) => {
                        int(protocol, 2, 3);
                        long(protocol, 6, *value);
                    }
                    TagValue::Binary(value) => {
                        int(protocol, 2, 4);
                        field(protocol, 7, TType::String, |protocol| {
                            protocol.write_bytes(value).expect("to memory");
                        });
                    }
                }
            });
        }
    });
}

fn write_span<P: TOutputProtocol>(protocol: &mut P, span: &Span) {
    write_struct(protocol, |protocol| {
        long(protocol, 1, span.trace_id_low);
        long(protocol, 2, span.trace_id_high);
        long(protocol, 3, span.span_id);
        long(protocol, 4, span.parent_span_id);
        text(protocol, 5, &span.operation_name);
        if !span.references.is_empty() {
            field(protocol, 6, TType::List, |protocol| {
                list(protocol, span.references.len());
                for reference in &span.references {
                    write_struct(protocol, |protocol| {
                        int(protocol, 1, reference.ref_type);
                        long(protocol, 2, reference.trace_id_low);
                        long(protocol, 3, reference.trace_id_high);
                        long(protocol, 4, reference.span_id);
                    });
                }
            });
        }
        int(protocol, 7, span.flags);
        long(protocol, 8, span.start_time);
        long(protocol, 9, span.duration);
        if !span.tags.is_empty() {
            write_tags(protocol, 10, &span.tags);
        }
        if !span.logs.is_empty() {
            field(protocol, 11, TType::List, |protocol| {
                list(protocol, span.logs.len());
                for log in &span.logs {
                    write_struct(protocol, |protocol| {
                        long(protocol, 1, log.timestamp);
                        write_tags(protocol, 2, &log.fields);
                    });
                }
            });
        }
    });
}

/// Writes a field of each type, with ids that no struct has.
pub(crate) fn write_unknown_fields<P: TOutputProtocol>(protocol: &mut P) {
    field(protocol, 100, TType::Bool, |protocol| {
        protocol.write_bool(true).expect("to memory");
    });
    field(protocol, 101, TType::I08, |protocol| {
        protocol.write_i8(-1).expect("to memory");
    });
    field(protocol, 102, TType::I16, |protocol| {
        protocol.write_i16(-1).expect("to memory");
    });
    int(protocol, 103, i32::MIN);
    long(protocol, 104, i64::MIN);
    field(protocol, 105, TType::Double, |protocol| {
        protocol.write_double(f64::NAN).expect("to memory");
    });
    text(protocol, 106, "unknown");
    field(protocol, 107, TType::Struct, |protocol| {
        write_struct(protocol, |protocol| text(protocol, 1, "inner"));
    });
    field(protocol, 108, TType::Map, |protocol| {
        let map = TMapIdentifier::new(TType::I32, TType::String, 1);
        protocol.write_map_begin(&map).expect("to memory");
        protocol.write_i32(1).expect("to memory");
        protocol.write_string("one").expect("to memory");
    });
    field(protocol, 109, TType::Set, |protocol| {
        let set = TSetIdentifier::new(TType::I64, 2);
        protocol.write_set_begin(&set).expect("to memory");
        protocol.write_i64(1).expect("to memory");
        protocol.write_i64(2).expect("to memory");
    });
    field(protocol, 110, TType::List, |protocol| {
        let list = TListIdentifier::new(TType::Bool, 2);
        protocol.write_list_begin(&list).expect("to memory");
        protocol.write_bool(true).expect("to memory");
        protocol.write_bool(false).expect("to memory");
    });
    field(protocol, 111, TType::Map, |protocol| {
        let map = TMapIdentifier::new(TType::I32, TType::String, 0);
        protocol.write_map_begin(&map).expect("to memory");
    });
}

fn any_value() -> impl Strategy<Value = TagValue> {
    prop_oneof![
        ".{0,20}".prop_map(|text| TagValue::String(text.into())),
        any::<bool>().prop_map(TagValue::Bool),
        any::<i64>().prop_map(TagValue::Long),
        // No NaN: it is not equal to itself, and another test has it.
        prop::num::f64::NORMAL.prop_map(TagValue::Double),
        vec(any::<u8>(), 0..20).prop_map(TagValue::Binary),
    ]
}

fn any_tags() -> impl Strategy<Value = Vec<Tag>> {
    vec(
        (".{0,10}", any_value()).prop_map(|(key, value)| Tag::new(key, value)),
        0..20,
    )
}

fn any_span() -> impl Strategy<Value = Span> {
    let reference =
        any::<(bool, i64, i64, i64)>().prop_map(|(follows, low, high, span_id)| SpanRef {
            ref_type: i32::from(follows),
            trace_id_low: low,
            trace_id_high: high,
            span_id,
        });
    let log = (any::<i64>(), any_tags()).prop_map(|(timestamp, fields)| Log { timestamp, fields });
    (
        any::<[i64; 6]>(),
        ".{0,20}",
        any::<i32>(),
        vec(reference, 0..20),
        any_tags(),
        vec(log, 0..4),
    )
        .prop_map(
            |(numbers, operation_name, flags, references, tags, logs)| Span {
                trace_id_low: numbers[0],
                trace_id_high: numbers[1],
                span_id: numbers[2],
                parent_span_id: numbers[3],
                operation_name,
                references,
                flags,
                start_time: numbers[4],
                duration: numbers[5],
                tags,
                logs,
            },
        )
}

pub(crate) fn any_batch() -> impl Strategy<Value = Batch> {
    let stats = any::<[i64; 3]>().prop_map(|counts| ClientStats {
        full_queue_dropped_spans: counts[0],
        too_large_dropped_spans: counts[1],
        failed_to_emit_spans: counts[2],
    });
    (
        ".{0,10}",
        any_tags(),
        vec(any_span(), 0..4),
        any::<Option<i64>>(),
        proptest::option::of(stats),
    )
        .prop_map(|(service_name, tags, spans, seq_no, stats)| Batch {
            process: Process::new(service_name, tags),
            spans,
            seq_no,
            stats,
        })
}

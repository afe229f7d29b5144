use std::time::Duration;

use crate::decode::parts::Parts;
use crate::decode::zipkin::batches;
use crate::decode::zipkin::span::{Endpoint, ZipkinSpan, address};
use crate::decode::zipkin::v1::{self, annotate};
use crate::decode::{Reason, ReceivedBatch};
use crate::model::{SpanId, TagValue, Timestamp, TraceId};
use crate::thrift::zipkin::{BinaryAnnotation, Endpoint as Host, Span, decode_spans};

/// Reads a list of spans of Zipkin's first version in Thrift's binary protocol. Spans of one process are a batch.
///
/// # Errors
///
/// Fails if the bytes are no such list, or if none of its spans can be read.
pub(crate) fn zipkin_v1_thrift(bytes: &[u8]) -> Result<Vec<ReceivedBatch>, Reason> {
    let spans = decode_spans(bytes).map_err(|error| error.to_string())?;
    batches(spans.into_iter(), span)
}

fn span(read: Span, parts: &mut Parts) -> Result<ZipkinSpan, Reason> {
    parts.take()?;
    let trace_id = TraceId::new(read.trace_id_high as u64, read.trace_id as u64);
    let trace_id = trace_id.ok_or("a trace id is zero")?;
    let span_id = SpanId::new(read.id as u64).ok_or("the id of a span is zero")?;
    let mut span = ZipkinSpan::new(trace_id, span_id);
    let parent_id = read.parent_id.and_then(|id| SpanId::new(id as u64));
    span.parent_id = parent_id.filter(|&parent| parent != span_id);
    span.name = read.name;
    span.is_debug = read.is_debug;
    span.start = timestamp(read.timestamp);
    span.duration = Duration::from_micros(u64::try_from(read.duration).unwrap_or(0));
    let mut annotations = Vec::new();
    for annotation in read.annotations {
        parts.take()?;
        annotations.push(v1::Annotation {
            at: timestamp(annotation.timestamp),
            value: annotation.value,
            host: endpoint(annotation.host),
        });
    }
    let mut binary = Vec::new();
    for annotation in read.binary_annotations {
        parts.take()?;
        let value = value(&annotation);
        binary.push(v1::BinaryAnnotation {
            key: annotation.key,
            value,
            host: endpoint(annotation.host),
        });
    }
    annotate(&mut span, annotations, binary, read.timestamp != 0);
    Ok(span)
}

fn endpoint(host: Option<Box<Host>>) -> Endpoint {
    let Some(host) = host else {
        return Endpoint::default();
    };
    let ipv4 = Some(host.ipv4).filter(|&ipv4| ipv4 != 0);
    Endpoint {
        service: Some(host.service_name),
        ipv4: ipv4.and_then(|ipv4| address(&ipv4.to_be_bytes())),
        ipv6: address(&host.ipv6),
        port: Some(host.port as u16),
    }
}

/// Reads the value of a binary annotation by its type. A number that is cut short is its bytes.
fn value(annotation: &BinaryAnnotation) -> TagValue {
    let bytes = &annotation.value[..];
    let value = match annotation.kind {
        BOOL => Some(TagValue::Bool(*bytes == [1])),
        I16 => bytes
            .try_into()
            .ok()
            .map(|it| i16::from_be_bytes(it).into()),
        I32 => bytes
            .try_into()
            .ok()
            .map(|it| i32::from_be_bytes(it).into()),
        I64 => bytes
            .try_into()
            .ok()
            .map(|it| i64::from_be_bytes(it).into()),
        DOUBLE => bytes
            .try_into()
            .ok()
            .map(|it| f64::from_be_bytes(it).into()),
        STRING => Some(String::from_utf8_lossy(bytes).into_owned().into()),
        _ => None,
    };
    value.unwrap_or_else(|| bytes.to_vec().into())
}

/// Returns a time. One before 1970 is none.
fn timestamp(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros.max(0))
}

/// The types of `AnnotationType`, but for bytes.
const BOOL: i32 = 0;
const I16: i32 = 2;
const I32: i32 = 3;
const I64: i32 = 4;
const DOUBLE: i32 = 5;
const STRING: i32 = 6;

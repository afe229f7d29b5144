//! `jaeger.api_v2`, read by `prost`.

use prost::Message;
use tracehound::model::{ReferenceType, ReportedReference, Tag, TagValue};
use tracehound::reporter::OwnedSpan;
use tracehound::reporter::sender::BatchFormat;

use crate::support::jaeger_proto::{
    Batch, KeyValue, Log, PostSpansRequest, Span, SpanRef, Time, WireProcess,
};

use super::{bare_span, for_each_batch, id, message, number, process, rich_span, sent};

fn decode(bytes: &[u8]) -> Batch {
    let request = PostSpansRequest::decode(bytes).expect("a request");
    request.batch.expect("a batch")
}

pub(super) fn span_ids(bytes: &[u8]) -> Vec<u64> {
    let spans = decode(bytes).spans;
    spans.iter().map(|span| number(&span.span_id)).collect()
}

#[test]
fn spans_arrive_with_all_that_they_have() {
    for_each_batch(|process, spans| {
        let read = decode(&message(BatchFormat::JaegerProto, process.clone(), spans));
        assert_eq!(
            read.process,
            Some(WireProcess {
                service_name: process.service_name.clone(),
                tags: process.tags.iter().map(tag).collect(),
            })
        );
        assert_eq!(read.spans.len(), spans.len());
        for (read, span) in read.spans.iter().zip(spans) {
            assert_eq!(*read, expected(span), "{span:?}");
        }
    });
}

fn expected(span: &OwnedSpan) -> Span {
    Span {
        trace_id: span.trace_id.to_bytes().to_vec(),
        span_id: span.span_id.get().to_be_bytes().to_vec(),
        operation_name: span.operation_name.clone(),
        references: references(span),
        flags: span.flags.bits().into(),
        start_time: Some(time(span.start.as_micros())),
        duration: Some(time(span.duration.as_micros() as i64)),
        tags: span.tags.iter().map(tag).collect(),
        logs: span
            .logs
            .iter()
            .map(|log| Log {
                timestamp: Some(time(log.timestamp.as_micros())),
                fields: log.fields.iter().map(tag).collect(),
            })
            .collect(),
        ..Span::default()
    }
}

fn references(span: &OwnedSpan) -> Vec<SpanRef> {
    let mut all = span.references.clone();
    if let Some(parent_id) = span.parent_id {
        let is_parent = |other: &ReportedReference| {
            other.trace_id == span.trace_id && other.span_id == parent_id
        };
        let parent = match all.iter().position(is_parent) {
            Some(at) => all.remove(at),
            None => ReportedReference::new(ReferenceType::ChildOf, span.trace_id, parent_id),
        };
        all.insert(0, parent);
    }
    let wire = |reference: &ReportedReference| SpanRef {
        trace_id: reference.trace_id.to_bytes().to_vec(),
        span_id: reference.span_id.get().to_be_bytes().to_vec(),
        ref_type: (reference.kind == ReferenceType::FollowsFrom).into(),
    };
    all.iter().map(wire).collect()
}

fn time(micros: i64) -> Time {
    Time {
        seconds: micros / 1_000_000,
        nanos: (micros % 1_000_000) as i32 * 1_000,
    }
}

fn tag(tag: &Tag) -> KeyValue {
    let mut wire = KeyValue {
        key: tag.key.to_string(),
        ..KeyValue::default()
    };
    match sent(&tag.value) {
        TagValue::String(text) => wire.v_str = text.into_owned(),
        TagValue::Bool(value) => (wire.v_type, wire.v_bool) = (1, value),
        TagValue::Long(value) => (wire.v_type, wire.v_int64) = (2, value),
        TagValue::Double(value) => (wire.v_type, wire.v_float64) = (3, value),
        TagValue::Binary(bytes) => (wire.v_type, wire.v_binary) = (4, bytes),
    }
    wire
}

#[test]
fn a_message_has_no_byte_that_the_idl_does_not_know() {
    let bytes = message(BatchFormat::JaegerProto, process(), &[rich_span()]);
    let request = PostSpansRequest::decode(&*bytes).expect("a request");
    assert_eq!(request.encoded_len(), bytes.len());
}

#[test]
fn the_reference_to_the_parent_comes_first() {
    let mut span = bare_span();
    let reference = |kind, span_id| ReportedReference::new(kind, span.trace_id, id(span_id));
    let known = reference(ReferenceType::FollowsFrom, 7);
    let other = reference(ReferenceType::ChildOf, 8);
    let rows = [
        (vec![], vec![reference(ReferenceType::ChildOf, 7)]),
        (vec![other, known], vec![known, other]),
        (vec![known, other], vec![known, other]),
    ];
    span.parent_id = Some(id(7));
    for (given, sent) in rows {
        span.references = given;
        let read = decode(&message(
            BatchFormat::JaegerProto,
            process(),
            std::slice::from_ref(&span),
        ));
        let ids: Vec<_> = read.spans[0]
            .references
            .iter()
            .map(|one| (one.ref_type, one.span_id[7]))
            .collect();
        let expected: Vec<_> = sent
            .iter()
            .map(|one| {
                let kind = i32::from(one.kind == ReferenceType::FollowsFrom);
                (kind, one.span_id.get() as u8)
            })
            .collect();
        assert_eq!(ids, expected);
    }
}

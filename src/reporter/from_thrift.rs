//! Spans that a client has sent, as this crate reports spans.

use std::time::Duration;

use crate::model::{
    Flags, LogRecord, ReferenceType, ReportedReference, SpanId, Timestamp, TraceId,
};
use crate::reporter::OwnedSpan;
use crate::thrift;

/// Converts a span from the wire as a Jaeger backend reads it: the parent becomes the first reference, and references
/// with a zero id are left out. Returns `None` if the span's own ids are zero.
pub(crate) fn from_wire(span: thrift::Span) -> Option<OwnedSpan> {
    let trace_id = TraceId::new(span.trace_id_high as u64, span.trace_id_low as u64)?;
    let parent_id = SpanId::new(span.parent_span_id as u64);
    let mut references: Vec<_> = span
        .references
        .iter()
        .filter_map(|reference| {
            let kind = match reference.ref_type {
                0 => ReferenceType::ChildOf,
                _ => ReferenceType::FollowsFrom,
            };
            let (high, low) = (reference.trace_id_high, reference.trace_id_low);
            Some(ReportedReference::new(
                kind,
                TraceId::new(high as u64, low as u64)?,
                SpanId::new(reference.span_id as u64)?,
            ))
        })
        .collect();
    if let Some(parent_id) = parent_id {
        let is_parent =
            |known: &ReportedReference| known.span_id == parent_id && known.trace_id == trace_id;
        if !references.iter().any(is_parent) {
            let parent = ReportedReference::new(ReferenceType::ChildOf, trace_id, parent_id);
            references.insert(0, parent);
        }
    }
    let log = |log: thrift::Log| LogRecord::new(Timestamp::from_micros(log.timestamp), log.fields);
    Some(OwnedSpan {
        trace_id,
        span_id: SpanId::new(span.span_id as u64)?,
        parent_id,
        flags: Flags::from_bits(span.flags as u8),
        operation_name: span.operation_name,
        start: Timestamp::from_micros(span.start_time),
        duration: Duration::from_micros(u64::try_from(span.duration).unwrap_or(0)),
        tags: span.tags,
        logs: span.logs.into_iter().map(log).collect(),
        references,
        process: None,
    })
}

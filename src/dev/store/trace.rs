use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{
    LogRecord, Process, ReferenceType, ReportedReference, SpanId, TagValue, Timestamp, TraceId,
    tags,
};
use crate::reporter::OwnedSpan;

/// A copy of the spans of one trace that had been received at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Trace {
    /// The id of the trace.
    pub trace_id: TraceId,
    /// The spans, in the order in which they came.
    pub spans: Vec<Arc<ReceivedSpan>>,
    /// The root, if it has started in this process and has not come yet.
    pub open: Vec<OpenSpan>,
}

impl Trace {
    /// Returns the names of the services, sorted.
    pub fn services(&self) -> Vec<&str> {
        let received = self.spans.iter().map(|span| span.service_name());
        let open = self.open.iter().map(|span| span.service_name.as_str());
        let names: BTreeSet<&str> = received.chain(open).collect();
        names.into_iter().collect()
    }
}

/// A span as it was received, with the process that sent it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ReceivedSpan {
    /// The span. A key may be in its tags twice, if the client sent it so.
    pub span: OwnedSpan,
    /// The process that sent it.
    pub process: Arc<Process>,
}

impl ReceivedSpan {
    /// Returns the name of the service.
    pub fn service_name(&self) -> &str {
        &self.process.service_name
    }

    /// Returns whether the tag `error` is true.
    pub fn is_error(&self) -> bool {
        self.span.tags.iter().any(|tag| {
            tag.key == tags::ERROR
                && match &tag.value {
                    TagValue::Bool(value) => *value,
                    TagValue::String(text) => text.eq_ignore_ascii_case("true"),
                    _ => false,
                }
        })
    }

    /// Returns the span that this one is drawn under: the first `ChildOf` in its trace, else the first `FollowsFrom`.
    pub(crate) fn parent(&self) -> Option<(SpanId, ReferenceType)> {
        let first = |kind| {
            let own = |reference: &&ReportedReference| {
                reference.kind == kind && reference.trace_id == self.span.trace_id
            };
            let reference = self.span.references.iter().find(own)?;
            Some((reference.span_id, kind))
        };
        first(ReferenceType::ChildOf).or_else(|| first(ReferenceType::FollowsFrom))
    }

    /// Returns about how many bytes it takes.
    pub(crate) fn size(&self) -> usize {
        let span = &self.span;
        let logs: usize = span
            .logs
            .iter()
            .map(|log| size_of::<LogRecord>() + size_of_tags(&log.fields))
            .sum();
        size_of::<Self>()
            + span.operation_name.len()
            + size_of_tags(&span.tags)
            + logs
            + span.references.len() * size_of::<ReportedReference>()
    }
}

/// A span that has started and has not been received yet.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OpenSpan {
    /// The id of the trace.
    pub trace_id: TraceId,
    /// The id of the span.
    pub span_id: SpanId,
    /// The operation name at its start.
    pub operation_name: String,
    /// The service that started it.
    pub service_name: String,
    /// When it started.
    pub start: Timestamp,
}

/// Returns about how many bytes tags take.
pub(crate) fn size_of_tags(tags: &[crate::model::Tag]) -> usize {
    tags.iter()
        .map(|tag| {
            let value = match &tag.value {
                TagValue::String(text) => text.len(),
                TagValue::Binary(bytes) => bytes.len(),
                _ => 0,
            };
            size_of_val(tag) + tag.key.len() + value
        })
        .sum()
}

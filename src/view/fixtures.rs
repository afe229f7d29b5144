//! Traces for the tests of `dev`.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    LogRecord, Process, ReferenceType, ReportedReference, SpanId, Tag, TagValue, Timestamp, TraceId,
};
use crate::reporter::OwnedSpan;
use crate::thrift::Span;
use crate::view::{OpenSpan, ReceivedSpan, Trace};

/// The microsecond at which the trace starts.
pub(crate) const START: i64 = 1_700_000_000_000_000;

pub(crate) fn trace_id(n: u64) -> TraceId {
    TraceId::new(0, n).expect("not zero")
}

fn span_id(n: u64) -> SpanId {
    SpanId::new(n).expect("not zero")
}

/// A span of the trace 7f3c00000000a91e, and its service.
#[derive(Debug)]
pub(crate) struct SpanFixture(pub(crate) OwnedSpan, &'static str);

/// Returns a span; its times are microseconds after [`START`].
pub(crate) fn span(service: &'static str, name: &str, id: u64, from: i64, to: i64) -> SpanFixture {
    let mut span = OwnedSpan::new(trace_id(0x7f3c_0000_0000_a91e), span_id(id), name);
    span.start = Timestamp::from_micros(START + from);
    span.duration = Duration::from_micros((to - from) as u64);
    SpanFixture(span, service)
}

impl SpanFixture {
    pub(crate) fn child_of(mut self, parent: u64) -> Self {
        let reference =
            ReportedReference::new(ReferenceType::ChildOf, self.0.trace_id, span_id(parent));
        self.0.references.push(reference);
        self
    }

    pub(crate) fn follows(mut self, parent: u64) -> Self {
        let kind = ReferenceType::FollowsFrom;
        let reference = ReportedReference::new(kind, self.0.trace_id, span_id(parent));
        self.0.references.push(reference);
        self
    }

    pub(crate) fn tag(mut self, key: &'static str, value: impl Into<TagValue>) -> Self {
        self.0.tags.push(Tag::new(key, value));
        self
    }

    pub(crate) fn log(mut self, key: &'static str, value: impl Into<TagValue>) -> Self {
        let fields = vec![Tag::new("event", "error"), Tag::new(key, value)];
        self.0.logs.push(LogRecord::new(self.0.start, fields));
        self
    }

    pub(crate) fn received(self) -> Arc<ReceivedSpan> {
        let process = Arc::new(Process::new(self.1, Vec::new()));
        Arc::new(ReceivedSpan {
            span: self.0,
            process,
        })
    }
}

pub(crate) fn trace(spans: impl IntoIterator<Item = SpanFixture>) -> Trace {
    Trace {
        trace_id: trace_id(0x7f3c_0000_0000_a91e),
        spans: spans.into_iter().map(SpanFixture::received).collect(),
        open: Vec::new(),
    }
}

pub(crate) fn open(service: &str, name: &str, id: u64, from: i64) -> OpenSpan {
    OpenSpan {
        trace_id: trace_id(0x7f3c_0000_0000_a91e),
        span_id: span_id(id),
        operation_name: name.to_owned(),
        service_name: service.to_owned(),
        start: Timestamp::from_micros(START + from),
    }
}

/// Returns a span as it is on the wire.
pub(crate) fn wire(trace: i64, span_id: i64, parent_span_id: i64) -> Span {
    Span {
        trace_id_low: trace,
        trace_id_high: 0,
        span_id,
        parent_span_id,
        operation_name: "call".to_owned(),
        references: Vec::new(),
        flags: 1,
        start_time: 1,
        duration: 1,
        tags: Vec::new(),
        logs: Vec::new(),
    }
}

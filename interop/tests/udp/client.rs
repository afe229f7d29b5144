//! A tracer that sends to a real backend, and the spans that it made, for comparison.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use tracehound::{
    JaegerTracer,
    metrics::FlushReport,
    model::{self, ReferenceType, TagValue},
    reporter::{
        CompositeReporter, InMemoryReporter, OwnedSpan, RemoteReporter,
        sender::{AgentProtocol, Sender, UdpSender},
    },
    sampler::ConstSampler,
    tracer::TracerBuilder,
};
use tracehound_interop::{
    Backend, Log, Received, Reference, ReferenceKind, SentBatch, SentSpan, StoredSpan, Tag, Value,
};

use crate::Result;

/// A Thrift protocol over UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Compact,
    Binary,
}

impl Protocol {
    pub(crate) const ALL: [Self; 2] = [Self::Compact, Self::Binary];

    /// Returns the address at which `jaeger` takes it.
    pub(crate) const fn address(self, jaeger: &Backend) -> SocketAddr {
        match self {
            Self::Compact => jaeger.compact_addr(),
            Self::Binary => jaeger.binary_addr(),
        }
    }

    /// Returns the library's sender for it.
    pub(crate) fn sender(self, jaeger: &Backend) -> UdpSender {
        UdpSender::new(self.address(jaeger)).protocol(match self {
            Self::Compact => AgentProtocol::Compact,
            Self::Binary => AgentProtocol::Binary,
        })
    }
}

/// A tracer that sends to a backend. A second reporter beside the remote one keeps the spans that the
/// tracer made.
pub(crate) struct Client<'a> {
    jaeger: &'a Backend,
    tracer: JaegerTracer,
    made: InMemoryReporter,
    /// The counts of the backend when this client began.
    before: Received,
}

impl<'a> Client<'a> {
    /// Returns a client that samples everything; `adjust` can change its tracer.
    ///
    /// Only one client may send to a backend at a time, because the backend counts the spans of all.
    pub(crate) fn new(
        jaeger: &'a Backend,
        sender: impl Sender + 'static,
        adjust: impl FnOnce(TracerBuilder) -> TracerBuilder,
    ) -> Result<Self> {
        let reporter = RemoteReporter::new(sender);
        Self::with_members(jaeger, CompositeReporter::new(), reporter, adjust)
    }

    /// Like [`new`](Self::new), behind other reporters that get each span first.
    pub(crate) fn with_members(
        jaeger: &'a Backend,
        others: CompositeReporter,
        reporter: RemoteReporter,
        adjust: impl FnOnce(TracerBuilder) -> TracerBuilder,
    ) -> Result<Self> {
        let made = InMemoryReporter::new();
        let builder = JaegerTracer::builder("library")
            .sampler(ConstSampler::new(true))
            .reporter(others.member(reporter).member(made.clone()));
        Ok(Self {
            jaeger,
            tracer: adjust(builder).build()?,
            made,
            before: jaeger.received()?,
        })
    }

    pub(crate) const fn tracer(&self) -> &JaegerTracer {
        &self.tracer
    }

    /// Sends all finished spans and waits until the backend has counted exactly those that the
    /// tracer's ledger calls sent.
    pub(crate) fn deliver(&self) -> Result<FlushReport> {
        let report = self.tracer.flush(Duration::from_secs(20));
        assert_eq!(report.queued, 0, "{report}");
        let wanted = self.before.spans + report.sent;
        let received = self.jaeger.received_when(|it| it.spans >= wanted)?;
        assert_eq!(received.spans, wanted, "{report}, but {received:?}");
        assert_eq!(received.refused_spans, self.before.refused_spans);
        assert_eq!(received.handler_errors.unwrap_or(0), 0, "{received:?}");
        Ok(report)
    }

    /// Like [`deliver`](Self::deliver), but fails if a span was lost.
    pub(crate) fn deliver_all(&self) -> Result {
        let report = self.deliver()?;
        assert!(report.is_complete(), "{report}");
        assert_eq!(report.sent, report.finished, "{report}");
        assert_eq!(report.sent, self.made.spans().len() as u64, "{report}");
        Ok(())
    }

    /// Returns the spans that the tracer made, each trace as a batch.
    pub(crate) fn made(&self) -> BTreeMap<u128, SentBatch> {
        let mut traces = BTreeMap::new();
        for span in self.made.spans() {
            let span = sent_span(&span);
            let batch: &mut SentBatch = traces
                .entry(span.trace_id)
                .or_insert_with(|| self.empty_batch());
            batch.spans.push(span);
        }
        traces
    }

    /// Reads a trace back, and returns the fields that differ from those expected for `batch`.
    pub(crate) fn compare(&self, trace_id: u128, batch: &SentBatch) -> Result<Vec<String>> {
        let version = self.jaeger.version();
        let read = self.jaeger.trace(trace_id, batch.spans.len())?;
        let mismatches = version.compare(&version.expected(batch).spans, &read.spans);
        Ok(mismatches.iter().map(ToString::to_string).collect())
    }

    /// Reads back a trace of one span.
    pub(crate) fn read_one(&self, trace_id: u128) -> Result<StoredSpan> {
        let mut spans = self.jaeger.trace(trace_id, 1)?.spans;
        let span = spans.pop().ok_or("a trace without spans")?;
        assert_eq!(spans, [], "more spans of {trace_id:x}");
        Ok(span)
    }

    fn empty_batch(&self) -> SentBatch {
        let process = self.tracer.process();
        SentBatch {
            service: process.map_or_else(String::new, |it| it.service_name.clone()),
            process_tags: tags(process.map_or(&[], |it| &it.tags)),
            spans: Vec::new(),
        }
    }
}

/// Returns the id in the form of this crate; 0 if there is none.
pub(crate) fn trace_id(id: Option<model::TraceId>) -> u128 {
    id.map_or(0, |id| u128::from_be_bytes(id.to_bytes()))
}

fn sent_span(span: &OwnedSpan) -> SentSpan {
    SentSpan {
        trace_id: trace_id(Some(span.trace_id)),
        span_id: span.span_id.get(),
        parent_span_id: span.parent_id.map_or(0, model::SpanId::get),
        references: span.references.iter().map(reference).collect(),
        operation: span.operation_name.clone(),
        flags: span.flags.bits().into(),
        start_us: span.start.as_micros(),
        duration_us: i64::try_from(span.duration.as_micros()).unwrap_or(i64::MAX),
        tags: tags(&span.tags),
        logs: span.logs.iter().map(log).collect(),
    }
}

fn reference(reference: &model::ReportedReference) -> Reference {
    Reference {
        kind: match reference.kind {
            ReferenceType::ChildOf => ReferenceKind::ChildOf,
            ReferenceType::FollowsFrom => ReferenceKind::FollowsFrom,
        },
        trace_id: trace_id(Some(reference.trace_id)),
        span_id: reference.span_id.get(),
    }
}

fn log(log: &model::LogRecord) -> Log {
    Log {
        timestamp_us: log.timestamp.as_micros(),
        fields: tags(&log.fields),
    }
}

/// Returns the expected tags. A double that JSON cannot hold is promised to arrive as text, in the
/// tags of a process, too, which keep the double in memory.
fn tags(tags: &[model::Tag]) -> Vec<Tag> {
    let values = tags
        .iter()
        .filter_map(|tag| Some((&tag.key, tag.value.as_ref().to_value()?)));
    values
        .map(|(key, value)| Tag::new(&**key, convert(value)))
        .collect()
}

fn convert(value: TagValue) -> Value {
    match value {
        TagValue::String(text) => Value::String(text.into_owned()),
        TagValue::Bool(value) => Value::Bool(value),
        TagValue::Long(value) => Value::Long(value),
        TagValue::Double(value) => Value::Double(value),
        TagValue::Binary(bytes) => Value::Binary(bytes),
    }
}

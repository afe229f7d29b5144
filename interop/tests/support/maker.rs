//! A tracer that keeps the spans that it makes, in the form of this crate.

use std::{collections::BTreeMap, time::Duration};

use tracehound::{
    JaegerTracer,
    metrics::FlushReport,
    model::{self, ReferenceType, TagValue},
    reporter::{CompositeReporter, InMemoryReporter, OwnedSpan, RemoteReporter, sender::Sender},
    sampler::ConstSampler,
    tracer::TracerBuilder,
};
use tracehound_interop::{Log, Reference, ReferenceKind, SentBatch, SentSpan, Tag, Value};

use crate::Result;

/// A tracer with a sender. A second reporter beside the remote one keeps the spans that the tracer
/// made.
pub(crate) struct Maker {
    tracer: JaegerTracer,
    made: InMemoryReporter,
}

impl Maker {
    /// Returns a tracer that samples everything; `adjust` can change it.
    pub(crate) fn new(
        sender: impl Sender + 'static,
        adjust: impl FnOnce(TracerBuilder) -> TracerBuilder,
    ) -> Result<Self> {
        Self::with_members(
            CompositeReporter::new(),
            RemoteReporter::new(sender),
            adjust,
        )
    }

    /// Like [`new`](Self::new), behind other reporters that get each span first.
    pub(crate) fn with_members(
        others: CompositeReporter,
        reporter: RemoteReporter,
        adjust: impl FnOnce(TracerBuilder) -> TracerBuilder,
    ) -> Result<Self> {
        let made = InMemoryReporter::new();
        let builder = JaegerTracer::builder("library")
            .sampler(ConstSampler::new(true))
            .reporter(others.member(reporter).member(made.clone()));
        let tracer = adjust(builder).build()?;
        Ok(Self { tracer, made })
    }

    pub(crate) const fn tracer(&self) -> &JaegerTracer {
        &self.tracer
    }

    /// Sends all finished spans.
    pub(crate) fn flush(&self) -> FlushReport {
        let report = self.tracer.flush(Duration::from_secs(20));
        assert_eq!(report.queued, 0, "{report}");
        report
    }

    /// Fails if the report says that a span was lost.
    pub(crate) fn assert_all_sent(&self, report: &FlushReport) {
        assert!(report.is_complete(), "{report}");
        assert_eq!(report.sent, report.finished, "{report}");
        assert_eq!(report.sent, self.made.spans().len() as u64, "{report}");
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

    fn empty_batch(&self) -> SentBatch {
        let process = self.tracer.process();
        SentBatch {
            service: process.map_or_else(String::new, |it| it.service_name.clone()),
            process_tags: tags(process.map_or(&[], |it| &it.tags)),
            spans: Vec::new(),
        }
    }
}

/// Adds process tags of every type.
pub(crate) fn with_tags(tracer: TracerBuilder) -> TracerBuilder {
    tracer
        .tag("zone", "eu-1")
        .tag("größe", "")
        .tag("replica", 3)
        .tag("canary", true)
        .tag("weight", 0.5)
        .tag("limit", f64::INFINITY)
        .tag("key", vec![0, 255])
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

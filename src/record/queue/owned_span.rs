//! A finished span that owns its data.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    FieldRef, Flags, LogField, LogRecord, Process, ReportedReference, SpanId, Tag, TagRef,
    Timestamp, TraceId, tags,
};
use crate::record::queue::finished_span::FinishedSpan;
use crate::record::queue::frame::{FrameBytes, FrameHeader, FrameKind, ParentReference};
use crate::record::wire::decode::Tags;
use crate::record::wire::encode::{write_log, write_reference, write_tag};

/// A finished span that owns its data. [`InMemoryReporter`](crate::reporter::InMemoryReporter) keeps such spans.
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// tracer.start_span("charge").set_tag("cents", 4_200).log_error(&std::fmt::Error);
///
/// let charge = spans.find("charge").expect("charged");
/// assert_eq!(charge.service_name(), "shop");
/// assert_eq!(charge.tag_text("cents"), "4200");
/// assert!(charge.is_error());
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OwnedSpan {
    /// The trace that the span is part of.
    pub trace_id: TraceId,
    /// The id of the span.
    pub span_id: SpanId,
    /// The parent, if there is one.
    pub parent_id: Option<SpanId>,
    /// The flags at the end of the span.
    pub flags: Flags,
    /// The operation name at the end of the span.
    pub operation_name: String,
    /// The time of the start.
    pub start: Timestamp,
    /// The time from start to end, at least 1 µs.
    pub duration: Duration,
    /// The tags, each key once.
    pub tags: Vec<Tag>,
    /// The log records.
    pub logs: Vec<LogRecord>,
    /// The references, that to the parent included.
    pub references: Vec<ReportedReference>,
    /// The service that made the span. `None` unless a reporter of a tracer has kept the span.
    pub process: Option<Arc<Process>>,
}

impl OwnedSpan {
    /// Makes a sampled span of 1 µs at the Unix epoch, without tags, logs and references.
    pub fn new(trace_id: TraceId, span_id: SpanId, operation_name: impl Into<String>) -> Self {
        Self {
            trace_id,
            span_id,
            parent_id: None,
            flags: Flags::SAMPLED,
            operation_name: operation_name.into(),
            start: Timestamp::default(),
            duration: Duration::from_micros(1),
            tags: Vec::new(),
            logs: Vec::new(),
            references: Vec::new(),
            process: None,
        }
    }

    /// Calls `look` with this span in the form in which the worker gives spans to a reporter. Use it to test a reporter
    /// or a sender without a tracer.
    ///
    /// ```
    /// use tracehound::model::{SpanId, TraceId};
    /// use tracehound::reporter::{InMemoryReporter, OwnedSpan, Reporter};
    ///
    /// let (trace_id, span_id) = (TraceId::new(0, 1).expect("not 0"), SpanId::new(2).expect("not 0"));
    /// let span = OwnedSpan::new(trace_id, span_id, "checkout");
    /// let mut reporter = InMemoryReporter::new();
    /// span.view(|span| reporter.report(span));
    /// assert_eq!(reporter.spans(), [span]);
    /// ```
    pub fn view<R>(&self, look: impl FnOnce(&FinishedSpan<'_>) -> R) -> R {
        let (mut tags, mut logs, mut references) = (Vec::new(), Vec::new(), Vec::new());
        for tag in &self.tags {
            write_tag(&mut tags, &tag.key, tag.value.as_ref());
        }
        for log in &self.logs {
            let fields: Vec<_> = log.fields.iter().map(FieldRef::from).collect();
            write_log(&mut logs, log.timestamp, &fields);
        }
        // In the header, where a tracer's span has the reference to its parent.
        let (parent_reference, others) = match &self.references[..] {
            [first, others @ ..]
                if first.trace_id == self.trace_id && Some(first.span_id) == self.parent_id =>
            {
                (ParentReference::of(first.kind), others)
            }
            others => (ParentReference::None, others),
        };
        for reference in others {
            write_reference(&mut references, reference);
        }
        let header = FrameHeader {
            parent_reference,
            parent_id: self.parent_id,
            start: self.start.as_micros(),
            duration: u64::try_from(self.duration.as_micros()).unwrap_or(u64::MAX),
            kind: FrameKind::InMicros,
            tag_count: self.tags.len() as u32,
            flags: self.flags,
            ..FrameHeader::new(self.trace_id, self.span_id)
        };
        let bytes = FrameBytes {
            operation_name: &self.operation_name,
            tags: &tags,
            references: &references,
            reference_count: others.len() as u32,
            logs: [&logs, &[]],
            log_count: self.logs.len() as u32,
        };
        look(&FinishedSpan::new(header, bytes))
    }

    /// Returns the name of the service that made the span, or `""` if [`process`](Self::process) is not known.
    pub fn service_name(&self) -> &str {
        self.process
            .as_ref()
            .map_or("", |process| &process.service_name)
    }

    /// Returns whether the span is marked as failed: its tag `error` is `true`.
    pub fn is_error(&self) -> bool {
        matches!(
            self.tag(tags::ERROR),
            Some(TagRef::Bool(true) | TagRef::String("true"))
        )
    }

    /// Returns the value of a tag.
    pub fn tag(&self, key: &str) -> Option<TagRef<'_>> {
        self.tags
            .iter()
            .find(|tag| tag.key == key)
            .map(|tag| tag.value.as_ref())
    }

    /// Returns the value of a tag as text, or `""` if the tag is not set.
    pub fn tag_text(&self, key: &str) -> Cow<'_, str> {
        match self.tag(key) {
            Some(TagRef::String(text)) => Cow::Borrowed(text),
            Some(value) => Cow::Owned(value.to_string()),
            None => Cow::Borrowed(""),
        }
    }
}

impl FinishedSpan<'_> {
    /// Copies the span, so that the copy outlives the call.
    pub fn to_owned(&self) -> OwnedSpan {
        OwnedSpan {
            trace_id: self.trace_id(),
            span_id: self.span_id(),
            parent_id: self.parent_id(),
            flags: self.flags(),
            operation_name: self.operation_name().to_owned(),
            start: self.start(),
            duration: self.duration(),
            tags: owned_tags(self.tags()),
            logs: self
                .logs()
                .map(|log| LogRecord::new(log.timestamp, owned_tags(log.fields)))
                .collect(),
            references: self.references().collect(),
            process: None,
        }
    }
}

fn owned_tags(tags: Tags<'_>) -> Vec<LogField> {
    tags.filter_map(|(key, value)| Some(Tag::new(key.to_owned(), value.to_value()?)))
        .collect()
}

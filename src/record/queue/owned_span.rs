//! A finished span that owns its data.

use std::borrow::Cow;
use std::time::Duration;

use crate::model::{
    FieldRef, Flags, LogField, LogRecord, SpanId, SpanReference, Tag, TagRef, Timestamp, TraceId,
};
use crate::record::queue::finished_span::FinishedSpan;
use crate::record::queue::frame::{FrameBytes, FrameHeader, FrameKind};
use crate::record::wire::decode::Tags;
use crate::record::wire::encode::{write_log, write_reference, write_tag};

/// A finished span that owns its data. [`InMemoryReporter`](crate::reporter::InMemoryReporter) keeps these.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OwnedSpan {
    /// The id of the trace.
    pub trace_id: TraceId,
    /// The id of the span.
    pub span_id: SpanId,
    /// The id of the parent span, if there is one.
    pub parent_id: Option<SpanId>,
    /// The flags that the span had at its end.
    pub flags: Flags,
    /// The operation name that the span had at its end.
    pub operation_name: String,
    /// When the span started, in whole microseconds.
    pub start: Timestamp,
    /// How long the span took, in whole microseconds.
    pub duration: Duration,
    /// The tags, each key once.
    pub tags: Vec<Tag>,
    /// The log records, in the order in which they were written.
    pub logs: Vec<LogRecord>,
    /// All references, including the one to the parent.
    pub references: Vec<SpanReference>,
}

impl OwnedSpan {
    /// Makes a sampled span of one microsecond at the Unix epoch, without tags, logs or references.
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
        }
    }

    /// Calls `look` with a view of this span, as the worker calls a reporter. Use it to test a reporter or a sender.
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
        for reference in &self.references {
            write_reference(&mut references, reference);
        }
        let header = FrameHeader {
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
            reference_count: self.references.len() as u32,
            logs: [&logs, &[]],
            log_count: self.logs.len() as u32,
        };
        look(&FinishedSpan::new(header, bytes))
    }

    /// Returns the value of the tag with this key, if there is one.
    pub fn tag(&self, key: &str) -> Option<TagRef<'_>> {
        self.tags
            .iter()
            .find(|tag| tag.key == key)
            .map(|tag| tag.value.as_ref())
    }

    /// Returns the value of the tag with this key as text, or an empty text if there is no such tag.
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
        }
    }
}

fn owned_tags(tags: Tags<'_>) -> Vec<LogField> {
    tags.filter_map(|(key, value)| Some(Tag::new(key.to_owned(), value.to_value()?)))
        .collect()
}

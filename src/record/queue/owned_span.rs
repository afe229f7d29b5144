use std::borrow::Cow;
use std::time::Duration;

use crate::model::{
    FieldRef, Flags, LogField, LogRecord, SpanId, SpanReference, Tag, TagRef, Timestamp, TraceId,
};
use crate::record::queue::finished_span::FinishedSpan;
use crate::record::queue::frame::{FrameBytes, FrameHeader, FrameKind};
use crate::record::wire::decode::Tags;
use crate::record::wire::encode::{write_log, write_reference, write_tag};

/// A finished span with everything in it: what [`InMemoryReporter`](crate::reporter::InMemoryReporter) keeps.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OwnedSpan {
    /// The trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    /// The span that it depends on, if any.
    pub parent_id: Option<SpanId>,
    /// The flags at its end.
    pub flags: Flags,
    /// The operation name at its end.
    pub operation_name: String,
    /// When it started.
    pub start: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// Its tags, each key once.
    pub tags: Vec<Tag>,
    /// Its log records.
    pub logs: Vec<LogRecord>,
    /// All its references, the parent's included.
    pub references: Vec<SpanReference>,
}

impl OwnedSpan {
    /// A span of one microsecond at the epoch, sampled, with nothing in it.
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

    /// Shows this span to `look` as the worker shows one to a reporter: the way to test a reporter or a sender by hand.
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

    /// The value of a tag.
    pub fn tag(&self, key: &str) -> Option<TagRef<'_>> {
        self.tags
            .iter()
            .find(|tag| tag.key == key)
            .map(|tag| tag.value.as_ref())
    }

    /// The text of a tag; empty where there is none.
    pub fn tag_text(&self, key: &str) -> Cow<'_, str> {
        match self.tag(key) {
            Some(TagRef::String(text)) => Cow::Borrowed(text),
            Some(value) => Cow::Owned(value.to_string()),
            None => Cow::Borrowed(""),
        }
    }
}

impl FinishedSpan<'_> {
    /// Copies the span, so that it outlives the call.
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

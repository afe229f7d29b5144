use std::time::Duration;

use crate::model::{Flags, ReportedReference, SpanId, Timestamp, TraceId};
use crate::record::queue::frame::{
    FrameBytes, FrameFlags, FrameHeader, FrameKind, ParentReference,
};
use crate::record::wire::decode::{Logs, References, Tags};

/// A finished span, as a reporter sees it: a view of the worker's memory, valid during the call.
///
/// Each tag key occurs once. [`FinishedSpan::to_owned`] makes a copy that outlives the call.
///
/// ```
/// use tracehound::model::{SpanId, TraceId};
/// use tracehound::reporter::OwnedSpan;
///
/// let (trace_id, span_id) = (TraceId::new(0, 1).expect("not 0"), SpanId::new(2).expect("not 0"));
/// OwnedSpan::new(trace_id, span_id, "checkout").view(|span| {
///     assert_eq!(span.operation_name(), "checkout");
///     assert_eq!(span.duration().as_micros(), 1);
/// });
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FinishedSpan<'a> {
    header: FrameHeader,
    /// With all log records in the first part.
    bytes: FrameBytes<'a>,
}

impl<'a> FinishedSpan<'a> {
    /// Views a span whose log records are all in the first part of `bytes`.
    pub(crate) fn new(header: FrameHeader, bytes: FrameBytes<'a>) -> Self {
        Self { header, bytes }
    }

    /// Returns the id of the trace.
    pub fn trace_id(&self) -> TraceId {
        self.header.trace_id
    }

    /// Returns the id of the span.
    pub fn span_id(&self) -> SpanId {
        self.header.span_id
    }

    /// Returns the id of the parent span, if there is one.
    pub fn parent_id(&self) -> Option<SpanId> {
        self.header.parent_id
    }

    /// Returns the flags that the span had at its end.
    pub fn flags(&self) -> Flags {
        self.header.flags
    }

    /// Returns the operation name that the span had at its end.
    pub fn operation_name(&self) -> &'a str {
        self.bytes.operation_name
    }

    /// Returns when the span started, in whole microseconds.
    pub fn start(&self) -> Timestamp {
        self.header.start()
    }

    /// Returns how long the span took, in whole microseconds. At least one, because backends warn of spans without a
    /// length.
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.header.duration_micros())
    }

    /// Returns the tags, in the order in which their keys were first set.
    pub fn tags(&self) -> Tags<'a> {
        Tags::new(self.bytes.tags, self.header.tag_count as usize)
    }

    /// Returns the log records, in the order in which they were written.
    pub fn logs(&self) -> Logs<'a> {
        Logs::new(self.bytes.logs[0], self.bytes.log_count as usize)
    }

    /// Returns all references, including the one to the parent.
    ///
    /// ```
    /// use tracehound::reporter::FinishedSpan;
    ///
    /// /// A line for a log of one's own.
    /// fn line(span: &FinishedSpan<'_>) -> String {
    ///     let parent = span.parent_id().map_or_else(|| "root".to_owned(), |id| id.to_string());
    ///     format!(
    ///         "{} {} {parent} sampled={} logs={} references={}",
    ///         span.trace_id(),
    ///         span.span_id(),
    ///         span.flags().is_sampled(),
    ///         span.logs().count(),
    ///         span.references().count(),
    ///     )
    /// }
    ///
    /// # use tracehound::model::{SpanId, TraceId};
    /// # use tracehound::reporter::OwnedSpan;
    /// # let (trace_id, span_id) = (TraceId::new(0, 1).expect("not 0"), SpanId::new(2).expect("not 0"));
    /// let root = OwnedSpan::new(trace_id, span_id, "checkout");
    /// assert!(root.view(line).starts_with("0000000000000001 0000000000000002 root "));
    /// ```
    pub fn references(&self) -> References<'a> {
        References::new(
            self.parent_reference(),
            self.bytes.references,
            self.bytes.reference_count as usize,
        )
    }

    /// Returns the reference to the parent, unless it is one of those in [`reference_bytes`](Self::reference_bytes).
    pub(crate) fn parent_reference(&self) -> Option<ReportedReference> {
        let kind = self.header.parent_reference.kind()?;
        let parent_id = self.header.parent_id?;
        Some(ReportedReference::new(
            kind,
            self.header.trace_id,
            parent_id,
        ))
    }

    pub(crate) fn header(&self) -> &FrameHeader {
        &self.header
    }

    pub(crate) fn frame_bytes(&self) -> FrameBytes<'a> {
        self.bytes
    }

    /// Returns `header().tag_count` encoded `Tag` structs.
    pub(crate) fn tag_bytes(&self) -> &'a [u8] {
        self.bytes.tags
    }

    /// Returns [`log_count`](Self::log_count) encoded `Log` structs.
    pub(crate) fn log_bytes(&self) -> &'a [u8] {
        self.bytes.logs[0]
    }

    pub(crate) fn log_count(&self) -> u32 {
        self.bytes.log_count
    }

    /// Returns [`reference_count`](Self::reference_count) encoded `SpanRef` structs.
    pub(crate) fn reference_bytes(&self) -> &'a [u8] {
        self.bytes.references
    }

    pub(crate) fn reference_count(&self) -> u32 {
        self.bytes.reference_count
    }

    /// Returns the number of references, including the one to the parent.
    pub(crate) fn all_references(&self) -> u32 {
        let has_parent = self.header.parent_reference != ParentReference::None;
        self.bytes.reference_count + u32::from(has_parent)
    }

    /// Prepends `more` tags. `tags` holds all of them.
    #[inline]
    pub(crate) fn prepend_tags(&mut self, tags: &'a [u8], more: u32) {
        self.bytes.tags = tags;
        self.header.tag_count += more;
        self.header.kind = FrameKind::Standard;
    }

    /// Returns a view of this span with other tags and logs.
    pub(crate) fn with_tags_and_logs<'b>(
        &self,
        (tags, tag_count): (&'b [u8], u32),
        (logs, log_count): (&'b [u8], u32),
    ) -> FinishedSpan<'b>
    where
        'a: 'b,
    {
        let header = FrameHeader {
            tag_count,
            frame_flags: FrameFlags::default(),
            ..self.header
        };
        let bytes = FrameBytes {
            tags,
            logs: [logs, &[]],
            log_count,
            ..self.bytes
        };
        FinishedSpan { header, bytes }
    }
}

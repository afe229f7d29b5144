use std::time::Duration;

use crate::model::{Flags, SpanId, SpanReference, Timestamp, TraceId};
use crate::record::queue::frame::{
    FrameBytes, FrameFlags, FrameHeader, FrameKind, ParentReference,
};
use crate::record::wire::decode::{Logs, References, Tags};

/// A span that has been finished, as a reporter sees it: a view, valid during the call.
///
/// The tags hold each key once. [`FinishedSpan::to_owned`] copies it.
#[derive(Clone, Copy, Debug)]
pub struct FinishedSpan<'a> {
    header: FrameHeader,
    /// The log records are in one part.
    bytes: FrameBytes<'a>,
}

impl<'a> FinishedSpan<'a> {
    /// A span in memory that is no frame. Its log records are in one part.
    pub(crate) fn new(header: FrameHeader, bytes: FrameBytes<'a>) -> Self {
        Self { header, bytes }
    }

    /// The trace.
    pub fn trace_id(&self) -> TraceId {
        self.header.trace_id
    }

    /// The span.
    pub fn span_id(&self) -> SpanId {
        self.header.span_id
    }

    /// The span that it depends on, if any.
    pub fn parent_id(&self) -> Option<SpanId> {
        self.header.parent_id
    }

    /// The flags at its end.
    pub fn flags(&self) -> Flags {
        self.header.flags
    }

    /// The operation name at its end.
    pub fn operation_name(&self) -> &'a str {
        self.bytes.operation_name
    }

    /// When it started.
    pub fn start(&self) -> Timestamp {
        self.header.start()
    }

    /// How long it took, in whole microseconds and at least one: backends warn of spans without a length.
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.header.duration_micros())
    }

    /// Its tags.
    pub fn tags(&self) -> Tags<'a> {
        Tags::new(self.bytes.tags, self.header.tag_count as usize)
    }

    /// Its log records.
    pub fn logs(&self) -> Logs<'a> {
        Logs::new(self.bytes.logs[0], self.bytes.log_count as usize)
    }

    /// All its references, the parent's included.
    pub fn references(&self) -> References<'a> {
        References::new(
            self.parent_reference(),
            self.bytes.references,
            self.bytes.reference_count as usize,
        )
    }

    /// The reference to the parent, where it is not among those in [`reference_bytes`](Self::reference_bytes).
    pub(crate) fn parent_reference(&self) -> Option<SpanReference> {
        let kind = self.header.parent_reference.kind()?;
        let parent_id = self.header.parent_id?;
        Some(SpanReference::new(kind, self.header.trace_id, parent_id))
    }

    pub(crate) fn header(&self) -> &FrameHeader {
        &self.header
    }

    pub(crate) fn frame_bytes(&self) -> FrameBytes<'a> {
        self.bytes
    }

    /// `Tag` structs in the compact protocol, `header().tag_count` of them.
    pub(crate) fn tag_bytes(&self) -> &'a [u8] {
        self.bytes.tags
    }

    /// `Log` structs in the compact protocol, [`log_count`](Self::log_count) of them.
    pub(crate) fn log_bytes(&self) -> &'a [u8] {
        self.bytes.logs[0]
    }

    pub(crate) fn log_count(&self) -> u32 {
        self.bytes.log_count
    }

    /// `SpanRef` structs in the compact protocol, [`reference_count`](Self::reference_count) of them.
    pub(crate) fn reference_bytes(&self) -> &'a [u8] {
        self.bytes.references
    }

    pub(crate) fn reference_count(&self) -> u32 {
        self.bytes.reference_count
    }

    /// How many references it has, the one to the parent included.
    pub(crate) fn all_references(&self) -> u32 {
        let has_parent = self.header.parent_reference != ParentReference::None;
        self.bytes.reference_count + u32::from(has_parent)
    }

    /// Has `more` tags before its own, all of which are `tags` now.
    #[inline]
    pub(crate) fn prepend_tags(&mut self, tags: &'a [u8], more: u32) {
        self.bytes.tags = tags;
        self.header.tag_count += more;
        self.header.kind = FrameKind::Standard;
    }

    /// The same span with other tags and logs.
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

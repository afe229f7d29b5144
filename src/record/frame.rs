//! A finished span as it lies in a ring: a fixed header, then its bytes.

use std::str;
use std::time::Duration;

use crate::model::{
    Flags, LogField, LogRecord, ReferenceType, SpanId, SpanReference, Tag, Timestamp, TraceId,
};
use crate::record::append::Appender;
use crate::record::encode::{Logs, References, Tags};
use crate::record::owned_span::OwnedSpan;

/// The fixed part of a frame, as it lies in memory: what the worker prints as varints.
///
/// An open span keeps one that is filled but for its end, so that finishing is little more than a copy.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct FrameHeader {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) parent_id: Option<SpanId>,
    /// Nanoseconds since the epoch.
    pub(crate) start: i64,
    /// Nanoseconds.
    pub(crate) duration: u64,
    /// Filled in when the frame is written, as the next three.
    pub(crate) name_len: u32,
    pub(crate) references_len: u32,
    pub(crate) tags_len: u32,
    pub(crate) logs_len: u32,
    pub(crate) tag_count: u32,
    pub(crate) log_count: u32,
    /// How many references lie in the frame's bytes.
    pub(crate) reference_count: u32,
    pub(crate) flags: Flags,
    /// The reference before those in the bytes.
    pub(crate) parent_reference: ParentReference,
    /// A key may have been set twice: the reader keeps the last value in the first one's place.
    pub(crate) has_repeated_keys: bool,
    pub(crate) kind: FrameKind,
}

/// What most frames do not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum FrameKind {
    #[default]
    Usual = 0,
    /// The tags of a sampler that always says the same go before the others: [`Store::drain`](super::Store::drain) puts
    /// them there.
    WithSamplerTags = 1,
    /// Start and duration are in microseconds: a span that was made by hand may be of any time.
    InMicros = 2,
}

/// A reference to the parent, where it is of the same trace. It is nearly always the only one, and what there is to say of
/// it is in the header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ParentReference {
    #[default]
    None = 0,
    ChildOf = 1,
    FollowsFrom = 2,
}

const _: () = assert!(size_of::<FrameHeader>() == HEADER_BYTES);

impl FrameHeader {
    /// One with nothing in it but this.
    pub(crate) fn new(trace_id: TraceId, span_id: SpanId) -> Self {
        Self {
            trace_id,
            span_id,
            parent_id: None,
            start: 0,
            duration: 0,
            name_len: 0,
            references_len: 0,
            tags_len: 0,
            logs_len: 0,
            tag_count: 0,
            log_count: 0,
            reference_count: 0,
            flags: Flags::default(),
            parent_reference: ParentReference::None,
            has_repeated_keys: false,
            kind: FrameKind::Usual,
        }
    }

    /// When it started, in whole microseconds.
    pub(crate) fn start(&self) -> Timestamp {
        if self.kind == FrameKind::InMicros {
            Timestamp::from_micros(self.start)
        } else {
            Timestamp::from_nanos(self.start)
        }
    }

    /// How long it took, in whole microseconds and at least one: backends warn of spans without a length.
    pub(crate) fn duration_micros(&self) -> u64 {
        if self.kind == FrameKind::InMicros {
            self.duration
        } else {
            (self.duration / 1_000).max(1)
        }
    }

    /// All references, the one to the parent included.
    pub(crate) fn all_references(&self) -> u32 {
        self.reference_count + u32::from(self.parent_reference != ParentReference::None)
    }
}

impl ParentReference {
    #[inline(always)]
    pub(crate) fn of(kind: ReferenceType) -> Self {
        match kind {
            ReferenceType::ChildOf => Self::ChildOf,
            ReferenceType::FollowsFrom => Self::FollowsFrom,
        }
    }

    pub(crate) fn kind(self) -> Option<ReferenceType> {
        match self {
            Self::None => None,
            Self::ChildOf => Some(ReferenceType::ChildOf),
            Self::FollowsFrom => Some(ReferenceType::FollowsFrom),
        }
    }
}

/// The variable part of a frame, in the order in which it lies there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameBytes<'a> {
    pub(crate) operation_name: &'a str,
    pub(crate) references: &'a [u8],
    pub(crate) tags: &'a [u8],
    /// Two parts, because of the records that were left out in the middle.
    pub(crate) logs: [&'a [u8]; 2],
}

impl FrameBytes<'_> {
    #[inline]
    fn logs_len(&self) -> usize {
        self.logs[0].len() + self.logs[1].len()
    }

    /// How many bytes the whole frame takes.
    #[inline]
    pub(crate) fn frame_len(&self) -> usize {
        HEADER_BYTES
            + self.operation_name.len()
            + self.references.len()
            + self.tags.len()
            + self.logs_len()
    }
}

/// Appends a frame.
///
/// # Safety
///
/// `out` has a capacity for `bytes.frame_len()` bytes more, which is no more than 4 GiB.
#[inline(always)]
pub(super) unsafe fn write_frame(out: &mut Vec<u8>, header: &FrameHeader, bytes: &FrameBytes<'_>) {
    let mut header = *header;
    header.name_len = bytes.operation_name.len() as u32;
    header.references_len = bytes.references.len() as u32;
    header.tags_len = bytes.tags.len() as u32;
    header.logs_len = bytes.logs_len() as u32;
    // SAFETY: a frame is a header and these slices, `frame_len` is their sum, and the caller has made room for it. A header
    // has no padding.
    unsafe {
        let mut out = Appender::in_place(out);
        out.value(header);
        out.bytes(bytes.operation_name.as_bytes());
        if !bytes.references.is_empty() {
            out.bytes(bytes.references);
        }
        if !bytes.tags.is_empty() {
            out.bytes(bytes.tags);
        }
        if bytes.logs_len() > 0 {
            out.bytes(bytes.logs[0]);
            out.bytes(bytes.logs[1]);
        }
        out.finish();
    }
}

/// Reads the first of `frames` and returns it with those behind it.
///
/// # Safety
///
/// `frames` is one frame or more, each as [`write_frame`] writes it.
#[inline(always)]
pub(super) unsafe fn read_frame(frames: &[u8]) -> (FinishedSpan<'_>, &[u8]) {
    // SAFETY: a frame begins with a header as it lies in memory, and behind it are slices of the lengths that it says, as
    // lengths fit into their fields. The first of them was text.
    unsafe {
        let header = frames.as_ptr().cast::<FrameHeader>().read_unaligned();
        let rest = frames.get_unchecked(HEADER_BYTES..);
        let (name, rest) = rest.split_at_unchecked(header.name_len as usize);
        let (references, rest) = rest.split_at_unchecked(header.references_len as usize);
        let (tags, rest) = rest.split_at_unchecked(header.tags_len as usize);
        let (logs, rest) = rest.split_at_unchecked(header.logs_len as usize);
        let span = FinishedSpan {
            header,
            operation_name: str::from_utf8_unchecked(name),
            references,
            tags,
            logs,
        };
        (span, rest)
    }
}

const HEADER_BYTES: usize = 80;

/// A span that has been finished, as a reporter sees it: a view, valid during the call.
///
/// The tags hold each key once. [`FinishedSpan::to_owned`] copies it.
#[derive(Clone, Copy, Debug)]
pub struct FinishedSpan<'a> {
    header: FrameHeader,
    operation_name: &'a str,
    references: &'a [u8],
    tags: &'a [u8],
    logs: &'a [u8],
}

impl<'a> FinishedSpan<'a> {
    /// A span in memory that is no frame. Its log records are in one part.
    pub(crate) fn new(header: FrameHeader, bytes: FrameBytes<'a>) -> Self {
        Self {
            header,
            operation_name: bytes.operation_name,
            references: bytes.references,
            tags: bytes.tags,
            logs: bytes.logs[0],
        }
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
        self.operation_name
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
        Tags::new(self.tags, self.header.tag_count as usize)
    }

    /// Its log records.
    pub fn logs(&self) -> Logs<'a> {
        Logs::new(self.logs, self.header.log_count as usize)
    }

    /// All its references, the parent's included.
    pub fn references(&self) -> References<'a> {
        References::new(
            self.parent_reference(),
            self.references,
            self.header.reference_count as usize,
        )
    }

    /// The reference to the parent, where it is not among those in [`reference_bytes`](Self::reference_bytes).
    pub(crate) fn parent_reference(&self) -> Option<SpanReference> {
        let kind = self.header.parent_reference.kind()?;
        let parent_id = self.header.parent_id?;
        Some(SpanReference::new(kind, self.header.trace_id, parent_id))
    }

    /// A copy that lives on.
    pub fn to_owned(&self) -> OwnedSpan {
        OwnedSpan {
            trace_id: self.trace_id(),
            span_id: self.span_id(),
            parent_id: self.parent_id(),
            flags: self.flags(),
            operation_name: self.operation_name.to_owned(),
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

    pub(crate) fn header(&self) -> &FrameHeader {
        &self.header
    }

    pub(crate) fn frame_bytes(&self) -> FrameBytes<'a> {
        FrameBytes {
            operation_name: self.operation_name,
            references: self.references,
            tags: self.tags,
            logs: [self.logs, &[]],
        }
    }

    /// `Tag` structs in the compact protocol, `header().tag_count` of them.
    pub(crate) fn tag_bytes(&self) -> &'a [u8] {
        self.tags
    }

    /// `Log` structs in the compact protocol, `header().log_count` of them.
    pub(crate) fn log_bytes(&self) -> &'a [u8] {
        self.logs
    }

    /// `SpanRef` structs in the compact protocol, `header().reference_count` of them.
    pub(crate) fn reference_bytes(&self) -> &'a [u8] {
        self.references
    }

    /// Has `more` tags before its own, all of which are `tags` now.
    #[inline]
    pub(super) fn put_tags_before(&mut self, tags: &'a [u8], more: u32) {
        self.tags = tags;
        self.header.tag_count += more;
        self.header.kind = FrameKind::Usual;
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
            log_count,
            has_repeated_keys: false,
            ..self.header
        };
        FinishedSpan {
            header,
            tags,
            logs,
            ..*self
        }
    }
}

fn owned_tags(tags: Tags<'_>) -> Vec<LogField> {
    tags.filter_map(|(key, value)| Some(Tag::new(key.to_owned(), value.to_value()?)))
        .collect()
}

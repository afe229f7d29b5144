//! A finished span as it lies in a ring: a fixed header, then its bytes.

use std::borrow::Cow;
use std::str;
use std::time::Duration;

use crate::model::{
    FieldRef, Flags, LogField, LogRecord, ReferenceType, SpanId, SpanReference, Tag, TagRef,
    Timestamp, TraceId,
};
use crate::record::append::Appender;
use crate::record::encode::{Logs, References, Tags, write_log, write_reference, write_tag};

/// The fixed part of a frame: what the worker prints as varints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameHeader {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) parent_id: Option<SpanId>,
    pub(crate) flags: Flags,
    pub(crate) start: Timestamp,
    pub(crate) duration_micros: u64,
    pub(crate) tag_count: u32,
    pub(crate) log_count: u32,
    /// How many references lie in the frame's bytes.
    pub(crate) reference_count: u32,
    /// The reference before those: to the parent, in the same trace. It is nearly always the only one, and need not be
    /// written twice.
    pub(crate) parent_reference: Option<ReferenceType>,
    /// A key may have been set twice: the reader keeps the last value in the first one's place.
    pub(crate) has_repeated_keys: bool,
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

impl FrameHeader {
    /// All references, the one to the parent included.
    pub(crate) fn all_references(&self) -> u32 {
        self.reference_count + u32::from(self.parent_reference.is_some())
    }
}

/// Appends a frame.
pub(crate) fn write_frame(out: &mut Vec<u8>, header: &FrameHeader, bytes: &FrameBytes<'_>) {
    out.reserve(bytes.frame_len());
    // SAFETY: room was made for the frame.
    unsafe { write_frame_in_place(out, header, bytes) };
}

/// The same where there is room: the header goes from registers into the ring.
///
/// # Safety
///
/// `out` has a capacity for `bytes.frame_len()` bytes more.
#[inline(always)]
pub(super) unsafe fn write_frame_in_place(
    out: &mut Vec<u8>,
    header: &FrameHeader,
    bytes: &FrameBytes<'_>,
) {
    let parent_reference = match header.parent_reference {
        None => 0,
        Some(ReferenceType::ChildOf) => CHILD_OF_PARENT,
        Some(ReferenceType::FollowsFrom) => FOLLOWS_FROM_PARENT,
    };
    let repeated_keys = if header.has_repeated_keys {
        REPEATED_KEYS
    } else {
        0
    };
    let words = [
        header.trace_id.high(),
        header.trace_id.low(),
        header.span_id.get(),
        header.parent_id.map_or(0, SpanId::get),
        header.start.as_micros() as u64,
        header.duration_micros,
    ];
    let halves = [
        bytes.operation_name.len() as u32,
        bytes.references.len() as u32,
        bytes.tags.len() as u32,
        bytes.logs_len() as u32,
        header.tag_count,
        header.log_count,
        header.reference_count,
        u32::from(header.flags.bits()) | parent_reference | repeated_keys,
    ];
    // SAFETY: a frame is six words, eight halves and these slices, `frame_len` is their sum, and the caller has made
    // room for it.
    unsafe {
        let mut out = Appender::in_place(out);
        for word in words {
            out.array(word.to_le_bytes());
        }
        for half in halves {
            out.array(half.to_le_bytes());
        }
        out.bytes(bytes.operation_name.as_bytes());
        if !bytes.references.is_empty() {
            out.bytes(bytes.references);
        }
        out.bytes(bytes.tags);
        if bytes.logs_len() > 0 {
            out.bytes(bytes.logs[0]);
            out.bytes(bytes.logs[1]);
        }
        out.finish();
    }
}

/// Marks in the word beside the flags.
const REPEATED_KEYS: u32 = 1 << 8;
const CHILD_OF_PARENT: u32 = 1 << 9;
const FOLLOWS_FROM_PARENT: u32 = 1 << 10;

/// Reads the frame at the start of `bytes` and returns it with the bytes behind it.
///
/// `None` at the end, or where the bytes are no frame.
pub(crate) fn read_frame(bytes: &[u8]) -> Option<(FinishedSpan<'_>, &[u8])> {
    let (words, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let word = |n: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&words[n * 8..n * 8 + 8]);
        u64::from_le_bytes(word)
    };
    let (name_len, references_len) = unpair(word(6));
    let (tags_len, logs_len) = unpair(word(7));
    let (tag_count, log_count) = unpair(word(8));
    let (reference_count, marks) = unpair(word(9));
    let (name, rest) = rest.split_at_checked(name_len as usize)?;
    let (references, rest) = rest.split_at_checked(references_len as usize)?;
    let (tags, rest) = rest.split_at_checked(tags_len as usize)?;
    let (logs, rest) = rest.split_at_checked(logs_len as usize)?;
    let span = FinishedSpan {
        header: FrameHeader {
            trace_id: TraceId::new(word(0), word(1))?,
            span_id: SpanId::new(word(2))?,
            parent_id: SpanId::new(word(3)),
            flags: Flags::from_bits(marks as u8),
            start: Timestamp::from_micros(word(4) as i64),
            duration_micros: word(5),
            tag_count,
            log_count,
            reference_count,
            parent_reference: if marks & CHILD_OF_PARENT != 0 {
                Some(ReferenceType::ChildOf)
            } else if marks & FOLLOWS_FROM_PARENT != 0 {
                Some(ReferenceType::FollowsFrom)
            } else {
                None
            },
            has_repeated_keys: marks & REPEATED_KEYS != 0,
        },
        operation_name: str::from_utf8(name).ok()?,
        references,
        tags,
        logs,
    };
    Some((span, rest))
}

const HEADER_BYTES: usize = 80;

fn unpair(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

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
        self.header.start
    }

    /// How long it took, in whole microseconds and at least one: backends warn of spans without a length.
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.header.duration_micros)
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
        let kind = self.header.parent_reference?;
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
        look(&FinishedSpan {
            header: FrameHeader {
                trace_id: self.trace_id,
                span_id: self.span_id,
                parent_id: self.parent_id,
                flags: self.flags,
                start: self.start,
                duration_micros: u64::try_from(self.duration.as_micros()).unwrap_or(u64::MAX),
                tag_count: self.tags.len() as u32,
                log_count: self.logs.len() as u32,
                reference_count: self.references.len() as u32,
                parent_reference: None,
                has_repeated_keys: false,
            },
            operation_name: &self.operation_name,
            references: &references,
            tags: &tags,
            logs: &logs,
        })
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

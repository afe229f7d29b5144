//! The frame of a finished span in a thread queue: a fixed header, then its bytes. [`queue`](super) has a picture.

use std::mem::offset_of;

use crate::model::{Flags, ReferenceType, SpanId, Timestamp, TraceId};
use crate::record::wire::appender::Appender;

/// The fixed part of a frame, as it lies in memory. The worker encodes its numbers.
///
/// An open span keeps a header that lacks its [end](FrameEnd) only, so that finishing is little more than a copy.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct FrameHeader {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) parent_id: Option<SpanId>,
    /// Nanoseconds since the Unix epoch, or microseconds, by `kind`.
    pub(crate) start: i64,
    /// Nanoseconds or microseconds, by `kind`.
    pub(crate) duration: u64,
    /// Set only in a frame, as `tags_len`.
    pub(crate) name_len: u32,
    pub(crate) tags_len: u32,
    pub(crate) tag_count: u32,
    pub(crate) flags: Flags,
    /// The reference to the parent, unless it is among those in the bytes.
    pub(crate) parent_reference: ParentReference,
    pub(crate) kind: FrameKind,
    pub(crate) frame_flags: FrameFlags,
}

/// Properties of a frame that most frames do not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct FrameFlags(u8);

impl FrameFlags {
    const REPEATED_KEYS: u8 = 1;
    const LISTS: u8 = 2;

    #[inline(always)]
    fn new(has_repeated_keys: bool, has_lists: bool) -> Self {
        let repeated_keys = u8::from(has_repeated_keys) * Self::REPEATED_KEYS;
        Self(repeated_keys | (u8::from(has_lists) * Self::LISTS))
    }

    /// Returns whether a tag key may occur twice. The worker then puts its last value in the place of the first.
    #[inline]
    pub(crate) fn has_repeated_keys(self) -> bool {
        self.0 & Self::REPEATED_KEYS != 0
    }

    /// Returns whether [`ListLengths`] follow the header.
    #[inline]
    pub(crate) fn has_lists(self) -> bool {
        self.0 & Self::LISTS != 0
    }
}

/// The second part of the header, in frames with encoded references or log records.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct ListLengths {
    pub(crate) references_len: u32,
    pub(crate) logs_len: u32,
    pub(crate) reference_count: u32,
    pub(crate) log_count: u32,
}

/// The kind of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum FrameKind {
    #[default]
    Standard = 0,
    /// The span also has the tags of a constant sampler, which are not in the frame. The
    /// [span queue](super::span_queue::SpanQueue) prepends them when it reports the span.
    WithSamplerTags = 1,
    /// Start and duration are in microseconds: a span that a caller builds by hand may have any time.
    InMicros = 2,
}

/// The reference to a parent in the same trace. It is nearly always the only reference, and the header has both of its
/// ids.
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
    /// Makes the header of a span that has ids and nothing else.
    pub(crate) fn new(trace_id: TraceId, span_id: SpanId) -> Self {
        Self {
            trace_id,
            span_id,
            parent_id: None,
            start: 0,
            duration: 0,
            name_len: 0,
            tags_len: 0,
            tag_count: 0,
            flags: Flags::default(),
            parent_reference: ParentReference::None,
            kind: FrameKind::Standard,
            frame_flags: FrameFlags::default(),
        }
    }

    /// Returns the part that an open span does not know.
    pub(crate) fn end(&self) -> FrameEnd {
        FrameEnd {
            duration: self.duration,
            flags: self.flags,
            tag_count: self.tag_count,
            has_repeated_keys: self.frame_flags.has_repeated_keys(),
        }
    }

    /// Returns this header with another end.
    pub(crate) fn with_end(self, end: FrameEnd) -> Self {
        Self {
            duration: end.duration,
            flags: end.flags,
            tag_count: end.tag_count,
            frame_flags: FrameFlags::new(end.has_repeated_keys, false),
            ..self
        }
    }

    /// Returns when the span started, in whole microseconds.
    pub(crate) fn start(&self) -> Timestamp {
        if self.kind == FrameKind::InMicros {
            Timestamp::from_micros(self.start)
        } else {
            Timestamp::from_nanos(self.start)
        }
    }

    /// Returns how long the span took, in whole microseconds. At least one, because backends warn of spans without a
    /// length.
    pub(crate) fn duration_micros(&self) -> u64 {
        if self.kind == FrameKind::InMicros {
            self.duration
        } else {
            (self.duration / 1_000).max(1)
        }
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

/// The variable part of a frame.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FrameBytes<'a> {
    pub(crate) operation_name: &'a str,
    pub(crate) tags: &'a [u8],
    pub(crate) references: &'a [u8],
    pub(crate) reference_count: u32,
    /// The first log records and the newest ones: a span may have left out those in the middle.
    pub(crate) logs: [&'a [u8]; 2],
    pub(crate) log_count: u32,
}

impl FrameBytes<'_> {
    #[inline(always)]
    fn has_lists(&self) -> bool {
        self.reference_count | self.log_count != 0
    }

    fn logs_len(&self) -> usize {
        self.logs[0].len() + self.logs[1].len()
    }

    /// Returns the size of the whole frame, in bytes.
    #[inline]
    pub(crate) fn frame_len(&self) -> usize {
        let common = HEADER_BYTES + self.operation_name.len() + self.tags.len();
        if self.has_lists() {
            common + size_of::<ListLengths>() + self.references.len() + self.logs_len()
        } else {
            common
        }
    }
}

/// The part of a header that is unknown until the span ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameEnd {
    /// In the unit of the header.
    pub(crate) duration: u64,
    pub(crate) flags: Flags,
    pub(crate) tag_count: u32,
    pub(crate) has_repeated_keys: bool,
}

/// Appends a frame: the header of the open span with its end, and the bytes.
///
/// # Safety
///
/// `out` has room for `bytes.frame_len()` bytes more, which are at most 4 GiB.
#[inline(always)]
pub(crate) unsafe fn write_frame(
    out: &mut Vec<u8>,
    header: &FrameHeader,
    end: FrameEnd,
    bytes: &FrameBytes<'_>,
) {
    // Copied word by word, because the start of a short span has stored these words a moment ago, and a larger load
    // would defeat store forwarding. Volatile, because the compiler would merge other reads into a larger one.
    let word = |n: usize| {
        // SAFETY: a header has no padding, is aligned, and begins with `IDENTITY_WORDS` words.
        unsafe { (&raw const *header).cast::<u64>().add(n).read_volatile() }
    };
    // SAFETY: a frame is a header, its second part if there are lists, and these slices. The caller has reserved their
    // sum, `frame_len`. Neither part has padding, and the fields of the first are written in order.
    unsafe {
        let mut out = Appender::with_room(out);
        for n in 0..IDENTITY_WORDS {
            out.value(word(n));
        }
        out.value(end.duration);
        out.value(bytes.operation_name.len() as u32);
        out.value(bytes.tags.len() as u32);
        out.value(end.tag_count);
        out.value(end.flags);
        out.value(header.parent_reference);
        out.value(header.kind);
        out.value(FrameFlags::new(end.has_repeated_keys, bytes.has_lists()));
        if bytes.has_lists() {
            out.value(ListLengths {
                references_len: bytes.references.len() as u32,
                logs_len: bytes.logs_len() as u32,
                reference_count: bytes.reference_count,
                log_count: bytes.log_count,
            });
        }
        out.bytes(bytes.operation_name.as_bytes());
        if !bytes.tags.is_empty() {
            out.bytes(bytes.tags);
        }
        if bytes.has_lists() {
            for part in [bytes.references, bytes.logs[0], bytes.logs[1]] {
                if !part.is_empty() {
                    out.bytes(part);
                }
            }
        }
        out.finish();
    }
}

/// The ids and the start, in words.
const IDENTITY_WORDS: usize = offset_of!(FrameHeader, duration) / size_of::<u64>();

/// The size of a [`FrameHeader`].
pub(crate) const HEADER_BYTES: usize = 64;

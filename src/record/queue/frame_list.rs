//! Frames, one behind the other in one piece of memory.

use std::str;

use crate::record::queue::finished_span::FinishedSpan;
use crate::record::queue::frame::{
    FrameBytes, FrameEnd, FrameHeader, HEADER_BYTES, ListLengths, write_frame,
};

/// A list of frames in one piece of memory.
///
/// It holds whole frames only, so it reads them without validation.
#[derive(Debug, Default)]
pub(crate) struct FrameList {
    bytes: Vec<u8>,
    /// Where [`read_on`](Self::read_on) continues: at the beginning, or behind a whole frame.
    read: usize,
}

impl FrameList {
    /// Makes an empty list in this memory.
    pub(crate) fn in_memory(mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        Self { bytes, read: 0 }
    }

    /// Returns the memory, emptied.
    pub(crate) fn into_memory(mut self) -> Vec<u8> {
        self.bytes.clear();
        self.bytes
    }

    /// Appends a frame. Returns false, and appends nothing, if the frame would exceed 4 GiB.
    #[inline]
    pub(crate) fn push(&mut self, header: &FrameHeader, bytes: &FrameBytes<'_>) -> bool {
        let fits = u32::try_from(bytes.frame_len()).is_ok();
        if fits {
            self.bytes.reserve(bytes.frame_len());
            // SAFETY: room for the frame is reserved, and it is not too large.
            unsafe { write_frame(&mut self.bytes, header, header.end(), bytes) };
        }
        fits
    }

    /// Appends the frame of an open span at its end, into memory that has room for it.
    ///
    /// # Safety
    ///
    /// The memory has room for `bytes.frame_len()` bytes more, which are at most 4 GiB.
    #[inline(always)]
    pub(crate) unsafe fn push_in_place(
        &mut self,
        header: &FrameHeader,
        end: FrameEnd,
        bytes: &FrameBytes<'_>,
    ) {
        // SAFETY: the caller's promise.
        unsafe { write_frame(&mut self.bytes, header, end, bytes) };
    }

    pub(crate) fn iter(&self) -> Frames<'_> {
        Frames { rest: &self.bytes }
    }

    /// Reads on behind the last span that an earlier call read, until `read` returns false. Returns whether every span
    /// has been read.
    #[inline]
    pub(crate) fn read_on<'a>(
        &'a mut self,
        mut read: impl FnMut(FinishedSpan<'a>) -> bool,
    ) -> bool {
        let Self { bytes, read: at } = self;
        let bytes = &**bytes;
        // `at` is 0 or the end of a frame, so the rest is whole frames.
        let mut left = Frames {
            rest: &bytes[*at..],
        };
        while let Some(span) = left.next() {
            // Set before the call, so that a span on which `read` panics is not read again.
            *at = bytes.len() - left.rest.len();
            if !read(span) {
                break;
            }
        }
        left.rest.is_empty()
    }

    /// Removes the first `count` frames.
    pub(crate) fn remove_first(&mut self, count: usize) {
        let mut left = self.iter();
        left.by_ref().take(count).for_each(drop);
        let removed = self.bytes.len() - left.rest.len();
        self.bytes.drain(..removed);
        self.read = self.read.saturating_sub(removed);
    }

    /// Removes all frames. Keeps the memory if that is at most `kept` bytes.
    pub(crate) fn clear(&mut self, kept: usize) {
        if self.bytes.capacity() > kept {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
        self.read = 0;
    }

    pub(crate) fn shrink_to_fit(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Returns the size of all frames, in bytes.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    #[inline(always)]
    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.bytes.as_ptr()
    }
}

/// An iterator over the spans of a [`FrameList`], the oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Frames<'a> {
    /// Whole frames.
    rest: &'a [u8],
}

impl<'a> Iterator for Frames<'a> {
    type Item = FinishedSpan<'a>;

    #[inline]
    fn next(&mut self) -> Option<FinishedSpan<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        // SAFETY: the rest is whole frames, and it is not empty.
        let (span, rest) = unsafe { read_frame(self.rest) };
        self.rest = rest;
        Some(span)
    }
}

/// Reads the first frame, and returns it with the frames behind it.
///
/// # Safety
///
/// `frames` is one or more frames that [`write_frame`] has written.
#[inline]
unsafe fn read_frame(frames: &[u8]) -> (FinishedSpan<'_>, &[u8]) {
    // SAFETY: a frame begins with the bytes of a header, followed by slices of the lengths in it. Those lengths did fit
    // into their fields. The first slice was a `str`.
    unsafe {
        let header = frames.as_ptr().cast::<FrameHeader>();
        // Read one by one, so that the header as a whole is copied once, to its final place.
        let name_len = (&raw const (*header).name_len).read_unaligned();
        let tags_len = (&raw const (*header).tags_len).read_unaligned();
        let frame_flags = (&raw const (*header).frame_flags).read_unaligned();
        let mut rest = frames.get_unchecked(HEADER_BYTES..);
        let mut lists = ListLengths {
            references_len: 0,
            logs_len: 0,
            reference_count: 0,
            log_count: 0,
        };
        if frame_flags.has_lists() {
            lists = rest.as_ptr().cast::<ListLengths>().read_unaligned();
            rest = rest.get_unchecked(size_of::<ListLengths>()..);
        }
        let (name, rest) = rest.split_at_unchecked(name_len as usize);
        let (tags, rest) = rest.split_at_unchecked(tags_len as usize);
        let (references, rest) = rest.split_at_unchecked(lists.references_len as usize);
        let (logs, rest) = rest.split_at_unchecked(lists.logs_len as usize);
        let bytes = FrameBytes {
            operation_name: str::from_utf8_unchecked(name),
            tags,
            references,
            reference_count: lists.reference_count,
            logs: [logs, &[]],
            log_count: lists.log_count,
        };
        let header = header.read_unaligned();
        (FinishedSpan::new(header, bytes), rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SpanId, TraceId};
    use crate::record::OwnedSpan;

    fn push(frames: &mut FrameList, name: &str) {
        let (trace_id, span_id) = (TraceId::new(0, 1), SpanId::new(2));
        let ids = trace_id.zip(span_id).expect("not zero");
        let span = OwnedSpan::new(ids.0, ids.1, name);
        assert!(span.view(|span| frames.push(span.header(), &span.frame_bytes())));
    }

    fn names(frames: &FrameList) -> Vec<&str> {
        frames.iter().map(|span| span.operation_name()).collect()
    }

    #[test]
    fn remove_first_removes_whole_frames() {
        let mut frames = FrameList::default();
        for name in ["a", "", "é", "longer than the others"] {
            push(&mut frames, name);
        }
        frames.remove_first(0);
        assert_eq!(names(&frames), ["a", "", "é", "longer than the others"]);
        frames.remove_first(2);
        assert_eq!(names(&frames), ["é", "longer than the others"]);
        frames.remove_first(3);
        assert!(names(&frames).is_empty());
    }

    #[test]
    fn read_on_continues_behind_the_last_frame_it_read() {
        let mut frames = FrameList::default();
        for name in ["a", "", "é", "longer than the others"] {
            push(&mut frames, name);
        }
        let read = |frames: &mut FrameList, count: usize| {
            let mut names = Vec::new();
            let is_done = frames.read_on(|span| {
                names.push(span.operation_name().to_owned());
                names.len() < count
            });
            (names, is_done)
        };
        assert_eq!(read(&mut frames, 1).0, ["a"]);
        assert_eq!(
            read(&mut frames, 2),
            (vec![String::new(), "é".into()], false)
        );
        frames.remove_first(1);
        let (rest, is_done) = read(&mut frames, 9);
        assert!(is_done && rest == ["longer than the others"], "{rest:?}");
        push(&mut frames, "later");
        assert_eq!(read(&mut frames, 1), (vec!["later".into()], true));
        assert_eq!(read(&mut frames, 1), (vec![], true));
        frames.remove_first(4);
        push(&mut frames, "again");
        assert_eq!(read(&mut frames, 1).0, ["again"]);
    }

    #[test]
    fn reused_memory_holds_no_old_frames() {
        let mut frames = FrameList::default();
        push(&mut frames, "old");
        let mut frames = FrameList::in_memory(frames.into_memory());
        assert!(names(&frames).is_empty());
        push(&mut frames, "new");
        assert_eq!(names(&frames), ["new"]);
    }
}

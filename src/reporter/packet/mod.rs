//! Packets: encoded spans with exact sizes, from which messages of any size are cut.
//!
//! ```text
//!  bytes: [ head-room ......... | span | span | span | ... ]
//!                   head ─────► ◄──────  part  ──────► ◄ tail
//! ```
//!
//! Spans are encoded one behind the other. A message is any run of them with a head in front (header, process, list
//! header) and a tail behind (number, statistics, ends). The head overwrites spans that were sent or the head-room, and
//! what the tail overwrites is put back. So no span is copied to send a packet or to split it.

mod binary;
mod compact;
mod marks;
mod shrink;
mod times;

use std::ops::Range;

use crate::metrics::{Counter, DropCause, DropCounts, Metrics};
use crate::model::Process;
use crate::record::wire::encode::varint_len;
use crate::record::{self, FinishedSpan, FrameKind, FrameList, LastTrace};
use crate::reporter::packet::shrink::Loss;
use crate::reporter::sender::BatchFormat;

/// The name of a message: the agent's one method.
const METHOD: &[u8] = b"emitBatch";
/// The message type of a Thrift call without an answer.
const ONEWAY: u8 = 4;
/// An upper bound of the head's length without the process, which is 36 bytes in the binary protocol.
const HEAD_BYTES: usize = 40;
/// The length of the longest list header.
const LIST_HEADER_BYTES: usize = 6;
/// The size from which a span can be made smaller later, because a copy of its frame is kept beside the packet.
const KEEP_FROM: usize = 512;

/// The numbers in a batch that tell the agent of batches and losses so far. Cumulative; the first batch is number 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) seq_no: u64,
    pub(super) full_queue: u64,
    pub(super) too_large: u64,
    pub(super) failed: u64,
}

impl Numbers {
    /// Joins the losses in the queue and those in the reporter, `sending`.
    pub(super) fn new(seq_no: u64, queue: &DropCounts, sending: &DropCounts) -> Self {
        let too_large = sending.get(DropCause::TooLarge);
        Self {
            seq_no,
            full_queue: queue.get(DropCause::QueueFull),
            too_large,
            failed: sending.total() - too_large,
        }
    }

    fn stats(&self) -> [u64; 3] {
        [self.full_queue, self.too_large, self.failed]
    }
}

/// Encoded spans of one process, from which messages are cut.
pub(super) struct Packet {
    format: BatchFormat,
    /// The encoded `Process` struct.
    process: Vec<u8>,
    /// The head-room, then the encoded `Span` structs, up to `end`.
    bytes: Vec<u8>,
    end: usize,
    /// Where each span ends in `bytes`.
    ends: Vec<usize>,
    /// The start of the next message, up to the header of its list of spans.
    head: Vec<u8>,
    /// The rest of the next message, behind its spans.
    tail: Vec<u8>,
    /// While `end` is less than this, a message with all spans is smaller than its limit.
    check_from: usize,
    /// The bytes that the last message's tail overwrote, until they are put back at `displaced_at`.
    displaced: Vec<u8>,
    displaced_at: usize,
    /// The frames of the spans in `kept`, one each.
    frames: FrameList,
    kept: Vec<Kept>,
    scratch: Vec<u8>,
    last: LastTrace,
    changes: Changes,
}

/// Counts of what was changed on spans so that they can be sent.
#[derive(Default)]
struct Changes {
    clamped_times: u64,
    dropped_items: u64,
    truncated_values: u64,
}

/// A span whose frame is kept, so that it can be made smaller.
struct Kept {
    span: usize,
    /// `None` before the span was made smaller.
    loss: Option<Loss>,
}

/// The result of [`Packet::shrink`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shrunk {
    /// The span fits. It was made smaller for the first time.
    First,
    /// The span fits. It was made smaller before.
    Again,
    /// The span does not fit.
    No,
}

impl Packet {
    pub(super) fn new(format: BatchFormat, process: &Process) -> Self {
        let mut encoded = Vec::new();
        match format {
            BatchFormat::Compact => compact::write_process(&mut encoded, process),
            BatchFormat::Binary => binary::write_process(&mut encoded, process),
        }
        Self {
            format,
            bytes: vec![0; HEAD_BYTES + encoded.len()],
            end: HEAD_BYTES + encoded.len(),
            process: encoded,
            ends: Vec::new(),
            head: Vec::new(),
            tail: Vec::new(),
            check_from: 0,
            displaced: Vec::new(),
            displaced_at: 0,
            frames: FrameList::default(),
            kept: Vec::new(),
            scratch: Vec::new(),
            last: LastTrace::default(),
            changes: Changes::default(),
        }
    }

    /// Writes the head and tail of the next message, which should have at most `limit` bytes. Sizes count them.
    pub(super) fn begin(&mut self, seqid: u32, numbers: Option<&Numbers>, limit: usize) {
        self.head.clear();
        self.tail.clear();
        match self.format {
            BatchFormat::Compact => {
                compact::write_head(&mut self.head, seqid, &self.process);
                compact::write_tail(&mut self.tail, numbers);
            }
            BatchFormat::Binary => {
                binary::write_head(&mut self.head, seqid, &self.process);
                binary::write_tail(&mut self.tail, numbers);
            }
        }
        let envelope = self.head.len() + LIST_HEADER_BYTES + self.tail.len();
        self.check_from = limit
            .saturating_sub(envelope)
            .saturating_add(self.head_room());
    }

    /// Encodes one more span. Returns whether the caller should check the size, which it always should for the first
    /// span.
    #[inline]
    pub(super) fn push(&mut self, span: &FinishedSpan<'_>) -> bool {
        if span.header().kind == FrameKind::InMicros {
            return self.push_clamped(span);
        }
        self.push_unchanged(span)
    }

    #[cold]
    fn push_clamped(&mut self, span: &FinishedSpan<'_>) -> bool {
        times::show_clamped(span, |span, moved| {
            self.changes.clamped_times += moved;
            self.push_unchanged(span)
        })
    }

    #[inline]
    fn push_unchanged(&mut self, span: &FinishedSpan<'_>) -> bool {
        let start = self.end;
        let end = write_span(self.format, &mut self.bytes, start, span, &mut self.last);
        if end - start >= KEEP_FROM {
            self.keep(span);
        }
        self.end = end;
        self.ends.push(end);
        end >= self.check_from
    }

    /// Makes one span smaller until a message with it alone has at most `limit` bytes.
    pub(super) fn shrink(&mut self, span: usize, limit: usize) -> Shrunk {
        let (Some(room), Ok(at)) = (
            limit.checked_sub(self.envelope_size()),
            self.kept.binary_search_by_key(&span, |kept| kept.span),
        ) else {
            return Shrunk::No;
        };
        let kept = &mut self.kept[at];
        let Some(original) = self.frames.iter().nth(at) else {
            return Shrunk::No;
        };
        let (format, scratch, last) = (self.format, &mut self.scratch, &mut self.last);
        let mut len = 0;
        let loss = shrink::shrink(&original, |smaller| {
            len = write_span(format, scratch, 0, smaller, last);
            len <= room
        });
        let Some(loss) = loss else {
            return Shrunk::No;
        };
        let before = kept.loss.replace(loss);
        let counted = before.unwrap_or_default();
        self.changes.dropped_items += loss.items.saturating_sub(counted.items);
        self.changes.truncated_values += loss.values.saturating_sub(counted.values);
        let old = self.start_of(span)..self.start_of(span + 1);
        for end in &mut self.ends[span..] {
            *end = *end + len - old.len();
        }
        self.end = self.end + len - old.len();
        self.bytes.splice(old, self.scratch[..len].iter().copied());
        if before.is_none() {
            Shrunk::First
        } else {
            Shrunk::Again
        }
    }

    /// Adds the changes since the last call to the metrics.
    pub(super) fn count_changes(&mut self, metrics: &Metrics) {
        let changes = std::mem::take(&mut self.changes);
        metrics.add(Counter::ClampedTimes, changes.clamped_times);
        metrics.add(Counter::DroppedItems, changes.dropped_items);
        metrics.add(Counter::TruncatedValues, changes.truncated_values);
    }

    /// Removes the first `count` spans.
    pub(super) fn remove_first(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        let start = self.start_of(count);
        let shift = start - self.head_room();
        self.bytes.copy_within(start..self.end, start - shift);
        self.end -= shift;
        self.ends.drain(..count);
        if self.ends.is_empty() {
            self.check_from = 0;
        }
        for end in &mut self.ends {
            *end -= shift;
        }
        let kept = self.kept.len();
        self.kept.retain_mut(|kept| {
            let stays = kept.span >= count;
            kept.span = kept.span.wrapping_sub(count);
            stays
        });
        self.frames.remove_first(kept - self.kept.len());
    }

    /// Returns the message with these spans, at least one. The caller must call [`Packet::restore`] before anything
    /// else.
    pub(super) fn message(&mut self, spans: Range<usize>) -> &[u8] {
        let (start, end) = (self.start_of(spans.start), self.start_of(spans.end));
        let head_len = self.head.len();
        match self.format {
            BatchFormat::Compact => compact::write_list_header(&mut self.head, spans.len()),
            BatchFormat::Binary => binary::write_list_header(&mut self.head, spans.len()),
        }
        let from = start - self.head.len();
        self.bytes[from..start].copy_from_slice(&self.head);
        self.head.truncate(head_len);

        let tail_end = end + self.tail.len();
        if self.bytes.len() < tail_end {
            self.bytes.resize(tail_end, 0);
        }
        let under_tail = end..tail_end.min(self.end);
        self.displaced.clear();
        self.displaced.extend_from_slice(&self.bytes[under_tail]);
        self.displaced_at = end;
        self.bytes[end..tail_end].copy_from_slice(&self.tail);
        &self.bytes[from..tail_end]
    }

    /// Puts back the bytes that the last message's tail overwrote.
    pub(super) fn restore(&mut self) {
        let end = self.displaced_at + self.displaced.len();
        self.bytes[self.displaced_at..end].copy_from_slice(&self.displaced);
        self.displaced.clear();
    }

    /// Returns the number of spans.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns how long a message with all spans would be.
    pub(super) fn size(&self) -> usize {
        self.head.len()
            + self.list_header_len(self.ends.len())
            + (self.end - self.head_room())
            + self.tail.len()
    }

    /// Returns how long a message with these spans would be.
    pub(super) fn size_of(&self, spans: Range<usize>) -> usize {
        self.head.len()
            + self.list_header_len(spans.len())
            + (self.start_of(spans.end) - self.start_of(spans.start))
            + self.tail.len()
    }

    /// Returns how long a message with one span is without the span.
    pub(super) fn envelope_size(&self) -> usize {
        self.head.len() + self.list_header_len(1) + self.tail.len()
    }

    /// Returns the end of the longest run of spans from `from` on whose message has at most `limit` bytes.
    ///
    /// The run has at least one span, however large.
    pub(super) fn fitting(&self, from: usize, end: usize, limit: usize) -> usize {
        if self.size_of(from..end) <= limit {
            return end;
        }
        let room = limit.saturating_sub(self.head.len() + self.tail.len());
        let start = self.start_of(from);
        let fits =
            |&to: &usize| self.start_of(to) - start + self.list_header_len(to - from) <= room;
        (from + 1..=end).take_while(fits).last().unwrap_or(from + 1)
    }

    /// Returns the operation name of a span that was large enough for its frame to be kept.
    pub(super) fn operation_name(&self, span: usize) -> Option<&str> {
        let at = self.kept.binary_search_by_key(&span, |kept| kept.span);
        let span = self.frames.iter().nth(at.ok()?)?;
        Some(span.operation_name())
    }

    #[cold]
    fn keep(&mut self, span: &FinishedSpan<'_>) {
        if self.frames.push(span.header(), &span.frame_bytes()) {
            self.kept.push(Kept {
                span: self.ends.len(),
                loss: None,
            });
        }
    }

    fn head_room(&self) -> usize {
        HEAD_BYTES + self.process.len()
    }

    /// Returns where a span begins, or where the last one ends.
    fn start_of(&self, span: usize) -> usize {
        match span.checked_sub(1) {
            None => self.head_room(),
            Some(before) => self.ends[before],
        }
    }

    fn list_header_len(&self, count: usize) -> usize {
        match self.format {
            BatchFormat::Compact if count < 15 => 1,
            BatchFormat::Compact => 1 + varint_len(count as u64),
            BatchFormat::Binary => 5,
        }
    }
}

/// Writes a span over the bytes of `out` from `at` on. Returns where it ends.
#[inline(always)]
fn write_span(
    format: BatchFormat,
    out: &mut Vec<u8>,
    at: usize,
    span: &FinishedSpan<'_>,
    last: &mut LastTrace,
) -> usize {
    out.truncate(at);
    match format {
        BatchFormat::Compact => record::write_span(out, span, last),
        BatchFormat::Binary => binary::write_span(out, span),
    }
    out.len()
}

#[cfg(test)]
mod tests;

//! Spans to one message: exact sizes, the envelope around them, splitting.
//!
//! ```text
//!  bytes: [ head-room ......... | span | span | span | ... ]
//!                   head ─────► ◄──────  part  ──────► ◄ tail
//! ```
//!
//! Spans are encoded one behind the other. A message is any run of them with a head written into the room in
//! front (header, process, list header) and a tail behind (number, statistics, ends); what the two overwrite
//! is put back or has been sent. So nothing is copied to send a packet, nor to split one.

mod binary;
mod compact;
mod marks;
mod shrink;
mod times;

use std::ops::Range;

use crate::metrics::{Counter, DropCause, DropCounts, Metrics};
use crate::model::Process;
use crate::record::encode::varint_len;
use crate::record::{self, FinishedSpan, FrameKind, Frames, LastTrace};
use crate::reporter::packet::shrink::Loss;
use crate::reporter::sender::BatchFormat;

/// The message's name, of the agent's one method.
const METHOD: &[u8] = b"emitBatch";
/// Thrift's message type for a call without an answer.
const ONEWAY: u8 = 4;
/// What the head takes beside the process, at most: 36 bytes in the binary protocol.
const HEAD_BYTES: usize = 40;
/// The longest header of a list.
const LIST_HEADER_BYTES: usize = 6;
/// Spans from this size on can be made smaller later: a copy of their frame is kept beside the packet.
const KEEP_FROM: usize = 512;

/// What the agent is told about the batches and spans so far. Cumulative, and from one on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) seq_no: u64,
    pub(super) full_queue: u64,
    pub(super) too_large: u64,
    pub(super) failed: u64,
}

impl Numbers {
    /// `queue` are the losses before the reporter, `sending` those in it.
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

/// Encoded spans of one process on their way into a message.
pub(super) struct Packet {
    format: BatchFormat,
    /// The `Process` struct.
    process: Vec<u8>,
    /// The head-room, then `Span` structs, up to `end`.
    bytes: Vec<u8>,
    end: usize,
    /// Where each span ends in `bytes`.
    ends: Vec<usize>,
    /// The next message up to the header of its list of spans.
    head: Vec<u8>,
    /// The next message behind its spans.
    tail: Vec<u8>,
    /// As long as `end` is less, a message with all spans is smaller than its limit.
    look_from: usize,
    /// What the tail of the last message overwrote, and where, until it is put back.
    displaced: Vec<u8>,
    displaced_at: usize,
    /// Of the spans in `kept`, one each.
    frames: Frames,
    kept: Vec<Kept>,
    scratch: Vec<u8>,
    last: LastTrace,
    changes: Changes,
}

/// What was changed of spans so that they can be sent, since it was last counted.
#[derive(Default)]
struct Changes {
    clamped_times: u64,
    dropped_items: u64,
    truncated_values: u64,
}

/// A span that could be made smaller.
struct Kept {
    span: usize,
    /// None before it was made smaller.
    loss: Option<Loss>,
}

/// What [`Packet::shrink`] could do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shrunk {
    /// The span fits now. It has not been made smaller before.
    First,
    /// The span fits now, smaller once more.
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
            look_from: 0,
            displaced: Vec::new(),
            displaced_at: 0,
            frames: Frames::default(),
            kept: Vec::new(),
            scratch: Vec::new(),
            last: LastTrace::default(),
            changes: Changes::default(),
        }
    }

    /// Writes the next message's head and tail, without which there is no size. It is to have `limit` bytes at most.
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
        self.look_from = limit
            .saturating_sub(envelope)
            .saturating_add(self.head_room());
    }

    /// Encodes one more span. Says whether it is time to look at the size: for the first span it always is.
    #[inline]
    pub(super) fn push(&mut self, span: &FinishedSpan<'_>) -> bool {
        if span.header().kind == FrameKind::InMicros {
            return self.push_made_by_hand(span);
        }
        self.push_as_it_is(span)
    }

    #[cold]
    fn push_made_by_hand(&mut self, span: &FinishedSpan<'_>) -> bool {
        times::show_clamped(span, |span, moved| {
            self.changes.clamped_times += moved;
            self.push_as_it_is(span)
        })
    }

    #[inline]
    fn push_as_it_is(&mut self, span: &FinishedSpan<'_>) -> bool {
        let start = self.end;
        let end = write_span(self.format, &mut self.bytes, start, span, &mut self.last);
        if end - start >= KEEP_FROM {
            self.keep(span);
        }
        self.end = end;
        self.ends.push(end);
        end >= self.look_from
    }

    /// Makes one span smaller until it is a message of at most `limit` bytes alone.
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
        let loss = shrink::degrade(&original, |smaller| {
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

    /// Counts what was changed of spans since the last time.
    pub(super) fn count_changes(&mut self, metrics: &Metrics) {
        let changes = std::mem::take(&mut self.changes);
        metrics.add(Counter::ClampedTimes, changes.clamped_times);
        metrics.add(Counter::DroppedItems, changes.dropped_items);
        metrics.add(Counter::TruncatedValues, changes.truncated_values);
    }

    /// Forgets the first `count` spans.
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
            self.look_from = 0;
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

    /// The message with these spans, at least one. [`Packet::restore`] comes before anything else then.
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

    /// Puts back what the last message's tail overwrote.
    pub(super) fn restore(&mut self) {
        let end = self.displaced_at + self.displaced.len();
        self.bytes[self.displaced_at..end].copy_from_slice(&self.displaced);
        self.displaced.clear();
    }

    /// How many spans there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How long the message with all spans would be.
    pub(super) fn size(&self) -> usize {
        self.head.len()
            + self.list_header_len(self.ends.len())
            + (self.end - self.head_room())
            + self.tail.len()
    }

    /// How long the message with these spans would be.
    pub(super) fn size_of(&self, spans: Range<usize>) -> usize {
        self.head.len()
            + self.list_header_len(spans.len())
            + (self.start_of(spans.end) - self.start_of(spans.start))
            + self.tail.len()
    }

    /// What a message with one span has beside it.
    pub(super) fn envelope_size(&self) -> usize {
        self.head.len() + self.list_header_len(1) + self.tail.len()
    }

    /// Up to which span a message may go that begins with `from`, so that it has at most `limit` bytes; one
    /// span, however large, is the least.
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

    /// The operation name of a span, where the span was large enough for a copy to be kept.
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

    /// Where a span begins, or where the last one ends.
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

/// Writes a span to `out` in place of all from `at` on, and returns where it ends.
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

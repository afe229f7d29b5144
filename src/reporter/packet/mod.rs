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
mod emit_batch;
mod encoding;
mod jaeger_proto;
mod marks;
mod otlp;
mod process;
mod protobuf;
mod shrink;
mod times;
mod zipkin;

use std::ops::Range;

pub(super) use emit_batch::Numbers;

use crate::metrics::{Counter, Metrics};
use crate::model::Process;
use crate::record::{FinishedSpan, FrameKind, FrameList};
use crate::reporter::packet::binary::Binary;
use crate::reporter::packet::compact::Compact;
use crate::reporter::packet::encoding::{Encoding, Envelope};
use crate::reporter::packet::jaeger_proto::JaegerProto;
use crate::reporter::packet::otlp::Otlp;
use crate::reporter::packet::shrink::Loss;
use crate::reporter::packet::zipkin::ZipkinJson;
use crate::reporter::sender::{Batch, BatchFormat};

/// The size from which a span can be made smaller later, because a copy of its frame is kept beside the packet.
const KEEP_FROM: usize = 512;

/// Encoded spans of one process, from which messages are cut.
pub(super) struct Packet {
    encoding: Box<dyn Encoding>,
    /// The number of bytes before the first span.
    head_room: usize,
    /// The size from which the frame of a span is kept.
    keep_from: usize,
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
        let encoding = encoding(format, process);
        let head_room = encoding.max_head_len();
        Self {
            encoding,
            head_room,
            keep_from: KEEP_FROM,
            bytes: vec![0; head_room],
            end: head_room,
            ends: Vec::new(),
            head: Vec::new(),
            tail: Vec::new(),
            check_from: 0,
            displaced: Vec::new(),
            displaced_at: 0,
            frames: FrameList::default(),
            kept: Vec::new(),
            scratch: Vec::new(),
            changes: Changes::default(),
        }
    }

    /// Keeps the frame of every span from now on, for [`Batch::spans`].
    pub(super) fn keep_spans(&mut self) {
        self.keep_from = 0;
    }

    /// Writes the head and tail of the next message, which should have at most `limit` bytes. Sizes count them.
    pub(super) fn begin(&mut self, seqid: u32, numbers: Option<&Numbers>, limit: usize) {
        self.head.clear();
        self.tail.clear();
        let envelope = Envelope { seqid, numbers };
        self.encoding
            .begin(&mut self.head, &mut self.tail, &envelope);
        let rest = self.head.len() + self.encoding.max_list_header_len() + self.tail.len();
        self.check_from = limit.saturating_sub(rest).saturating_add(self.head_room);
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
        let end = write_span(&mut *self.encoding, &mut self.bytes, start, span);
        if end - start >= self.keep_from {
            self.keep(span);
        }
        self.end = end;
        self.ends.push(end);
        end >= self.check_from
    }

    /// Makes one span smaller until a message with it alone has at most `limit` bytes.
    pub(super) fn shrink(&mut self, span: usize, limit: usize) -> Shrunk {
        let Ok(at) = self.kept.binary_search_by_key(&span, |kept| kept.span) else {
            return Shrunk::No;
        };
        let (head_len, tail_len) = (self.head.len(), self.tail.len());
        let kept = &mut self.kept[at];
        let Some(original) = self.frames.iter().nth(at) else {
            return Shrunk::No;
        };
        let (encoding, scratch) = (&mut *self.encoding, &mut self.scratch);
        let mut len = 0;
        let loss = shrink::shrink(&original, |smaller| {
            len = write_span(encoding, scratch, 0, smaller);
            let list_header_len = encoding.list_header_len(1, len);
            let message_len = head_len + list_header_len + len + tail_len;
            message_len <= limit + encoding.separator_len()
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
        let shift = start - self.head_room;
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

    /// Returns the batch of these spans, at least one. The caller must call [`Packet::restore`] before anything else.
    pub(super) fn batch(&mut self, spans: Range<usize>) -> Batch<'_> {
        let message = self.message(spans.clone());
        let batch = Batch::new(&self.bytes[message], spans.len() as u64);
        if self.keep_from > 0 {
            return batch;
        }
        let mut frames = self.frames.iter();
        frames.by_ref().take(spans.start).for_each(drop);
        batch.with_frames(frames)
    }

    /// Writes the message with these spans, at least one. Returns where it stands in `bytes`.
    fn message(&mut self, spans: Range<usize>) -> Range<usize> {
        let (start, end) = (self.start_of(spans.start), self.start_of(spans.end));
        let head_len = self.head.len();
        self.encoding
            .write_list_header(&mut self.head, spans.len(), end - start);
        let head_end = start + self.encoding.separator_len();
        let from = head_end - self.head.len();
        self.bytes[from..head_end].copy_from_slice(&self.head);
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
        from..tail_end
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
        self.message_len(self.ends.len(), self.end - self.head_room)
    }

    /// Returns how long a message with these spans would be.
    pub(super) fn size_of(&self, spans: Range<usize>) -> usize {
        let bytes = self.start_of(spans.end) - self.start_of(spans.start);
        self.message_len(spans.len(), bytes)
    }

    /// Returns how long a message with one span is without the span.
    pub(super) fn envelope_size(&self) -> usize {
        self.message_len(1, 0)
    }

    /// Returns the end of the longest run of spans from `from` on whose message has at most `limit` bytes.
    ///
    /// The run has at least one span, however large.
    pub(super) fn fitting(&self, from: usize, end: usize, limit: usize) -> usize {
        if self.size_of(from..end) <= limit {
            return end;
        }
        let fits = |&to: &usize| self.size_of(from..to) <= limit;
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

    /// Returns where a span begins, or where the last one ends.
    fn start_of(&self, span: usize) -> usize {
        match span.checked_sub(1) {
            None => self.head_room,
            Some(before) => self.ends[before],
        }
    }

    fn message_len(&self, count: usize, bytes: usize) -> usize {
        let list_header = self.encoding.list_header_len(count, bytes);
        let separator = self.encoding.separator_len();
        (self.head.len() + list_header + bytes + self.tail.len()).saturating_sub(separator)
    }
}

/// Returns the encoding of a format, for the spans of a process.
fn encoding(format: BatchFormat, process: &Process) -> Box<dyn Encoding> {
    match format {
        BatchFormat::Compact => Box::new(Compact::new(process)),
        BatchFormat::Binary => Box::new(Binary::emit_batch(process)),
        BatchFormat::BinaryBatch => Box::new(Binary::batch(process)),
        BatchFormat::Otlp => Box::new(Otlp::new(process)),
        BatchFormat::JaegerProto => Box::new(JaegerProto::new(process)),
        BatchFormat::ZipkinJson => Box::new(ZipkinJson::new(process)),
    }
}

/// Writes a span over the bytes of `out` from `at` on. Returns where it ends.
#[inline(always)]
fn write_span(
    encoding: &mut dyn Encoding,
    out: &mut Vec<u8>,
    at: usize,
    span: &FinishedSpan<'_>,
) -> usize {
    out.truncate(at);
    encoding.write_span(out, span);
    out.len()
}

#[cfg(test)]
mod tests;

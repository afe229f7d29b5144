//! A process is made smaller here if its tags leave no room for spans.

use crate::model::{Process, Tag, tags};
use crate::record::wire::encode::write_tag;
use crate::reporter::packet::encoding::Envelope;
use crate::reporter::packet::{Packet, encoding};
use crate::reporter::sender::BatchFormat;

impl Packet {
    /// Leaves out tags of the process, the largest first, until a message without spans has at most `limit` bytes, and
    /// counts them. The tag `tracehound.dropped_items` tells how many are missing. Returns that number.
    ///
    /// Spans that are in the packet already stay as they are. Sizes count the smaller process after the next
    /// [`begin`](Packet::begin).
    pub(in crate::reporter) fn shrink_process(
        &mut self,
        format: BatchFormat,
        process: &Process,
        limit: usize,
    ) -> usize {
        let all = process.tags.len();
        let (mut fewest, mut most) = (0, all);
        // As many as fit. If even none is too much, the service's name is, and a line says so at each loss.
        while fewest < most {
            let middle = (fewest + most).div_ceil(2);
            if envelope_size(format, &with_tags(process, middle)) <= limit {
                fewest = middle;
            } else {
                most = middle - 1;
            }
        }
        self.encoding = encoding(format, &with_tags(process, fewest));
        self.changes.dropped_items += (all - fewest) as u64;
        all - fewest
    }
}

/// Returns the process with its `count` smallest tags, in their order, and a tag that tells how many are missing.
fn with_tags(process: &Process, count: usize) -> Process {
    let missing = process.tags.len().saturating_sub(count);
    if missing == 0 {
        return process.clone();
    }
    let mut order: Vec<_> = (0..process.tags.len()).collect();
    order.sort_by_key(|&n| process.tags.get(n).map_or(0, encoded_len));
    order.truncate(count);
    order.sort_unstable();
    let kept = order.into_iter().filter_map(|n| process.tags.get(n));
    let mut kept: Vec<Tag> = kept.cloned().collect();
    kept.push(Tag::new(tags::DROPPED_ITEMS, missing as u64));
    Process::new(process.service_name.clone(), kept)
}

fn encoded_len(tag: &Tag) -> usize {
    let mut bytes = Vec::new();
    write_tag(&mut bytes, &tag.key, tag.value.as_ref());
    bytes.len()
}

/// Returns the size of a message with one span, without the span and without numbers.
fn envelope_size(format: BatchFormat, process: &Process) -> usize {
    let mut encoding = encoding(format, process);
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    let envelope = Envelope {
        seqid: 1,
        numbers: None,
    };
    encoding.begin(&mut head, &mut tail, &envelope);
    head.len() + encoding.list_header_len(1, 0) + tail.len()
}

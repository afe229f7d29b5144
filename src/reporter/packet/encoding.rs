use crate::model::Process;
use crate::record::FinishedSpan;
use crate::record::wire::encode::write_tag;
use crate::reporter::packet::emit_batch::Numbers;

/// A way to write the spans of one process as a message.
///
/// A message is a head, spans one behind the other, and a tail. The head ends with the list header, the part that
/// depends on how many spans there are and on their size.
pub(super) trait Encoding: Send {
    /// Appends the head of the next message without its list header, and the tail.
    fn begin(&mut self, head: &mut Vec<u8>, tail: &mut Vec<u8>, envelope: &Envelope<'_>);

    /// Appends one span.
    fn write_span(&mut self, out: &mut Vec<u8>, span: &FinishedSpan<'_>);

    /// Appends the header of a list of `count` spans, which have `bytes` bytes in all.
    fn write_list_header(&self, head: &mut Vec<u8>, count: usize, bytes: usize);

    /// Returns the length of that header.
    fn list_header_len(&self, count: usize, bytes: usize) -> usize;

    /// Returns an upper bound for the length of a head with its list header.
    fn max_head_len(&self) -> usize;

    /// Returns an upper bound for the length of a list header.
    fn max_list_header_len(&self) -> usize;

    /// Returns how many bytes at the start of each span separate it from the one before. The head of a message takes
    /// the place of the first ones.
    fn separator_len(&self) -> usize {
        0
    }
}

/// The parts of a message beside the process and the spans.
#[derive(Clone, Copy)]
pub(super) struct Envelope<'a> {
    pub(super) seqid: u32,
    pub(super) numbers: Option<&'a Numbers>,
}

/// Returns the tags of a process as those of spans are kept, so that one place turns values without a type into text.
pub(super) fn encoded_tags(process: &Process) -> Vec<u8> {
    let mut encoded = Vec::new();
    for tag in &process.tags {
        write_tag(&mut encoded, &tag.key, tag.value.as_ref());
    }
    encoded
}

//! The message of an agent, `emitBatch`, as both protocols write it.

use crate::metrics::{DropCause, DropCounts};

/// The name of a message: the agent's one method.
pub(super) const METHOD: &[u8] = b"emitBatch";
/// The message type of a Thrift call without an answer.
pub(super) const ONEWAY: u8 = 4;

/// The numbers in a batch that tell the agent of batches and losses so far. Cumulative; the first batch is number 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::reporter) struct Numbers {
    pub(in crate::reporter) seq_no: u64,
    pub(in crate::reporter) full_queue: u64,
    pub(in crate::reporter) too_large: u64,
    pub(in crate::reporter) failed: u64,
}

impl Numbers {
    /// Joins the losses in the queue and those in the reporter, `sending`.
    pub(in crate::reporter) fn new(seq_no: u64, queue: &DropCounts, sending: &DropCounts) -> Self {
        let too_large = sending.get(DropCause::TooLarge);
        Self {
            seq_no,
            full_queue: queue.get(DropCause::QueueFull),
            too_large,
            failed: sending.total() - too_large,
        }
    }

    pub(super) fn stats(&self) -> [u64; 3] {
        [self.full_queue, self.too_large, self.failed]
    }
}

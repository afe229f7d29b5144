//! The bound on the memory that a message takes once it is read.

use crate::decode::Reason;

/// The parts that a message may still have: resources, spans, tags, logs and references.
///
/// A part may have two bytes on the wire, and has a hundred times as many in memory.
#[derive(Debug)]
pub(super) struct Parts(usize);

impl Parts {
    /// Returns the bound of a whole message.
    pub(super) fn of_message() -> Self {
        Self(MAX_PARTS)
    }

    /// Counts a part.
    pub(super) fn take(&mut self) -> Result<(), Reason> {
        self.take_copy(0)
    }

    /// Counts a part that gets a copy of some bytes, which the message has once.
    pub(super) fn take_copy(&mut self, bytes: usize) -> Result<(), Reason> {
        let left = self.0.checked_sub(1 + bytes / COPIED_BYTES);
        self.0 = left.ok_or_else(|| format!("a message has at most {MAX_PARTS} parts"))?;
        Ok(())
    }
}

/// The most parts of a message. Batches of collectors have some ten thousand spans with a dozen tags each.
pub(super) const MAX_PARTS: usize = 500_000;
/// The bytes of a copy that count as a further part.
const COPIED_BYTES: usize = 64;

//! The bound on the spans of a tracer that are open at once and record.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sync::PerProcess;

/// Counts the slots of a tracer, up to the most that it may have. Vacant slots count too.
///
/// A span that finds no room is [capped](super::status::CAPPED): its slot is not counted, and freed with the span.
#[derive(Debug)]
pub(crate) struct SlotLimit {
    most: usize,
    /// A forked child begins at zero: the slots of its parent are never freed there.
    count: PerProcess<AtomicUsize>,
}

impl SlotLimit {
    /// The number of slots that a tracer may have unless the program says otherwise.
    pub(crate) const DEFAULT: usize = 1_000_000;

    /// Makes the limit of a tracer that has no slots yet. It may have one at least.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            count: PerProcess::new(AtomicUsize::new(0)),
        }
    }

    /// Counts a new slot. Returns false if the tracer has as many as it may have.
    pub(crate) fn try_add(&self) -> bool {
        // Added first and taken back if that was too much: threads that add at once do not wait for each other.
        let has_room = self.count().fetch_add(1, Ordering::Relaxed) < self.most;
        if !has_room {
            self.remove();
        }
        has_room
    }

    /// Counts a slot that is freed.
    pub(crate) fn remove(&self) {
        self.count().fetch_sub(1, Ordering::Relaxed);
    }

    fn count(&self) -> &AtomicUsize {
        self.count.get(|_| AtomicUsize::new(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_slot_makes_room_for_one_more() {
        let limit = SlotLimit::new(2);
        assert!(limit.try_add() && limit.try_add());
        assert!(!limit.try_add() && !limit.try_add());
        limit.remove();
        assert!(limit.try_add() && !limit.try_add());
    }

    #[test]
    fn one_span_may_be_open_whatever_the_limit() {
        let limit = SlotLimit::new(0);
        assert!(limit.try_add() && !limit.try_add());
    }
}

//! The number of items of a stream or a sink, as a tag of its span.

use std::mem;

use crate::scope::work::Work;

/// A number of items, which becomes a tag when the work ends.
pub(super) struct ItemCount {
    tag: &'static str,
    items: u64,
}

impl ItemCount {
    pub(super) fn new(tag: &'static str) -> Self {
        Self { tag, items: 0 }
    }

    pub(super) fn add(&mut self) {
        self.items += 1;
    }

    pub(super) fn items(&self) -> u64 {
        self.items
    }

    /// Sets the tag, if the work has a span of its own.
    pub(super) fn tell(&self, work: &Work) {
        if let Some(span) = work.own_span() {
            span.set_tag(self.tag, self.items);
        }
    }

    /// Runs a step of the work. If it panics, the tag is set before the work releases its span.
    pub(super) fn run<R>(
        &mut self,
        work: &mut Work,
        step: impl FnOnce(&Work, &mut Self) -> R,
    ) -> R {
        work.run_with(|work| {
            let guard = TellsPanic { count: self, work };
            let result = step(work, guard.count);
            mem::forget(guard);
            result
        })
    }
}

/// Dropped only if a step panics.
struct TellsPanic<'a> {
    count: &'a mut ItemCount,
    work: &'a Work,
}

impl Drop for TellsPanic<'_> {
    fn drop(&mut self) {
        self.count.tell(self.work);
    }
}

//! Calls on a span that has not started yet, written to it when it starts.

use crate::clock::{Moment, Reading};
use crate::metrics::Counter;
use crate::model::{FieldRef, Timestamp};
use crate::span::Span;
use crate::span::recording;

impl Span {
    /// Writes a log record with a time of the span's clock, which may be before the span's start.
    pub(crate) fn log_at_moment<'v>(
        &self,
        moment: Moment,
        fields: impl Iterator<Item = FieldRef<'v>>,
    ) {
        if let Some(slot) = self.slot().filter(|slot| slot.is_recording()) {
            let time = match moment.reading() {
                Reading::Ticks(ticks) => Timestamp::from_nanos(slot.wall(ticks)),
                Reading::Wall(time) => recording::nearest_time(slot, time),
            };
            recording::log(slot, Some(time), fields);
        }
    }

    /// Adds to a counter of the span's tracer.
    pub(crate) fn count(&self, counter: Counter, n: u64) {
        if let Some(slot) = self.slot() {
            slot.recorder.metrics.add(counter, n);
        }
    }
}

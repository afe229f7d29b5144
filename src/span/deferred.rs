//! What happened to a span before it started, written to it afterwards.

use crate::clock::{Moment, Reading};
use crate::metrics::Counter;
use crate::model::{FieldRef, ReferenceType, ReportedReference, Timestamp};
use crate::span::recording;
use crate::span::{Span, SpanContext};

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

    /// Adds a `FollowsFrom` reference to an open span. A context without a trace adds nothing.
    pub(crate) fn add_follows_from(&self, context: &SpanContext) {
        let ids = context.trace_id().zip(context.span_id());
        if let (Some(slot), Some((trace_id, span_id))) = (self.slot(), ids)
            && let Some(mut buffer) = slot.open()
        {
            let kind = ReferenceType::FollowsFrom;
            buffer.push_reference(&ReportedReference::new(kind, trace_id, span_id));
        }
    }

    /// Adds to a counter of the span's tracer.
    pub(crate) fn count(&self, counter: Counter, n: u64) {
        if let Some(slot) = self.slot() {
            slot.recorder.metrics.add(counter, n);
        }
    }
}

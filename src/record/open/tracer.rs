use std::sync::Arc;

use crate::metrics::{Counter, Metrics};
use crate::record::open::buffer::SpanBuffer;
use crate::record::queue::span_queue::SpanQueue;
use crate::record::span_clock::SpanClock;
use crate::record::wire::limits::Limits;

/// What it takes to fill and finish a span; one for each tracer. Nothing in it is the user's own code.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) clock: SpanClock,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) queue: Arc<SpanQueue>,
}

impl Recorder {
    /// Brings what a span holds into its final form.
    #[inline(always)]
    pub(crate) fn seal(&self, buffer: &mut SpanBuffer) {
        if buffer.seal(&self.limits) {
            self.metrics.add(Counter::TruncatedValues, 1);
        }
    }
}

//! Times on the clock of a span's tracer.

use crate::span::Span;

/// Returns the nanoseconds since tick zero on the clock of the span's tracer, or `None` for the no-op span.
pub(super) fn ticks(span: &Span) -> Option<u64> {
    span.slot().map(|slot| slot.recorder.clock.now())
}

/// Returns the whole microseconds since an earlier reading.
#[cfg(feature = "stream")]
pub(super) fn micros_since(earlier: u64, span: &Span) -> Option<u64> {
    // A manual clock can go back.
    ticks(span).map(|now| now.saturating_sub(earlier) / 1_000)
}

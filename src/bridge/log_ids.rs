use std::fmt;
use std::str;

use crate::model::{SpanId, TraceId, hex_digits};

/// The ids of a log line under their names, as text. Made and printed without an allocation.
pub(super) struct LogIds {
    pub(super) trace_id: (&'static str, IdText),
    pub(super) span_id: (&'static str, IdText),
    pub(super) sampled: Option<(&'static str, bool)>,
}

impl LogIds {
    /// Writes `key=value` for each, with blanks between them. Piece by piece, as `write!` costs more.
    pub(super) fn write_to(&self, to: &mut impl fmt::Write) -> fmt::Result {
        for (blank, (key, id)) in [("", &self.trace_id), (" ", &self.span_id)] {
            to.write_str(blank)?;
            to.write_str(key)?;
            to.write_str("=")?;
            to.write_str(id.as_str())?;
        }
        let Some((key, is_sampled)) = self.sampled else {
            return Ok(());
        };
        to.write_str(" ")?;
        to.write_str(key)?;
        to.write_str(if is_sampled { "=true" } else { "=false" })
    }
}

impl fmt::Display for LogIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

/// The hex digits of an id.
#[derive(Clone, Copy)]
pub(super) struct IdText {
    digits: [u8; 32],
    start: usize,
}

impl IdText {
    /// Returns 32 digits, or 16 for a 64-bit id that need not be long.
    pub(super) fn of_trace(id: TraceId, is_long: bool) -> Self {
        let has_short_form = id.high() == 0 && !is_long;
        Self::new(id.high(), id.low(), if has_short_form { 16 } else { 0 })
    }

    pub(super) fn of_span(id: SpanId) -> Self {
        Self::new(0, id.get(), 16)
    }

    fn new(high: u64, low: u64, start: usize) -> Self {
        let mut digits = [0; 32];
        let (first, last) = digits.split_at_mut(16);
        first.copy_from_slice(&hex_digits(high));
        last.copy_from_slice(&hex_digits(low));
        Self { digits, start }
    }

    pub(super) fn as_str(&self) -> &str {
        str::from_utf8(&self.digits[self.start..]).expect("hex digits are ASCII")
    }
}

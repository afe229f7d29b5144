//! The value of the trace header: `{trace-id}:{span-id}:{parent-span-id}:{flags}`.

use crate::model::{Flags, SpanId, TraceId, hex_digit, hex_digits};
use crate::propagation::coding::{digit, hex_ids, percent_decoded_into, take_hex, trim};
use crate::propagation::error::{ExtractError, SHOWN_BYTES};
use crate::span::SpanContext;

/// The length of the longest value: 32 + 16 + 16 + 2 digits and three colons.
pub(super) const MAX_BYTES: usize = 69;

/// The four parts of the header as numbers. Ids may be zero here, in which case the header names no trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TraceHeader {
    trace_id: (u64, u64),
    span_id: u64,
    parent_id: u64,
    flags: u8,
}

impl TraceHeader {
    /// Returns the header of `context`, or `None` if it has no trace.
    pub(super) fn of(context: &SpanContext) -> Option<Self> {
        let trace_id = context.trace_id()?;
        Some(Self {
            trace_id: (trace_id.high(), trace_id.low()),
            span_id: context.span_id()?.get(),
            parent_id: context.parent_id().map_or(0, SpanId::get),
            flags: context.flags().bits(),
        })
    }

    /// Parses a value without blanks, escapes and commas.
    #[inline(never)]
    fn parse(value: &[u8]) -> Option<Self> {
        Self::parse_padded(value).or_else(|| Self::parse_unpadded(value))
    }

    /// Parses the form that nearly all clients write: ids with all their digits, no parent as `0`, flags of one digit.
    // `always` saves 18 instructions a request.
    #[inline(always)]
    pub(super) fn parse_padded(value: &[u8]) -> Option<Self> {
        let id = |at: usize| value.get(at..)?.first_chunk();
        let is = |text: &[u8], at: usize| value.get(at..at + text.len()) == Some(text);
        let (trace_id, span_id, parent_id) = match value.len() {
            37 if is(b":", 16) && is(b":0:", 33) => {
                let [low, span] = hex_ids([id(0)?, id(17)?])?;
                ((0, low), span, 0)
            }
            52 if is(b":", 16) && is(b":", 33) && is(b":", 50) => {
                let [low, span, parent] = hex_ids([id(0)?, id(17)?, id(34)?])?;
                ((0, low), span, parent)
            }
            53 if is(b":", 32) && is(b":0:", 49) => {
                let [high, low, span] = hex_ids([id(0)?, id(16)?, id(33)?])?;
                ((high, low), span, 0)
            }
            68 if is(b":", 32) && is(b":", 49) && is(b":", 66) => {
                let [high, low, span, parent] = hex_ids([id(0)?, id(16)?, id(33)?, id(50)?])?;
                ((high, low), span, parent)
            }
            _ => return None,
        };
        Some(Self {
            trace_id,
            span_id,
            parent_id,
            flags: digit(*value.last()?)?,
        })
    }

    #[cold]
    fn parse_unpadded(value: &[u8]) -> Option<Self> {
        let (trace_id, value) = take_trace_id(value)?;
        let (span_id, value) = take_hex(value.strip_prefix(b":")?, 16)?;
        let (parent_id, value) = take_hex(value.strip_prefix(b":")?, 16)?;
        let (flags, value) = take_hex(value.strip_prefix(b":")?, 2)?;
        value.is_empty().then_some(Self {
            trace_id,
            span_id,
            parent_id,
            flags: flags as u8,
        })
    }

    /// Prints the form that all clients read: ids padded to 16 or 32 digits, no parent as `0`, flags without padding.
    #[inline]
    pub(super) fn print<'b>(&self, buffer: &'b mut [u8; MAX_BYTES]) -> &'b [u8] {
        // Each part has a fixed place. The slice that is returned skips an upper half of zero.
        let start = if self.trace_id.0 == 0 { 16 } else { 0 };
        if start == 0 {
            put(buffer, 0, hex_digits(self.trace_id.0));
        }
        put(buffer, 16, hex_digits(self.trace_id.1));
        put(buffer, 32, *b":");
        put(buffer, 33, hex_digits(self.span_id));
        put(buffer, 49, *b":");
        let at = if self.parent_id == 0 {
            put(buffer, 50, *b"0:");
            52
        } else {
            put(buffer, 50, hex_digits(self.parent_id));
            put(buffer, 66, *b":");
            67
        };
        let [high, low] = [self.flags >> 4, self.flags & 0xf];
        let end = if high == 0 {
            put(buffer, at, [hex_digit(low)]);
            at + 1
        } else {
            put(buffer, at, [hex_digit(high), hex_digit(low)]);
            at + 2
        };
        &buffer[start..end]
    }

    /// Returns the context, or `None` if the trace id or the span id is zero.
    pub(super) fn context(self) -> Option<SpanContext> {
        Some(SpanContext::new(
            TraceId::new(self.trace_id.0, self.trace_id.1)?,
            SpanId::new(self.span_id)?,
            SpanId::new(self.parent_id),
            Flags::from_bits(self.flags),
        ))
    }

    fn has_trace(self) -> bool {
        self.trace_id != (0, 0) && self.span_id != 0
    }
}

/// All values of the trace header of one request.
///
/// The last value that names a trace counts, because clients that append put the newest last. A proxy may have joined
/// several values with commas.
#[derive(Default)]
pub(super) struct ReceivedTrace {
    trace: Option<TraceHeader>,
    last: Option<Result<TraceHeader, Malformed>>,
    differ: bool,
}

impl ReceivedTrace {
    pub(super) fn read(&mut self, value: &[u8]) {
        match TraceHeader::parse(value) {
            Some(id) => self.add(Ok(id)),
            None => self.read_leniently(value),
        }
    }

    /// Returns whether the values differ and one of them was chosen.
    pub(super) fn is_conflict(&self) -> bool {
        self.differ && self.trace.is_some()
    }

    /// Returns the context, or `None` if no value names a trace and the last one is well-formed.
    pub(super) fn context(self, header: &str) -> Result<Option<SpanContext>, ExtractError> {
        match (self.trace, self.last) {
            (Some(id), _) => Ok(id.context()),
            (None, Some(Err(malformed))) => Err(malformed.into_error(header)),
            (None, _) => Ok(None),
        }
    }

    #[cold]
    fn read_leniently(&mut self, value: &[u8]) {
        let mut is_empty = true;
        for piece in value.split(|byte| *byte == b',') {
            let piece = trim(piece);
            if !piece.is_empty() {
                is_empty = false;
                self.add(parse_lenient(piece));
            }
        }
        if is_empty {
            self.add(Err(Malformed::new("the value is empty", value)));
        }
    }

    fn add(&mut self, value: Result<TraceHeader, Malformed>) {
        self.differ |= self.last.as_ref().is_some_and(|last| *last != value);
        if let Ok(id) = value
            && id.has_trace()
        {
            self.trace = Some(id);
        }
        self.last = Some(value);
    }
}

/// The beginning of a malformed value and the rule that it breaks.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Malformed {
    reason: &'static str,
    shown: [u8; SHOWN_BYTES],
    len: usize,
}

impl Malformed {
    fn new(reason: &'static str, value: &[u8]) -> Self {
        let mut shown = [0; SHOWN_BYTES];
        let len = value.len().min(SHOWN_BYTES);
        shown[..len].copy_from_slice(&value[..len]);
        Self { reason, shown, len }
    }

    fn into_error(self, header: &str) -> ExtractError {
        ExtractError::corrupted(header, self.reason, &self.shown[..self.len])
    }
}

/// Parses a value that may be percent-encoded. Jaeger's Java client once wrote such values, its Ruby client still does.
fn parse_lenient(value: &[u8]) -> Result<TraceHeader, Malformed> {
    let mut buffer = [0; MAX_BYTES];
    let plain = if value.contains(&b'%') {
        percent_decoded_into(value, &mut buffer)
            .ok_or_else(|| Malformed::new("the percent encoding is malformed or too long", value))?
    } else {
        value
    };
    TraceHeader::parse(plain).ok_or_else(|| Malformed::new(broken_rule(plain), value))
}

/// Returns the rule that a value breaks which [`TraceHeader::parse`] has refused.
fn broken_rule(value: &[u8]) -> &'static str {
    let mut parts = value.split(|byte| *byte == b':');
    let (Some(trace_id), Some(span_id), Some(parent_id), Some(_), None) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) else {
        return "expected four parts with colons between them";
    };
    if !matches!(take_trace_id(trace_id), Some((_, []))) {
        "expected a trace id of 1 to 32 hex digits"
    } else if !matches!(take_hex(span_id, 16), Some((_, []))) {
        "expected a span id of 1 to 16 hex digits"
    } else if !matches!(take_hex(parent_id, 16), Some((_, []))) {
        "expected a parent span id of 1 to 16 hex digits"
    } else {
        "expected flags of 1 or 2 hex digits"
    }
}

/// Parses 1 to 32 hex digits at the front of `text`, and returns both halves and the rest.
fn take_trace_id(text: &[u8]) -> Option<((u64, u64), &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let Some(upper) = digits.count().checked_sub(17) else {
        return take_hex(text, 16).map(|(low, rest)| ((0, low), rest));
    };
    let (high, low) = text.split_at_checked(upper + 1)?;
    let (high, _) = take_hex(high, 16)?;
    let (low, rest) = take_hex(low, 16)?;
    Some(((high, low), rest))
}

/// Copies `text` to `at`. The buffer is long enough for every value.
fn put<const N: usize>(buffer: &mut [u8; MAX_BYTES], at: usize, text: [u8; N]) {
    buffer[at..at + N].copy_from_slice(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(id: TraceHeader) -> String {
        String::from_utf8(id.print(&mut [0; MAX_BYTES]).to_owned()).expect("ASCII")
    }

    #[test]
    fn the_longest_value_fits() {
        let id = TraceHeader {
            trace_id: (u64::MAX, u64::MAX),
            span_id: u64::MAX,
            parent_id: u64::MAX,
            flags: u8::MAX,
        };
        assert_eq!(printed(id).len(), MAX_BYTES);
        assert_eq!(TraceHeader::parse(printed(id).as_bytes()), Some(id));
    }

    #[test]
    fn padded_ids_are_read_only_with_colons_in_place() {
        let (one, two) = (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
        for trace_id in [(0, one), (one, two)] {
            for parent_id in [0, two] {
                let id = TraceHeader {
                    trace_id,
                    span_id: two,
                    parent_id,
                    flags: 0xb,
                };
                let value = printed(id);
                assert_eq!(TraceHeader::parse_padded(value.as_bytes()), Some(id));
                let value = value.to_uppercase();
                assert_eq!(TraceHeader::parse_padded(value.as_bytes()), Some(id));
                for at in 0..value.len() {
                    let mut other = value.clone().into_bytes();
                    other[at] = if other[at] == b':' { b'0' } else { b':' };
                    let other = String::from_utf8_lossy(&other);
                    let parsed = TraceHeader::parse_padded(other.as_bytes());
                    assert_eq!(parsed, None, "{other}");
                }
            }
        }
    }

    #[test]
    fn every_length_of_every_part_is_read() {
        for trace in 1..=32 {
            for span in 1..=16 {
                let value = format!(
                    "{}:{}:{}:{}",
                    "1".repeat(trace),
                    "2".repeat(span),
                    "3".repeat(17 - span),
                    "4".repeat(1 + trace % 2),
                );
                let id = TraceHeader::parse(value.as_bytes()).expect(&value);
                let number = u128::from_str_radix(&"1".repeat(trace), 16).expect("32 digits");
                assert_eq!(
                    id.trace_id,
                    ((number >> 64) as u64, number as u64),
                    "{value}"
                );
                let number = u64::from_str_radix(&"2".repeat(span), 16).expect("16 digits");
                assert_eq!(id.span_id, number, "{value}");
            }
        }
    }

    #[test]
    fn a_value_with_one_id_of_two_names_no_trace() {
        for later in ["1:0:0:1", "0:2:0:1", "0:0:0:1"] {
            let mut received = ReceivedTrace::default();
            for value in ["3:4:0:1", later] {
                received.read(value.as_bytes());
            }
            let context = received.context("uber-trace-id").expect("well-formed");
            let context = context.unwrap_or_else(|| panic!("the trace before {later}"));
            assert_eq!(context.trace_id(), TraceId::new(0, 3), "{later}");
        }
    }

    #[test]
    fn an_error_names_the_broken_rule() {
        for (value, reason) in [
            ("1:2:3", "expected four parts with colons between them"),
            ("1:2:3:4:5", "expected four parts with colons between them"),
            ("x:2:3:4", "expected a trace id of 1 to 32 hex digits"),
            ("1::3:4", "expected a span id of 1 to 16 hex digits"),
            (
                "1:2:+3:4",
                "expected a parent span id of 1 to 16 hex digits",
            ),
            ("1:2:3:100", "expected flags of 1 or 2 hex digits"),
        ] {
            assert_eq!(broken_rule(value.as_bytes()), reason, "{value}");
        }
        let long = "1".repeat(33) + ":2:3:4";
        assert_eq!(
            broken_rule(long.as_bytes()),
            "expected a trace id of 1 to 32 hex digits"
        );
    }

    #[test]
    fn an_error_shows_64_bytes_escaped() {
        let value = "\n\"é".to_owned() + &"x".repeat(100);
        let ExtractError::Corrupted { value, .. } =
            Malformed::new("why", value.as_bytes()).into_error("h")
        else {
            panic!("another error")
        };
        assert_eq!(value, r#"\n\"\xc3\xa9"#.to_owned() + &"x".repeat(60));
    }
}

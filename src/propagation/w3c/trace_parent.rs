//! The value of the header `traceparent`, and of `traceresponse`: `{version}-{trace-id}-{span-id}-{flags}`.

use crate::model::{Flags, SpanId, TraceId, hex_digits};
use crate::propagation::coding::{digit, hex_ids, trim};
use crate::span::SpanContext;

/// The length of a value of version 00: 2 + 32 + 16 + 2 digits and three dashes.
pub(super) const BYTES: usize = 55;

/// The places of the dashes.
const DASHES: [usize; 3] = [2, 35, 52];

/// The bits of the flags.
const SAMPLED: u8 = 1;
const RANDOM_TRACE_ID: u8 = 2;

/// The trace, the span and the flags of the header as they are on the wire, with ids that are not zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TraceParent {
    trace_id: TraceId,
    span_id: SpanId,
    is_sampled: bool,
    has_random_trace_id: bool,
}

impl TraceParent {
    /// Returns the header of `context`, or `None` if it has no trace.
    pub(crate) fn of(context: &SpanContext) -> Option<Self> {
        Some(Self {
            trace_id: context.trace_id()?,
            span_id: context.span_id()?,
            is_sampled: context.is_sampled(),
            has_random_trace_id: context.has_random_trace_id(),
        })
    }

    /// Parses a value, or returns the rule that it breaks.
    #[inline]
    pub(crate) fn parse(value: &[u8]) -> Result<Self, &'static str> {
        // Nearly every value has this form.
        if value.starts_with(b"00-")
            && let Ok(fields) = value.try_into()
            && let Some(parent) = Self::parse_fields(fields)
        {
            return Ok(parent);
        }
        Self::parse_any(trim(value))
    }

    /// Parses the fields after the version, which have the same places in every version.
    #[inline]
    fn parse_fields(fields: &[u8; BYTES]) -> Option<Self> {
        let id = |at: usize| fields.get(at..)?.first_chunk();
        let has_dashes = DASHES.iter().all(|at| fields[*at] == b'-');
        // `hex_ids` reads upper-case digits, too. They alone lack this bit.
        let lower_case = fields.iter().fold(0x20, |bits, byte| bits & byte);
        if !has_dashes || lower_case == 0 {
            return None;
        }
        let [high, low, span_id] = hex_ids([id(3)?, id(19)?, id(36)?])?;
        let flags = digit(fields[53])? << 4 | digit(fields[54])?;
        Some(Self {
            trace_id: TraceId::new(high, low)?,
            span_id: SpanId::new(span_id)?,
            is_sampled: flags & SAMPLED != 0,
            has_random_trace_id: flags & RANDOM_TRACE_ID != 0,
        })
    }

    /// Parses a value without blanks at its ends, of any version.
    #[cold]
    fn parse_any(value: &[u8]) -> Result<Self, &'static str> {
        let Some((fields, rest)) = value.split_first_chunk() else {
            return Err("expected at least 55 characters");
        };
        let version = &fields[..2];
        if !version.iter().all(is_digit) {
            return Err("expected a version of two lower-case hex digits");
        }
        if version == b"ff" {
            return Err("the version ff is not allowed");
        }
        let is_00 = version == b"00";
        match rest {
            [] => {}
            _ if is_00 => return Err("expected 55 characters in version 00"),
            [b'-', ..] => {}
            _ => return Err("expected a dash or the end after the flags"),
        }
        let parent = Self::parse_fields(fields).ok_or_else(|| broken_rule(fields))?;
        // A later version may use all bits but that of sampling for something else.
        let has_random_trace_id = is_00 && parent.has_random_trace_id;
        Ok(Self {
            has_random_trace_id,
            ..parent
        })
    }

    /// Prints a value of version 00.
    pub(crate) fn print(&self) -> [u8; BYTES] {
        let mut text = [b'-'; BYTES];
        let mut put =
            |at: usize, digits: &[u8]| text[at..at + digits.len()].copy_from_slice(digits);
        put(0, b"00");
        put(3, &hex_digits(self.trace_id.high()));
        put(19, &hex_digits(self.trace_id.low()));
        put(36, &hex_digits(self.span_id.get()));
        let mut flags = if self.is_sampled { SAMPLED } else { 0 };
        if self.has_random_trace_id {
            flags |= RANDOM_TRACE_ID;
        }
        put(53, &[b'0', b'0' + flags]);
        text
    }

    pub(crate) fn context(self) -> SpanContext {
        let flags = if self.is_sampled {
            Flags::SAMPLED
        } else {
            Flags::default()
        };
        let context = SpanContext::new(self.trace_id, self.span_id, None, flags);
        if self.has_random_trace_id {
            context.with_random_trace_id(true)
        } else {
            context
        }
    }
}

/// Returns the rule that the fields after the version break.
fn broken_rule(fields: &[u8; BYTES]) -> &'static str {
    let is_zero = |digits: &[u8]| digits.iter().all(|digit| *digit == b'0');
    let (trace_id, span_id) = (&fields[3..35], &fields[36..52]);
    if DASHES.iter().any(|at| fields[*at] != b'-') {
        "expected four parts with dashes between them, of 2, 32, 16 and 2 characters"
    } else if !trace_id.iter().all(is_digit) {
        "expected a trace id of 32 lower-case hex digits"
    } else if is_zero(trace_id) {
        "the trace id is zero"
    } else if !span_id.iter().all(is_digit) {
        "expected a span id of 16 lower-case hex digits"
    } else if is_zero(span_id) {
        "the span id is zero"
    } else {
        "expected flags of two lower-case hex digits"
    }
}

fn is_digit(byte: &u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "463ac35c9f6413ad48485a3953bb6124";
    const SPAN: &str = "a2fb4a1d1a96d312";

    fn parsed(value: &str) -> Result<TraceParent, &'static str> {
        TraceParent::parse(value.as_bytes())
    }

    fn printed(parent: TraceParent) -> String {
        String::from_utf8(parent.print().to_vec()).expect("ASCII")
    }

    #[test]
    fn what_is_printed_is_read() {
        for (high, low) in [(0, 1), (1, 0), (u64::MAX, u64::MAX), (0x463a, 0x4848)] {
            for span_id in [1, u64::MAX, 0x0123_4567_89ab_cdef] {
                for flags in 0..4 {
                    let parent = TraceParent {
                        trace_id: TraceId::new(high, low).expect("not zero"),
                        span_id: SpanId::new(span_id).expect("not zero"),
                        is_sampled: flags & 1 != 0,
                        has_random_trace_id: flags & 2 != 0,
                    };
                    let text = format!("00-{high:016x}{low:016x}-{span_id:016x}-0{flags}");
                    assert_eq!(printed(parent), text);
                    assert_eq!(parsed(&text), Ok(parent));
                    assert_eq!(parsed(&format!(" \t{text}\t ")), Ok(parent));
                }
            }
        }
    }

    #[test]
    fn every_flag_is_read_and_two_are_known() {
        for flags in 0..=0xff_u8 {
            let parent = parsed(&format!("00-{TRACE}-{SPAN}-{flags:02x}")).expect("well-formed");
            assert_eq!(parent.is_sampled, flags & 1 != 0);
            assert_eq!(parent.has_random_trace_id, flags & 2 != 0);
            let later = parsed(&format!("01-{TRACE}-{SPAN}-{flags:02x}")).expect("well-formed");
            assert_eq!(later.is_sampled, flags & 1 != 0);
            assert!(!later.has_random_trace_id);
        }
    }

    #[test]
    fn later_versions_may_have_more_after_a_dash() {
        for version in 1..=0xfe_u8 {
            let value = format!("{version:02x}-{TRACE}-{SPAN}-01");
            for more in ["", "-", "-what-the-future-will-be-like", "-01", "- "] {
                assert!(parsed(&format!("{value}{more}")).is_ok(), "{value}{more}");
            }
            for more in ["0", ".", ".what", "_", ",", "\0", "\u{e9}"] {
                let parsed = parsed(&format!("{value}{more}"));
                assert_eq!(
                    parsed,
                    Err("expected a dash or the end after the flags"),
                    "{more}"
                );
            }
        }
    }

    #[test]
    fn every_character_of_version_00_has_to_be_right() {
        let value = format!("00-{TRACE}-{SPAN}-01");
        for at in 0..value.len() {
            for byte in 0..=0x7f_u8 {
                let mut text = value.clone().into_bytes();
                text[at] = byte;
                let (is_dash, is_version) = (DASHES.contains(&at), at < 2);
                let is_right = match byte {
                    b'-' => is_dash,
                    b'0'..=b'9' | b'a'..=b'f' => !is_dash,
                    _ => false,
                };
                let parsed = TraceParent::parse(&text);
                assert_eq!(parsed.is_ok(), is_right, "{byte:#x} at {at}");
                if is_right && !is_version {
                    let printed = printed(parsed.expect("right"));
                    let ends_alike = at >= 53 || printed.as_bytes() == text;
                    assert!(ends_alike, "{byte:#x} at {at}: {printed}");
                }
            }
        }
    }

    #[test]
    fn an_error_names_the_broken_rule() {
        let dashes = "expected four parts with dashes between them, of 2, 32, 16 and 2 characters";
        let zeros = "0".repeat(32);
        for (value, rule) in [
            ("", "expected at least 55 characters"),
            ("00", "expected at least 55 characters"),
            (
                "5af7183fb1d4cf5f:6b221d5bc9e6496c:0:1",
                "expected at least 55 characters",
            ),
            (
                &format!("00-{TRACE}-{SPAN}-1"),
                "expected at least 55 characters",
            ),
            (
                &format!("00-{TRACE}-{SPAN}-001"),
                "expected 55 characters in version 00",
            ),
            (
                &format!("00-{TRACE}-{SPAN}-01-"),
                "expected 55 characters in version 00",
            ),
            (
                &format!("00-{TRACE}-{SPAN}-01."),
                "expected 55 characters in version 00",
            ),
            (
                &format!("ff-{TRACE}-{SPAN}-01"),
                "the version ff is not allowed",
            ),
            (
                &format!("FF-{TRACE}-{SPAN}-01"),
                "expected a version of two lower-case hex digits",
            ),
            (
                &format!("0x-{TRACE}-{SPAN}-01"),
                "expected a version of two lower-case hex digits",
            ),
            (&format!("000{TRACE}-{SPAN}-01"), dashes),
            (&format!("00-{TRACE}0{SPAN}-01"), dashes),
            (&format!("00-{TRACE}-{SPAN}.01"), dashes),
            (
                &format!("00-{TRACE}-{SPAN}-0A"),
                "expected flags of two lower-case hex digits",
            ),
            (
                &format!("00-{TRACE}-{SPAN}-+1"),
                "expected flags of two lower-case hex digits",
            ),
            (
                &format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
                "expected a trace id of 32 lower-case hex digits",
            ),
            (&format!("00-{zeros}-{SPAN}-01"), "the trace id is zero"),
            (
                &format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
                "expected a span id of 16 lower-case hex digits",
            ),
            (
                &format!("00-{TRACE}-{}-01", &zeros[..16]),
                "the span id is zero",
            ),
            (
                &format!("cc-{TRACE}-{}-01-x", &zeros[..16]),
                "the span id is zero",
            ),
        ] {
            assert_eq!(parsed(value), Err(rule), "{value}");
        }
    }
}

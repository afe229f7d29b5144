//! The member `ot` of `tracestate`, which OpenTelemetry defines: `ot=th:{threshold};rv:{random-value}`.
//!
//! A trace is kept if its random value is at least the threshold. Both have 56 bits. A program that counts traces can
//! tell from the threshold how many a kept one stands for.

use crate::model::{OT_KEY, TraceState, hex_digits};
use crate::propagation::coding::take_hex;

/// The most characters that the value may have.
const MAX_CHARS: usize = 256;

/// The digits of a random value, and the most of a threshold, which is written without zeros at its end.
const DIGITS: usize = 14;

/// The value of a received member: sub-keys and their values.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OtMember<'t> {
    value: &'t str,
}

impl<'t> OtMember<'t> {
    /// Returns the member, which is empty if the list has none.
    pub(super) fn of(trace_state: &'t TraceState) -> Self {
        Self {
            value: trace_state.get(OT_KEY).unwrap_or_default(),
        }
    }

    /// Returns the threshold, unless it is missing or malformed.
    pub(super) fn threshold(self) -> Option<u64> {
        let digits = self.get("th")?;
        Some(number(digits)? << (4 * (DIGITS - digits.len())))
    }

    /// Returns the random value, unless it is missing or malformed.
    pub(super) fn random_value(self) -> Option<u64> {
        let digits = self.get("rv")?;
        number(digits).filter(|_| digits.len() == DIGITS)
    }

    /// Returns the member with this threshold. A random value is added unless it has one.
    pub(super) fn with_threshold(self, threshold: u64, random_value: u64) -> OtText {
        let mut text = OtText::new();
        let digits = digits_of(threshold);
        let zeros = digits.iter().rev().take_while(|digit| **digit == b'0');
        let len = (DIGITS - zeros.count()).max(1);
        text.push("th", &digits[..len]);
        let random_value = self.random_value().unwrap_or(random_value);
        text.push("rv", &digits_of(random_value));
        text.push_all(
            self.entries()
                .filter(|(key, _)| !matches!(*key, "th" | "rv")),
        );
        text
    }

    /// Returns the member without a threshold.
    pub(super) fn without_threshold(self) -> OtText {
        let mut text = OtText::new();
        text.push_all(self.entries().filter(|(key, _)| *key != "th"));
        text
    }

    fn get(self, key: &str) -> Option<&'t str> {
        if self.value.is_empty() {
            return None;
        }
        self.entries()
            .find_map(|(known, value)| (known == key).then_some(value))
    }

    fn entries(self) -> impl Iterator<Item = (&'t str, &'t str)> {
        self.value
            .split(';')
            .filter_map(|entry| entry.split_once(':'))
    }
}

/// A member that is to be sent, in the form of the header: `ot=th:8;rv:6e6d1a75832a2f`.
#[derive(Clone, Copy, Debug)]
pub(super) struct OtText {
    text: [u8; PREFIX.len() + MAX_CHARS],
    len: usize,
}

const PREFIX: &[u8] = b"ot=";

impl OtText {
    fn new() -> Self {
        let mut text = [0; PREFIX.len() + MAX_CHARS];
        text[..PREFIX.len()].copy_from_slice(PREFIX);
        Self {
            text,
            len: PREFIX.len(),
        }
    }

    /// Returns the member as a list of one.
    pub(super) fn member(&self) -> &str {
        let text = self.text.get(..self.len).unwrap_or_default();
        let text = std::str::from_utf8(text).unwrap_or_default();
        // An entry may end in a space where it came, but a value may not.
        text.trim_end_matches(' ')
    }

    /// Returns the value, which is empty if there is nothing to be sent.
    pub(super) fn value(&self) -> &str {
        self.member().get(PREFIX.len()..).unwrap_or_default()
    }

    fn push_all<'t>(&mut self, entries: impl Iterator<Item = (&'t str, &'t str)>) {
        for (key, value) in entries {
            self.push(key, value.as_bytes());
        }
    }

    /// Adds a sub-key, or leaves it out if the value would be too long.
    fn push(&mut self, key: &str, value: &[u8]) {
        let separator: &[u8] = if self.len > PREFIX.len() { b";" } else { b"" };
        let parts = [separator, key.as_bytes(), b":", value];
        let len: usize = parts.iter().map(|part| part.len()).sum();
        if self.len + len > self.text.len() {
            return;
        }
        for part in parts {
            self.text[self.len..self.len + part.len()].copy_from_slice(part);
            self.len += part.len();
        }
    }
}

/// Parses 1 to 14 lower-case hex digits.
fn number(digits: &str) -> Option<u64> {
    let is_lower_case = !digits.bytes().any(|byte| byte.is_ascii_uppercase());
    match take_hex(digits.as_bytes(), DIGITS) {
        Some((number, [])) if is_lower_case => Some(number),
        _ => None,
    }
}

/// Returns the digits of a number of 56 bits.
fn digits_of(number: u64) -> [u8; DIGITS] {
    let mut digits = [0; DIGITS];
    digits.copy_from_slice(&hex_digits(number << 8)[..DIGITS]);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    const RV: &str = "6e6d1a75832a2f";

    fn member(value: &str) -> OtMember<'_> {
        OtMember { value }
    }

    #[test]
    fn thresholds_have_1_to_14_digits_and_random_values_14() {
        for (value, threshold) in [
            ("th:0", Some(0)),
            ("th:8", Some(1 << 55)),
            ("th:08", Some(1 << 51)),
            ("th:ffffffffffffff", Some((1 << 56) - 1)),
            ("th:00000000000001", Some(1)),
            ("rv:6e6d1a75832a2f;th:c", Some(3 << 54)),
            ("th:c;x:1", Some(3 << 54)),
            ("th:8;th:c", Some(1 << 55)),
            ("a:b:c;th:8", Some(1 << 55)),
            ("", None),
            ("th", None),
            ("th:", None),
            ("th:C", None),
            ("th:g", None),
            ("th: 8", None),
            ("th:+8", None),
            ("TH:8", None),
            (" th:8", None),
            ("tth:8", None),
            ("th:000000000000001", None),
        ] {
            assert_eq!(member(value).threshold(), threshold, "{value:?}");
        }
        for (value, random_value) in [
            ("rv:6e6d1a75832a2f", Some(0x6e_6d1a_7583_2a2f)),
            ("th:8;rv:00000000000000", Some(0)),
            ("rv:6e6d1a75832a2", None),
            ("rv:6e6d1a75832a2f0", None),
            ("rv:6E6D1A75832A2F", None),
            ("rv:", None),
        ] {
            assert_eq!(member(value).random_value(), random_value, "{value:?}");
        }
    }

    #[test]
    fn a_new_threshold_keeps_the_random_value_and_other_keys() {
        for (value, threshold, expected) in [
            ("", 0, "ot=th:0;rv:00000000000abc"),
            ("", 1, "ot=th:00000000000001;rv:00000000000abc"),
            ("", 1 << 55, "ot=th:8;rv:00000000000abc"),
            ("", 0xfff << 44, "ot=th:fff;rv:00000000000abc"),
            ("th:c", 1 << 55, "ot=th:8;rv:00000000000abc"),
            ("rv:6e6d1a75832a2f", 1 << 55, "ot=th:8;rv:6e6d1a75832a2f"),
            (
                "rv:6e6d1a75832a2f;th:1;x:y",
                1 << 55,
                "ot=th:8;rv:6e6d1a75832a2f;x:y",
            ),
            (
                "x:y;th:1;z:a.b_c-D;th:2",
                1 << 55,
                "ot=th:8;rv:00000000000abc;x:y;z:a.b_c-D",
            ),
            ("x:y  ;malformed", 1 << 55, "ot=th:8;rv:00000000000abc;x:y"),
            ("rv:short;;x:", 1 << 55, "ot=th:8;rv:00000000000abc;x:"),
            ("malformed;x:y", 1 << 55, "ot=th:8;rv:00000000000abc;x:y"),
        ] {
            let text = member(value).with_threshold(threshold, 0xabc);
            assert_eq!(text.member(), expected, "{value:?}");
            assert_eq!(Some(text.value()), expected.strip_prefix("ot="));
            assert_eq!(member(text.value()).threshold(), Some(threshold));
            let alone = text.member().parse::<TraceState>().expect("well-formed");
            assert_eq!(alone.get(OT_KEY), Some(text.value()));
        }
    }

    #[test]
    fn a_removed_threshold_leaves_the_rest() {
        for (value, expected) in [
            ("th:8", ""),
            ("th:8;th:c", ""),
            ("th:8;rv:6e6d1a75832a2f;x:y", "rv:6e6d1a75832a2f;x:y"),
            ("x:y;th:bad", "x:y"),
            ("x: y ;th:8", "x: y"),
            ("", ""),
        ] {
            assert_eq!(member(value).without_threshold().value(), expected);
        }
    }

    #[test]
    fn a_value_has_at_most_256_characters() {
        let start = format!("th:8;rv:{RV};");
        for (extra, fits) in [(0, true), (1, false)] {
            let long = format!("x:{}", "v".repeat(MAX_CHARS - start.len() - 2 + extra));
            let text = format!("rv:{RV};{long};y:z");
            let text = member(&text).with_threshold(1 << 55, 0);
            let expected = if fits {
                start.clone() + &long
            } else {
                start.clone() + "y:z"
            };
            assert_eq!(text.value(), expected);
        }
    }
}

//! Hex and percent coding of header values.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

/// All but RFC 3986's unreserved characters: what is left is read alike by form decoders and percent decoders.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The value of every hex digit, of either case; [`NO_DIGIT`] elsewhere.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

const NO_DIGIT: u8 = 0xff;

/// The value of one hex digit.
pub(super) fn digit(digit: u8) -> Option<u8> {
    let value = DIGITS[usize::from(digit)];
    (value != NO_DIGIT).then_some(value)
}

/// Reads the hex digits at the front of `text`, 1 to `max` (at most 16) of them, and gives what follows.
///
/// No sign and no prefix, unlike the integer parsers of the standard library.
pub(super) fn take_hex(text: &[u8], max: usize) -> Option<(u64, &[u8])> {
    let mut value = 0;
    let mut rest = text;
    while let Some((&digit, after)) = rest.split_first() {
        let digit = DIGITS[usize::from(digit)];
        if digit == NO_DIGIT {
            break;
        }
        if text.len() - rest.len() == max {
            return None;
        }
        value = (value << 4) | u64::from(digit);
        rest = after;
    }
    (rest.len() < text.len()).then_some((value, rest))
}

/// Reads ids of 16 hex digits each, the length to which nearly everybody pads them.
///
/// One loop over all of them, long enough that the compiler makes vector instructions of it.
#[inline(always)]
pub(super) fn hex_ids<const N: usize>(ids: [&[u8; 16]; N]) -> Option<[u64; N]> {
    let ids = ids.map(|digits| *digits);
    let (pairs, _) = ids.as_flattened().as_chunks::<2>();
    let mut values = [[0; 8]; N];
    let mut is_hex = true;
    for (value, pair) in values.as_flattened_mut().iter_mut().zip(pairs) {
        let [high, low] = pair.map(digit_or_more);
        is_hex &= (high | low) < 16;
        *value = high << 4 | low;
    }
    is_hex.then(|| values.map(u64::from_be_bytes))
}

/// The value of one hex digit, and 16 or more for everything else. Without a branch or a table.
#[inline]
const fn digit_or_more(text: u8) -> u8 {
    let number = text.wrapping_sub(b'0');
    let letter = (text | 0x20).wrapping_sub(b'a').saturating_add(10);
    // What follows `9` is no number: 10 to 15 become more.
    let number = number | number.saturating_add(6) & 0x10;
    if number < letter { number } else { letter }
}

/// `text` without spaces and tabs at its ends.
pub(super) fn trim(text: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let Some(first) = text.iter().position(|byte| !is_blank(byte)) else {
        return &[];
    };
    let text = text.split_at(first).1;
    let end = text.iter().rposition(|byte| !is_blank(byte));
    text.split_at(end.map_or(0, |last| last + 1)).0
}

/// `value` as it may stand in a header: escapes are `%XX` in upper case, and a space is `%20`.
pub(super) fn percent_encoded(value: &str) -> Cow<'_, str> {
    utf8_percent_encode(value, RESERVED).into()
}

/// What a header value stands for: `%XX` decoded, `+` as a space (form encoders write it so).
///
/// Where one escape is malformed the value is kept as it is. Invalid UTF-8 becomes U+FFFD.
pub(super) fn percent_decoded(value: &[u8]) -> Cow<'_, str> {
    if !value.iter().any(|byte| matches!(byte, b'%' | b'+')) || !has_valid_escapes(value) {
        return String::from_utf8_lossy(value);
    }
    let mut decoded = Vec::with_capacity(min_decoded_len(value));
    for (n, piece) in value.split(|byte| *byte == b'+').enumerate() {
        if n > 0 {
            decoded.push(b' ');
        }
        decoded.extend(percent_decode(piece));
    }
    match String::from_utf8(decoded) {
        Ok(text) => text.into(),
        Err(error) => String::from_utf8_lossy(error.as_bytes())
            .into_owned()
            .into(),
    }
}

/// Decodes `%XX` into `buffer` and gives the part that was filled; `None` where an escape is malformed or the
/// buffer too small.
pub(super) fn percent_decoded_into<'b>(value: &[u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    if !has_valid_escapes(value) {
        return None;
    }
    let mut len = 0;
    for byte in percent_decode(value) {
        *buffer.get_mut(len)? = byte;
        len += 1;
    }
    buffer.get(..len)
}

/// How many bytes `value` has at least once it is decoded. Exact where every escape is good.
pub(super) fn min_decoded_len(value: &[u8]) -> usize {
    let escapes = value.iter().filter(|byte| **byte == b'%').count();
    value.len().saturating_sub(2 * escapes)
}

fn has_valid_escapes(value: &[u8]) -> bool {
    value.split(|byte| *byte == b'%').skip(1).all(
        |after| matches!(after, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::is_unreserved;

    #[test]
    fn what_is_written_as_it_is_is_what_baggage_counts_as_one_byte() {
        for byte in 0..=127_u8 {
            let text = char::from(byte).to_string();
            let as_it_is = percent_encoded(&text) == text;
            assert_eq!(as_it_is, is_unreserved(byte), "{byte:#x}");
        }
    }

    #[test]
    fn hex_is_digits_and_nothing_else() {
        assert_eq!(take_hex(b"0:1", 16), Some((0, &b":1"[..])));
        assert_eq!(take_hex(b"aBcDeF", 6), Some((0xab_cdef, &b""[..])));
        assert_eq!(take_hex(b"123", 2), None);
        for text in ["", "+1", "-1", " 1", "g", ":"] {
            assert_eq!(take_hex(text.as_bytes(), 16), None, "{text:?}");
        }
        assert_eq!(take_hex(b"0x1", 16), Some((0, &b"x1"[..])));
    }

    #[test]
    fn ids_are_16_digits_of_either_case_and_nothing_else() {
        let (up, down) = (b"0123456789abCDEF", b"fedcba9876543210");
        let (one, two) = (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
        assert_eq!(hex_ids([up]), Some([one]));
        assert_eq!(hex_ids([up, down]), Some([one, two]));
        assert_eq!(hex_ids([up, down, up, up]), Some([one, two, one, one]));
        for at in 0..32 {
            for byte in 0..=u8::MAX {
                let mut text = [*up, *down];
                text[at / 16][at % 16] = byte;
                let ids = hex_ids([&text[0], &text[1]]);
                let digit = char::from(byte).to_digit(16).map(u64::from);
                let shift = 60 - at % 16 * 4;
                let id = ids.map(|ids| ids[at / 16] >> shift & 0xf);
                assert_eq!(id, digit, "{byte:#x} at {at}");
            }
        }
    }

    #[test]
    fn only_spaces_and_tabs_are_trimmed() {
        for (text, trimmed) in [
            ("", ""),
            (" \t ", ""),
            ("\ta b \t", "a b"),
            ("\n1\r", "\n1\r"),
            ("a", "a"),
        ] {
            assert_eq!(trim(text.as_bytes()), trimmed.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn values_decode_as_every_client_writes_them() {
        for (value, decoded) in [
            ("", ""),
            ("plain", "plain"),
            ("a%20b", "a b"),
            ("a+b", "a b"),
            ("a%2Bb%2bc", "a+b+c"),
            ("+%2B+", " + "),
            ("caf%C3%A9", "café"),
            ("café", "café"),
            ("a%2520b", "a%20b"),
            ("100%", "100%"),
            ("a+b%zz", "a+b%zz"),
            ("abc%2", "abc%2"),
            ("%", "%"),
            ("a%FFb", "a\u{fffd}b"),
        ] {
            assert_eq!(percent_decoded(value.as_bytes()), decoded, "{value:?}");
        }
        assert_eq!(percent_decoded(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(percent_decoded(b"a\xff%zz"), "a\u{fffd}%zz");
    }

    #[test]
    fn a_buffer_that_is_too_small_is_not_overrun() {
        let mut buffer = [0; 3];
        assert_eq!(
            percent_decoded_into(b"%31%32%33", &mut buffer),
            Some(&b"123"[..])
        );
        assert_eq!(percent_decoded_into(b"1234", &mut buffer), None);
        assert_eq!(percent_decoded_into(b"1%", &mut buffer), None);
    }
}

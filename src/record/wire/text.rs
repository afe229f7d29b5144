//! Text that is read back from its bytes.

use std::str;

/// Returns the text in these bytes, or `None` if they are not UTF-8.
///
/// Most keys and values are short and ASCII. To see that takes a few instructions, [`str::from_utf8`] takes dozens.
#[inline]
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    if is_short_ascii(bytes) {
        // SAFETY: ASCII is UTF-8.
        return Some(unsafe { str::from_utf8_unchecked(bytes) });
    }
    str::from_utf8(bytes).ok()
}

/// Returns whether there are at most 32 bytes, all of them ASCII. Looks at the first and the last ones, which meet or
/// overlap.
#[inline]
fn is_short_ascii(bytes: &[u8]) -> bool {
    match bytes.len() {
        0..=3 => bytes.iter().all(u8::is_ascii),
        4..=7 => ends(bytes).is_some_and(|[first, last]| {
            (u32::from_ne_bytes(first) | u32::from_ne_bytes(last)) & HIGH_BITS as u32 == 0
        }),
        8..=16 => ends(bytes).is_some_and(|[first, last]| {
            (u64::from_ne_bytes(first) | u64::from_ne_bytes(last)) & HIGH_BITS as u64 == 0
        }),
        17..=32 => ends(bytes).is_some_and(|[first, last]| {
            (u128::from_ne_bytes(first) | u128::from_ne_bytes(last)) & HIGH_BITS == 0
        }),
        _ => false,
    }
}

#[inline]
fn ends<const N: usize>(bytes: &[u8]) -> Option<[[u8; N]; 2]> {
    Some([*bytes.first_chunk()?, *bytes.last_chunk()?])
}

/// The high bit of each byte, which ASCII does not have.
const HIGH_BITS: u128 = u128::from_ne_bytes([0x80; 16]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_text_exactly_if_they_are_utf8() {
        for len in 0..70 {
            let ascii = vec![b'a'; len];
            assert_eq!(text(&ascii), str::from_utf8(&ascii).ok(), "{len}");
            for at in 0..len {
                for (other, is_text) in [
                    (&b"\x80"[..], false),
                    (b"\x7f", true),
                    ("é".as_bytes(), true),
                ] {
                    let bytes = [&ascii[..at], other, &ascii[at + 1..]].concat();
                    assert_eq!(text(&bytes), str::from_utf8(&bytes).ok());
                    assert_eq!(text(&bytes).is_some(), is_text, "{at} of {len}");
                }
            }
        }
    }
}

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

/// The id of a trace in all of its services: 64 or 128 bits, never zero.
///
/// It prints as 16 hex digits, or as 32 if the upper half is not zero, as in all Jaeger clients. It parses from 1 to
/// 32 hex digits of either case; leading zeros may be missing.
///
/// ```
/// use tracehound::model::TraceId;
///
/// let id: TraceId = "5b2b4e1f9d3a7c60".parse()?;
/// assert_eq!(id.low(), 0x5b2b_4e1f_9d3a_7c60);
/// assert_eq!(id.to_string(), "5b2b4e1f9d3a7c60");
/// # Ok::<(), tracehound::model::ParseIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(C)]
pub struct TraceId {
    high: u64,
    low: u64,
}

impl TraceId {
    /// Joins the two halves; `None` if both are zero, which is not an id.
    pub const fn new(high: u64, low: u64) -> Option<Self> {
        if high == 0 && low == 0 {
            None
        } else {
            Some(Self { high, low })
        }
    }

    /// Returns the id of the trace that begins with the span `root`.
    pub(crate) const fn of_root(high: u64, root: SpanId) -> Self {
        Self {
            high,
            low: root.get(),
        }
    }

    /// Returns the upper 64 bits; zero for a 64-bit id.
    pub const fn high(self) -> u64 {
        self.high
    }

    /// Returns the lower 64 bits, on which samplers decide.
    pub const fn low(self) -> u64 {
        self.low
    }

    /// Returns the 16 bytes, most significant first.
    ///
    /// ```
    /// use tracehound::model::TraceId;
    ///
    /// let id = TraceId::new(0x0af7_6519_16cd_43dd, 0x8448_eb21_1c80_319c).expect("not zero");
    /// assert_eq!(id.high(), 0x0af7_6519_16cd_43dd);
    /// assert_eq!(id.to_bytes()[..2], [0x0a, 0xf7]);
    /// assert_eq!(id.to_string(), "0af7651916cd43dd8448eb211c80319c");
    /// ```
    pub const fn to_bytes(self) -> [u8; 16] {
        (((self.high as u128) << 64) | self.low as u128).to_be_bytes()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 32];
        let (high, low) = digits.split_at_mut(16);
        high.copy_from_slice(&hex_digits(self.high));
        low.copy_from_slice(&hex_digits(self.low));
        let from = if self.high == 0 { 16 } else { 0 };
        f.pad(std::str::from_utf8(&digits[from..]).expect("hex digits are ASCII"))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

impl FromStr for TraceId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let value = parse_hex(text.as_bytes(), 32).ok_or(ParseIdError::new("trace id", 32))?;
        Self::new((value >> 64) as u64, value as u64).ok_or(ParseIdError::new("trace id", 32))
    }
}

/// The id of a span within its trace: 64 bits, never zero.
///
/// It prints as 16 hex digits and parses from 1 to 16 of either case.
///
/// ```
/// use tracehound::model::SpanId;
///
/// let id: SpanId = "6ad04c2b18e7f935".parse()?;
/// assert_eq!(id.get(), 0x6ad0_4c2b_18e7_f935);
/// # Ok::<(), tracehound::model::ParseIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct SpanId(NonZeroU64);

impl SpanId {
    /// Makes an id of a number; `None` for zero, which is not an id.
    pub const fn new(id: u64) -> Option<Self> {
        match NonZeroU64::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// Returns the id as a number.
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = hex_digits(self.get());
        f.pad(std::str::from_utf8(&digits).expect("hex digits are ASCII"))
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpanId({self})")
    }
}

impl FromStr for SpanId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let value = parse_hex(text.as_bytes(), 16).ok_or(ParseIdError::new("span id", 16))?;
        Self::new(value as u64).ok_or(ParseIdError::new("span id", 16))
    }
}

/// The error for a text that is not an id: it is empty, too long, not hex, or zero.
///
/// ```
/// use tracehound::model::TraceId;
///
/// let error = "xyz".parse::<TraceId>().expect_err("not hex");
/// println!("{error}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseIdError {
    id: &'static str,
    digits: usize,
}

impl ParseIdError {
    const fn new(id: &'static str, digits: usize) -> Self {
        Self { id, digits }
    }
}

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a {} is 1 to {} hex digits and not zero",
            self.id, self.digits
        )
    }
}

impl std::error::Error for ParseIdError {}

/// Reads 1 to `max_digits` (at most 32) hex digits of either case. A sign, a prefix or a space is refused.
pub(crate) fn parse_hex(digits: &[u8], max_digits: usize) -> Option<u128> {
    if digits.is_empty() || digits.len() > max_digits {
        return None;
    }
    let mut value = 0u128;
    for &digit in digits {
        let nibble = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            b'A'..=b'F' => digit - b'A' + 10,
            _ => return None,
        };
        value = (value << 4) | u128::from(nibble);
    }
    Some(value)
}

/// Returns the lower-case digit of a value below 16.
#[inline]
pub(crate) const fn hex_digit(value: u8) -> u8 {
    value + if value < 10 { b'0' } else { b'a' - 10 }
}

/// Returns the lower-case digits of `value`, with leading zeros.
///
/// Makes eight at a time: spreads each half to one digit a byte, then turns them into text by two additions.
#[inline]
pub(crate) fn hex_digits(value: u64) -> [u8; 16] {
    let value = value.swap_bytes();
    let mut digits = [0; 16];
    let (first, last) = digits.split_at_mut(8);
    first.copy_from_slice(&hex_digits_8(value as u32));
    last.copy_from_slice(&hex_digits_8((value >> 32) as u32));
    digits
}

/// Returns the digits of four bytes, the lowest first. Uses no multiplication, so that the compiler joins two calls
/// into vector instructions.
#[inline]
fn hex_digits_8(bytes: u32) -> [u8; 8] {
    let mut digits = u64::from(bytes);
    digits = (digits | digits << 16) & 0x0000_ffff_0000_ffff;
    digits = (digits | digits << 8) & 0x00ff_00ff_00ff_00ff;
    digits = (digits >> 4 | digits << 8) & 0x0f0f_0f0f_0f0f_0f0f;
    // The top bit of each byte that is 10 or more. Between the digits and the letters there are 39 other characters.
    let letters = (digits + 0x7676_7676_7676_7676) & 0x8080_8080_8080_8080;
    let gap = (letters - (letters >> 7)) & 0x2727_2727_2727_2727;
    (digits + 0x3030_3030_3030_3030 + gap).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_padded_and_parse_unpadded() {
        let id: TraceId = "1ABC".parse().expect("hex");
        assert_eq!(id.to_string(), "0000000000001abc");
        let id: TraceId = "10000000000000001".parse().expect("17 digits");
        assert_eq!((id.high(), id.low()), (1, 1));
        assert_eq!(id.to_string(), "00000000000000010000000000000001");
        assert_eq!(id.to_bytes()[7], 1);
    }

    #[test]
    fn every_digit_is_written_in_every_place() {
        for shift in (0..64).step_by(4) {
            for digit in 0..16_u64 {
                let value = digit << shift | 1 << (63 - shift);
                assert_eq!(hex_digits(value), format!("{value:016x}").as_bytes());
            }
        }
        for value in 0..16 {
            assert_eq!(
                char::from(hex_digit(value)).to_string(),
                format!("{value:x}")
            );
        }
    }

    #[test]
    fn text_that_is_no_id_is_refused() {
        for text in [
            "",
            "0",
            "+1",
            "0x1",
            "1_0",
            " 1",
            "g",
            "-1",
            &"1".repeat(33),
        ] {
            assert!(text.parse::<TraceId>().is_err(), "{text:?}");
        }
        for text in ["", "0000", "+f", &"1".repeat(17)] {
            assert!(text.parse::<SpanId>().is_err(), "{text:?}");
        }
    }
}

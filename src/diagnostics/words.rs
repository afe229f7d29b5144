//! Names and durations in a line of text.

use std::fmt;
use std::time::Duration;

/// A name in a line of text: quoted, escaped, and cut if it is long.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(MAX_CHARS) {
            Some((end, _)) => write!(f, "{:?}…", &self.0[..end]),
            None => write!(f, "{:?}", self.0),
        }
    }
}

/// A duration in the largest unit that is not zero, with one digit after the point.
pub(crate) struct Rounded(pub(crate) Duration);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1?}", self.0)
    }
}

/// The number of characters of a name that a line shows.
const MAX_CHARS: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_escaped_and_cut() {
        let long = "é".repeat(100);
        let cut = format!("\"{}\"…", "é".repeat(60));
        for (name, expected) in [
            ("checkout", "\"checkout\""),
            ("a\nb\u{1b}[31m", r#""a\nb\u{1b}[31m""#),
            (&long, &cut),
        ] {
            assert_eq!(Quoted(name).to_string(), expected);
        }
    }

    #[test]
    fn a_duration_has_one_digit_after_the_point() {
        for (nanos, expected) in [(31_240_000_000, "31.2s"), (20_000_000, "20.0ms")] {
            assert_eq!(Rounded(Duration::from_nanos(nanos)).to_string(), expected);
        }
    }
}

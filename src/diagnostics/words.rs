//! Names, texts and durations in a line of text.

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

/// Replaces the characters of a text that are not seen, or that change how others are shown, by their escapes: control
/// characters, and those that Unicode has for the direction and the format of text.
pub(crate) fn escaped(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    text.flat_map(|character| {
        let (escape, shown) = match is_invisible(character) {
            true => (Some(character.escape_default()), None),
            false => (None, Some(character)),
        };
        escape.into_iter().flatten().chain(shown)
    })
}

fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
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
    fn a_character_that_is_not_seen_is_escaped() {
        for (text, expected) in [
            (
                "é e\u{301} \"日本\" \u{1f600}",
                "é e\u{301} \"日本\" \u{1f600}",
            ),
            ("a\nb\u{1b}[31m\u{9b}", r"a\nb\u{1b}[31m\u{9b}"),
            ("x\u{202e}gpj.exe", r"x\u{202e}gpj.exe"),
            (
                "a\u{200b}b\u{2066}c\u{feff}",
                r"a\u{200b}b\u{2066}c\u{feff}",
            ),
            ("\u{ad}\u{2028}\u{e0041}", r"\u{ad}\u{2028}\u{e0041}"),
        ] {
            assert_eq!(escaped(text.chars()).collect::<String>(), expected);
        }
        // As the debug form of texts has it, which lines use for names.
        for character in (0..=0x10_ffff).filter_map(char::from_u32) {
            let name = Quoted(character.encode_utf8(&mut [0; 4])).to_string();
            let is_kept = name.contains(character);
            assert!(!is_kept || !is_invisible(character), "{name}");
        }
    }

    #[test]
    fn a_duration_has_one_digit_after_the_point() {
        for (nanos, expected) in [(31_240_000_000, "31.2s"), (20_000_000, "20.0ms")] {
            assert_eq!(Rounded(Duration::from_nanos(nanos)).to_string(), expected);
        }
    }
}

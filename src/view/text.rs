//! Makes text that came over a socket safe for a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Returns `text` in at most `columns` columns, without characters that could control a terminal.
///
/// Control characters become `?`. Characters without a width of their own (marks, joiners, changes of the writing
/// direction) are left out. Without `unicode`, everything beyond ASCII becomes `?`. A cut is marked.
pub(crate) fn fit(text: &str, columns: usize, unicode: bool) -> String {
    let mut out = String::new();
    let mut used = 0;
    // If the text is too long, it is cut here, where the mark still has room.
    let mark = if unicode { "…" } else { ".." };
    let room = columns.saturating_sub(mark.width());
    let mut cut = 0;
    for character in text.chars() {
        let (character, width) = match shown(character, unicode) {
            Some(shown) => shown,
            None => continue,
        };
        if used + width > columns {
            out.truncate(cut);
            if columns >= mark.width() {
                out.push_str(mark);
            }
            return out;
        }
        out.push(character);
        used += width;
        if used <= room {
            cut = out.len();
        }
    }
    out
}

/// Returns how many columns a text from [`fit`] takes.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

fn shown(character: char, unicode: bool) -> Option<(char, usize)> {
    match character {
        ' '..='~' => Some((character, 1)),
        // Unicode does not count line and paragraph separators as control characters, but some terminals obey them.
        '\u{2028}' | '\u{2029}' => Some(('?', 1)),
        _ if character.is_control() || !unicode => Some(('?', 1)),
        _ => match character.width() {
            Some(0) => None,
            Some(width) => Some((character, width)),
            None => Some(('?', 1)),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_that_fits_is_unchanged() {
        assert_eq!(fit("GET /cart", 9, true), "GET /cart");
        assert_eq!(fit("日本", 4, true), "日本");
        assert_eq!(fit("", 0, true), "");
    }

    #[test]
    fn a_cut_is_marked_and_stays_within_the_columns() {
        assert_eq!(fit("GET /cart", 8, true), "GET /ca…");
        assert_eq!(fit("GET /cart", 8, false), "GET /c..");
        assert_eq!(fit("日本語", 5, true), "日本…");
        assert_eq!(fit("日本語", 4, true), "日…");
        assert_eq!(fit("GET", 1, false), "");
    }

    #[test]
    fn characters_that_control_a_terminal_are_not_shown() {
        let hostile = "\x1b[31mred\x07\r\n\u{9b}2J\u{202e}abc\u{200b}\u{2028}";
        assert_eq!(fit(hostile, 80, true), "?[31mred????2Jabc?");
        assert_eq!(fit("é", 80, false), "?");
        assert_eq!(fit("e\u{301}", 80, true), "e");
    }

    proptest! {
        #[test]
        fn no_text_can_control_a_terminal(text in any::<String>(), limit in 0usize..40) {
            for unicode in [true, false] {
                let shown = fit(&text, limit, unicode);
                prop_assert!(columns(&shown) <= limit);
                prop_assert!(!shown.chars().any(char::is_control));
                prop_assert!(unicode || shown.is_ascii());
            }
        }
    }
}

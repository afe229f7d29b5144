//! Words and strings in a text.

pub(super) fn is_in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$' | '%' | '+')
}

pub(super) fn word_end(text: &str) -> usize {
    text.find(|c| !is_in_word(c)).unwrap_or(text.len())
}

/// Returns the end of a string in quotes, which may be that of the text.
pub(super) fn string_end(text: &str, quote: char) -> usize {
    let mut is_escaped = true; // The first quote ends nothing.
    for (at, c) in text.char_indices() {
        match c {
            c if c == quote && !is_escaped => return at + 1,
            '\\' if !is_escaped => is_escaped = true,
            _ => is_escaped = false,
        }
    }
    text.len()
}

/// Returns the end of a string in single quotes or back ticks, `None` if the text ends before it does.
///
/// A quote that is written twice, as in SQL, or that stands before a letter, as in `it's`, does not end the string.
pub(super) fn quoted_end(text: &str, quote: char) -> Option<usize> {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            let next = chars.peek().map(|(_, next)| *next);
            if next == Some(quote) {
                chars.next();
            } else if !next.is_some_and(char::is_alphanumeric) {
                return Some(at + 1);
            }
        }
    }
    None
}

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

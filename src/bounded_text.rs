//! The beginnings of texts that may be long.

use std::fmt::{self, Write};

/// Returns the beginning of a text: at most `most` bytes, in whole characters.
#[inline]
pub(crate) fn beginning(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Formats a value of the program. If the value returns an error, the text ends there; `to_string` would panic.
pub(crate) fn formatted(value: &dyn fmt::Display) -> String {
    let mut text = String::new();
    let _ = write!(text, "{value}");
    text
}

/// The first bytes of a text that is formatted, in whole characters.
#[derive(Debug)]
pub(crate) struct BoundedText {
    text: String,
    is_cut: bool,
}

impl BoundedText {
    /// Formats at most `most` bytes. More than that, like an error of a formatted value, ends the formatting.
    pub(crate) fn of(most: usize, arguments: fmt::Arguments<'_>) -> Self {
        let mut text = String::new();
        let is_cut = BoundedWriter::new(&mut text, most)
            .write_fmt(arguments)
            .is_err();
        Self { text, is_cut }
    }

    /// Returns the text. If there was more, `cut` returns the bytes to keep, and `…` follows them.
    pub(crate) fn finish(mut self, cut: impl FnOnce(&str) -> usize) -> String {
        if self.is_cut {
            self.text.truncate(cut(&self.text));
            self.text.push('…');
        }
        self.text
    }
}

/// A writer behind a text that ends the formatting once its room is used up.
pub(crate) struct BoundedWriter<'t> {
    text: &'t mut String,
    room: usize,
}

impl<'t> BoundedWriter<'t> {
    pub(crate) fn new(text: &'t mut String, room: usize) -> Self {
        Self { text, room }
    }
}

impl Write for BoundedWriter<'_> {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let fits = beginning(more, self.room);
        self.text.push_str(fits);
        self.room -= fits.len();
        match fits.len() == more.len() {
            true => Ok(()),
            false => Err(fmt::Error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_has_whole_characters() {
        for (text, most, expected) in [
            ("", 0, ""),
            ("ab", 2, "ab"),
            ("ab", 1, "a"),
            ("aé", 2, "a"),
            ("aé", 3, "aé"),
            ("€€", 5, "€"),
            ("😀", 3, ""),
        ] {
            assert_eq!(beginning(text, most), expected, "{text} {most}");
        }
    }

    #[test]
    fn formatting_ends_where_the_room_ends() {
        let mut text = "é".to_owned();
        let mut writer = BoundedWriter::new(&mut text, 3);
        assert!(write!(writer, "{}{}", 1, 2).is_ok());
        assert!(write!(writer, "é{}", 3).is_err());
        assert_eq!(text, "é12");
    }
}

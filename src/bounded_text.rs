use std::fmt::{self, Write};

/// The first bytes of a text that is formatted, in whole characters.
#[derive(Debug, Default)]
pub(crate) struct BoundedText {
    text: String,
    most: usize,
    is_cut: bool,
}

impl BoundedText {
    /// Formats at most `most` bytes. More than that, like an error of a formatted value, ends the formatting.
    pub(crate) fn of(most: usize, arguments: fmt::Arguments<'_>) -> Self {
        let mut text = Self {
            most,
            ..Self::default()
        };
        text.is_cut = text.write_fmt(arguments).is_err();
        text
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

impl Write for BoundedText {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = self.most - self.text.len();
        if more.len() <= room {
            self.text.push_str(more);
            return Ok(());
        }
        let mut ends = (0..=room).rev();
        let end = ends.find(|end| more.is_char_boundary(*end));
        self.text.push_str(&more[..end.unwrap_or(0)]);
        Err(fmt::Error)
    }
}

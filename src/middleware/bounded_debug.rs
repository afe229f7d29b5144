use std::fmt::{self, Debug, Write};

/// Returns the `Debug` text of a value, or the first `most` bytes of a longer one with `…` behind.
pub(crate) fn bounded_debug<T: Debug + ?Sized>(value: &T, most: usize) -> String {
    let mut bounded = Bounded {
        text: String::new(),
        room: most,
    };
    // The error of `Bounded` ends the formatting. An error of the value is as good an end.
    if write!(bounded, "{value:?}").is_err() {
        bounded.text.push('…');
    }
    bounded.text
}

struct Bounded {
    text: String,
    room: usize,
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() <= self.room {
            self.text.push_str(text);
            self.room -= text.len();
            return Ok(());
        }
        let mut ends = (0..=self.room).rev();
        let end = ends.find(|end| text.is_char_boundary(*end));
        self.text.push_str(&text[..end.unwrap_or(0)]);
        self.room = 0;
        Err(fmt::Error)
    }
}

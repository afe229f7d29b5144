use std::fmt::{self, Write as _};
use std::str;

/// The ids of a log line under their names, as text. Made and printed without an allocation.
pub(super) struct LogIds {
    pub(super) trace_id: (&'static str, IdText),
    pub(super) span_id: (&'static str, IdText),
    pub(super) sampled: Option<(&'static str, bool)>,
}

impl fmt::Display for LogIds {
    /// Writes `key=value` for each, with blanks between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (key, id)) in [&self.trace_id, &self.span_id].into_iter().enumerate() {
            let blank = if n == 0 { "" } else { " " };
            write!(f, "{blank}{key}={}", id.as_str())?;
        }
        match self.sampled {
            Some((key, is_sampled)) => write!(f, " {key}={is_sampled}"),
            None => Ok(()),
        }
    }
}

/// The hex digits of an id.
#[derive(Clone, Copy, Default)]
pub(super) struct IdText {
    digits: [u8; 32],
    len: usize,
}

impl IdText {
    pub(super) fn of(id: fmt::Arguments<'_>) -> Self {
        let mut text = Self::default();
        text.write_fmt(id)
            .expect("an id has at most 32 digits, and writing it cannot fail");
        text
    }

    pub(super) fn as_str(&self) -> &str {
        str::from_utf8(&self.digits[..self.len]).expect("hex digits are ASCII")
    }
}

impl fmt::Write for IdText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        let free = self.digits.get_mut(self.len..end).ok_or(fmt::Error)?;
        free.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

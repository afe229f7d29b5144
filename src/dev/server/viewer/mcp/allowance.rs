//! The bound of an answer.

use crate::bounded_text::beginning;

/// The bytes of text that an answer may still take.
///
/// An answer is read by a language model, which has little room, and stands in it twice: as data and as text.
#[derive(Debug)]
pub(super) struct Allowance {
    left: usize,
    has_cut: bool,
}

impl Allowance {
    /// Returns the allowance of a whole answer.
    pub(super) fn new() -> Self {
        Self {
            left: MAX_ANSWER,
            has_cut: false,
        }
    }

    /// Takes the bytes of an item without its texts. Returns false, and remembers that something is missing, if there
    /// are not as many left.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                true
            }
            None => {
                self.left = 0;
                self.has_cut = true;
                false
            }
        }
    }

    /// Returns a text, or as much of it as an answer may have. A cut is marked.
    pub(super) fn text(&mut self, text: &str) -> String {
        let most = self.left.min(MAX_TEXT);
        if text.len() <= most {
            self.left -= text.len();
            return text.to_owned();
        }
        self.has_cut = true;
        let cut = beginning(text, most);
        self.left -= cut.len();
        format!("{cut}…")
    }

    /// Returns what tells the reader that something is missing.
    pub(super) fn note(&self) -> Option<String> {
        self.has_cut.then(|| CUT.to_owned())
    }
}

/// The bytes of all texts of an answer.
const MAX_ANSWER: usize = 256 << 10;
/// The bytes of one text.
const MAX_TEXT: usize = 4 << 10;
const CUT: &str = "the answer was cut, because it is too long: ask for less";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_the_cut_is_marked() {
        let mut allowance = Allowance::new();
        let long = "é".repeat(MAX_TEXT);
        assert_eq!(allowance.text("short"), "short");
        assert_eq!(allowance.note(), None);
        let cut = allowance.text(&long);
        assert_eq!(cut, format!("{}…", "é".repeat(MAX_TEXT / 2)));
        assert_eq!(allowance.note().as_deref(), Some(CUT));
    }

    #[test]
    fn an_answer_ends_when_its_bytes_are_taken() {
        let mut allowance = Allowance::new();
        let long = "x".repeat(MAX_TEXT);
        let texts: usize = (0..1_000).map(|_| allowance.text(&long).len()).sum();
        assert!(texts <= MAX_ANSWER + 1_000 * "…".len(), "{texts}");
        assert!(!allowance.take(1));
        let mut allowance = Allowance::new();
        assert!(allowance.take(MAX_ANSWER));
        assert_eq!(allowance.note(), None);
        assert!(!allowance.take(1));
        assert!(allowance.note().is_some());
    }
}

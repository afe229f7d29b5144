/// How much one span may hold. What is beyond is cut or left out, visibly, and counted; the program is never told.
///
/// ```
/// use tracehound::span::Limits;
///
/// let limits = Limits::default().tag_value_bytes(4_096).logs(16);
/// # let _ = limits;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(crate) tag_value_bytes: usize,
    pub(crate) log_value_bytes: usize,
    pub(crate) key_bytes: usize,
    pub(crate) operation_name_bytes: usize,
    pub(crate) logs: usize,
    pub(crate) span_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tag_value_bytes: 1_024,
            log_value_bytes: 1_024,
            key_bytes: 256,
            operation_name_bytes: 1_024,
            logs: 128,
            span_bytes: 256 * 1_024,
        }
    }
}

impl Limits {
    /// Bytes of a tag's text or binary value. Longer text is cut at a character and ends in `…`; where binary values were
    /// cut, the tag `tracehound.truncated_binary` lists their keys, such as `body, signature`.
    ///
    /// Defaults to 1 024, as the Python client; the Go client has 256, which cuts most SQL.
    #[must_use]
    pub fn tag_value_bytes(mut self, bytes: usize) -> Self {
        self.tag_value_bytes = bytes;
        self
    }

    /// Bytes of a log field's text or binary value, cut in that way too: the record itself has the list of keys. Defaults
    /// to 1 024.
    #[must_use]
    pub fn log_value_bytes(mut self, bytes: usize) -> Self {
        self.log_value_bytes = bytes;
        self
    }

    /// Bytes of a key, cut in the same way. Defaults to 256.
    #[must_use]
    pub fn key_bytes(mut self, bytes: usize) -> Self {
        self.key_bytes = bytes;
        self
    }

    /// Bytes of an operation name, cut in the same way. Defaults to 1 024.
    #[must_use]
    pub fn operation_name_bytes(mut self, bytes: usize) -> Self {
        self.operation_name_bytes = bytes;
        self
    }

    /// Log records of a span; 0 for as many as fit. Of more, the first half and the newest half are kept, and one
    /// record between them says how many are missing (`event="dropped Span logs"`, `dropped_log_count`), as
    /// in the Go client.
    ///
    /// Defaults to 128.
    #[must_use]
    pub fn logs(mut self, records: usize) -> Self {
        self.logs = records;
        self
    }

    /// Bytes of all tags, and of all log records, in encoded form. What comes later is left out, and the tag
    /// `tracehound.dropped_items` says how much.
    ///
    /// Defaults to 262 144.
    #[must_use]
    pub fn span_bytes(mut self, bytes: usize) -> Self {
        self.span_bytes = bytes;
        self
    }
}

/// Cuts `text` to `limit` bytes at a character, with `…` at the end where that fits; `None` where it is short enough.
pub(crate) fn cut(text: &str, limit: usize) -> Option<String> {
    const MARK: &str = "…";
    if text.len() <= limit {
        return None;
    }
    let mark = if limit >= MARK.len() { MARK } else { "" };
    let mut end = limit - mark.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Some([&text[..end], mark].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_a_character_and_marked() {
        assert_eq!(cut("abcdef", 6), None);
        assert_eq!(cut("abcdef", 5).as_deref(), Some("ab…"));
        assert_eq!(cut("aéé", 4).as_deref(), Some("a…"));
        assert_eq!(cut("éé", 3).as_deref(), Some("…"));
        assert_eq!(cut("abc", 2).as_deref(), Some("ab"));
        assert_eq!(cut("é", 1).as_deref(), Some(""));
        assert_eq!(cut("a", 0).as_deref(), Some(""));
    }
}

//! Cuts tags and text that are longer than the limits.

use crate::bounded_text::beginning;
use crate::model::TagRef;
use crate::record::wire::encode::write_tag;
use crate::record::wire::limits::Limits;

/// Appends a tag, cut to the limits. Returns how many of its two parts were cut: its key, its value.
pub(crate) fn write_limited_tag(
    out: &mut Vec<u8>,
    key: &str,
    value: TagRef<'_>,
    value_bytes: usize,
    limits: &Limits,
) -> u64 {
    let value_len = match value {
        TagRef::String(text) => text.len(),
        TagRef::Binary(bytes) => bytes.len(),
        _ => 0,
    };
    if key.len() <= limits.key_bytes && value_len <= value_bytes {
        write_tag(out, key, value);
        return 0;
    }
    write_cut_tag(out, key, value, value_bytes, limits)
}

#[cold]
fn write_cut_tag(
    out: &mut Vec<u8>,
    key: &str,
    value: TagRef<'_>,
    value_bytes: usize,
    limits: &Limits,
) -> u64 {
    let cut_key = cut(key, limits.key_bytes);
    let key = cut_key.as_deref().unwrap_or(key);
    let cut_value = match value {
        TagRef::String(text) => cut(text, value_bytes),
        _ => None,
    };
    let (value, is_cut) = match (value, &cut_value) {
        (TagRef::String(_), Some(text)) => (TagRef::String(text), true),
        (TagRef::Binary(bytes), _) => match bytes.get(..value_bytes) {
            Some(start) if start.len() < bytes.len() => (TagRef::Binary(start), true),
            _ => (value, false),
        },
        _ => (value, false),
    };
    write_tag(out, key, value);
    u64::from(cut_key.is_some()) + u64::from(is_cut)
}

/// Cuts `text` to `limit` bytes, between two characters, and ends it in `…` if that fits. Returns `None` if the text is
/// short enough.
pub(crate) fn cut(text: &str, limit: usize) -> Option<String> {
    const MARK: &str = "…";
    if text.len() <= limit {
        return None;
    }
    let mark = if limit >= MARK.len() { MARK } else { "" };
    Some([beginning(text, limit - mark.len()), mark].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_ends_text_at_a_character_and_marks_it() {
        assert_eq!(cut("abcdef", 6), None);
        assert_eq!(cut("abcdef", 5).as_deref(), Some("ab…"));
        assert_eq!(cut("aéé", 4).as_deref(), Some("a…"));
        assert_eq!(cut("éé", 3).as_deref(), Some("…"));
        assert_eq!(cut("abc", 2).as_deref(), Some("ab"));
        assert_eq!(cut("é", 1).as_deref(), Some(""));
        assert_eq!(cut("a", 0).as_deref(), Some(""));
    }
}

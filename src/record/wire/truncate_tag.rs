use crate::model::TagRef;
use crate::record::wire::encode::write_tag;
use crate::record::wire::limits::{Limits, cut};

/// Appends a tag cut to the limits; returns how many of its parts were cut.
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

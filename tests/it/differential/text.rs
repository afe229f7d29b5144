//! Limits of text and bytes, and the numbers of `sampling.priority`.

use tracehound::model::{Tag, TagValue, tags};

use super::plan::Value;

/// The limits, in bytes, and in log records.
pub(super) struct Limits {
    pub(super) tag_value: usize,
    pub(super) log_value: usize,
    pub(super) key: usize,
    pub(super) name: usize,
    pub(super) logs: usize,
}

impl Limits {
    pub(super) fn new(is_tight: bool) -> Self {
        if is_tight {
            Self {
                tag_value: 20,
                log_value: 20,
                key: 20,
                name: 16,
                logs: 4,
            }
        } else {
            Self {
                tag_value: 1_024,
                log_value: 1_024,
                key: 256,
                name: 1_024,
                logs: 128,
            }
        }
    }
}

/// Cuts a value to the limit: text at a character with `…` as its end, bytes at the limit.
pub(super) fn cut_value(value: &TagValue, limit: usize, cuts: &mut u64) -> TagValue {
    match value {
        TagValue::String(text) if text.len() > limit => {
            *cuts += 1;
            let mut kept = String::new();
            for c in text.chars() {
                if kept.len() + c.len_utf8() + '…'.len_utf8() > limit {
                    break;
                }
                kept.push(c);
            }
            kept.push('…');
            TagValue::from(kept)
        }
        TagValue::Binary(bytes) if bytes.len() > limit => {
            *cuts += 1;
            TagValue::Binary(bytes[..limit].to_vec())
        }
        value => value.clone(),
    }
}

/// Returns whether the value is binary and longer than the limit.
pub(super) fn is_beyond(value: &TagValue, limit: usize) -> bool {
    matches!(value, TagValue::Binary(bytes) if bytes.len() > limit)
}

/// Returns the tag that lists the keys of binary values that were cut.
pub(super) fn truncated_mark(keys: &[String]) -> Option<Tag> {
    let text = keys.join(", ");
    (!keys.is_empty()).then(|| Tag::new(tags::TRUNCATED_BINARY, text))
}

/// Returns whether a `sampling.priority` is above 0: a number of any type, a truth value, or text that is a number.
pub(super) fn is_positive(value: &Value) -> Option<bool> {
    let number = match value {
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Long(value) => *value as f64,
        Value::Double(value) => *value,
        Value::Unsigned(value) => *value as f64,
        Value::Text(text) => text.trim().parse().ok()?,
        Value::None | Value::Bytes(_) | Value::Shown(_) => return None,
    };
    (!number.is_nan()).then_some(number > 0.0)
}

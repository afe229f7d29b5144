//! Baggage: `uberctx-*`, `jaeger-baggage` and `baggage`.

use percent_encoding::percent_decode_str;

use crate::decode::Part;

/// Explains a list of items.
pub(super) fn list(value: &str) -> Vec<Part> {
    let items = value.split(',').map(str::trim);
    items
        .filter(|item| !item.is_empty())
        .map(|entry| match entry.split_once('=') {
            Some((key, value)) => item(key.trim(), value.trim()),
            None => Part::new("item", entry, "has no ="),
        })
        .collect()
}

/// Explains an item with a percent-encoded value, and perhaps with properties behind it.
pub(super) fn item(key: &str, value: &str) -> Part {
    let (value, properties) = match value.split_once(';') {
        Some((value, properties)) => (value.trim_end(), Some(properties.trim())),
        None => (value, None),
    };
    let decoded = percent_decode_str(value).decode_utf8_lossy();
    let mut meaning = match decoded == value {
        true => String::new(),
        false => format!("means {decoded:?}"),
    };
    if let Some(properties) = properties {
        if !meaning.is_empty() {
            meaning += "; ";
        }
        meaning += &format!("with properties {properties:?}");
    }
    Part::new(key, value, meaning)
}

//! `uber-trace-id`.

use std::borrow::Cow;

use tracehound::model::Flags;

use crate::decode::Part;
use crate::decode::ids::{about_flags, about_id, span_id, trace_id};

pub(super) fn trace_id_header(value: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = Cow::Borrowed(value);
    if value.contains('%') {
        parts.push(Part::new(
            "coding",
            "%",
            "percent-encoded, as old Java clients do",
        ));
        text = Cow::Owned(value.replace("%3A", ":").replace("%3a", ":"));
    }
    let fields: Vec<&str> = text.split(':').collect();
    let [trace, span, parent, flags] = fields.as_slice() else {
        let count = format!(
            "{} parts, and four are expected: trace:span:parent:flags",
            fields.len()
        );
        parts.push(Part::new("value", &text, count));
        return parts;
    };
    let is_root = !parent.is_empty() && parent.bytes().all(|digit| digit == b'0');
    parts.extend([
        trace_id(trace),
        span_id("span id", span),
        match is_root {
            true => Part::new("parent id", parent, "a root: the span has no parent"),
            false => Part::new("parent id", parent, about_id(parent, 16)),
        },
        match u8::from_str_radix(flags, 16) {
            Ok(bits) if !flags.starts_with('+') => {
                Part::new("flags", flags, about_flags(Flags::from_bits(bits)))
            }
            _ => Part::new("flags", flags, "not one or two hex digits"),
        },
    ]);
    parts
}

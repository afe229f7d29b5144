//! B3: `b3` and `x-b3-*`.

use crate::decode::Part;
use crate::decode::ids::{about_id, span_id, trace_id};

/// Explains the single header.
pub(super) fn single(value: &str) -> Vec<Part> {
    let fields: Vec<&str> = value.split('-').collect();
    let sampled = |text: &str| Part::new("sampled", text, about_sampled(text));
    match fields.as_slice() {
        [decision] => vec![sampled(decision)],
        [trace, span] => vec![
            trace_id(trace),
            span_id("span id", span),
            Part::new("sampled", "", "missing: the receiver's sampler decides"),
        ],
        [trace, span, decision] => {
            vec![trace_id(trace), span_id("span id", span), sampled(decision)]
        }
        [trace, span, decision, parent] => vec![
            trace_id(trace),
            span_id("span id", span),
            sampled(decision),
            span_id("parent id", parent),
        ],
        _ => vec![Part::new(
            "value",
            value,
            format!("{} parts, and one to four are expected", fields.len()),
        )],
    }
}

/// Explains one of the several headers.
pub(super) fn multiple(name: &str, value: &str) -> Part {
    match name {
        "x-b3-traceid" => trace_id(value),
        "x-b3-spanid" => span_id("span id", value),
        "x-b3-parentspanid" => Part::new("parent id", value, about_id(value, 16)),
        "x-b3-flags" if value == "1" => Part::new("flags", value, "debug: no sampler may drop it"),
        "x-b3-flags" => Part::new("flags", value, "only 1 has a meaning: debug"),
        _ => Part::new("sampled", value, about_sampled(value)),
    }
}

fn about_sampled(text: &str) -> &'static str {
    match text {
        "1" | "true" => "sampled",
        "0" | "false" => "not sampled: the trace is kept nowhere",
        "d" => "debug: sampled, and no sampler may drop it",
        _ => "none of 1, 0 and d",
    }
}

//! `traceparent` and `tracestate`.

use crate::decode::Part;
use crate::decode::ids::{span_id, trace_id};

pub(super) fn trace_parent(value: &str) -> Vec<Part> {
    let fields: Vec<&str> = value.split('-').collect();
    let [version, trace, span, flags, rest @ ..] = fields.as_slice() else {
        let count = format!(
            "{} parts, and four are expected: version-trace-parent-flags",
            fields.len()
        );
        return vec![Part::new("value", value, count)];
    };
    let about_version = match *version {
        "00" => "the current one",
        "ff" => "forbidden",
        _ => "a later one: the first four parts are read",
    };
    let mut parts = vec![
        Part::new("version", version, about_version),
        trace_id(trace),
        span_id("span id", span),
        match u8::from_str_radix(flags, 16) {
            Ok(bits) if flags.len() == 2 && !flags.starts_with('+') => {
                Part::new("flags", flags, about_flags(bits))
            }
            _ => Part::new("flags", flags, "not two hex digits"),
        },
    ];
    if !rest.is_empty() {
        parts.push(Part::new("rest", &rest.join("-"), "of a later version"));
    }
    parts
}

fn about_flags(bits: u8) -> String {
    let mut words = vec![match bits & 1 {
        0 => "not sampled: the trace is kept nowhere",
        _ => "sampled",
    }];
    if bits & 2 != 0 {
        words.push("the trace id is random");
    }
    if bits & !3 != 0 {
        words.push("other bits, which are ignored");
    }
    words.join("; ")
}

pub(super) fn trace_state(value: &str) -> Vec<Part> {
    let members = value.split(',').map(str::trim);
    let members = members.filter(|member| !member.is_empty());
    let mut parts = Vec::new();
    for member in members {
        match member.split_once('=') {
            Some((key, value)) => {
                parts.push(Part::new(
                    key,
                    value,
                    "a vendor's state, which is passed on",
                ));
                if key == "ot" {
                    parts.extend(value.split(';').filter_map(of_opentelemetry));
                }
            }
            None => parts.push(Part::new("member", member, "has no =")),
        }
    }
    parts
}

/// Explains a field of OpenTelemetry's member.
fn of_opentelemetry(field: &str) -> Option<Part> {
    let (key, digits) = field.split_once(':')?;
    let meaning = match key {
        "th" => match threshold(digits) {
            Some(rejected) => {
                let kept = 1.0 - rejected as f64 / RANGE as f64;
                format!("sampled with a probability of {kept}")
            }
            None => "not 1 to 14 hex digits".to_owned(),
        },
        "rv" => match digits.len() == 14 && threshold(digits).is_some() {
            true => "random value, by which all samplers of the trace decide".to_owned(),
            false => "not 14 hex digits".to_owned(),
        },
        _ => return None,
    };
    Some(Part::new(format!("ot {key}"), digits, meaning))
}

/// Reads digits to the right of which zeros are left out.
fn threshold(digits: &str) -> Option<u64> {
    let is_threshold = (1..=14).contains(&digits.len())
        && digits
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    let value = u64::from_str_radix(digits, 16).ok();
    value
        .filter(|_| is_threshold)
        .map(|value| value << (4 * (14 - digits.len())))
}

/// Thresholds are below this number.
const RANGE: u64 = 1 << 56;

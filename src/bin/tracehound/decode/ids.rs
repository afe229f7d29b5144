//! Ids and flags, which several formats write.

use tracehound::model::Flags;

use crate::decode::Part;

pub(super) fn trace_id(text: &str) -> Part {
    Part::new("trace id", text, about_id(text, 32))
}

pub(super) fn span_id(name: &'static str, text: &str) -> Part {
    Part::new(name, text, about_id(text, 16))
}

/// Describes an id, which may have at most `most` hex digits.
pub(super) fn about_id(text: &str, most: usize) -> String {
    if text.is_empty() {
        return "missing".to_owned();
    }
    if let Some(other) = text.chars().find(|digit| !digit.is_ascii_hexdigit()) {
        return format!("{other:?} is no hex digit");
    }
    if text.len() > most {
        return format!("{} digits, and at most {most} are allowed", text.len());
    }
    let digits = text.trim_start_matches('0').len();
    if digits == 0 {
        return "zero: there is none".to_owned();
    }
    let bits = if digits > 16 { 128 } else { 64 };
    match text.len() {
        16 | 32 => format!("{bits} bits"),
        _ => format!("{bits} bits, without its leading zeros"),
    }
}

/// Describes the flags of Jaeger's formats.
pub(super) fn about_flags(flags: Flags) -> String {
    let mut words = vec![if flags.is_sampled() {
        "sampled"
    } else {
        "not sampled: the trace is kept nowhere"
    }];
    if flags.is_debug() {
        words.push("debug: no sampler or limit may drop it");
    }
    if flags.is_firehose() {
        words.push("firehose: kept without an index");
    }
    if flags.bits() & !KNOWN != 0 {
        words.push("other bits, which are passed on");
    }
    words.join("; ")
}

const KNOWN: u8 = 0b1011;

//! Jaeger's binary form, in hex digits or base64.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use tracehound::propagation::BinaryCodec;

use crate::decode::{Part, of_context, print_parts};
use crate::output::say;
use crate::{CommandResult, Outcome};

/// Explains each text.
pub(super) fn run(texts: &[String]) -> CommandResult {
    let mut outcome = Outcome::Good;
    for text in texts {
        let bytes = bytes(text.trim())
            .ok_or_else(|| format!("{:?} is neither hex digits nor base64", text.trim()))?;
        say!("{} bytes", bytes.len());
        print_parts(&parts(&bytes));
        say!("");
        match BinaryCodec::default().extract(&bytes) {
            Ok(Some(context)) => {
                say!("A receiver of these bytes reads:");
                print_parts(&of_context(&context));
            }
            Ok(None) => {
                say!("A receiver finds no context and starts a trace of its own.");
                outcome = Outcome::Bad;
            }
            Err(error) => {
                say!("A receiver counts an error and starts a trace of its own: {error}");
                outcome = Outcome::Bad;
            }
        }
    }
    Ok(outcome)
}

/// Reads hex digits, with or without spaces, or any common form of base64.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != ':')
        .collect();
    let is_hex = digits.len().is_multiple_of(2) && digits.bytes().all(|c| c.is_ascii_hexdigit());
    if is_hex && !digits.is_empty() {
        let pairs = (0..digits.len()).step_by(2);
        return pairs
            .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
            .collect();
    }
    let engines = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD];
    engines
        .into_iter()
        .find_map(|engine| engine.decode(text).ok())
}

/// Splits the fixed part: two halves of the trace id, span, parent, flags, and the number of items.
fn parts(bytes: &[u8]) -> Vec<Part> {
    let rows = [
        ("trace id, high half", 8),
        ("trace id, low half", 8),
        ("span id", 8),
        ("parent id", 8),
        ("flags", 1),
        ("items of baggage", 4),
    ];
    let mut rest = bytes;
    let mut parts = Vec::new();
    for (name, length) in rows {
        let Some((field, after)) = rest.split_at_checked(length) else {
            parts.push(Part::new(name, &hex(rest), "cut short"));
            return parts;
        };
        rest = after;
        parts.push(Part::new(name, &hex(field), ""));
    }
    if !rest.is_empty() {
        let meaning = format!("{} bytes", rest.len());
        let shown = rest.get(..SHOWN).unwrap_or(rest);
        parts.push(Part::new("baggage", &hex(shown), meaning));
    }
    parts
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const SHOWN: usize = 16;

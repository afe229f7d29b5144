use crate::config::error::{ConfigProblem, InvalidItem};
use crate::config::setting::Setting;
use crate::config::variables::Variables;
use crate::propagation::{self, Propagation};

/// Reads the list of formats. An empty list stands for `none`.
pub(super) fn read(variables: &mut Variables<'_>) -> Option<Setting<Vec<Propagation>>> {
    match variables.get(JAEGER) {
        Some(text) => read_jaeger(&text, variables),
        None => read_otel(variables),
    }
}

/// Reads the list of Jaeger's clients, in which each word must be known. The text of a word goes into no message: a
/// secret with a comma in it is more than one word, and none of them shows that it is one.
fn read_jaeger(text: &str, variables: &mut Variables<'_>) -> Option<Setting<Vec<Propagation>>> {
    let formats = if is_none(text) {
        Some(Vec::new())
    } else {
        let formats: Option<Vec<_>> = words(text).map(|(_, word)| word.parse().ok()).collect();
        formats.map(unique).filter(|formats| !formats.is_empty())
    };
    if formats.is_none() {
        let expected = format!("none, or {}", list_of_words());
        variables.report(ConfigProblem::invalid(JAEGER, text, expected));
    }
    Some(Setting::of_variable(formats?, JAEGER))
}

/// Reads OpenTelemetry's list. An unknown word is passed over: other SDKs have more formats.
fn read_otel(variables: &mut Variables<'_>) -> Option<Setting<Vec<Propagation>>> {
    let text = variables.get(OTEL)?;
    if is_none(&text) {
        return Some(Setting::of_variable(Vec::new(), OTEL));
    }
    let mut formats = Vec::new();
    for (position, word) in words(&text) {
        let format = match word.to_ascii_lowercase().as_str() {
            // OpenTelemetry's word for the single header.
            "b3" => Some(Propagation::B3Single),
            "w3c" | "b3single" => None,
            _ => word.parse().ok(),
        };
        match format {
            Some(format) => formats.push(format),
            None => {
                let item = InvalidItem {
                    position,
                    expected: OTEL_WORDS,
                };
                variables.report(ConfigProblem::invalid_item(OTEL, item));
            }
        }
    }
    if words(&text).next().is_none() {
        variables.report(ConfigProblem::invalid(OTEL, &text, OTEL_WORDS));
    }
    (!formats.is_empty()).then(|| Setting::of_variable(unique(formats), OTEL))
}

/// Returns the words of a list, with their positions from 1.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let words = text.split(',').map(str::trim_ascii);
    (1..).zip(words).filter(|(_, word)| !word.is_empty())
}

/// Returns whether `none` is the only word.
fn is_none(text: &str) -> bool {
    let mut words = words(text);
    let first = words.next();
    first.is_some_and(|(_, word)| word.eq_ignore_ascii_case("none")) && words.next().is_none()
}

/// Leaves out formats that occur again.
fn unique(formats: Vec<Propagation>) -> Vec<Propagation> {
    let mut unique = Vec::with_capacity(formats.len());
    for format in formats {
        if !unique.contains(&format) {
            unique.push(format);
        }
    }
    unique
}

/// Returns in words that a list of formats is expected.
pub(super) fn list_of_words() -> String {
    format!("a list of {}", propagation::words("and"))
}

const JAEGER: &str = "JAEGER_PROPAGATION";
const OTEL: &str = "OTEL_PROPAGATORS";

const OTEL_WORDS: &str = "tracecontext, baggage, b3, b3multi or jaeger, or none alone";

use crate::config::error::ConfigProblem;
use crate::config::setting::Setting;
use crate::config::variables::Variables;
use crate::propagation::Propagation;

/// Reads the list of formats. An empty list stands for `none`.
pub(super) fn read(variables: &mut Variables<'_>) -> Option<Setting<Vec<Propagation>>> {
    if let Some(text) = variables.get(JAEGER) {
        let formats = read_list(&text, |word| word.parse().ok());
        if formats.is_none() {
            variables.report(ConfigProblem::invalid(JAEGER, &text, WORDS));
        }
        return Some(Setting::of_variable(formats?, JAEGER));
    }
    let text = variables.get(OTEL)?;
    let formats = read_list(&text, |word| match word.to_ascii_lowercase().as_str() {
        // OpenTelemetry's word for the single header.
        "b3" => Some(Propagation::B3Single),
        "w3c" | "b3single" => None,
        _ => word.parse().ok(),
    });
    if formats.is_none() {
        variables.report(ConfigProblem::invalid(OTEL, &text, OTEL_WORDS));
    }
    Some(Setting::of_variable(formats?, OTEL))
}

/// Returns the formats, or `None` if one word of the list is unknown. The text of a word goes into no message: a secret
/// with a comma in it is more than one word, and none of them shows that it is one.
fn read_list(text: &str, read: impl Fn(&str) -> Option<Propagation>) -> Option<Vec<Propagation>> {
    let words = || {
        let words = text.split(',').map(str::trim_ascii);
        words.filter(|word| !word.is_empty())
    };
    if words().count() == 1 && words().any(|word| word.eq_ignore_ascii_case("none")) {
        return Some(Vec::new());
    }
    let mut formats = Vec::new();
    for word in words() {
        let format = read(word)?;
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    (!formats.is_empty()).then_some(formats)
}

const JAEGER: &str = "JAEGER_PROPAGATION";
const OTEL: &str = "OTEL_PROPAGATORS";

const WORDS: &str = "none, or a list of jaeger, b3, b3single, w3c, tracecontext and baggage";
const OTEL_WORDS: &str = "none, or a list of tracecontext, baggage, b3, b3multi and jaeger";

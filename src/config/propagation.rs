use crate::config::error::ConfigProblem;
use crate::config::setting::Source;
use crate::config::variables::Variables;

/// Reads the list of formats. Returns the variable that asks for Jaeger's format, and reports formats that are not
/// supported.
pub(super) fn read(variables: &mut Variables<'_>) -> Source {
    for name in ["JAEGER_PROPAGATION", "OTEL_PROPAGATORS"] {
        let Some(text) = variables.get(name) else {
            continue;
        };
        let mut source = Source::Default;
        let mut has_others = false;
        if text
            .bytes()
            .all(|byte| byte == b',' || byte.is_ascii_whitespace())
        {
            variables.report(ConfigProblem::invalid(name, &text, "jaeger"));
        }
        for format in text
            .split(',')
            .map(str::trim_ascii)
            .filter(|format| !format.is_empty())
        {
            match format.to_ascii_lowercase().as_str() {
                "jaeger" => source = Source::Variable(name),
                "b3" | "b3multi" | "b3single" => {
                    variables.report(ConfigProblem::unsupported(name, format, B3));
                }
                "w3c" | "tracecontext" | "baggage" => {
                    variables.report(ConfigProblem::unsupported(name, format, W3C));
                }
                _ => has_others = true,
            }
        }
        if has_others {
            // The whole list: a secret with a comma in it is more than one item, and none of them shows that it is one.
            variables.report(ConfigProblem::invalid(name, &text, "jaeger"));
        }
        return source;
    }
    Source::Default
}

const B3: &str =
    "propagation in the B3 format, which a later version brings; this one speaks `jaeger`";
const W3C: &str =
    "propagation in the W3C format, which a later version brings; this one speaks `jaeger`";

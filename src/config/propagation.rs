use super::environment::Environment;
use super::error::ConfigProblem;
use super::setting::Source;

/// Reads the list of formats, of which Jaeger's own is the only one so far: says who has asked for it, and reports
/// whoever asks for another.
pub(super) fn read(env: &mut Environment<'_>) -> Source {
    for name in ["JAEGER_PROPAGATION", "OTEL_PROPAGATORS"] {
        let Some(text) = env.get(name) else { continue };
        let mut source = Source::Default;
        let mut has_others = false;
        if text
            .bytes()
            .all(|byte| byte == b',' || byte.is_ascii_whitespace())
        {
            env.report(ConfigProblem::invalid(name, &text, "jaeger"));
        }
        for format in text
            .split(',')
            .map(str::trim_ascii)
            .filter(|format| !format.is_empty())
        {
            match format.to_ascii_lowercase().as_str() {
                "jaeger" => source = Source::Variable(name),
                "b3" | "b3multi" | "b3single" => {
                    env.report(ConfigProblem::not_built(name, format, B3));
                }
                "w3c" | "tracecontext" | "baggage" => {
                    env.report(ConfigProblem::not_built(name, format, W3C));
                }
                _ => has_others = true,
            }
        }
        if has_others {
            // The whole list: a secret with a comma in it is more than one item, and none of them shows that it is one.
            env.report(ConfigProblem::invalid(name, &text, "jaeger"));
        }
        return source;
    }
    Source::Default
}

const B3: &str =
    "propagation in the B3 format, which a later version brings; this one speaks `jaeger`";
const W3C: &str =
    "propagation in the W3C format, which a later version brings; this one speaks `jaeger`";

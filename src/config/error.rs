use std::fmt;

use crate::redact;
use crate::tracer::BuildError;

/// What is wrong with a configuration: every problem at once.
///
/// Prints the problems, and then the variables that were passed over, which may be the reason: a service name may be
/// missing because the variable that had it could not be read.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<ConfigProblem>,
    passed_over: Vec<ConfigProblem>,
}

impl ConfigError {
    /// `problems` is not empty.
    #[cold]
    pub(super) fn new(problems: Vec<ConfigProblem>, passed_over: Vec<ConfigProblem>) -> Self {
        Self {
            problems,
            passed_over,
        }
    }

    /// One for each setting that is wrong, in the order of the variables; at least one.
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.problems
    }

    /// The variables that are set and have no effect, and why. They alone would be no error.
    pub fn passed_over(&self) -> &[ConfigProblem] {
        &self.passed_over
    }
}

impl fmt::Display for ConfigError {
    /// The problems, with `; ` between them, and what was passed over in parentheses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, &self.problems)?;
        if !self.passed_over.is_empty() {
            f.write_str(" (passed over: ")?;
            write_list(f, &self.passed_over)?;
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ConfigError {
    /// As it is displayed: a `main` that returns it prints it like this.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}

/// One thing that is wrong with a configuration.
///
/// Prints as `JAEGER_SAMPLER_PARAM: expected a probability from 0 to 1, found "1.5"`. A value is cut to 64
/// characters. Users, passwords and tokens are never in it, nor user info and values of the query of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    name: &'static str,
    value: Option<String>,
    reason: Reason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reason {
    /// The value is not what it should be.
    Invalid { expected: &'static str },
    /// One of the items of a list is not what it should be. Its text is not kept: a secret with a comma in it is
    /// more than one item.
    InvalidItem {
        /// From 1.
        position: usize,
        expected: &'static str,
    },
    /// There is none, and there must be one.
    Missing { remedy: &'static str },
    /// Asks for something that is not there.
    Unsupported { asks_for: &'static str },
    /// The variable of another client, or an old name of one.
    Misnamed { right_name: &'static str },
    /// Is for another purpose, though its name is one of ours.
    ServiceLink,
    /// Is a tag that the tracer sets.
    OwnTag { key: &'static str },
    /// Another setting leaves it without an effect.
    NoEffect { because: &'static str },
    /// What it asks for could not be had.
    #[cfg(feature = "dev")]
    Failed { why: String },
    /// The tracer's builder refused.
    Builder(BuildError),
}

/// Which item of a list is wrong, counted from 1, and what was expected in its place.
pub(super) struct InvalidItem {
    pub(super) position: usize,
    pub(super) expected: &'static str,
}

impl ConfigProblem {
    #[cold]
    pub(super) fn invalid(name: &'static str, value: &str, expected: &'static str) -> Self {
        Self {
            name,
            value: shown(name, value),
            reason: Reason::Invalid { expected },
        }
    }

    #[cold]
    pub(super) fn invalid_item(
        name: &'static str,
        InvalidItem { position, expected }: InvalidItem,
    ) -> Self {
        Self {
            name,
            value: None,
            reason: Reason::InvalidItem { position, expected },
        }
    }

    #[cold]
    pub(super) fn missing(name: &'static str, remedy: &'static str) -> Self {
        Self {
            name,
            value: None,
            reason: Reason::Missing { remedy },
        }
    }

    #[cold]
    pub(super) fn unsupported(name: &'static str, value: &str, asks_for: &'static str) -> Self {
        Self {
            name,
            value: shown(name, value),
            reason: Reason::Unsupported { asks_for },
        }
    }

    #[cold]
    pub(super) fn misnamed(name: &'static str, right_name: &'static str) -> Self {
        Self {
            name,
            value: None,
            reason: Reason::Misnamed { right_name },
        }
    }

    #[cold]
    pub(super) fn service_link(name: &'static str, value: &str) -> Self {
        Self {
            name,
            value: shown(name, value),
            reason: Reason::ServiceLink,
        }
    }

    #[cold]
    pub(super) fn own_tag(name: &'static str, key: &'static str) -> Self {
        Self {
            name,
            value: None,
            reason: Reason::OwnTag { key },
        }
    }

    #[cold]
    pub(super) fn no_effect(name: &'static str, because: &'static str) -> Self {
        Self {
            name,
            value: None,
            reason: Reason::NoEffect { because },
        }
    }

    #[cfg(feature = "dev")]
    #[cold]
    pub(super) fn failed(name: &'static str, why: &dyn std::error::Error) -> Self {
        Self {
            name,
            value: None,
            reason: Reason::Failed {
                why: why.to_string(),
            },
        }
    }

    #[cold]
    pub(super) fn of_builder(error: BuildError) -> Self {
        Self {
            name: "tracer",
            value: None,
            reason: Reason::Builder(error),
        }
    }

    /// The variable, or the setting where the code set it.
    pub fn name(&self) -> &str {
        self.name
    }

    /// The value that was found, as far as it may be shown.
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        match &self.reason {
            Reason::Invalid { expected } => write!(f, "expected {expected}")?,
            Reason::InvalidItem { position, expected } => {
                write!(f, "item {position}: expected {expected}")?;
            }
            Reason::Missing { remedy } => f.write_str(remedy)?,
            Reason::Unsupported { asks_for } => write!(f, "asks for {asks_for}")?,
            Reason::Misnamed { right_name } => write!(f, "is called {right_name} here")?,
            Reason::ServiceLink => {
                f.write_str("is a link to a service, as Kubernetes sets it for one of that name")?;
            }
            Reason::OwnTag { key } => write!(f, "{key} is what the tracer says of itself")?,
            Reason::NoEffect { because } => write!(f, "has no effect: {because}")?,
            #[cfg(feature = "dev")]
            Reason::Failed { why } => f.write_str(why)?,
            Reason::Builder(error) => error.fmt(f)?,
        }
        match &self.value {
            Some(value) => write!(f, ", found {value:?}"),
            None => Ok(()),
        }
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, problems: &[ConfigProblem]) -> fmt::Result {
    for (n, problem) in problems.iter().enumerate() {
        let separator = if n == 0 { "" } else { "; " };
        write!(f, "{separator}{problem}")?;
    }
    Ok(())
}

/// As much of a value as may stand in a message.
fn shown(name: &str, value: &str) -> Option<String> {
    const MOST: usize = 64;
    let is_secret = ["PASSWORD", "AUTH_TOKEN", "USER", "HEADERS"];
    if is_secret.iter().any(|end| name.ends_with(end)) {
        return None;
    }
    let value = redact::value(value);
    Some(match value.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        for (name, value) in [
            ("JAEGER_PASSWORD", "canary"),
            ("JAEGER_AUTH_TOKEN", "canary"),
            ("JAEGER_USER", "canary"),
            ("OTEL_EXPORTER_JAEGER_PASSWORD", "canary"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=canary"),
            ("JAEGER_ENDPOINT", "https://canary:canary@host/api/traces"),
            (
                "JAEGER_ENDPOINT",
                "https://u:canary/canary@canary@host/api/traces",
            ),
            ("JAEGER_ENDPOINT", "canary:canary@host"),
            ("JAEGER_ENDPOINT", "canary:canary@://host"),
            (
                "JAEGER_SAMPLING_ENDPOINT",
                "http://host:5778/sampling?token=canary",
            ),
            (
                "OTEL_TRACES_SAMPLER_ARG",
                "a=http://canary@h:1,b=http://canary@h:2",
            ),
        ] {
            for problem in [
                ConfigProblem::invalid(name, value, "another"),
                ConfigProblem::unsupported(name, value, "another"),
            ] {
                let all = format!("{problem} {problem:?} {:?}", problem.value());
                assert!(!all.contains("canary"), "{all}");
            }
        }
    }

    #[test]
    fn a_value_is_cut_and_escaped() {
        let problem = ConfigProblem::invalid("JAEGER_TAGS", &"é\n".repeat(100), "key=value");
        let text = problem.to_string();
        assert!(
            text.starts_with(r#"JAEGER_TAGS: expected key=value, found "é\né\n"#),
            "{text}"
        );
        assert_eq!(problem.value().map(|value| value.chars().count()), Some(65));
        let problem = ConfigProblem::invalid("JAEGER_ENDPOINT", "http://host:1/a", "another");
        assert_eq!(problem.value(), Some("http://host:1/a"));
    }
}

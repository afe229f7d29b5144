use std::borrow::Cow;
use std::fmt;

use crate::redact;
use crate::tracer::BuildError;

/// All problems of a configuration.
///
/// Prints the problems, and then the variables that were passed over, since they may be the cause: a service name may
/// be missing because the variable that holds it could not be read.
///
/// ```
/// use tracehound::Config;
///
/// let variables = |name: &str| match name {
///     "JAEGER_SAMPLER_TYPE" => Some("probabilistic".to_owned()),
///     "JAEGER_SAMPLER_PARAM" => Some("1.5".to_owned()),
///     _ => None,
/// };
/// let error = Config::from_lookup(variables).expect_err("above 1");
/// assert_eq!(error.problems()[0].name(), "JAEGER_SAMPLER_PARAM");
/// assert_eq!(error.problems()[0].value(), Some("1.5"));
/// assert!(error.passed_over().is_empty());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<ConfigProblem>,
    passed_over: Vec<ConfigProblem>,
}

impl ConfigError {
    /// Returns an error. `problems` must not be empty.
    #[cold]
    pub(super) fn new(problems: Vec<ConfigProblem>, passed_over: Vec<ConfigProblem>) -> Self {
        Self {
            problems,
            passed_over,
        }
    }

    /// Returns the problems, at least one, in the order of the variables.
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.problems
    }

    /// Returns the variables that are set and have no effect, and why. They alone would be no error.
    pub fn passed_over(&self) -> &[ConfigProblem] {
        &self.passed_over
    }
}

impl fmt::Display for ConfigError {
    /// Writes the problems, separated by `; `, and in parentheses what was passed over.
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
    /// Writes the text of `Display`, because a `main` that returns the error prints it in this form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}

/// One problem of a configuration.
///
/// Prints as `JAEGER_SAMPLER_PARAM: expected a probability from 0 to 1, found "1.5"`. A value is cut to 64
/// characters. It never shows users, passwords, tokens, the user info of a URL, or the values in its query.
///
/// ```
/// use tracehound::Config;
///
/// let variables = |name: &str| (name == "JAEGER_DISABLED").then(|| "perhaps".to_owned());
/// let error = Config::from_lookup(variables).expect_err("neither true nor false");
/// for problem in error.problems() {
///     eprintln!("{problem}");
/// }
/// assert_eq!(error.problems()[0].name(), "JAEGER_DISABLED");
/// assert_eq!(error.problems()[0].value(), Some("perhaps"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    name: &'static str,
    value: Option<String>,
    reason: Reason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reason {
    /// The value is not of the expected kind.
    Invalid { expected: Cow<'static, str> },
    /// An item of a list is not of the expected kind. Its text is not kept: it may be a part of a secret that contains
    /// a comma.
    InvalidItem {
        /// Counted from 1.
        position: usize,
        expected: &'static str,
    },
    /// The value is required and missing.
    Missing { remedy: &'static str },
    /// The value asks for something that this build does not have.
    Unsupported { asks_for: &'static str },
    /// The name is one of another client, or an old one.
    Misnamed { right_name: &'static str },
    /// The value is a Kubernetes link to a service, not a setting.
    ServiceLink,
    /// The tag is one that the tracer sets itself.
    OwnTag { key: &'static str },
    /// Another setting makes this one ineffective.
    NoEffect { because: &'static str },
    /// Another variable is set that comes first.
    Outranked { by: &'static str },
    /// The value asks for something that could not be started.
    #[cfg(any(feature = "dev", all(feature = "otlp", feature = "tls")))]
    Failed { why: String },
    /// The tracer's builder refused.
    Builder(BuildError),
}

/// The position of a bad item in a list, counted from 1, and what was expected in its place.
pub(super) struct InvalidItem {
    pub(super) position: usize,
    pub(super) expected: &'static str,
}

impl ConfigProblem {
    #[cold]
    pub(super) fn invalid(
        name: &'static str,
        value: &str,
        expected: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            name,
            value: shown(name, value),
            reason: Reason::Invalid {
                expected: expected.into(),
            },
        }
    }

    /// A value that no message may show.
    #[cfg(feature = "collector")]
    #[cold]
    pub(super) fn invalid_secret(name: &'static str, expected: &'static str) -> Self {
        Self {
            name,
            value: None,
            reason: Reason::Invalid {
                expected: expected.into(),
            },
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

    #[cfg(feature = "serde")]
    #[cfg(not(all(feature = "udp", feature = "remote-sampler", feature = "collector")))]
    #[cold]
    pub(super) fn unsupported_key(key: &'static str, asks_for: &'static str) -> Self {
        Self {
            name: key,
            value: None,
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

    #[cold]
    pub(super) fn outranked(name: &'static str, by: &'static str) -> Self {
        Self {
            name,
            value: None,
            reason: Reason::Outranked { by },
        }
    }

    #[cfg(any(feature = "dev", all(feature = "otlp", feature = "tls")))]
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

    /// Returns the name of the variable, or of the setter that the code called.
    pub fn name(&self) -> &str {
        self.name
    }

    /// Returns the value that was found, if it may be shown.
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
            Reason::Outranked { by } => write!(f, "has no effect: {by} is set and wins")?,
            #[cfg(any(feature = "dev", all(feature = "otlp", feature = "tls")))]
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

/// Returns as much of a value as a message may show.
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
    fn a_problem_shows_no_secret() {
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

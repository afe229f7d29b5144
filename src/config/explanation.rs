use std::fmt;

use crate::config::error::ConfigProblem;
use crate::config::setting::{Setting, Source};

/// Every setting with its value and its origin, from [`Config::explain`](crate::config::Config::explain).
///
/// Prints as a table, with a line below it for each variable that was passed over.
///
/// ```
/// use tracehound::Config;
/// use tracehound::config::Source;
///
/// let variables = |name: &str| match name {
///     "JAEGER_SERVICE_NAME" => Some("shop".to_owned()),
///     "JAEGER_AGENT_PROT" => Some("6831".to_owned()), // not a variable of any client
///     _ => None,
/// };
/// let explanation = Config::from_lookup(variables)?.explain();
/// println!("{explanation}"); // a table
/// let name = explanation.get("service_name").expect("always there");
/// assert_eq!(name.source(), Source::Variable("JAEGER_SERVICE_NAME"));
/// let changed = explanation.settings().iter().filter(|it| it.source() != Source::Default);
/// assert_eq!(changed.count(), 1);
/// assert!(explanation.passed_over().is_empty());
/// # Ok::<(), tracehound::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Explanation {
    pub(super) settings: Vec<ExplainedSetting>,
    pub(super) passed_over: Vec<ConfigProblem>,
}

impl Explanation {
    /// Returns the settings, named as their setters. A tag is named `tag ` and its key.
    pub fn settings(&self) -> &[ExplainedSetting] {
        &self.settings
    }

    /// Returns the setting with this name.
    pub fn get(&self, name: &str) -> Option<&ExplainedSetting> {
        self.settings.iter().find(|setting| setting.name == name)
    }

    /// Returns the variables that are set and have no effect, and why.
    pub fn passed_over(&self) -> &[ConfigProblem] {
        &self.passed_over
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = |text: fn(&ExplainedSetting) -> &str| {
            let widths = self
                .settings
                .iter()
                .map(|setting| text(setting).chars().count());
            widths.max().unwrap_or(0)
        };
        let name_width = widest(ExplainedSetting::name);
        let value_width = widest(ExplainedSetting::value).min(MOST_ALIGNED);
        for ExplainedSetting {
            name,
            value,
            source,
        } in &self.settings
        {
            writeln!(f, "{name:name_width$}  {value:value_width$}  {source}")?;
        }
        for problem in &self.passed_over {
            writeln!(f, "passed over: {problem}")?;
        }
        Ok(())
    }
}

/// One line of an [`Explanation`].
///
/// ```
/// use tracehound::Config;
/// use tracehound::config::Source;
///
/// let explanation = Config::new("shop").explain();
/// let name = explanation.get("service_name").expect("always there");
/// assert_eq!((name.name(), name.source()), ("service_name", Source::Code));
/// assert_eq!(name.value(), r#""shop""#); // quoted, because it may come from outside
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedSetting {
    name: String,
    value: String,
    source: Source,
}

impl ExplainedSetting {
    pub(super) fn new(name: impl Into<String>, value: String, source: Source) -> Self {
        Self {
            name: name.into(),
            value,
            source,
        }
    }

    /// Returns the name of the setter.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the value as text. Text from outside is quoted and escaped.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns where the value came from.
    pub fn source(&self) -> Source {
        self.source
    }
}

pub(super) fn row<T>(
    name: impl Into<String>,
    setting: &Setting<T>,
    text: impl Fn(&T) -> String,
) -> ExplainedSetting {
    ExplainedSetting::new(name, text(&setting.value), setting.source)
}

pub(super) fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// The widest value that the column of sources is aligned to.
const MOST_ALIGNED: usize = 48;

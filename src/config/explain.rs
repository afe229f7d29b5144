use std::fmt;

use crate::config::Config;
use crate::config::error::ConfigProblem;
use crate::config::sampler::{EMBEDDED_SAMPLER, SamplerChoice};
use crate::config::setting::{Setting, Source};
use crate::model::TagValue;

/// Every setting with its value and its origin, from [`Config::explain`](crate::config::Config::explain).
///
/// Prints as a table, with a line below it for each variable that was passed over.
#[derive(Clone, Debug)]
pub struct Explanation {
    settings: Vec<ExplainedSetting>,
    passed_over: Vec<ConfigProblem>,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedSetting {
    name: String,
    value: String,
    source: Source,
}

impl ExplainedSetting {
    fn new(name: impl Into<String>, value: String, source: Source) -> Self {
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

impl Config {
    /// Returns every setting with its value and its origin.
    pub fn explain(&self) -> Explanation {
        let mut settings = vec![
            row("disabled", &self.disabled, bool::to_string),
            row("service_name", &self.service_name, |name| {
                quoted(name.trim())
            }),
            row("dev", &self.dev, bool::to_string),
        ];
        if self.uses_embedded_agent() {
            let value =
                |name, value: &str| ExplainedSetting::new(name, value.to_owned(), self.dev.source);
            settings.push(value("sampler", EMBEDDED_SAMPLER));
            settings.push(value("reporter", "embedded agent"));
        } else {
            let description = |choice: &SamplerChoice| choice.description.clone();
            settings.push(row("sampler", &self.sampler, description));
            match &self.reporter {
                Some(reporter) => {
                    let name = reporter.name.to_owned();
                    settings.push(ExplainedSetting::new("reporter", name, Source::Code));
                }
                None => settings.extend(self.agent.explain()),
            }
        }
        settings.extend([
            row("log_spans", &self.log_spans, bool::to_string),
            row("queue_size", &self.queue_size, |size| {
                size.unwrap_or(QUEUE_SIZE).to_string()
            }),
            row(
                "flush_interval",
                &self.effective_flush_interval(),
                |interval| format!("{interval:?}"),
            ),
            row("trace_id_128bit", &self.trace_id_128bit, bool::to_string),
            ExplainedSetting::new("propagation", "jaeger".to_owned(), self.propagation),
            row("tag_value_bytes", &self.tag_value_bytes, usize::to_string),
            row("logs", &self.logs, usize::to_string),
        ]);
        settings.extend(self.tags.iter().map(|tag| {
            row(format!("tag {}", tag.value.key), tag, |tag| {
                match &tag.value {
                    TagValue::String(text) => format!("{text:?}"),
                    other => other.to_string(),
                }
            })
        }));
        let passed_over = self.problems.iter().chain(&self.warnings).cloned();
        Explanation {
            settings,
            passed_over: passed_over.chain(self.dev_without_effect()).collect(),
        }
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

/// How many spans the 8 MiB hold that all tracers share by default.
const QUEUE_SIZE: usize = 16_384;

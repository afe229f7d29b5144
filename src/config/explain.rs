//! How a configuration is explained.

use crate::config::Config;
use crate::config::explanation::{ExplainedSetting, Explanation, quoted, row};
use crate::config::sampler::SamplerChoice;
use crate::config::setting::Source;
use crate::model::{Recording, TagNames, TagValue};
use crate::propagation::Propagation;

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
            let source = match self.dev_strategies.value {
                Some(_) => self.dev_strategies.source,
                None => self.dev.source,
            };
            let sampler = self.embedded_sampler();
            settings.push(ExplainedSetting::new("sampler", sampler, source));
            let reporter = "embedded agent".to_owned();
            settings.push(ExplainedSetting::new("reporter", reporter, self.dev.source));
        } else {
            settings.push(row("sampler", &self.sampler, SamplerChoice::description));
            if let SamplerChoice::Remote(_) = self.sampler.value {
                settings.extend(self.remote.explain(&self.agent));
            }
            match &self.reporter {
                Some(reporter) => {
                    let name = reporter.name.to_owned();
                    settings.push(ExplainedSetting::new(reporter.setter, name, Source::Code));
                }
                None => settings.extend(self.sending.explain(&self.agent)),
            }
        }
        settings.extend(self.policies.explain());
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
            row("propagation", &self.propagation, |formats| words(formats)),
        ]);
        settings.extend(
            self.header_names
                .as_ref()
                .map(|names| row("header_names", names, |_| "custom".to_owned())),
        );
        settings.extend([
            row("tag_value_bytes", &self.tag_value_bytes, usize::to_string),
            row("logs", &self.logs, usize::to_string),
            row("recording", &self.recording, Recording::to_string),
            row("tag_names", &self.tag_names, TagNames::to_string),
            row("rpc_metrics", &self.rpc_metrics, bool::to_string),
            row("max_open_spans", &self.max_open_spans, usize::to_string),
            row("open_span_limit", &self.open_span_limit, |limit| {
                limit.map_or_else(|| "none".to_owned(), |limit| format!("{limit:?}"))
            }),
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
            passed_over: passed_over
                .chain(self.way_without_effect())
                .chain(self.dev_without_effect())
                .chain(self.rpc_metrics_without_effect())
                .collect(),
        }
    }
}

/// Returns the formats as `JAEGER_PROPAGATION` lists them.
fn words(formats: &[Propagation]) -> String {
    if formats.is_empty() {
        return "none".to_owned();
    }
    let words: Vec<_> = formats.iter().map(Propagation::to_string).collect();
    words.join(",")
}

/// How many spans the 8 MiB hold that all tracers share by default.
const QUEUE_SIZE: usize = 16_384;

use std::time::Duration;

use crate::diagnostics::Diagnostics;
use crate::span::Limits;

use super::agent::Agent;
use super::error::ConfigProblem;
use super::grammar::{self, Expected};
use super::sampler::SamplerChoice;
use super::setting::{Setting, Source};
use super::tags::Tags;
use super::{Config, not_built, propagation};

/// Reads one variable's text.
pub(super) type Parse<T> = fn(&str) -> Result<T, Expected>;

/// The variables, by a lookup of any kind, and what was found wrong with them.
///
/// A value is trimmed of ASCII white space; an empty one is as good as none. A bad value of an `OTEL_` variable is
/// a warning and counts as unset, as the OpenTelemetry specification demands; of any other it is a problem.
pub(super) struct Environment<'l> {
    lookup: &'l dyn Fn(&str) -> Option<String>,
    problems: Vec<ConfigProblem>,
    warnings: Vec<ConfigProblem>,
}

impl<'l> Environment<'l> {
    pub(super) fn new(lookup: &'l dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            lookup,
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The text of a variable.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let value = (self.lookup)(name)?;
        let value = value.trim_ascii();
        if value.is_empty() {
            None
        } else {
            Some(value.to_owned())
        }
    }

    /// The value of the first variable that is set, most important first.
    pub(super) fn first<T, const N: usize>(
        &mut self,
        variables: [(&'static str, Parse<T>); N],
    ) -> Option<Setting<T>> {
        for (name, parse) in variables {
            let Some(text) = self.get(name) else { continue };
            match parse(&text) {
                Ok(value) => return Some(Setting::of_variable(value, name)),
                Err(expected) => self.report(ConfigProblem::invalid(name, &text, expected)),
            }
            if !is_lenient(name) {
                return None;
            }
        }
        None
    }

    /// Files a problem where its variable's kind wants it.
    pub(super) fn report(&mut self, problem: ConfigProblem) {
        let list = if is_lenient(problem.name()) {
            &mut self.warnings
        } else {
            &mut self.problems
        };
        list.push(problem);
    }

    /// The problems, then the warnings.
    pub(super) fn into_findings(self) -> (Vec<ConfigProblem>, Vec<ConfigProblem>) {
        (self.problems, self.warnings)
    }
}

fn is_lenient(name: &str) -> bool {
    name.starts_with("OTEL_")
}

impl Config {
    /// What holds where nobody has set anything.
    pub(super) fn default_values() -> Self {
        let limits = Limits::default();
        Self {
            disabled: Setting::default_value(false),
            service_name: Setting::default_value(String::new()),
            sampler: Setting::default_value(SamplerChoice::default()),
            reporter: None,
            agent: Agent::default(),
            log_spans: Setting::default_value(false),
            queue_size: Setting::default_value(None),
            flush_interval: Setting::default_value(Duration::from_secs(1)),
            trace_id_128bit: Setting::default_value(false),
            propagation: Source::Default,
            tags: Tags::default(),
            limits: limits.clone(),
            tag_value_bytes: Setting::default_value(limits.tag_value_bytes),
            logs: Setting::default_value(limits.logs),
            diagnostics: Diagnostics::default(),
            customize: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The defaults with what the variables say in their place.
    pub(super) fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut env = Environment::new(lookup);
        let default = Self::default_values();
        let mut tags = Tags::default();
        let disabled = env.first([
            ("JAEGER_DISABLED", grammar::boolean),
            ("OTEL_SDK_DISABLED", grammar::otel_boolean),
        ]);
        let service_name = env.first([
            ("JAEGER_SERVICE_NAME", grammar::text),
            ("OTEL_SERVICE_NAME", grammar::text),
        ]);
        let service_name_of_resource = tags.read_otel(&mut env);
        tags.read_jaeger(&mut env);
        let mut config = Self {
            disabled: default.disabled.or(disabled),
            service_name: default
                .service_name
                .or(service_name.or(service_name_of_resource)),
            sampler: default.sampler.or(SamplerChoice::read(&mut env)),
            agent: Agent::read(&mut env),
            log_spans: default
                .log_spans
                .or(env.first([("JAEGER_REPORTER_LOG_SPANS", grammar::boolean)])),
            queue_size: default.queue_size.or(env.first([
                ("JAEGER_REPORTER_MAX_QUEUE_SIZE", some_count),
                ("OTEL_BSP_MAX_QUEUE_SIZE", some_count),
            ])),
            flush_interval: default.flush_interval.or(env.first([
                ("JAEGER_REPORTER_FLUSH_INTERVAL", grammar::duration),
                ("OTEL_BSP_SCHEDULE_DELAY", grammar::duration),
            ])),
            trace_id_128bit: default
                .trace_id_128bit
                .or(env.first([("JAEGER_TRACEID_128BIT", grammar::boolean)])),
            propagation: propagation::read(&mut env),
            tags,
            tag_value_bytes: default.tag_value_bytes.or(env.first([
                ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", grammar::count),
                ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", grammar::count),
            ])),
            logs: default
                .logs
                .or(env.first([("OTEL_SPAN_EVENT_COUNT_LIMIT", grammar::count)])),
            ..default
        };
        not_built::check(&mut env);
        (config.problems, config.warnings) = env.into_findings();
        config
    }
}

fn some_count(text: &str) -> Result<Option<usize>, Expected> {
    grammar::count(text).map(Some)
}

/// A variable of the process. What is not Unicode in it becomes U+FFFD.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub(super) fn process_variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

use std::time::Duration;

use crate::config::agent::Agent;
use crate::config::error::{ConfigError, ConfigProblem};
use crate::config::remote::{self, Remote};
use crate::config::sampler::SamplerChoice;
use crate::config::setting::{Setting, Source};
use crate::config::{Config, embedded_agent};
use crate::model::Tag;
use crate::observer::SpanObserver;
use crate::propagation::{Codec, CompositeCodec, HeaderNames, JaegerCodec, Propagation};
use crate::reporter::{CompositeReporter, LoggingReporter, Reporter};
use crate::sampler::Sampler;
use crate::tracer::{BuildError, JaegerTracer, TracerBuilder};

impl Config {
    /// Builds the tracer, and writes a line with the service, the sampler and the destination of spans.
    ///
    /// # Errors
    ///
    /// Fails if the service has no name, or a setting of the code cannot be used. If tracing is disabled, the tracer is
    /// [`JaegerTracer::disabled`], and no other setting matters.
    pub fn build(self) -> Result<JaegerTracer, ConfigError> {
        let diagnostics = self.diagnostics.clone();
        if self.disabled.value {
            if let Source::Variable(name) = self.disabled.source {
                diagnostics.say(&format!("tracing is off: {name}"));
            }
            return Ok(JaegerTracer::disabled());
        }
        let mut warnings = self.warnings.clone();
        warnings.extend(self.way_without_effect());
        warnings.extend(self.dev_without_effect());
        warnings.extend(self.rpc_metrics_without_effect());
        let built = self
            .prepare(&mut warnings)
            .and_then(|(builder, start_line)| {
                let tracer = builder.build();
                let tracer = tracer.map_err(|error| vec![ConfigProblem::of_builder(error)])?;
                Ok((tracer, start_line))
            });
        let (tracer, start_line) = match built {
            Ok(built) => built,
            Err(problems) => return Err(ConfigError::new(problems, warnings)),
        };
        for warning in warnings {
            diagnostics.say(&format!("passed over: {warning}"));
        }
        diagnostics.say(&start_line);
        Ok(tracer)
    }

    /// Returns the builder with every setting, and the line for the start.
    fn prepare(
        self,
        warnings: &mut Vec<ConfigProblem>,
    ) -> Result<(TracerBuilder, String), Vec<ConfigProblem>> {
        let flush_interval = self.effective_flush_interval().value;
        let uses_embedded_agent = self.uses_embedded_agent();
        let embedded_sampler = self.embedded_sampler();
        let mut problems = self.problems;
        let service_name = self.service_name.value.trim();
        if service_name.is_empty() {
            problems.push(match self.service_name.source {
                Source::Code => {
                    ConfigProblem::invalid("service_name", &self.service_name.value, "a name")
                }
                Source::Variable(_) | Source::File(_) | Source::Default => ConfigProblem::missing(
                    "JAEGER_SERVICE_NAME",
                    "a service needs a name, and the code gives none either",
                ),
            });
        }
        if self.flush_interval.value.is_zero() {
            problems.push(ConfigProblem::invalid(
                "flush_interval",
                "0",
                "a duration above zero",
            ));
        }
        let parts = match self.reporter {
            // The embedded agent is started only for a tracer that can be built.
            None if uses_embedded_agent && !problems.is_empty() => return Err(problems),
            None if uses_embedded_agent => {
                let setting = self.dev.name("dev");
                let strategies = self.dev_strategies.value.clone();
                let parts =
                    embedded_agent::parts(setting, service_name, strategies, &self.diagnostics);
                parts.map(|(sampler, reporter, observer, destination)| Parts {
                    sampler,
                    observer,
                    description: embedded_sampler,
                    reporter,
                    destination,
                })
            }
            Some(choice) => {
                let reporter = (choice.reporter, choice.destination);
                Parts::of_settings(reporter, &self.agent, self.sampler, self.remote)
            }
            None => self
                .sending
                .reporter(&self.agent, &self.diagnostics, warnings)
                .and_then(|reporter| {
                    Parts::of_settings(reporter, &self.agent, self.sampler, self.remote)
                }),
        };
        let parts = match parts {
            Ok(parts) if problems.is_empty() => parts,
            Ok(_) => return Err(problems),
            Err(problem) => {
                problems.push(problem);
                return Err(problems);
            }
        };
        let start_line = format!(
            "service {service_name:?} is traced: sampler {}, spans go to {}",
            parts.description, parts.destination
        );
        let limits = self
            .limits
            .tag_value_bytes(self.tag_value_bytes.value)
            .logs(self.logs.value);
        let mut sampler = parts.sampler;
        for wrap in self.wrap_sampler {
            sampler = wrap(sampler);
        }
        let mut builder = JaegerTracer::builder(service_name)
            .sampler(sampler)
            .flush_interval(flush_interval)
            .trace_id_128bit(self.trace_id_128bit.value)
            .propagation(self.propagation.value.clone())
            .limits(limits)
            .recording(self.recording.value)
            .tag_names(self.tag_names.value)
            .max_open_spans(self.max_open_spans.value)
            .diagnostics(self.diagnostics.clone());
        builder = if self.log_spans.value {
            let log = LoggingReporter::with_handler(move |line| self.diagnostics.say(line));
            builder.reporter(CompositeReporter::new().member(log).member(parts.reporter))
        } else {
            builder.reporter(parts.reporter)
        };
        builder = self.policies.build_into(builder);
        if let Some(names) = self.header_names {
            builder = with_header_names(builder, &self.propagation.value, &names.value);
        }
        if let Some(spans) = self.queue_size.value {
            builder = builder.queue_size(spans);
        }
        builder = self
            .observing
            .apply(builder, self.rpc_metrics.value, self.open_span_limit.value);
        if let Some(observer) = parts.observer {
            builder = builder.observer(observer);
        }
        for Tag { key, value } in self.tags.into_tags() {
            builder = builder.tag(key.into_owned(), value);
        }
        for change in self.customize {
            builder = change(builder);
        }
        Ok((builder, start_line))
    }
}

impl Config {
    /// Returns whether the embedded agent takes the place of sampler and agent.
    pub(super) fn uses_embedded_agent(&self) -> bool {
        self.dev.value && self.reporter.is_none()
    }

    /// Returns the description of the embedded agent's sampler.
    pub(super) fn embedded_sampler(&self) -> String {
        match &self.dev_strategies.value {
            Some(path) => format!("strategies of {path:?}"),
            None => "const 1".to_owned(),
        }
    }

    /// Returns the flush interval; the embedded agent has a default of its own.
    pub(super) fn effective_flush_interval(&self) -> Setting<Duration> {
        match self.flush_interval.source {
            Source::Default if self.uses_embedded_agent() => Setting {
                value: embedded_agent::FLUSH_INTERVAL,
                source: self.dev.source,
            },
            _ => self.flush_interval.clone(),
        }
    }

    /// Returns a warning if a variable names a way and the code says where spans go. The host of the agent may still
    /// be the one that is asked for strategies.
    pub(super) fn way_without_effect(&self) -> Option<ConfigProblem> {
        let (Source::Variable(variable), Some(_)) = (self.sending.source(), &self.reporter) else {
            return None;
        };
        let is_asked = matches!(self.sampler.value, SamplerChoice::Remote(_))
            && self.remote.asks_agent(&self.agent, variable);
        let because = "the code says where spans go";
        (!is_asked).then(|| ConfigProblem::no_effect(variable, because))
    }

    /// Returns a warning if the embedded agent is asked for and a reporter stands in its place.
    pub(super) fn dev_without_effect(&self) -> Option<ConfigProblem> {
        let is_overruled = self.dev.value && self.reporter.is_some();
        let because = "the code gives a reporter, which stays";
        is_overruled.then(|| ConfigProblem::no_effect(self.dev.name("dev"), because))
    }
}

/// A sampler and a reporter, with what the line at the start says of them.
struct Parts {
    sampler: Box<dyn Sampler>,
    description: String,
    reporter: Box<dyn Reporter>,
    observer: Option<Box<dyn SpanObserver>>,
    /// The place that spans go to.
    destination: String,
}

impl Parts {
    /// Makes the sampler that the settings ask for, beside a reporter and where spans go.
    fn of_settings(
        (reporter, destination): (Box<dyn Reporter>, String),
        agent: &Agent,
        sampler: Setting<SamplerChoice>,
        remote: Remote,
    ) -> Result<Self, ConfigProblem> {
        let is_default = sampler.is_default();
        let (sampler, mut description) = match sampler.value {
            SamplerChoice::Made {
                sampler,
                description,
            } => (sampler, description),
            SamplerChoice::Remote(initial) => remote.sampler(initial, agent)?,
        };
        if is_default {
            description.push_str(remote::DEFAULT_HINT);
        }
        Ok(Self {
            sampler,
            description,
            observer: None,
            reporter,
            destination,
        })
    }
}

/// Returns the builder with the codecs of these formats, Jaeger's with headers of these names.
fn with_header_names(
    builder: TracerBuilder,
    formats: &[Propagation],
    names: &HeaderNames,
) -> TracerBuilder {
    let joined = |jaeger: fn() -> JaegerCodec, codec: fn(Propagation) -> Box<dyn Codec>| {
        let mut known = Vec::new();
        let mut joined = CompositeCodec::new();
        for &format in formats {
            if known.contains(&format) {
                continue;
            }
            known.push(format);
            joined = match format {
                Propagation::Jaeger => joined.member(jaeger().header_names(names.clone())),
                other => joined.member(codec(other)),
            };
        }
        joined
    };
    builder
        .text_map_codec(joined(JaegerCodec::text_map, Propagation::text_map_codec))
        .http_headers_codec(joined(
            JaegerCodec::http_headers,
            Propagation::http_headers_codec,
        ))
}

impl From<BuildError> for ConfigError {
    fn from(error: BuildError) -> Self {
        Self::new(vec![ConfigProblem::of_builder(error)], Vec::new())
    }
}

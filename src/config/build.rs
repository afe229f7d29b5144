use std::fmt;

use crate::model::Tag;
use crate::reporter::{CompositeReporter, LoggingReporter, Reporter};
use crate::tracer::{BuildError, JaegerTracer, TracerBuilder};

use super::Config;
use super::error::{ConfigError, ConfigProblem};
use super::sampler::short_type_name;
use super::setting::Source;

/// A last change to the builder.
pub(super) type Customize = Box<dyn FnOnce(TracerBuilder) -> TracerBuilder + Send + Sync>;

impl Config {
    /// Builds the tracer, and writes a line that says who traces, how and whereto.
    ///
    /// # Errors
    ///
    /// When the service has no name, or something that the code has set cannot be. A tracer that is disabled
    /// is always built, and is [`JaegerTracer::disabled`].
    pub fn build(self) -> Result<JaegerTracer, ConfigError> {
        let diagnostics = self.diagnostics.clone();
        if self.disabled.value {
            if let Source::Variable(name) = self.disabled.source {
                diagnostics.say(&format!("tracing is off: {name}"));
            }
            return Ok(JaegerTracer::disabled());
        }
        let warnings = self.warnings.clone();
        let built = self.prepare().and_then(|(builder, start_line)| {
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

    /// The builder with every setting, and the line for the start.
    fn prepare(self) -> Result<(TracerBuilder, String), Vec<ConfigProblem>> {
        let mut problems = self.problems;
        let service_name = self.service_name.value.trim();
        if service_name.is_empty() {
            problems.push(match self.service_name.source {
                Source::Code => {
                    ConfigProblem::invalid("service_name", &self.service_name.value, "a name")
                }
                Source::Variable(_) | Source::Default => ConfigProblem::missing(
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
        let destination = match self.reporter {
            Some(choice) => Ok((choice.reporter, choice.name.to_owned())),
            None => self.agent.reporter(),
        };
        let (reporter, destination) = match destination {
            Ok(destination) if problems.is_empty() => destination,
            Ok(_) => return Err(problems),
            Err(problem) => {
                problems.push(problem);
                return Err(problems);
            }
        };
        let hint = match self.sampler.source {
            Source::Default => {
                " (the default: one trace in 1000; JAEGER_SAMPLER_TYPE=const keeps all)"
            }
            Source::Variable(_) | Source::Code => "",
        };
        let sampler = self.sampler.value;
        let start_line = format!(
            "service {service_name:?} is traced: sampler {}{hint}, spans go to {destination}",
            sampler.description,
        );
        let limits = self
            .limits
            .tag_value_bytes(self.tag_value_bytes.value)
            .logs(self.logs.value);
        let mut builder = JaegerTracer::builder(service_name)
            .sampler(sampler.sampler)
            .flush_interval(self.flush_interval.value)
            .trace_id_128bit(self.trace_id_128bit.value)
            .limits(limits)
            .diagnostics(self.diagnostics.clone());
        builder = if self.log_spans.value {
            let log = LoggingReporter::with_handler(move |line| self.diagnostics.say(line));
            builder.reporter(CompositeReporter::new().member(log).member(reporter))
        } else {
            builder.reporter(reporter)
        };
        if let Some(spans) = self.queue_size.value {
            builder = builder.queue_size(spans);
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

impl From<BuildError> for ConfigError {
    fn from(error: BuildError) -> Self {
        Self::new(vec![ConfigProblem::of_builder(error)], Vec::new())
    }
}

/// A reporter of the program's own, and its type's name.
pub(super) struct ReporterChoice {
    reporter: Box<dyn Reporter>,
    pub(super) name: &'static str,
}

impl ReporterChoice {
    pub(super) fn new<R: Reporter + 'static>(reporter: R) -> Self {
        Self {
            reporter: Box::new(reporter),
            name: short_type_name::<R>(),
        }
    }
}

impl fmt::Debug for ReporterChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

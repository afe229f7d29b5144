//! The ways of spans if the code gives neither a sender nor a reporter: to an agent, to a collector, to several places,
//! or nowhere.

#[cfg(not(all(feature = "collector", feature = "otlp", feature = "zipkin")))]
mod absent;
#[cfg(feature = "collector")]
mod collector;
#[cfg(any(feature = "collector", feature = "otlp", feature = "zipkin"))]
mod endpoint;
#[cfg(all(feature = "otlp", feature = "tls"))]
mod files;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(any(feature = "collector", feature = "otlp", feature = "zipkin"))]
mod uploads;
pub(super) mod way;
#[cfg(feature = "zipkin")]
mod zipkin;

#[cfg(not(feature = "collector"))]
use self::absent::Collector;
#[cfg(not(feature = "otlp"))]
use self::absent::Otlp;
#[cfg(not(feature = "zipkin"))]
use self::absent::Zipkin;
#[cfg(feature = "collector")]
pub(super) use self::collector::Collector;
#[cfg(feature = "otlp")]
use self::otlp::Otlp;
use self::way::JaegerProtocol;
use self::way::Way;
#[cfg(feature = "zipkin")]
use self::zipkin::Zipkin;
use crate::config::agent::Agent;
use crate::config::error::ConfigProblem;
use crate::config::explanation::{ExplainedSetting, row};
use crate::config::setting::{Setting, Source};
use crate::config::variables::Variables;
use crate::diagnostics::Diagnostics;
use crate::reporter::{CompositeReporter, LoggingReporter, NullReporter, Reporter};

/// The ways of spans out of the process, and the settings of those that are no agent.
pub(super) struct Sending {
    /// Empty for nowhere.
    ways: Setting<Vec<Way>>,
    collector: Collector,
    otlp: Otlp,
    zipkin: Zipkin,
}

impl Default for Sending {
    fn default() -> Self {
        Self {
            ways: Setting::default_value(vec![Way::Agent]),
            collector: Collector::default(),
            otlp: Otlp::default(),
            zipkin: Zipkin::default(),
        }
    }
}

impl Sending {
    /// Puts the values of variables in the place of these settings. `agent` and `protocol` are as the variables say.
    pub(super) fn read(
        self,
        variables: &mut Variables<'_>,
        agent: &Agent,
        protocol: Option<&Setting<JaegerProtocol>>,
    ) -> Self {
        let mut read = Self {
            ways: self.ways,
            collector: self.collector.read(variables, protocol),
            otlp: self.otlp.read(variables),
            zipkin: self.zipkin.read(variables),
        };
        if let Some(ways) = read.chosen(variables, agent, protocol) {
            read.warn_of_others(variables, &ways);
            read.ways = ways;
        }
        let is_used = read.ways.value.contains(&Way::Collector);
        read.collector.check(is_used, variables);
        read
    }

    /// Returns the ways that the variables ask for, by the first rule that holds.
    fn chosen(
        &self,
        variables: &mut Variables<'_>,
        agent: &Agent,
        protocol: Option<&Setting<JaegerProtocol>>,
    ) -> Option<Setting<Vec<Way>>> {
        let of_agent = |family| {
            let source = agent.source_of_address(family)?;
            Some(Setting {
                value: Way::Agent,
                source,
            })
        };
        let of_protocol = protocol.map(|protocol| Setting {
            value: protocol.value.way(),
            source: protocol.source,
        });
        let jaeger = self.collector.way_of_variable("JAEGER_");
        if let Some(way) = jaeger.or_else(|| of_agent("JAEGER_")) {
            return Some(alone(way));
        }
        // What the exporter `jaeger` of OpenTelemetry stands for.
        let otel = of_protocol.or_else(|| self.collector.way_of_variable("OTEL_"));
        let exporter = otel.as_ref().map_or(Way::Agent, |way| way.value);
        if let Some(ways) = way::read_exporters(variables, exporter) {
            return Some(ways);
        }
        let further = [
            self.otlp.way_of_variable("OTEL_"),
            otel,
            of_agent("OTEL_"),
            self.zipkin.way_of_variable("OTEL_"),
        ];
        further.into_iter().flatten().next().map(alone)
    }

    /// Warns of the variables that name another way than `ways`, whose variable comes first. A list of exporters that
    /// was followed leaves the ways out that it means to leave out.
    fn warn_of_others(&self, variables: &mut Variables<'_>, ways: &Setting<Vec<Way>>) {
        let Source::Variable(by) = ways.source else {
            return;
        };
        if by == way::EXPORTERS {
            return;
        }
        let exporters = variables.any(way::EXPORTERS);
        if exporters.is_some_and(|list| !list.eq_ignore_ascii_case("jaeger")) {
            variables.warn(ConfigProblem::outranked(way::EXPORTERS, by));
        }
        let others = [
            self.otlp.way_of_variable("OTEL_"),
            self.collector.way_of_variable("OTEL_"),
            self.zipkin.way_of_variable("OTEL_"),
        ];
        for other in others.into_iter().flatten() {
            if let Source::Variable(name) = other.source
                && !ways.value.contains(&other.value)
            {
                variables.warn(ConfigProblem::outranked(name, by));
            }
        }
    }

    /// Takes the collector of a file.
    #[cfg(all(feature = "serde", feature = "collector"))]
    pub(super) fn set_collector_of_file(
        &mut self,
        change: impl FnOnce(&mut Collector),
        has_endpoint: bool,
    ) {
        change(&mut self.collector);
        if has_endpoint {
            self.ways = Setting::of_file(vec![Way::Collector], "reporter.endpoint");
        }
    }

    /// Returns the origin of the ways.
    pub(super) fn source(&self) -> Source {
        self.ways.source
    }

    pub(super) fn explain(&self, agent: &Agent) -> Vec<ExplainedSetting> {
        let mut settings = vec![row("sender", &self.ways, |ways| {
            let names: Vec<_> = ways.iter().map(|way| way.name()).collect();
            match names.is_empty() {
                true => "none".to_owned(),
                false => names.join(","),
            }
        })];
        for way in &self.ways.value {
            settings.extend(match way {
                Way::Agent => agent.explain(),
                Way::Collector => self.collector.explain(),
                Way::Otlp => self.otlp.explain(),
                Way::Zipkin => self.zipkin.explain(),
                Way::Console => Vec::new(),
            });
        }
        settings
    }

    /// Returns the reporter, and where spans go in words.
    pub(super) fn reporter(
        &self,
        agent: &Agent,
        diagnostics: &Diagnostics,
        warnings: &mut Vec<ConfigProblem>,
    ) -> Result<(Box<dyn Reporter>, String), ConfigProblem> {
        let mut members = Vec::new();
        for way in &self.ways.value {
            members.push(match way {
                Way::Agent => agent.reporter()?,
                Way::Collector => self.collector.reporter(warnings)?,
                Way::Otlp => self.otlp.reporter(warnings)?,
                Way::Zipkin => self.zipkin.reporter(warnings)?,
                Way::Console => {
                    let diagnostics = diagnostics.clone();
                    let log = LoggingReporter::with_handler(move |line| diagnostics.say(line));
                    (Box::new(log) as Box<dyn Reporter>, "the log".to_owned())
                }
            });
        }
        if members.len() < 2 {
            return Ok(members.pop().unwrap_or_else(|| {
                let nowhere = format!("nowhere ({})", self.ways.source);
                (Box::new(NullReporter::new()), nowhere)
            }));
        }
        let mut joined = CompositeReporter::new();
        let mut destinations = Vec::new();
        for (reporter, destination) in members {
            joined = joined.member(reporter);
            destinations.push(destination);
        }
        Ok((Box::new(joined), destinations.join(" and ")))
    }
}

fn alone(way: Setting<Way>) -> Setting<Vec<Way>> {
    Setting {
        value: vec![way.value],
        source: way.source,
    }
}

use std::time::Duration;

use crate::diagnostics::Diagnostics;
use crate::model::Tag;
use crate::sampler::Sampler;

use super::Config;
use super::error::{ConfigError, ConfigProblem};
use super::reporter::{AgentAddress, ReporterChoice};
use super::setting::Source;

/// A configuration that has been checked as a whole.
pub(super) enum Resolved {
    /// Tracing is off: nothing else was looked at.
    Disabled,
    Enabled(Settings),
}

/// What a tracer is built from.
pub(super) struct Settings {
    pub(super) service_name: String,
    pub(super) sampler: Box<dyn Sampler>,
    pub(super) destination: Destination,
    /// Whether each span is written as a line, too.
    pub(super) log_spans: bool,
    /// In spans.
    pub(super) queue_size: usize,
    pub(super) flush_interval: Duration,
    pub(super) trace_id_128bit: bool,
    pub(super) tags: Vec<Tag>,
    pub(super) tag_value_bytes: usize,
    pub(super) logs: usize,
    pub(super) diagnostics: Diagnostics,
    /// Lines to write when the tracer starts: what was passed over, then who traces, how and whereto.
    pub(super) start_lines: Vec<String>,
}

/// Where spans go.
pub(super) enum Destination {
    Agent(AgentAddress),
    Reporter(ReporterChoice),
}

impl Config {
    /// Checks the whole.
    pub(super) fn resolve(self) -> Result<Resolved, ConfigError> {
        if self.disabled.value {
            return Ok(Resolved::Disabled);
        }
        let mut problems = self.problems;
        let service_name = self.service_name.value.trim_ascii().to_owned();
        if service_name.is_empty() {
            let remedy = "none: set JAEGER_SERVICE_NAME, or give a name in the code";
            problems.push(ConfigProblem::missing("service_name", remedy));
        }
        if self.flush_interval.value.is_zero() {
            problems.push(ConfigProblem::invalid(
                "flush_interval",
                "0",
                "a duration above zero",
            ));
        }
        let destination = match self.reporter {
            Some(reporter) => Ok(Destination::Reporter(reporter)),
            None => self.agent.resolve().map(Destination::Agent),
        };
        let destination = match destination {
            Ok(destination) if problems.is_empty() => destination,
            Ok(_) => return Err(ConfigError::new(problems)),
            Err(problem) => {
                problems.push(problem);
                return Err(ConfigError::new(problems));
            }
        };
        let sampler = self.sampler.value;
        let hint = match self.sampler.source {
            Source::Default => {
                " (the default: one trace in 1000; JAEGER_SAMPLER_TYPE=const keeps all)"
            }
            _ => "",
        };
        let start_line = format!(
            "service {service_name:?} is traced: sampler {}{hint}, spans go to {}",
            sampler.description,
            destination.describe()
        );
        Ok(Resolved::Enabled(Settings {
            start_lines: passed_over(&self.warnings).chain([start_line]).collect(),
            service_name,
            sampler: sampler.sampler,
            destination,
            log_spans: self.log_spans.value,
            queue_size: self.queue_size.value,
            flush_interval: self.flush_interval.value,
            trace_id_128bit: self.trace_id_128bit.value,
            tags: self.tags.into_tags(),
            tag_value_bytes: self.tag_value_bytes.value,
            logs: self.logs.value,
            diagnostics: self.diagnostics,
        }))
    }
}

impl Destination {
    fn describe(&self) -> String {
        match self {
            Self::Agent(address) => address.to_string(),
            Self::Reporter(choice) => choice.description.to_owned(),
        }
    }
}

fn passed_over(problems: &[ConfigProblem]) -> impl Iterator<Item = String> {
    problems
        .iter()
        .map(|problem| format!("passed over: {problem}"))
}

#[cfg(test)]
mod tests {
    use crate::model::TraceId;
    use crate::reporter::FinishedSpan;
    use crate::sampler::{ConstSampler, SamplingDecision, SpanView};

    use super::*;

    /// A reporter for tests of everything but the agent.
    struct Nowhere;

    impl crate::reporter::Reporter for Nowhere {
        fn report(&mut self, _: &FinishedSpan<'_>) {}
    }

    fn read(variables: &[(&str, &str)]) -> Config {
        Config::from_lookup(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
        .expect("good variables")
    }

    fn settings(config: Config) -> Settings {
        match config.resolve() {
            Ok(Resolved::Enabled(settings)) => settings,
            Ok(Resolved::Disabled) => unreachable!("disabled"),
            Err(error) => unreachable!("{error}"),
        }
    }

    fn refused(config: Config) -> String {
        match config.resolve() {
            Ok(_) => unreachable!("resolved"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_service_needs_a_name() {
        for config in [read(&[]), Config::new(""), Config::new(" \t")] {
            assert_eq!(
                refused(config.reporter(Nowhere)),
                "service_name: none: set JAEGER_SERVICE_NAME, or give a name in the code"
            );
        }
        let named = settings(Config::new(" shop ").reporter(Nowhere));
        assert_eq!(named.service_name, "shop");
        let named = settings(read(&[]).service_name("shop").reporter(Nowhere));
        assert_eq!(named.service_name, "shop");
    }

    #[test]
    fn a_disabled_tracer_needs_nothing() {
        let disabled = [
            read(&[("JAEGER_DISABLED", "true"), ("JAEGER_SAMPLER_TYPE", "all")]),
            read(&[("OTEL_SDK_DISABLED", "true")]),
            read(&[]).disabled(true).agent_port(0),
        ];
        for config in disabled {
            assert!(matches!(config.resolve(), Ok(Resolved::Disabled)));
        }
    }

    #[test]
    fn what_a_disabled_tracer_was_forgiven_counts_when_the_code_enables_it() {
        let variables = [("JAEGER_DISABLED", "1"), ("JAEGER_SAMPLER_TYPE", "all")];
        let error = refused(read(&variables).disabled(false).reporter(Nowhere));
        assert_eq!(
            error,
            "JAEGER_SAMPLER_TYPE: expected const, probabilistic or ratelimiting, found \"all\"; \
             service_name: none: set JAEGER_SERVICE_NAME, or give a name in the code"
        );
    }

    #[test]
    fn what_is_explained_is_what_comes_out() {
        let settings = settings(
            read(&[
                ("JAEGER_SAMPLER_TYPE", "const"),
                ("JAEGER_SAMPLER_PARAM", "0"),
                ("JAEGER_REPORTER_LOG_SPANS", "true"),
                ("JAEGER_REPORTER_MAX_QUEUE_SIZE", "7"),
                ("JAEGER_REPORTER_FLUSH_INTERVAL", "1.5s"),
                ("JAEGER_TRACEID_128BIT", "t"),
                ("JAEGER_TAGS", "zone=eu-1"),
                ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "99"),
                ("OTEL_SPAN_EVENT_COUNT_LIMIT", "9"),
            ])
            .service_name("shop")
            .tag("n", 1)
            .reporter(Nowhere),
        );
        let root = SpanView::new(TraceId::new(0, 1).expect("not zero"), "checkout", true);
        assert!(matches!(
            settings.sampler.on_create_span(&root),
            SamplingDecision::Drop
        ));
        assert!(settings.log_spans && settings.trace_id_128bit);
        assert_eq!(
            (settings.queue_size, settings.tag_value_bytes, settings.logs),
            (7, 99, 9)
        );
        assert_eq!(settings.flush_interval, Duration::from_millis(1_500));
        assert_eq!(settings.tags, [Tag::new("zone", "eu-1"), Tag::new("n", 1)]);
        assert!(matches!(settings.destination, Destination::Reporter(_)));
    }

    #[test]
    fn the_start_line_says_service_sampler_and_destination() {
        let settings = settings(
            read(&[("OTEL_TRACES_SAMPLER", "xray")])
                .service_name("sh\nop")
                .reporter(Nowhere),
        );
        assert_eq!(
            settings.start_lines,
            [
                "passed over: OTEL_TRACES_SAMPLER: expected always_on, always_off or traceidratio, with or without \
                 parentbased_, found \"xray\"",
                "service \"sh\\nop\" is traced: sampler probabilistic 0.001 (the default: one trace in 1000; \
                 JAEGER_SAMPLER_TYPE=const keeps all), spans go to Nowhere"
            ]
        );
    }

    #[test]
    fn a_flush_interval_of_zero_is_refused() {
        let config = Config::new("shop")
            .reporter(Nowhere)
            .flush_interval(Duration::ZERO);
        assert_eq!(
            refused(config),
            "flush_interval: expected a duration above zero, found \"0\""
        );
        let settings = settings(Config::new("shop").reporter(Nowhere).queue_size(0));
        assert_eq!(settings.queue_size, 1);
    }

    #[test]
    #[cfg(not(feature = "udp"))]
    fn without_udp_a_reporter_is_needed() {
        let error = refused(Config::new("shop"));
        assert!(
            error.starts_with("reporter: none: turn on the feature `udp`"),
            "{error}"
        );
    }

    #[cfg(feature = "udp")]
    mod agent {
        use crate::config::SocketType;
        use crate::reporter::sender::BatchFormat;

        use super::*;

        fn address(config: Config) -> AgentAddress {
            match settings(config).destination {
                Destination::Agent(address) => address,
                Destination::Reporter(_) => unreachable!("a reporter"),
            }
        }

        #[test]
        fn spans_go_to_the_agent_unless_there_is_a_reporter() {
            let default = settings(Config::new("shop").sampler(ConstSampler::new(true)));
            assert_eq!(
                default.start_lines,
                [
                    "service \"shop\" is traced: sampler const 1, spans go to localhost:6831 over UDP"
                ]
            );
            let variables = [
                ("JAEGER_AGENT_HOST", "[::1]"),
                ("JAEGER_AGENT_PORT", "7000"),
            ];
            let address = address(read(&variables).service_name("shop"));
            assert_eq!(address.to_string(), "[::1]:7000 over UDP");
            assert_eq!((address.host.as_str(), address.port), ("::1", 7_000));
            assert_eq!(
                (address.socket_type, address.protocol),
                (None, BatchFormat::Compact)
            );
        }

        #[test]
        fn the_binary_protocol_has_its_own_port() {
            let config = Config::new("shop").agent_protocol(BatchFormat::Binary);
            assert_eq!(address(config).port, 6_832);
        }

        #[test]
        fn what_the_code_says_of_the_agent_is_checked_too() {
            for (config, message) in [
                (
                    Config::new("shop").agent_host("agent:6831"),
                    "agent_host: expected a host name or an IP address, without a scheme or a port, found \"agent:6831\"",
                ),
                (
                    Config::new("shop").agent_host(""),
                    "agent_host: expected a host name or an IP address, without a scheme or a port, found \"\"",
                ),
                (
                    Config::new("shop").agent_port(0),
                    "agent_port: expected a port from 1 to 65535, found \"0\"",
                ),
            ] {
                assert_eq!(refused(config), message);
            }
        }

        #[test]
        fn an_address_of_the_other_family_than_the_socket_type_is_refused() {
            let variables = [
                ("JAEGER_AGENT_HOST", "::1"),
                ("JAEGER_AGENT_SOCKET_TYPE", "udp4"),
            ];
            assert_eq!(
                refused(read(&variables).service_name("shop")),
                "JAEGER_AGENT_HOST: expected an IPv4 address, since the socket type is udp4, found \"::1\""
            );
            let config = Config::new("shop")
                .agent_host("127.0.0.1")
                .agent_socket_type(SocketType::Udp6);
            assert!(refused(config).starts_with("agent_host: expected an IPv6 address"));
            let config = Config::new("shop")
                .agent_host("::1")
                .agent_socket_type(SocketType::Udp6);
            assert_eq!(address(config).socket_type, Some(SocketType::Udp6));
        }
    }
}

use std::fmt;
use std::net::IpAddr;

use crate::reporter::Reporter;
use crate::reporter::sender::BatchFormat;

use super::env::Environment;
use super::error::ConfigProblem;
use super::grammar;
use super::sampler::short_type_name;
use super::setting::{Setting, Source};

/// The kind of address to reach the agent by; Node's `udp4` and `udp6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there are two versions of the Internet protocol"
)]
pub enum SocketType {
    /// IPv4.
    Udp4,
    /// IPv6.
    Udp6,
}

impl fmt::Display for SocketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp4 => "udp4",
            Self::Udp6 => "udp6",
        })
    }
}

/// What is set of the agent.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) host: Setting<String>,
    /// Without one, that of the protocol.
    pub(super) port: Setting<Option<u16>>,
    /// Without one, whatever the name resolves to.
    pub(super) socket_type: Setting<Option<SocketType>>,
    pub(super) protocol: Setting<BatchFormat>,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            host: Setting::default_value("localhost".to_owned()),
            port: Setting::default_value(None),
            socket_type: Setting::default_value(None),
            protocol: Setting::default_value(BatchFormat::Compact),
        }
    }
}

impl Agent {
    pub(super) fn read(env: &mut Environment<'_>) -> Self {
        let default = Self::default();
        if !cfg!(feature = "udp") {
            for name in VARIABLES {
                if let Some(value) = env.get(name) {
                    let asks_for = "an agent, which the feature `udp` of this crate brings";
                    env.report(ConfigProblem::not_built(name, &value, asks_for));
                }
            }
            return default;
        }
        let host = env.first([
            ("JAEGER_AGENT_HOST", grammar::host),
            ("OTEL_EXPORTER_JAEGER_AGENT_HOST", grammar::host),
        ]);
        let port = env.first([
            ("JAEGER_AGENT_PORT", |text| grammar::port(text).map(Some)),
            ("OTEL_EXPORTER_JAEGER_AGENT_PORT", |text| {
                grammar::port(text).map(Some)
            }),
        ]);
        let socket_type = env.first([("JAEGER_AGENT_SOCKET_TYPE", |text| {
            grammar::socket_type(text).map(Some)
        })]);
        let protocol = env.first([("OTEL_EXPORTER_JAEGER_PROTOCOL", grammar::agent_protocol)]);
        Self {
            host: default.host.or(host),
            port: default.port.or(port),
            socket_type: default.socket_type.or(socket_type),
            protocol: default.protocol.or(protocol),
        }
    }

    /// The port that was set, or 6831 for the compact and 6832 for the binary protocol.
    pub(super) fn effective_port(&self) -> u16 {
        self.port.value.unwrap_or(match self.protocol.value {
            BatchFormat::Compact => 6_831,
            BatchFormat::Binary => 6_832,
        })
    }

    /// Where to send, checked as a whole.
    pub(super) fn resolve(&self) -> Result<AgentAddress, ConfigProblem> {
        if !cfg!(feature = "udp") {
            let remedy = "none: turn on the feature `udp` to send to an agent, or give a reporter";
            return Err(ConfigProblem::missing("reporter", remedy));
        }
        let host_name = name_of(self.host.source, "agent_host");
        let host = grammar::host(&self.host.value)
            .map_err(|expected| ConfigProblem::invalid(host_name, &self.host.value, expected))?;
        let port = self.effective_port();
        if port == 0 {
            return Err(ConfigProblem::invalid(
                "agent_port",
                "0",
                grammar::EXPECTED_PORT,
            ));
        }
        let expected = match (host.parse(), self.socket_type.value) {
            (Ok(IpAddr::V4(_)), Some(SocketType::Udp6)) => {
                Some("an IPv6 address, since the socket type is udp6")
            }
            (Ok(IpAddr::V6(_)), Some(SocketType::Udp4)) => {
                Some("an IPv4 address, since the socket type is udp4")
            }
            _ => None,
        };
        match expected {
            Some(expected) => Err(ConfigProblem::invalid(host_name, &host, expected)),
            None => Ok(AgentAddress {
                host,
                port,
                socket_type: self.socket_type.value,
                protocol: self.protocol.value,
            }),
        }
    }
}

const VARIABLES: [&str; 6] = [
    "JAEGER_AGENT_HOST",
    "JAEGER_AGENT_PORT",
    "JAEGER_AGENT_SOCKET_TYPE",
    "OTEL_EXPORTER_JAEGER_AGENT_HOST",
    "OTEL_EXPORTER_JAEGER_AGENT_PORT",
    "OTEL_EXPORTER_JAEGER_PROTOCOL",
];

/// The variable that a setting came from, else the setter's name.
fn name_of(source: Source, setter: &'static str) -> &'static str {
    match source {
        Source::Variable(name) => name,
        Source::Default | Source::Code => setter,
    }
}

/// Where an agent listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AgentAddress {
    /// A name or an address, the latter without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) socket_type: Option<SocketType>,
    pub(crate) protocol: BatchFormat,
}

impl fmt::Display for AgentAddress {
    /// `localhost:6831 over UDP`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port} over UDP")
        } else {
            write!(f, "{host}:{port} over UDP")
        }
    }
}

/// A reporter of the program's own, and how it is called in a line of text.
pub(super) struct ReporterChoice {
    pub(super) reporter: Box<dyn Reporter>,
    pub(super) description: &'static str,
}

impl ReporterChoice {
    pub(super) fn new<R: Reporter + 'static>(reporter: R) -> Self {
        Self {
            reporter: Box::new(reporter),
            description: short_type_name::<R>(),
        }
    }
}

impl fmt::Debug for ReporterChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description)
    }
}

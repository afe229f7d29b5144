use std::net::Ipv4Addr;
use std::time::Duration;

use crate::config::error::ConfigProblem;
use crate::config::explanation::{ExplainedSetting, quoted, row};
use crate::config::parse::{self, Expected};
use crate::config::sending::way::JaegerProtocol;
use crate::config::setting::{Setting, Source};
use crate::config::variables::Variables;
use crate::reporter::sender::{AgentAddress, AgentProtocol, SocketFamily, UdpSender};
use crate::reporter::{RemoteReporter, Reporter};

/// The settings of the agent.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) host: Setting<String>,
    /// `None` for the default port of the protocol.
    pub(super) port: Setting<Option<u16>>,
    pub(super) family: Setting<SocketFamily>,
    pub(super) protocol: Setting<AgentProtocol>,
    /// `None` for never.
    pub(super) lookup_interval: Setting<Option<Duration>>,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            host: Setting::default_value("localhost".to_owned()),
            port: Setting::default_value(None),
            family: Setting::default_value(SocketFamily::Any),
            protocol: Setting::default_value(AgentProtocol::Compact),
            lookup_interval: Setting::default_value(Some(LOOKUP_INTERVAL)),
        }
    }
}

impl Agent {
    /// Puts the values of variables in the place of these settings.
    pub(super) fn read(
        self,
        variables: &mut Variables<'_>,
        protocol: Option<&Setting<JaegerProtocol>>,
    ) -> Self {
        Self {
            host: self.host.or(variables.first([
                ("JAEGER_AGENT_HOST", parse::host),
                ("OTEL_EXPORTER_JAEGER_AGENT_HOST", parse::host),
            ])),
            port: self.port.or(variables.first([
                ("JAEGER_AGENT_PORT", |text| parse::port(text).map(Some)),
                ("OTEL_EXPORTER_JAEGER_AGENT_PORT", |text| {
                    parse::port(text).map(Some)
                }),
            ])),
            family: self
                .family
                .or(variables.first([("JAEGER_AGENT_SOCKET_TYPE", socket_type)])),
            protocol: self.protocol.or(protocol.and_then(agent_protocol)),
            lookup_interval: self.lookup_interval.or(read_lookup_interval(variables)),
        }
    }

    /// Takes the host, and the port if there is one, of a file.
    #[cfg(feature = "serde")]
    pub(super) fn set_address_of_file(
        &mut self,
        text: &str,
        key: &'static str,
    ) -> Result<(), Expected> {
        let read = |default_port| AgentAddress::parse(text, default_port);
        let (Ok(address), Ok(other)) = (read(1), read(2)) else {
            return Err("a host with or without a port");
        };
        self.host = Setting::of_file(address.host().to_owned(), key);
        if address.port() == other.port() {
            self.port = Setting::of_file(Some(address.port()), key);
        }
        Ok(())
    }

    /// Returns the variable of this family that names the agent's host or port.
    pub(super) fn source_of_address(&self, family: &str) -> Option<Source> {
        let sources = [self.host.source, self.port.source];
        let is_of_family = |source: &Source| match source {
            Source::Variable(name) => name.starts_with(family),
            _ => false,
        };
        sources.into_iter().find(is_of_family)
    }

    pub(super) fn explain(&self) -> Vec<ExplainedSetting> {
        vec![
            row("agent_host", &self.host, |host| {
                quoted(&parse::host(host).unwrap_or_else(|_| host.clone()))
            }),
            row("agent_port", &self.port, |_| {
                self.effective_port().to_string()
            }),
            row("agent_family", &self.family, |family| match family {
                SocketFamily::Any => "any".to_owned(),
                SocketFamily::V4 => "udp4".to_owned(),
                SocketFamily::V6 => "udp6".to_owned(),
            }),
            row(
                "agent_protocol",
                &self.protocol,
                |protocol| match protocol {
                    AgentProtocol::Compact => "compact".to_owned(),
                    AgentProtocol::Binary => "binary".to_owned(),
                },
            ),
            row(
                "agent_lookup_interval",
                &self.lookup_interval,
                |interval| match interval {
                    Some(interval) => format!("{interval:?}"),
                    None => "never".to_owned(),
                },
            ),
        ]
    }

    /// Returns the host that is asked for strategies if nothing else is set.
    #[cfg(feature = "remote-sampler")]
    pub(super) fn host_of_strategies(&self) -> Setting<String> {
        let mut host = self.host.clone();
        if host.is_default() {
            host.value = "127.0.0.1".to_owned();
        }
        host
    }

    /// Returns a reporter that sends to the agent, and the agent's address for a line of text.
    pub(super) fn reporter(&self) -> Result<(Box<dyn Reporter>, String), ConfigProblem> {
        let address = self.address()?;
        if self.lookup_interval.value == Some(Duration::ZERO) {
            let expected = "a duration above zero, or none";
            return Err(ConfigProblem::invalid(
                "agent_lookup_interval",
                "0",
                expected,
            ));
        }
        let destination = format!("{address} over UDP");
        let sender = UdpSender::new(address)
            .family(self.family.value)
            .protocol(self.protocol.value)
            .lookup_interval(self.lookup_interval.value);
        Ok((Box::new(RemoteReporter::new(sender)), destination))
    }

    /// Returns where the agent listens, if host, port and family fit together.
    fn address(&self) -> Result<AgentAddress, ConfigProblem> {
        let name = self.host.name("agent_host");
        let invalid = |expected| ConfigProblem::invalid(name, &self.host.value, expected);
        let host = parse::host(&self.host.value).map_err(invalid)?;
        let (is_v4, is_v6) = (host.parse::<Ipv4Addr>().is_ok(), host.contains(':'));
        match self.family.value {
            SocketFamily::V6 if is_v4 => {
                return Err(invalid("an IPv6 address, since the socket type is udp6"));
            }
            SocketFamily::V4 if is_v6 => {
                return Err(invalid("an IPv4 address, since the socket type is udp4"));
            }
            _ => {}
        }
        match self.effective_port() {
            0 => Err(ConfigProblem::invalid(
                "agent_port",
                "0",
                parse::EXPECTED_PORT,
            )),
            port => Ok(AgentAddress::new(host, port)),
        }
    }

    fn effective_port(&self) -> u16 {
        self.port.value.unwrap_or(match self.protocol.value {
            AgentProtocol::Compact => AgentAddress::COMPACT_PORT,
            AgentProtocol::Binary => AgentAddress::BINARY_PORT,
        })
    }
}

/// Returns the agent's protocol, if it is one of UDP.
fn agent_protocol(protocol: &Setting<JaegerProtocol>) -> Option<Setting<AgentProtocol>> {
    let value = match protocol.value {
        JaegerProtocol::UdpCompact => AgentProtocol::Compact,
        JaegerProtocol::UdpBinary => AgentProtocol::Binary,
        JaegerProtocol::Http | JaegerProtocol::Grpc => return None,
    };
    Some(Setting {
        value,
        source: protocol.source,
    })
}

/// Reads the Go client's two variables. The switch wins over the interval.
fn read_lookup_interval(variables: &mut Variables<'_>) -> Option<Setting<Option<Duration>>> {
    let interval = variables.first([("JAEGER_REPORTER_ATTEMPT_RECONNECT_INTERVAL", |text| {
        parse::duration(text).map(Some)
    })]);
    let is_off = variables.first([(
        "JAEGER_REPORTER_ATTEMPT_RECONNECTING_DISABLED",
        parse::boolean,
    )]);
    let Some(is_off) = is_off else {
        return interval;
    };
    match is_off.value {
        true => Some(Setting {
            value: None,
            source: is_off.source,
        }),
        false => interval.or(Some(Setting {
            value: Some(LOOKUP_INTERVAL),
            source: is_off.source,
        })),
    }
}

/// Reads `udp4` and `udp6`, as the Node client does.
pub(super) fn socket_type(text: &str) -> Result<SocketFamily, Expected> {
    match text.to_ascii_lowercase().as_str() {
        "udp4" => Ok(SocketFamily::V4),
        "udp6" => Ok(SocketFamily::V6),
        _ => Err("udp4 or udp6"),
    }
}

/// Reads the words of `OTEL_EXPORTER_JAEGER_PROTOCOL` for UDP, in a file.
#[cfg(feature = "serde")]
pub(super) fn protocol(text: &str) -> Result<AgentProtocol, Expected> {
    match text.to_ascii_lowercase().as_str() {
        "udp/thrift.compact" => Ok(AgentProtocol::Compact),
        "udp/thrift.binary" => Ok(AgentProtocol::Binary),
        _ => Err("udp/thrift.compact or udp/thrift.binary"),
    }
}

/// As long as the Go client's.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn address(config: &Config) -> String {
        config
            .agent
            .address()
            .map_or_else(|problem| problem.to_string(), |agent| agent.to_string())
    }

    fn config() -> Config {
        Config::new("shop")
    }

    #[test]
    fn the_port_is_the_default_of_the_protocol_unless_it_is_set() {
        assert_eq!(address(&config()), "localhost:6831");
        assert_eq!(
            address(&config().agent_protocol(AgentProtocol::Binary)),
            "localhost:6832"
        );
        let set = config()
            .agent_protocol(AgentProtocol::Binary)
            .agent_port(7_000);
        assert_eq!(address(&set.agent_host("[::1]")), "[::1]:7000");
    }

    #[test]
    fn settings_of_the_code_are_checked_too() {
        let expected =
            "agent_host: expected a host name or an IP address, without a scheme or a port, found";
        for host in ["agent:6831", "", " agent", "http://agent"] {
            assert_eq!(
                address(&config().agent_host(host)),
                format!("{expected} {host:?}")
            );
        }
        let port = "agent_port: expected a port from 1 to 65535, found \"0\"";
        assert_eq!(address(&config().agent_port(0)), port);
    }

    #[test]
    fn an_address_of_the_other_family_than_the_socket_type_is_refused() {
        let variables = |name: &str| match name {
            "JAEGER_AGENT_HOST" => Some("::1".to_owned()),
            "JAEGER_AGENT_SOCKET_TYPE" => Some("udp4".to_owned()),
            _ => None,
        };
        assert_eq!(
            address(&Config::from_lookup(variables).expect("each is good")),
            "JAEGER_AGENT_HOST: expected an IPv4 address, since the socket type is udp4, found \"::1\""
        );
        let v6 = config().agent_family(SocketFamily::V6);
        assert!(address(&v6.agent_host("127.0.0.1")).starts_with("agent_host: expected an IPv6"));
        let v4 = config().agent_family(SocketFamily::V4);
        assert!(address(&v4.agent_host("fe80::1%1")).starts_with("agent_host: expected an IPv4"));
        let v6 = config().agent_family(SocketFamily::V6);
        assert_eq!(address(&v6.agent_host("::1")), "[::1]:6831");
        assert_eq!(
            address(&config().agent_family(SocketFamily::V6)),
            "localhost:6831"
        );
    }
}

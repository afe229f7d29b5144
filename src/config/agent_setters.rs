//! The setters of the agent.

use std::time::Duration;

use crate::config::Config;
use crate::config::setting::Setting;
use crate::reporter::sender::{AgentProtocol, SocketFamily};

impl Config {
    /// Sets the name or address of the agent's host, without a port.
    ///
    /// Defaults to `localhost`. Environment: `JAEGER_AGENT_HOST`.
    pub fn agent_host(mut self, host: impl Into<String>) -> Self {
        self.agent.host = Setting::of_code(host.into());
        self
    }

    /// Sets the UDP port of the agent, above 0.
    ///
    /// Defaults to 6831, or 6832 for the binary protocol. Environment: `JAEGER_AGENT_PORT`.
    pub fn agent_port(mut self, port: u16) -> Self {
        self.agent.port = Setting::of_code(Some(port));
        self
    }

    /// Sets which of the agent's addresses are used.
    ///
    /// Defaults to [`SocketFamily::Any`]. Environment: `JAEGER_AGENT_SOCKET_TYPE`.
    pub fn agent_family(mut self, family: SocketFamily) -> Self {
        self.agent.family = Setting::of_code(family);
        self
    }

    /// Sets how often the name of the agent's host is looked up again, above zero; `None` for never.
    ///
    /// Defaults to 30 seconds. Environment: `JAEGER_REPORTER_ATTEMPT_RECONNECT_INTERVAL`, and for never
    /// `JAEGER_REPORTER_ATTEMPT_RECONNECTING_DISABLED`.
    pub fn agent_lookup_interval(mut self, interval: Option<Duration>) -> Self {
        self.agent.lookup_interval = Setting::of_code(interval);
        self
    }

    /// Sets how batches are encoded for the agent.
    ///
    /// Defaults to [`AgentProtocol::Compact`]. Environment: `OTEL_EXPORTER_JAEGER_PROTOCOL`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::Config;
    /// use tracehound::reporter::sender::{AgentProtocol, SocketFamily};
    ///
    /// let config = Config::new("shop")
    ///     .agent_host("jaeger-agent")
    ///     .agent_port(6832)
    ///     .agent_protocol(AgentProtocol::Binary)
    ///     .agent_family(SocketFamily::V4)
    ///     .agent_lookup_interval(Some(Duration::from_secs(300)));
    /// let explanation = config.explain();
    /// assert!(explanation.get("agent_host").is_some_and(|it| it.value().contains("jaeger-agent")));
    /// ```
    pub fn agent_protocol(mut self, protocol: AgentProtocol) -> Self {
        self.agent.protocol = Setting::of_code(protocol);
        self
    }
}

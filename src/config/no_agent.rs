//! Takes the place of the agent if the feature `udp` is off: refuses its variables.

use crate::config::catalogue;
use crate::config::error::ConfigProblem;
use crate::config::explanation::ExplainedSetting;
use crate::config::sending::way::JaegerProtocol;
use crate::config::setting::{Setting, Source};
use crate::config::variables::Variables;
use crate::reporter::Reporter;

#[derive(Debug, Default)]
pub(super) struct Agent(());

impl Agent {
    pub(super) fn read(
        self,
        variables: &mut Variables<'_>,
        _protocol: Option<&Setting<JaegerProtocol>>,
    ) -> Self {
        let names = catalogue::variables_of("udp");
        // The protocol is that of a collector, too.
        for name in names.filter(|name| *name != "OTEL_EXPORTER_JAEGER_PROTOCOL") {
            if let Some(value) = variables.get(name) {
                let asks_for = "an agent, which the feature `udp` of this crate brings";
                variables.report(ConfigProblem::unsupported(name, &value, asks_for));
            }
        }
        self
    }

    pub(super) fn source_of_address(&self, _family: &str) -> Option<Source> {
        None
    }

    pub(super) fn explain(&self) -> Vec<ExplainedSetting> {
        Vec::new()
    }

    /// Returns the host that is asked for strategies if nothing else is set.
    #[cfg(feature = "remote-sampler")]
    pub(super) fn host_of_strategies(&self) -> Setting<String> {
        Setting::default_value("127.0.0.1".to_owned())
    }

    pub(super) fn reporter(&self) -> Result<(Box<dyn Reporter>, String), ConfigProblem> {
        let remedy = "none: turn on the feature `udp` to send to an agent, name another receiver by \
                      JAEGER_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT, or give a sender in the code";
        Err(ConfigProblem::missing("reporter", remedy))
    }
}

//! Takes the place of the agent if the feature `udp` is off: refuses its variables.

use crate::config::catalogue;
use crate::config::error::ConfigProblem;
use crate::config::explanation::ExplainedSetting;
#[cfg(feature = "remote-sampler")]
use crate::config::setting::Setting;
use crate::config::variables::Variables;
use crate::reporter::Reporter;

#[derive(Debug, Default)]
pub(super) struct Agent(());

impl Agent {
    pub(super) fn read(self, variables: &mut Variables<'_>) -> Self {
        for name in catalogue::variables_of("udp") {
            if let Some(value) = variables.get(name) {
                let asks_for = "an agent, which the feature `udp` of this crate brings";
                variables.report(ConfigProblem::unsupported(name, &value, asks_for));
            }
        }
        self
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
        let remedy = "none: turn on the feature `udp` to send to an agent, or give a reporter";
        Err(ConfigProblem::missing("reporter", remedy))
    }
}

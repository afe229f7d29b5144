//! Takes the place of the remote sampler's settings if the feature `remote-sampler` is off: refuses its variables.

use crate::config::agent::Agent;
use crate::config::catalogue;
use crate::config::error::ConfigProblem;
use crate::config::explanation::ExplainedSetting;
use crate::config::variables::Variables;
use crate::sampler::{Sampler, SamplingRate};

#[derive(Debug, Default)]
pub(super) struct Remote(());

/// How the remote sampler begins, which does not exist.
#[derive(Debug)]
pub(super) enum Initial {}

#[derive(Debug, Default)]
pub(super) struct OtelRemote(());

pub(super) const DEFAULT_TYPE: &str = "probabilistic";

/// The words about that sampler in the line at the start.
pub(super) const DEFAULT_HINT: &str =
    " (the default: one trace in 1000; JAEGER_SAMPLER_TYPE=const keeps all)";

/// Fails: this build has no remote sampler.
pub(super) fn initial(
    variable: &'static str,
    kind: &str,
    _rate: SamplingRate,
) -> Result<Initial, ConfigProblem> {
    Err(ConfigProblem::unsupported(variable, kind, REMOTE))
}

/// Returns how the sampler begins if nothing is set.
pub(super) fn default_initial() -> Option<Initial> {
    None
}

pub(super) fn read_otel(
    _: &'static str,
    initial: &mut Initial,
    _: &mut Variables<'_>,
) -> OtelRemote {
    match *initial {}
}

impl Remote {
    pub(super) fn read(self, variables: &mut Variables<'_>, _otel: OtelRemote) -> Self {
        let names = catalogue::variables_of("remote-sampler");
        // What OpenTelemetry's sampler says in its parameter is refused with that sampler.
        for name in names.filter(|name| name.starts_with("JAEGER_")) {
            if let Some(value) = variables.get(name) {
                variables.report(ConfigProblem::unsupported(name, &value, REMOTE));
            }
        }
        self
    }

    pub(super) fn description(initial: &Initial) -> String {
        match *initial {}
    }

    pub(super) fn explain(&self, _agent: &Agent) -> Vec<ExplainedSetting> {
        Vec::new()
    }

    pub(super) fn asks_agent(&self, _agent: &Agent, _variable: &'static str) -> bool {
        false
    }

    pub(super) fn sampler(
        self,
        initial: Initial,
        _agent: &Agent,
    ) -> Result<(Box<dyn Sampler>, String), ConfigProblem> {
        match initial {}
    }
}

const REMOTE: &str = "the remote sampler, which the feature `remote-sampler` of this crate brings";

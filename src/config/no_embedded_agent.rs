//! Takes the place of the embedded agent if the feature `dev` is off: refuses to use one.

use std::time::Duration;

use crate::config::error::ConfigProblem;
use crate::config::parse;
use crate::config::setting::Setting;
use crate::config::variables::Variables;
use crate::diagnostics::Diagnostics;
use crate::observer::SpanObserver;
use crate::reporter::Reporter;
use crate::sampler::Sampler;

/// Reports a problem if the environment asks for the embedded agent.
pub(super) fn read(variables: &mut Variables<'_>) -> Option<Setting<bool>> {
    let text = variables.get(VARIABLE)?;
    match parse::boolean(&text) {
        Ok(false) => return Some(Setting::of_variable(false, VARIABLE)),
        Ok(true) => variables.report(ConfigProblem::unsupported(VARIABLE, &text, ASKS_FOR)),
        Err(expected) => variables.report(ConfigProblem::invalid(VARIABLE, &text, expected)),
    }
    None
}

type Parts = (
    Box<dyn Sampler>,
    Box<dyn Reporter>,
    Option<Box<dyn SpanObserver>>,
    String,
);

/// Fails: the code has asked for what is not there.
pub(super) fn parts(
    setting: &'static str,
    _service_name: &str,
    _strategies_file: Option<String>,
    _diagnostics: &Diagnostics,
) -> Result<Parts, ConfigProblem> {
    Err(ConfigProblem::unsupported(setting, "true", ASKS_FOR))
}

/// The default, since there is no embedded agent with an interval of its own.
pub(super) const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

const VARIABLE: &str = "TRACEHOUND_DEV";
const ASKS_FOR: &str = "the embedded agent, which the feature `dev` of this crate brings";

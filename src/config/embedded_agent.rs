//! The embedded agent in place of the one that the settings name: see [`Config::dev`](crate::Config::dev).

use std::path::PathBuf;
use std::time::Duration;

use crate::config::error::ConfigProblem;
use crate::config::parse;
use crate::config::setting::Setting;
use crate::config::variables::Variables;
use crate::dev::{self, DevOptions};
use crate::diagnostics::Diagnostics;
use crate::observer::SpanObserver;
use crate::reporter::Reporter;
use crate::sampler::Sampler;

/// Reads whether the environment asks for the embedded agent.
pub(super) fn read(variables: &mut Variables<'_>) -> Option<Setting<bool>> {
    variables.first([(VARIABLE, parse::boolean)])
}

/// The sampler, the reporter and the observer of a tracer on the embedded agent, and where that is in a line of text.
type Parts = (
    Box<dyn Sampler>,
    Box<dyn Reporter>,
    Option<Box<dyn SpanObserver>>,
    String,
);

/// Returns the parts of a tracer on the embedded agent.
pub(super) fn parts(
    setting: &'static str,
    service_name: &str,
    strategies_file: Option<String>,
    diagnostics: &Diagnostics,
) -> Result<Parts, ConfigProblem> {
    let options = || {
        let mut options = DevOptions::new().diagnostics(diagnostics.clone());
        options.strategies_file = strategies_file.map(PathBuf::from);
        options
    };
    match dev::parts(service_name.to_owned(), options) {
        Ok(parts) => {
            let observer = parts.open_spans.map(|open| Box::new(open) as _);
            Ok((parts.sampler, parts.reporter, observer, parts.destination))
        }
        Err(error) => Err(ConfigProblem::failed(setting, &error)),
    }
}

/// How long a finished span waits at most if nothing else is set.
pub(super) const FLUSH_INTERVAL: Duration = dev::FLUSH_INTERVAL;

const VARIABLE: &str = "TRACEHOUND_DEV";

//! `tracehound doctor`.

mod clock;
mod environment;
mod kernel;
mod quotes;
mod sampling;
mod sending;
mod spelling;
mod stored;

use std::sync::{Arc, Mutex, PoisonError};

use tracehound::Config;
use tracehound::config::ConfigError;
use tracehound::diagnostics::Diagnostics;

use crate::options::DoctorOptions;
use crate::output::say;
use crate::report::{Report, Verdict};
use crate::{CommandResult, Outcome};

/// Makes every check.
pub(crate) fn run(options: &DoctorOptions) -> CommandResult {
    let mut report = Report::new();
    let Some(explanation) = environment::check(&mut report, options) else {
        return Ok(report.conclude());
    };
    let disabled = explanation.get("disabled");
    if let Some(disabled) = disabled.filter(|setting| setting.value() == "true") {
        let text = format!("{} is true: no span is made", disabled.source());
        report.line(Verdict::Warning, "settings", &text);
        return Ok(conclude_disabled(&report));
    }
    if let Some(text) = sending::reason_to_stay(&explanation) {
        report.line(Verdict::Warning, "sending", &text);
    } else if !options.offline {
        let trace_id = sending::check(&mut report, options, &explanation);
        kernel::check(&mut report, options, &explanation);
        if let Some(trace_id) = trace_id {
            stored::check(&mut report, options, &explanation, &trace_id);
        }
    }
    match explanation
        .get("dev")
        .is_some_and(|dev| dev.value() == "true")
    {
        true => {
            let text = "the agent inside of the program decides";
            report.line(Verdict::Skipped, "sampling", text);
        }
        false => sampling::check(&mut report, options),
    }
    clock::check(&mut report, options, &explanation);
    Ok(report.conclude())
}

fn conclude_disabled(report: &Report) -> Outcome {
    say!("The tracer is off, so there is nothing more to check.");
    report.conclude()
}

/// Reads the settings as a program does. A service name that the program's code would set is added.
fn config() -> Result<Config, ConfigError> {
    let config = Config::from_env()?;
    Ok(match environment::has_name(&config.explain()) {
        true => config,
        false => config.service_name(OWN_SERVICE),
    })
}

/// The lines that a tracer writes, instead of on standard error.
#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn diagnostics(&self) -> Diagnostics {
        let lines = self.clone();
        Diagnostics::with_handler(move |line| {
            let mut lines = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push(line.trim_start_matches("tracehound: ").to_owned());
        })
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The service of the spans that the doctor sends.
const OWN_SERVICE: &str = "tracehound-doctor";

//! The settings in the environment.

use tracehound::Config;
use tracehound::config::{Explanation, Source};

use crate::options::DoctorOptions;
use crate::output::{say, shown};
use crate::report::{Report, Verdict};

/// Reads the settings. Returns `None` if no tracer can be built from them.
pub(super) fn check(report: &mut Report, options: &DoctorOptions) -> Option<Explanation> {
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(error) => {
            for problem in error.problems() {
                report.line(Verdict::Failure, "settings", &problem.to_string());
            }
            for problem in error.passed_over() {
                report.line(Verdict::Warning, "settings", &problem.to_string());
            }
            return None;
        }
    };
    let explanation = config.explain();
    if !has_name(&explanation) {
        let text = "JAEGER_SERVICE_NAME is not set, so the code has to name the service";
        report.line(Verdict::Warning, "settings", text);
    }
    for problem in explanation.passed_over() {
        let text = format!("has no effect: {problem}");
        report.line(Verdict::Warning, "settings", &text);
    }
    if explanation.passed_over().is_empty() {
        report.line(Verdict::Good, "settings", "every variable is understood");
    }
    if options.verbose {
        for line in explanation.to_string().lines() {
            say!("     {}", shown(line));
        }
    }
    Some(explanation)
}

/// Returns whether the environment names the service.
pub(super) fn has_name(explanation: &Explanation) -> bool {
    explanation
        .get("service_name")
        .is_some_and(|name| name.source() != Source::Default)
}

//! The settings in the environment.

use std::env;

use tracehound::Config;
use tracehound::config::{Explanation, Source};

use crate::doctor::{quotes, spelling};
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
            let told = error.problems().iter().chain(error.passed_over());
            check_variables(report, |name| {
                told.clone().any(|problem| problem.name() == name)
            });
            return None;
        }
    };
    let explanation = config.explain();
    if !has_name(&explanation) {
        let text = "JAEGER_SERVICE_NAME is not set, so the code has to name the service";
        report.line(Verdict::Warning, "settings", text);
    }
    for problem in explanation.passed_over() {
        let text = format!("passed over: {problem}");
        report.line(Verdict::Warning, "settings", &text);
    }
    let is_told = |name: &str| {
        let mut told = explanation.passed_over().iter();
        told.any(|problem| problem.name() == name)
    };
    let has_slips = check_variables(report, is_told);
    let is_other_port = check_port(report, &explanation);
    if explanation.passed_over().is_empty() && !has_slips && !is_other_port {
        report.line(Verdict::Good, "settings", "every variable is understood");
    }
    if options.verbose {
        for line in explanation.to_string().lines() {
            say!("     {}", shown(line));
        }
    }
    Some(explanation)
}

/// Warns of each variable whose name no setting has, unless `is_told` of it, or whose value is in quotes. Returns whether
/// there is one.
fn check_variables(report: &mut Report, is_told: impl Fn(&str) -> bool) -> bool {
    let mut variables: Vec<_> = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .collect();
    variables.sort();
    let mut is_warned = false;
    for (name, value) in &variables {
        let value = value.to_string_lossy();
        let misspelt = spelling::warning(name, &value).filter(|_| !is_told(name));
        for text in misspelt.into_iter().chain(quotes::warning(name, &value)) {
            report.line(Verdict::Warning, "settings", &text);
            is_warned = true;
        }
    }
    is_warned
}

/// Warns if spans go to the port that agents have for the other protocol. Returns whether it is so.
fn check_port(report: &mut Report, explanation: &Explanation) -> bool {
    let value = |name| explanation.get(name).map(|setting| setting.value());
    let (port, protocol) = (value("agent_port"), value("agent_protocol"));
    let text = match (port, protocol) {
        (Some("6832"), Some("compact")) => {
            "port 6832 is that of agents for the binary protocol, and spans go there in the compact one, which it \
             cannot read: set JAEGER_AGENT_PORT=6831"
        }
        (Some("6831"), Some("binary")) => {
            "port 6831 is that of agents for the compact protocol, and spans go there in the binary one, which it \
             cannot read: set JAEGER_AGENT_PORT=6832"
        }
        _ => return false,
    };
    report.line(Verdict::Warning, "settings", text);
    true
}

/// Returns whether the environment names the service.
pub(super) fn has_name(explanation: &Explanation) -> bool {
    explanation
        .get("service_name")
        .is_some_and(|name| name.source() != Source::Default)
}

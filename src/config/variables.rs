//! Looks variables up and collects what is wrong with them.

use std::net::IpAddr;

use crate::config::error::ConfigProblem;
use crate::config::parse::Expected;
use crate::config::setting::Setting;

/// A function that reads the text of a variable.
pub(super) type ParseText<T> = fn(&str) -> Result<T, Expected>;

/// A lookup of variables, and the problems and warnings that were found.
///
/// Values are trimmed of ASCII white space, and an empty value counts as unset. A bad value of an `OTEL_` variable is a
/// warning and counts as unset, as the OpenTelemetry specification demands. A bad value of any other is a problem.
pub(super) struct Variables<'l> {
    lookup: &'l dyn Fn(&str) -> Option<String>,
    problems: Vec<ConfigProblem>,
    warnings: Vec<ConfigProblem>,
}

impl<'l> Variables<'l> {
    pub(super) fn new(lookup: &'l dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            lookup,
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Returns the text of a variable of this crate. A Kubernetes link to a service counts as unset, with a warning.
    pub(super) fn get(&mut self, name: &'static str) -> Option<String> {
        let value = self.any(name)?;
        if !(may_be_link(name) && is_service_link(&value)) {
            return Some(value);
        }
        let warning = ConfigProblem::service_link(name, &value);
        self.warn(warning);
        None
    }

    /// Returns the text of any variable.
    pub(super) fn any(&self, name: &str) -> Option<String> {
        let value = (self.lookup)(name)?;
        let value = value.trim_ascii();
        if value.is_empty() {
            None
        } else {
            Some(value.to_owned())
        }
    }

    /// Returns the value of the first variable that is set.
    pub(super) fn first<T, const N: usize>(
        &mut self,
        variables: [(&'static str, ParseText<T>); N],
    ) -> Option<Setting<T>> {
        for (name, parse) in variables {
            let Some(text) = self.get(name) else { continue };
            match parse(&text) {
                Ok(value) => return Some(Setting::of_variable(value, name)),
                Err(expected) => self.report(ConfigProblem::invalid(name, &text, expected)),
            }
            if !is_lenient(name) {
                return None;
            }
        }
        None
    }

    /// Records a problem as an error or, for an `OTEL_` variable, as a warning.
    pub(super) fn report(&mut self, problem: ConfigProblem) {
        let list = if is_lenient(problem.name()) {
            &mut self.warnings
        } else {
            &mut self.problems
        };
        list.push(problem);
    }

    /// Records a warning, unless it is recorded already.
    pub(super) fn warn(&mut self, warning: ConfigProblem) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Returns the problems, then the warnings.
    pub(super) fn into_findings(self) -> (Vec<ConfigProblem>, Vec<ConfigProblem>) {
        (self.problems, self.warnings)
    }
}

fn is_lenient(name: &str) -> bool {
    name.starts_with("OTEL_")
}

fn may_be_link(name: &str) -> bool {
    name.ends_with("_PORT") || name.ends_with("_HOST")
}

/// Returns whether a text is such as `tcp://10.96.1.2:80`, which Kubernetes sets in each container as `{SERVICE}_PORT`.
fn is_service_link(text: &str) -> bool {
    let Some((protocol, address)) = text.split_once("://") else {
        return false;
    };
    let is_protocol = ["tcp", "udp", "sctp"]
        .iter()
        .any(|known| protocol.eq_ignore_ascii_case(known));
    let Some((host, port)) = address.rsplit_once(':') else {
        return false;
    };
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_address = bare.unwrap_or(host).parse::<IpAddr>().is_ok();
    is_protocol && is_address && port.parse::<u16>().is_ok()
}

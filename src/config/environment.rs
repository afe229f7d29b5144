//! The variables as a list: which one is set, and what was found wrong with them.

use super::error::ConfigProblem;
use super::grammar::Expected;
use super::setting::Setting;

/// Reads one variable's text.
pub(super) type Parse<T> = fn(&str) -> Result<T, Expected>;

/// The variables, by a lookup of any kind, and what was found wrong with them.
///
/// A value is trimmed of ASCII white space; an empty one is as good as none. A bad value of an `OTEL_` variable is
/// a warning and counts as unset, as the OpenTelemetry specification demands; of any other it is a problem.
pub(super) struct Environment<'l> {
    lookup: &'l dyn Fn(&str) -> Option<String>,
    problems: Vec<ConfigProblem>,
    warnings: Vec<ConfigProblem>,
}

impl<'l> Environment<'l> {
    pub(super) fn new(lookup: &'l dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            lookup,
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The text of a variable.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let value = (self.lookup)(name)?;
        let value = value.trim_ascii();
        if value.is_empty() {
            None
        } else {
            Some(value.to_owned())
        }
    }

    /// The value of the first variable that is set, most important first.
    pub(super) fn first<T, const N: usize>(
        &mut self,
        variables: [(&'static str, Parse<T>); N],
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

    /// Files a problem where its variable's kind wants it.
    pub(super) fn report(&mut self, problem: ConfigProblem) {
        let list = if is_lenient(problem.name()) {
            &mut self.warnings
        } else {
            &mut self.problems
        };
        list.push(problem);
    }

    /// The problems, then the warnings.
    pub(super) fn into_findings(self) -> (Vec<ConfigProblem>, Vec<ConfigProblem>) {
        (self.problems, self.warnings)
    }
}

fn is_lenient(name: &str) -> bool {
    name.starts_with("OTEL_")
}

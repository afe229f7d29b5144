//! The one place that reads the environment of the process.

/// Returns the value of a variable, with U+FFFD in place of what is not Unicode in it.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

//! Problems of an endpoint that spans should go to.

use crate::config::error::ConfigProblem;
use crate::config::parse::Expected;
use crate::http_client::{InvalidEndpoint, NO_ZONE};

/// Returns the problem of an endpoint.
pub(super) fn problem(
    name: &'static str,
    endpoint: &str,
    error: InvalidEndpoint,
    expected: Expected,
) -> ConfigProblem {
    match error {
        InvalidEndpoint::TlsMissing => ConfigProblem::unsupported(name, endpoint, NO_TLS),
        InvalidEndpoint::ExposedCredentials => exposed(name, endpoint),
        InvalidEndpoint::Zone => ConfigProblem::invalid(name, endpoint, NO_ZONE),
        _ => ConfigProblem::invalid(name, endpoint, expected),
    }
}

/// Returns the problem of an endpoint whose connection does not hide the credentials.
pub(super) fn exposed(name: &'static str, endpoint: &str) -> ConfigProblem {
    ConfigProblem::invalid(name, endpoint, IN_THE_CLEAR)
}

const NO_TLS: &str = "an encrypted connection, which the feature `tls` of this crate brings";
const IN_THE_CLEAR: Expected =
    "https, because http sends credentials in the clear; the code may allow it on a sender";

//! The server that is asked for strategies.

use crate::config::error::ConfigProblem;
use crate::config::parse::Expected;
use crate::http_client::NO_ZONE;
use crate::sampler::remote::{HttpStrategyFetcher, InvalidEndpoint, StrategyFetcher};

/// Why an endpoint cannot be asked.
pub(super) enum Refusal {
    Invalid(Expected),
    Unsupported {
        asks_for: &'static str,
        /// The values that would do instead.
        expected: Expected,
    },
}

impl Refusal {
    pub(super) fn problem(self, name: &'static str, endpoint: &str) -> ConfigProblem {
        match self {
            Self::Invalid(expected) => ConfigProblem::invalid(name, endpoint, expected),
            Self::Unsupported { asks_for, .. } => {
                ConfigProblem::unsupported(name, endpoint, asks_for)
            }
        }
    }

    /// Returns what was expected, for a message that must not show the endpoint.
    pub(super) fn expected(&self) -> Expected {
        match self {
            Self::Invalid(expected) | Self::Unsupported { expected, .. } => expected,
        }
    }
}

impl From<InvalidEndpoint> for Refusal {
    fn from(error: InvalidEndpoint) -> Self {
        match error {
            InvalidEndpoint::TlsMissing => NO_TLS,
            InvalidEndpoint::ExposedCredentials => Self::Invalid(IN_THE_CLEAR),
            InvalidEndpoint::Zone => Self::Invalid(NO_ZONE),
            _ => Self::Invalid(EXPECTED),
        }
    }
}

/// Returns a source of strategies at an endpoint.
///
/// The schemes are `http` and `https` for the document that agents serve, and `grpc` and `grpcs` for the service
/// `SamplingManager`.
pub(super) fn fetcher(endpoint: &str) -> Result<Box<dyn StrategyFetcher>, Refusal> {
    let scheme = endpoint.split_once("://").map(|(scheme, _)| scheme);
    match scheme.unwrap_or_default().to_ascii_lowercase().as_str() {
        "grpc" | "grpcs" => grpc(endpoint),
        _ => match HttpStrategyFetcher::new(endpoint) {
            Ok(fetcher) => Ok(Box::new(fetcher)),
            Err(error) => Err(error.into()),
        },
    }
}

#[cfg(feature = "grpc")]
fn grpc(endpoint: &str) -> Result<Box<dyn StrategyFetcher>, Refusal> {
    match crate::sampler::remote::GrpcStrategyFetcher::new(endpoint) {
        Ok(fetcher) => Ok(Box::new(fetcher)),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(feature = "grpc"))]
fn grpc(_endpoint: &str) -> Result<Box<dyn StrategyFetcher>, Refusal> {
    Err(Refusal::Unsupported {
        asks_for: "strategies over gRPC, which the feature `grpc` of this crate brings",
        expected: "an endpoint such as http://jaeger:5778/sampling, because gRPC needs the feature `grpc` of this crate",
    })
}

const NO_TLS: Refusal = Refusal::Unsupported {
    asks_for: "an encrypted connection, which the feature `tls` of this crate brings",
    expected: "an endpoint without encryption, which needs the feature `tls` of this crate",
};

const EXPECTED: Expected = "a URL such as http://jaeger:5778/sampling, or grpc://jaeger:5779";
const IN_THE_CLEAR: Expected =
    "https, because http sends the user name and the password in the clear";

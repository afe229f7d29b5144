//! HTTP requests that the tracer makes by itself, on threads of its own.
//!
//! One request takes at most ten seconds in all: name resolution, connection, TLS, headers and body. Redirects are not
//! followed, because credentials would follow them. Proxies of the environment are not used, because the agent is near.
//! Connections are not kept, because requests are a minute apart. Bodies are bounded, and not compressed.

mod endpoint;
#[cfg(feature = "tls")]
mod roots;

use std::fmt;
use std::net::IpAddr;
use std::thread;
use std::time::Duration;

pub(crate) use endpoint::Endpoint;
pub use endpoint::InvalidEndpoint;
#[cfg(feature = "tls")]
pub use roots::InvalidCertificates;
#[cfg(feature = "tls")]
pub(crate) use roots::trusting;
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;

use crate::redact;

/// A client for one server. Clones share their requests in flight.
#[derive(Clone)]
pub(crate) struct HttpClient {
    agent: ureq::Agent,
}

impl HttpClient {
    /// Makes a client. Opens no connection.
    pub(crate) fn new() -> Self {
        Self::with_deadline(DEADLINE)
    }

    fn with_deadline(deadline: Duration) -> Self {
        Self {
            agent: settings(deadline).build().new_agent(),
        }
    }

    /// Makes a client that encrypts by these settings.
    #[cfg(feature = "tls")]
    pub(crate) fn with_tls(tls: ureq::tls::TlsConfig) -> Self {
        Self {
            agent: settings(DEADLINE).tls_config(tls).build().new_agent(),
        }
    }

    /// Makes another client with the same settings, for a forked child.
    pub(crate) fn renewed(&self) -> Self {
        Self {
            agent: self.agent.config().new_agent(),
        }
    }

    /// Asks for a URL, made by [`Endpoint::url_with`], and returns the body of a reply with a status from 200 to 299.
    /// Waits at most ten seconds.
    ///
    /// # Errors
    ///
    /// Fails on another status, if the body has more than `max_bytes`, when the time is up, and if the server cannot be
    /// reached or does not speak HTTP.
    pub(crate) fn get(&self, url: &str, max_bytes: usize) -> Result<Vec<u8>, HttpError> {
        // ureq looks a host up on a thread that it starts, and panics if none can be started.
        if needs_lookup(url) && thread::Builder::new().spawn(|| {}).is_err() {
            let reason = "no thread could be started to look the host up";
            return Err(HttpError::Failed(reason.to_owned()));
        }
        let failed = |error| HttpError::of(error, max_bytes);
        let mut response = self.agent.get(url).call().map_err(failed)?;
        let status = response.status();
        if !status.is_success() {
            return Err(HttpError::Status(status.as_u16()));
        }
        let body = response.body_mut().with_config();
        // Without a limit here ureq would read an endless body.
        body.limit(max_bytes as u64).read_to_vec().map_err(failed)
    }

    /// Ends the request in flight, which then fails, and every later one. Callable from any thread.
    pub(crate) fn shut_down(&self) {
        self.agent.clone().shutdown();
    }
}

fn settings(deadline: Duration) -> ConfigBuilder<AgentScope> {
    ureq::Agent::config_builder()
        .timeout_global(Some(deadline))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .proxy(None)
        .max_idle_connections(0)
        .user_agent(USER_AGENT)
        .accept("application/json")
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient")
    }
}

/// Returns whether the host of a URL is a name and not an address.
fn needs_lookup(url: &str) -> bool {
    let uri: Option<ureq::http::Uri> = url.parse().ok();
    uri.is_none_or(|uri| {
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host.parse::<IpAddr>().is_err()
    })
}

/// The reason why a request brought no body. Holds no secret of the URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HttpError {
    /// The server answered with a status outside of 200 to 299. A redirect is one.
    Status(u16),
    /// The body has more bytes than this.
    TooLarge(usize),
    /// The time for the whole request was up.
    TimedOut,
    /// The server was not reached, or what it sent was not HTTP.
    Failed(String),
}

impl HttpError {
    fn of(error: ureq::Error, max_bytes: usize) -> Self {
        match error {
            ureq::Error::StatusCode(status) => Self::Status(status),
            ureq::Error::BodyExceedsLimit(_) => Self::TooLarge(max_bytes),
            ureq::Error::Timeout(_) => Self::TimedOut,
            ureq::Error::Io(error) => Self::Failed(shown(&error)),
            error => Self::Failed(shown(&error)),
        }
    }
}

/// Returns an error and its causes as one short line without secrets.
pub(crate) fn shown(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    let line = redact::text(&line);
    let printable = line.chars().filter(|c| !c.is_control());
    printable.take(MAX_LINE).collect()
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "the server answered with status {status}"),
            Self::TooLarge(max_bytes) => write!(f, "the reply has more than {max_bytes} bytes"),
            Self::TimedOut => write!(f, "no whole reply within {} s", DEADLINE.as_secs()),
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for HttpError {}

/// The time for a whole request.
const DEADLINE: Duration = Duration::from_secs(10);

/// The number of characters of an error in a line.
const MAX_LINE: usize = 200;

const USER_AGENT: &str = concat!("tracehound/", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests;

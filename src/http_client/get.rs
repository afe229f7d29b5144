//! Questions, whose answer is a body.

use std::fmt;
use std::time::Duration;

use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;

use crate::http_client::{USER_AGENT, can_look_up, needs_lookup, shown};

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

    pub(super) fn with_deadline(deadline: Duration) -> Self {
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
        if needs_lookup(url) && !can_look_up() {
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

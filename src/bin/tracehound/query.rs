//! Requests to a query service: that of `tracehound dev` or of a Jaeger.

use std::time::Duration;

use serde_json::Value;
use tracehound::view::Trace;
use ureq::Agent;
use ureq::http::StatusCode;

use crate::address;

/// A query service.
#[derive(Debug)]
pub(crate) struct Query {
    agent: Agent,
    base: String,
}

impl Query {
    pub(crate) fn new(url: &str) -> Self {
        Self::with_timeout(url, TIMEOUT)
    }

    /// Makes requests of which each may take so long. An address without a scheme is one of HTTP.
    pub(crate) fn with_timeout(url: &str, timeout: Duration) -> Self {
        let url = url.trim_end_matches('/');
        Self {
            agent: agent(timeout),
            base: match url.contains("://") {
                true => url.to_owned(),
                false => format!("http://{url}"),
            },
        }
    }

    /// Returns a trace, if the service has it.
    pub(crate) fn trace(&self, id: &str) -> Result<Option<Trace>, String> {
        match self.get(&format!("/api/traces/{id}"))? {
            Some(text) => Ok(self.read(&text)?.pop()),
            None => Ok(None),
        }
    }

    /// Returns the names of the services.
    pub(crate) fn services(&self) -> Result<Vec<String>, String> {
        let text = self.get("/api/services")?.unwrap_or_default();
        let answer: Value = serde_json::from_str(&text)
            .map_err(|error| format!("{}/api/services: {error}", address::shown(&self.base)))?;
        let names = answer["data"].as_array().map(Vec::as_slice);
        let names = names.unwrap_or_default().iter();
        Ok(names.filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// Returns the latest traces of a service.
    pub(crate) fn latest(&self, service: &str) -> Result<Vec<Trace>, String> {
        let service =
            percent_encoding::utf8_percent_encode(service, percent_encoding::NON_ALPHANUMERIC);
        let path = format!("/api/traces?service={service}&limit={LATEST}&lookback=1h");
        match self.get(&path)? {
            Some(text) => self.read(&text),
            None => Ok(Vec::new()),
        }
    }

    fn read(&self, text: &str) -> Result<Vec<Trace>, String> {
        Trace::from_json(text).map_err(|error| format!("{}: {error}", address::shown(&self.base)))
    }

    /// Returns the body of an answer, or `None` for 404.
    fn get(&self, path: &str) -> Result<Option<String>, String> {
        let url = format!("{}{path}", self.base);
        let name = address::shown(&url);
        let call = || {
            let mut response = self.agent.get(&url).call()?;
            let body = response.body_mut().with_config().limit(MOST_BYTES);
            body.read_to_string().map(|text| (response.status(), text))
        };
        match call().map_err(|error| format!("{name}: {error}"))? {
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, text) if status.is_success() => Ok(Some(text)),
            (status, _) => Err(format!("{name}: the answer has status {status}")),
        }
    }
}

/// Makes a client of HTTP that follows no redirect and takes every status as an answer.
pub(crate) fn agent(timeout: Duration) -> Agent {
    let config = Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(0)
        .http_status_as_error(false)
        .build();
    Agent::new_with_config(config)
}

const TIMEOUT: Duration = Duration::from_secs(10);
const MOST_BYTES: u64 = 256 << 20;
const LATEST: u32 = 20;

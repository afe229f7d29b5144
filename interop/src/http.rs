use std::{net::SocketAddr, time::Duration};

use ureq::{Agent, Body, http::Response};

use crate::Error;

/// A client for a backend's HTTP endpoints, with one connection per request.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
}

/// An answer with any status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) url: String,
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    /// Returns the body of a 200; anything else is an error.
    pub(crate) fn success(self) -> Result<String, Error> {
        match self.status {
            200 => Ok(self.body),
            status => Err(Error::Http {
                url: self.url,
                reason: format!("{status}: {}", self.body),
            }),
        }
    }

    /// Like [`success`](Self::success), but "not found" is `None`.
    pub(crate) fn found(self) -> Result<Option<String>, Error> {
        if self.status == 404 {
            Ok(None)
        } else {
            self.success().map(Some)
        }
    }
}

impl Client {
    pub(crate) fn new() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_idle_connections(0)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(TIMEOUT))
            .build();
        Self {
            agent: config.into(),
        }
    }

    pub(crate) fn get(&self, at: SocketAddr, path: &str) -> Result<Answer, Error> {
        let url = format!("http://{at}{path}");
        let sent = self.agent.get(&url).call();
        read(url, sent)
    }

    pub(crate) fn post(
        &self,
        at: SocketAddr,
        path: &str,
        content_type: &str,
        body: &[u8],
    ) -> Result<Answer, Error> {
        self.post_with(at, path, &[("content-type", content_type)], body)
    }

    pub(crate) fn post_with(
        &self,
        at: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, Error> {
        let url = format!("http://{at}{path}");
        let request = headers
            .iter()
            .fold(self.agent.post(&url), |request, (name, value)| {
                request.header(*name, *value)
            });
        read(url, request.send(body))
    }
}

fn read(url: String, sent: Result<Response<Body>, ureq::Error>) -> Result<Answer, Error> {
    let answer = sent.and_then(|mut response| {
        let status = response.status().as_u16();
        let body = response
            .body_mut()
            .with_config()
            .limit(LARGEST_BODY)
            .read_to_string()?;
        Ok((status, body))
    });
    match answer {
        Ok((status, body)) => Ok(Answer { url, status, body }),
        Err(error) => Err(Error::Http {
            url,
            reason: error.to_string(),
        }),
    }
}

/// The timeout of one exchange. A machine that builds something beside the tests can be slow.
const TIMEOUT: Duration = Duration::from_secs(10);
const LARGEST_BODY: u64 = 256 << 20;

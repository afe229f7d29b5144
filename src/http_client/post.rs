//! Requests that carry a body.

use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::time::{Duration, Instant};

use ureq::http::header::{
    ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, RETRY_AFTER,
};
use ureq::http::{HeaderMap, HeaderName};
use ureq::{Body, Proxy, SendBody};

use super::{
    Endpoint, InvalidEndpoint, RequestHeaders, USER_AGENT, can_look_up, needs_lookup, shown,
};
use crate::clock::instant_now;

/// A client that posts to one URL. It keeps one connection between requests.
///
/// Redirects are not followed, because credentials would follow them, and no proxy is used unless one is set.
pub(crate) struct PostClient {
    agent: ureq::Agent,
    url: String,
    headers: RequestHeaders,
    content_type: &'static str,
    is_encrypted: bool,
    is_looked_up: bool,
}

/// The settings of a [`PostClient`].
#[derive(Clone)]
pub(crate) struct PostSettings {
    /// The URL, without credentials.
    pub(crate) url: String,
    /// Headers besides those of the body. They hold the credentials.
    pub(crate) headers: RequestHeaders,
    pub(crate) content_type: &'static str,
    pub(crate) proxy: Option<HttpProxy>,
    #[cfg(feature = "tls")]
    pub(crate) tls: ureq::tls::TlsConfig,
}

impl PostClient {
    /// Makes a client. Opens no connection.
    pub(crate) fn new(settings: &PostSettings) -> Self {
        let builder = ureq::Agent::config_builder()
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .proxy(settings.proxy.as_ref().map(|proxy| proxy.proxy.clone()))
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            .max_idle_age(MAX_IDLE_AGE)
            .user_agent(USER_AGENT);
        #[cfg(feature = "tls")]
        let builder = builder.tls_config(settings.tls.clone());
        let mut headers = settings.headers.clone();
        headers.set_default(ACCEPT, settings.content_type);
        Self {
            agent: builder.build().new_agent(),
            headers,
            content_type: settings.content_type,
            is_encrypted: settings.url.starts_with("https"),
            is_looked_up: settings.proxy.is_some() || needs_lookup(&settings.url),
            url: settings.url.clone(),
        }
    }

    /// Returns a function that ends the request in flight, which then fails, and every later one.
    pub(crate) fn interrupter(&self) -> impl Fn() + Send + Sync + 'static {
        let agent = self.agent.clone();
        move || agent.clone().shutdown()
    }

    /// Posts a body and returns the reply, whatever its status. Waits until `deadline` at most, in all.
    ///
    /// # Errors
    ///
    /// Fails if no head of a reply comes: see [`PostError`].
    pub(crate) fn post(
        &self,
        body: &[u8],
        encoding: Option<&'static str>,
        deadline: Instant,
    ) -> Result<Reply, PostError> {
        let left = deadline.saturating_duration_since(instant_now());
        if self.is_looked_up && !can_look_up() {
            let reason = "no thread could be started to look the host up";
            return Err(PostError::NotSent(reason.to_owned()));
        }
        let mut request = self
            .agent
            .post(&self.url)
            .config()
            .timeout_global(Some(left))
            .build()
            .header(CONTENT_TYPE, self.content_type)
            .header(CONTENT_LENGTH, body.len());
        if let Some(encoding) = encoding {
            request = request.header(CONTENT_ENCODING, encoding);
        }
        for (name, value) in self.headers.iter() {
            request = request.header(name, value);
        }
        let mut unread = Unread {
            body,
            is_begun: false,
        };
        match request.send(SendBody::from_reader(&mut unread)) {
            Ok(response) => {
                let (head, body) = response.into_parts();
                Ok(Reply::read(head.status.as_u16(), &head.headers, body))
            }
            Err(error) => Err(self.error_of(&error, &unread, left)),
        }
    }

    fn error_of(&self, error: &ureq::Error, unread: &Unread<'_>, time: Duration) -> PostError {
        let is_written = unread.body.is_empty();
        let has_no_connection = !unread.is_begun;
        let reason = shown(error);
        match error {
            ureq::Error::Timeout(_) => {
                let time = format!("{} s", time.as_millis() as f64 / 1_000.0);
                return match (is_written, has_no_connection) {
                    (true, _) => PostError::NoAnswer(format!("no answer within {time}")),
                    (_, true) => PostError::NotSent(format!("no connection within {time}")),
                    _ => PostError::NotSent(format!("the request was not taken within {time}")),
                };
            }
            ureq::Error::HostNotFound => return PostError::NoAddress(reason),
            ureq::Error::Io(error) => match error.kind() {
                ErrorKind::ConnectionRefused if has_no_connection => {
                    return PostError::Refused("connection refused".to_owned());
                }
                // What rustls says of a certificate, a handshake or an alert.
                ErrorKind::InvalidData if self.is_encrypted => return PostError::Tls(reason),
                ErrorKind::UnexpectedEof if self.is_encrypted && has_no_connection => {
                    return PostError::Tls(reason);
                }
                _ if has_no_connection && self.is_looked_up && is_of_lookup(error) => {
                    return PostError::NoAddress(reason);
                }
                _ => {}
            },
            ureq::Error::Tls(_) | ureq::Error::TlsRequired => return PostError::Tls(reason),
            #[cfg(feature = "tls")]
            ureq::Error::Rustls(_) | ureq::Error::Pem(_) => return PostError::Tls(reason),
            ureq::Error::Protocol(_) if is_written => return PostError::NotHttp(reason),
            _ => {}
        }
        match is_written {
            true => PostError::NoAnswer(reason),
            false => PostError::NotSent(reason),
        }
    }
}

impl fmt::Debug for PostClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostClient")
    }
}

/// Returns whether an error comes from the look-up of a name, which has no kind of its own.
fn is_of_lookup(error: &io::Error) -> bool {
    // Windows has codes for it: "host not found", "try again", "no recovery", "no data".
    let is_of_winsock = |code| cfg!(windows) && (11_001..=11_004).contains(&code);
    let is_of_system = error
        .raw_os_error()
        .is_some_and(|code| !is_of_winsock(code));
    let has_kind = matches!(
        error.kind(),
        ErrorKind::UnexpectedEof
            | ErrorKind::NotConnected
            | ErrorKind::TimedOut
            | ErrorKind::BrokenPipe
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::InvalidData
    );
    !is_of_system && !has_kind
}

/// The part of a body that the connection has not taken.
struct Unread<'a> {
    body: &'a [u8],
    /// Something was read: so there is a connection, and the head of the request is written.
    is_begun: bool,
}

impl Read for Unread<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.is_begun = true;
        self.body.read(buffer)
    }
}

/// A reply, of any status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The values of `Retry-After` and `Date`, as they came.
    pub(crate) retry_after: Option<String>,
    pub(crate) date: Option<String>,
    /// The body is a page of HTML, by its `Content-Type` and its first character.
    pub(crate) is_page: bool,
    /// The first [`MAX_REPLY_BYTES`] of the body.
    pub(crate) body: Vec<u8>,
    /// The whole body is there: it is no larger, and it did not break off.
    pub(crate) is_whole: bool,
}

impl Reply {
    fn read(status: u16, headers: &HeaderMap, body: Body) -> Self {
        let text = |name: HeaderName| Some(headers.get(name)?.to_str().ok()?.to_owned());
        // One byte more, to tell a body of just the limit from a larger one.
        let limit = MAX_REPLY_BYTES as u64 + 1;
        let mut reader = body.into_with_config().limit(limit).reader();
        let mut kept = Vec::new();
        let read = reader.read_to_end(&mut kept);
        let is_whole = read.is_ok() && kept.len() <= MAX_REPLY_BYTES;
        kept.truncate(MAX_REPLY_BYTES);
        Self {
            status,
            retry_after: text(RETRY_AFTER),
            date: text(DATE),
            // Small servers give this type to an empty body and to a word, too.
            is_page: kept.trim_ascii_start().starts_with(b"<")
                && text(CONTENT_TYPE).is_some_and(|value| is_html(&value)),
            body: kept,
            is_whole,
        }
    }
}

/// Returns whether a value of `Content-Type` names HTML. Case and parameters do not matter.
fn is_html(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("text/html")
}

/// The reason why a request brought no reply. Each holds a line without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PostError {
    /// The host has no address, or the look-up took too long.
    NoAddress(String),
    /// No program listens there.
    Refused(String),
    /// There is no encrypted connection.
    Tls(String),
    /// The server cannot have the whole request: there was no connection, or it ended before.
    NotSent(String),
    /// The request was written, and no head of a reply came.
    NoAnswer(String),
    /// The server sent no reply of HTTP/1.1.
    NotHttp(String),
}

/// A proxy of HTTP.
///
/// `Debug` shows no credentials.
#[derive(Clone)]
pub(crate) struct HttpProxy {
    proxy: Proxy,
    is_on_this_host: bool,
}

impl HttpProxy {
    /// Reads the URL of a proxy, such as `http://user:password@proxy:3128`.
    ///
    /// # Errors
    ///
    /// See [`InvalidEndpoint`].
    pub(crate) fn parse(url: &str) -> Result<Self, InvalidEndpoint> {
        let endpoint = Endpoint::parse(url)?;
        let proxy = Proxy::new(url.trim()).map_err(|_| InvalidEndpoint::NotAUrl)?;
        Ok(Self {
            proxy,
            is_on_this_host: endpoint.is_on_this_host(),
        })
    }

    /// Returns whether requests leave this host only behind the proxy.
    pub(crate) fn is_on_this_host(&self) -> bool {
        self.is_on_this_host
    }
}

impl fmt::Debug for HttpProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpProxy({}:{})", self.proxy.host(), self.proxy.port())
    }
}

/// The number of bytes that are read of a reply's body.
pub(crate) const MAX_REPLY_BYTES: usize = 64 * 1024;

/// The time for which a connection is kept without a request. Servers close theirs after a minute or more, and a
/// request that meets such a close is lost.
const MAX_IDLE_AGE: Duration = Duration::from_secs(15);

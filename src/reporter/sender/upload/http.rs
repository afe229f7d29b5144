//! Uploads over HTTP.

use std::borrow::Cow;
use std::time::Instant;

use crate::clock::system_time_now;
use crate::http_client::{
    Endpoint, HttpProxy, InvalidEndpoint, PostClient, PostError, PostSettings, Reply,
};
use crate::metrics::DropCause;
use crate::reporter::sender::BatchFormat;
use crate::reporter::sender::upload::exchange::{Answer, Exchange};
use crate::reporter::sender::upload::gzip::compressed;
use crate::reporter::sender::upload::options::UploadOptions;
use crate::reporter::sender::upload::otlp_reply::{answer_of_reply, status_message};
use crate::reporter::sender::upload::retry_after::retry_after;
use crate::reporter::sender::upload::uploader::{Protocol, Uploader};

/// The traits of one kind of collector.
pub(in crate::reporter::sender) struct HttpProtocol {
    pub(in crate::reporter::sender) format: BatchFormat,
    pub(in crate::reporter::sender) content_type: &'static str,
    /// The path of an endpoint that has none.
    pub(in crate::reporter::sender) path: &'static str,
    /// A pair of the query.
    pub(in crate::reporter::sender) query: Option<(&'static str, &'static str)>,
    /// A reply is an `ExportTraceServiceResponse`, or for an error a `google.rpc.Status`.
    pub(in crate::reporter::sender) is_otlp: bool,
    /// Status 500 stands for a queue or a storage without room, too.
    pub(in crate::reporter::sender) retries_500: bool,
    /// The cure if no program listens.
    pub(in crate::reporter::sender) if_refused: &'static str,
    /// The cure if the collector wants credentials, or does not accept those that it got.
    pub(in crate::reporter::sender) if_unauthorized: &'static str,
    /// The cure if the collector does not know the path, or takes another format there.
    pub(in crate::reporter::sender) if_not_found: &'static str,
}

impl Protocol for HttpProtocol {
    fn format(&self) -> BatchFormat {
        self.format
    }

    fn exchange(&'static self, options: UploadOptions) -> Box<dyn Exchange> {
        Box::new(HttpExchange::new(self, options))
    }
}

#[cfg(tracehound_fuzz)]
impl HttpProtocol {
    /// Returns what a reply says about a batch.
    pub(in crate::reporter::sender) fn answer_of(
        &'static self,
        options: UploadOptions,
        reply: &Reply,
    ) -> Answer {
        HttpExchange::new(self, options).answer_of(reply)
    }
}

/// The inside of a sender that uploads over HTTP.
pub(in crate::reporter::sender) type HttpUpload = Uploader<HttpProtocol>;

impl HttpUpload {
    pub(in crate::reporter::sender) fn new(
        protocol: &'static HttpProtocol,
        endpoint: &str,
    ) -> Result<Self, InvalidEndpoint> {
        let endpoint = Endpoint::parse_with_path(endpoint, protocol.path)?;
        let options = UploadOptions::new(endpoint);
        Ok(Self::with_options(protocol, options))
    }

    pub(in crate::reporter::sender) fn set_proxy(
        &mut self,
        url: &str,
    ) -> Result<(), InvalidEndpoint> {
        self.options.set_proxy(HttpProxy::parse(url)?)
    }
}

/// Writes what the senders over HTTP have in common, for a `$sender` around an [`HttpUpload`].
macro_rules! http_sender {
    ($sender:ident, $url:literal) => {
        $crate::reporter::sender::upload::upload_setters!($sender, $url);

        impl $sender {
            /// Sends requests through a proxy of HTTP, such as `http://user:password@proxy:3128`.
            ///
            /// Defaults to none: proxies of the environment (`HTTPS_PROXY` and others) are not used.
            ///
            /// # Errors
            ///
            /// Fails if `url` is not a URL of HTTP, or a password or another secret would go to the proxy in the clear:
            /// see [`InvalidEndpoint`].
            ///
            /// ```
            #[doc = concat!("use tracehound::reporter::sender::", stringify!($sender), ";")]
            ///
            #[doc = concat!("let sender = ", stringify!($sender), "::new(\"", $url, "\")?;")]
            /// let sender = sender.proxy("http://proxy:3128")?;
            /// # Ok::<(), tracehound::reporter::sender::InvalidEndpoint>(())
            /// ```
            pub fn proxy(mut self, url: &str) -> Result<Self, InvalidEndpoint> {
                self.0.set_proxy(url)?;
                Ok(self)
            }
        }

        $crate::reporter::sender::upload::upload_sender!($sender);
    };
}

pub(in crate::reporter::sender) use http_sender;

/// A client that makes one request over HTTP at a time.
struct HttpExchange {
    protocol: &'static HttpProtocol,
    options: UploadOptions,
    client: PostClient,
}

impl HttpExchange {
    fn new(protocol: &'static HttpProtocol, options: UploadOptions) -> Self {
        let client = PostClient::new(&PostSettings {
            url: options.endpoint.bare_url_with(protocol.query),
            headers: options.headers.clone(),
            content_type: protocol.content_type,
            proxy: options.proxy.clone(),
            #[cfg(feature = "tls")]
            tls: options.tls.config(),
        });
        Self {
            protocol,
            options,
            client,
        }
    }
}

impl Exchange for HttpExchange {
    fn exchange(&mut self, body: &[u8], _spans: u64, deadline: Instant) -> Answer {
        let compressed = self.options.gzip.then(|| compressed(body)).flatten();
        let reply = match &compressed {
            Some(compressed) => self.client.post(compressed, Some("gzip"), deadline),
            None => self.client.post(body, None, deadline),
        };
        match reply {
            Ok(reply) => self.answer_of(&reply),
            Err(error) => self.answer_without(error),
        }
    }

    fn renewed(&self) -> Box<dyn Exchange> {
        Box::new(Self::new(self.protocol, self.options.clone()))
    }

    fn interrupter(&self) -> Box<dyn Fn() + Send + Sync> {
        Box::new(self.client.interrupter())
    }
}

impl HttpExchange {
    /// Reads a reply. The status says what became of the batch; a receiver of OTLP also says it in the body.
    fn answer_of(&self, reply: &Reply) -> Answer {
        let lost = |cause, cure: &str| Answer::Lost {
            cause,
            reason: self.reason(reply, cure),
        };
        match reply.status {
            // Receivers answer with no body or in their format. Pages of login and default pages have this status too.
            200..=299 if reply.is_page => lost(
                DropCause::Rejected,
                &format!("a page of text/html is no receipt; {}", self.if_not_found()),
            ),
            200..=299 if self.protocol.is_otlp => otlp_answer(reply, &self.options),
            200..=299 => Answer::Accepted,
            429 | 502..=504 => self.retry(reply),
            500 if self.protocol.retries_500 => self.retry(reply),
            413 => Answer::TooLarge {
                reason: self.reason(reply, ""),
            },
            300..=399 => lost(
                DropCause::Rejected,
                "redirects are not followed, so name the address that it redirects to",
            ),
            401 | 403 => lost(DropCause::Rejected, self.protocol.if_unauthorized),
            400 | 415 if self.options.gzip => lost(
                DropCause::Rejected,
                "it may not take gzip (Jaeger 1 does not): turn that off",
            ),
            404 | 405 | 415 => lost(DropCause::Rejected, &self.if_not_found()),
            400..=499 => lost(DropCause::Rejected, ""),
            _ => lost(DropCause::SendFailed, ""),
        }
    }

    /// Returns the cure if the collector does not know the path, or takes another format there.
    fn if_not_found(&self) -> Cow<'static, str> {
        let HttpProtocol {
            path, if_not_found, ..
        } = self.protocol;
        let endpoint = self.options.endpoint.to_string();
        match endpoint.strip_suffix(path) {
            Some(rest) if self.protocol.is_otlp && rest.ends_with(path) => Cow::Owned(format!(
                "its path has {path} twice: OTEL_EXPORTER_OTLP_ENDPOINT gets {path} by itself"
            )),
            _ => Cow::Borrowed(if_not_found),
        }
    }

    fn retry(&self, reply: &Reply) -> Answer {
        let after = reply.retry_after.as_deref();
        let date = reply.date.as_deref();
        Answer::Retry {
            after: after.and_then(|after| retry_after(after, date, system_time_now())),
            cause: DropCause::SendFailed,
            reason: self.reason(reply, "it has no room or is out of order"),
        }
    }

    /// Tells the status, what the collector says about it, and the cure.
    fn reason(&self, reply: &Reply, cure: &str) -> String {
        let status = reply.status;
        let message = self.protocol.is_otlp.then(|| status_message(&reply.body));
        let message = message.flatten().map_or_else(
            || self.options.quoted(&String::from_utf8_lossy(&reply.body)),
            |message| self.options.quoted(&message),
        );
        let message = match message.trim() {
            "" => String::new(),
            message => format!(" ({message})"),
        };
        match cure {
            "" => format!("it answered {status}{message}"),
            cure => format!("it answered {status}{message}; {cure}"),
        }
    }

    fn answer_without(&self, error: PostError) -> Answer {
        let retry = |cause, reason| Answer::Retry {
            after: None,
            cause,
            reason,
        };
        let lost = |cause, reason| Answer::Lost { cause, reason };
        match error {
            PostError::Refused(reason) => retry(
                DropCause::Refused,
                format!("{reason}; {}", self.protocol.if_refused),
            ),
            PostError::NoAddress(reason) => retry(
                DropCause::NoAddress,
                format!("its host has no address ({reason}); look at the endpoint"),
            ),
            PostError::NotSent(reason) => retry(DropCause::SendFailed, reason),
            PostError::Tls(reason) => Answer::not_encrypted(&reason),
            PostError::NoAnswer(reason) => lost(DropCause::Unknown, self.with_port(reason)),
            PostError::NotHttp(reason) => lost(
                DropCause::SendFailed,
                self.with_port(format!(
                    "it does not speak HTTP/1.1 ({reason}); is it a port for gRPC?"
                )),
            ),
        }
    }

    /// Adds a hint if the port is usually one of gRPC.
    fn with_port(&self, reason: String) -> String {
        match self.options.endpoint.port() {
            Some(4317) => format!("{reason}; port 4317 is for gRPC, and 4318 for OTLP over HTTP"),
            Some(14250) => format!("{reason}; port 14250 is for gRPC, and 14268 for HTTP"),
            _ => reason,
        }
    }
}

/// Reads the reply to a batch that a receiver of OTLP has taken, at least in part.
///
/// A body that is no `ExportTraceServiceResponse` says no more than the status. One that is not whole may have told of
/// spans that were not taken.
fn otlp_answer(reply: &Reply, options: &UploadOptions) -> Answer {
    if !reply.is_whole {
        return Answer::Lost {
            cause: DropCause::Unknown,
            reason: format!(
                "it answered {}, and the rest of the answer broke off or is too long",
                reply.status
            ),
        };
    }
    answer_of_reply(&reply.body, options)
}

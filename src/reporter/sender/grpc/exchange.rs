use std::error::Error as _;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::watch;
use tonic::Request;
use tonic::metadata::MetadataMap;
use tonic::transport::{self, Endpoint};

use crate::clock::instant_now;
use crate::http_client::{USER_AGENT, shown};
use crate::metrics::DropCause;
use crate::reporter::sender::grpc::answer::{answer_of, answer_without_connection, with_port};
use crate::reporter::sender::grpc::connection::{Call, Connection, End};
use crate::reporter::sender::grpc::protocol::GrpcProtocol;
use crate::reporter::sender::upload::{Answer, Exchange, UploadOptions, answer_of_reply};

/// A client that makes one call at a time.
pub(super) struct GrpcExchange {
    protocol: &'static GrpcProtocol,
    options: UploadOptions,
    /// Kept from call to call while the server answers.
    connection: Option<Connection>,
    is_over: Arc<watch::Sender<bool>>,
}

impl GrpcExchange {
    pub(super) fn new(protocol: &'static GrpcProtocol, options: UploadOptions) -> Self {
        Self {
            protocol,
            options,
            connection: None,
            is_over: Arc::new(watch::Sender::new(false)),
        }
    }

    fn request(&self, body: &[u8], deadline: Instant) -> Request<Bytes> {
        let headers: HeaderMap = self
            .options
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let mut request = Request::new(Bytes::copy_from_slice(body));
        *request.metadata_mut() = MetadataMap::from_headers(headers);
        request.set_timeout(deadline.saturating_duration_since(instant_now()));
        request
    }

    fn endpoint(&self) -> Result<Endpoint, transport::Error> {
        let endpoint = Endpoint::from_shared(self.options.endpoint.bare_url_with(None))?;
        let endpoint = endpoint.user_agent(USER_AGENT)?;
        #[cfg(feature = "tls")]
        if endpoint.uri().scheme_str() == Some("https") {
            return endpoint.tls_config(self.options.tls.tonic_config());
        }
        Ok(endpoint)
    }

    fn answer_of(&self, end: End) -> Answer {
        let port = self.options.endpoint.port();
        let no_answer = |reason: &str| Answer::Lost {
            cause: DropCause::Unknown,
            reason: with_port(port, reason.to_owned()),
        };
        match end {
            End::Reply(bytes) if self.protocol.is_otlp => answer_of_reply(&bytes, &self.options),
            End::Reply(_) => Answer::Accepted,
            End::Status(status) => answer_of(self.protocol, &self.options, &status),
            End::NotConnected(error) => answer_without_connection(self.protocol, &error),
            End::TimeIsUp { is_connected: true } => no_answer("no whole answer came in time"),
            End::TimeIsUp { .. } => Answer::Retry {
                after: None,
                cause: DropCause::SendFailed,
                reason: "no connection could be made in time".to_owned(),
            },
            End::Interrupted => no_answer("the sender was closed before an answer came"),
        }
    }
}

impl Exchange for GrpcExchange {
    fn exchange(&mut self, body: &[u8], _spans: u64, deadline: Instant) -> Answer {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let endpoint = match self.endpoint() {
                    Ok(endpoint) => endpoint,
                    Err(error) => return lost(shown(&error)),
                };
                match Connection::new(endpoint) {
                    Ok(connection) => connection,
                    Err(error) => return lost(shown(&error)),
                }
            }
        };
        let call = Call {
            path: self.protocol.path,
            gzip: self.options.gzip,
            request: self.request(body, deadline),
        };
        let end = connection.run(call, deadline, self.is_over.subscribe());
        let is_alive = match &end {
            End::Reply(_) => true,
            End::Status(status) => status.source().is_none(),
            _ => false,
        };
        if is_alive {
            self.connection = Some(connection);
        } else {
            connection.end();
        }
        self.answer_of(end)
    }

    fn renewed(&self) -> Box<dyn Exchange> {
        Box::new(Self::new(self.protocol, self.options.clone()))
    }

    fn interrupter(&self) -> Box<dyn Fn() + Send + Sync> {
        let is_over = self.is_over.clone();
        Box::new(move || {
            is_over.send_replace(true);
        })
    }
}

fn lost(reason: String) -> Answer {
    Answer::Lost {
        cause: DropCause::SendFailed,
        reason,
    }
}

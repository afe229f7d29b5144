//! Strategies from a Jaeger backend over gRPC.

mod messages;
#[cfg(feature = "_grpc-receiver")]
pub(crate) mod served;

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::uri::{PathAndQuery, Uri};
use tokio::runtime::{self, Handle};
use tokio::sync::Notify;
use tokio::time::{self, error::Elapsed};
use tonic::Request;
use tonic::client::Grpc;
use tonic::transport::Endpoint;
use tonic_prost::ProstCodec;

use self::messages::{SamplingStrategyParameters, SamplingStrategyResponse};
use crate::http_client::{has_zone, shown};
#[cfg(feature = "tls")]
use crate::sampler::remote::InvalidCertificates;
use crate::sampler::remote::{
    CancelFetch, FetchError, InvalidEndpoint, MakeFetcher, Strategy, StrategyFetcher,
};

/// A source of strategies that asks a Jaeger backend over gRPC.
///
/// It calls `jaeger.api_v2.SamplingManager/GetSamplingStrategy`, which these serve:
///
/// | backend | port |
/// |---|---|
/// | Jaeger 2, extension `remote_sampling` | 5779 |
/// | Jaeger 1, collector | 14250 |
/// | OpenTelemetry Collector, extension `jaegerremotesampling` | 14250 |
/// | `tracehound dev` | 14250 |
///
/// Port 14250 of Jaeger 2 takes spans only.
///
/// Each request opens a connection of its own and closes it. So no socket stays open between two polls, and a backend
/// that moves to another address is found there. A request runs on the thread that asks, in a small runtime of its
/// own, and takes at most ten seconds, the look-up of the host included. A reply of more than 1 MiB is refused.
///
/// ```
/// use tracehound::sampler::remote::{GrpcStrategyFetcher, StrategyFetcher};
///
/// let fetcher = GrpcStrategyFetcher::new("grpc://jaeger:5779")?;
/// assert_eq!(fetcher.description(), "grpc://jaeger:5779");
/// # Ok::<(), tracehound::sampler::remote::InvalidEndpoint>(())
/// ```
pub struct GrpcStrategyFetcher {
    endpoint: Endpoint,
    timeout: Duration,
    /// Told to end the request in flight.
    cancelled: Arc<Notify>,
}

impl GrpcStrategyFetcher {
    /// Returns a fetcher for a backend at `grpc://host:port`, or `grpcs://host:port` for an encrypted connection, which
    /// needs the feature `tls`. `http` and `https` stand for the same two.
    ///
    /// # Errors
    ///
    /// Fails if the scheme is another one, the host or the port is missing, or there is a user name, a path or a query.
    /// Fails if the connection is to be encrypted and this build lacks the feature `tls`.
    pub fn new(endpoint: &str) -> Result<Self, InvalidEndpoint> {
        let invalid = InvalidEndpoint::NotAGrpcEndpoint;
        if has_zone(endpoint) {
            return Err(InvalidEndpoint::Zone);
        }
        let (scheme, authority) = endpoint.trim().split_once("://").ok_or(invalid)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "grpc" | "http" => "http",
            "grpcs" | "https" if cfg!(feature = "tls") => "https",
            "grpcs" | "https" => return Err(InvalidEndpoint::TlsMissing),
            _ => return Err(invalid),
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let uri: Uri = format!("{scheme}://{authority}")
            .parse()
            .map_err(|_| invalid)?;
        let has_port = uri.port_u16().is_some_and(|port| port > 0);
        let is_bare = uri.authority().is_some_and(|all| all.as_str() == authority);
        if !has_port || !is_bare || authority.contains('@') || uri.host().is_none_or(str::is_empty)
        {
            return Err(invalid);
        }
        let endpoint = Endpoint::from_shared(uri.to_string()).map_err(|_| invalid)?;
        let endpoint = endpoint.user_agent(USER_AGENT).map_err(|_| invalid)?;
        Ok(Self::of(endpoint, TIMEOUT))
    }

    fn of(endpoint: Endpoint, timeout: Duration) -> Self {
        Self {
            endpoint,
            timeout,
            cancelled: Arc::new(Notify::new()),
        }
    }

    /// Trusts these root certificates, in PEM, and no others: those of a company's own authority, for instance.
    ///
    /// Defaults to Mozilla's root certificates.
    ///
    /// # Errors
    ///
    /// Fails if the text holds no certificate.
    ///
    /// ```
    /// use tracehound::sampler::remote::GrpcStrategyFetcher;
    ///
    /// let fetcher = GrpcStrategyFetcher::new("grpcs://jaeger.example:5779")?;
    /// let error = fetcher.root_certificates("not PEM").expect_err("no certificate");
    /// println!("{error}");
    /// # Ok::<(), tracehound::sampler::remote::InvalidEndpoint>(())
    /// ```
    #[cfg(feature = "tls")]
    pub fn root_certificates(mut self, pem: impl AsRef<[u8]>) -> Result<Self, InvalidCertificates> {
        let pem = pem.as_ref();
        crate::http_client::trusting(pem)?;
        if self.endpoint.uri().scheme_str() == Some("https") {
            let roots = tonic::transport::Certificate::from_pem(pem);
            let tls = tonic::transport::ClientTlsConfig::new().ca_certificate(roots);
            self.endpoint = self
                .endpoint
                .tls_config(tls)
                .map_err(|_| InvalidCertificates::new())?;
        }
        Ok(self)
    }

    /// Sets how long a request may take, from the look-up of the host to the end of the reply.
    ///
    /// Defaults to ten seconds.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::sampler::remote::{GrpcStrategyFetcher, RemoteSampler};
    ///
    /// let fetcher = GrpcStrategyFetcher::new("grpc://jaeger:5779")?.timeout(Duration::from_secs(2));
    /// let sampler = RemoteSampler::new(fetcher);
    /// assert_eq!(sampler.state().strategy(), None, "nothing is asked before a tracer has it");
    /// # Ok::<(), tracehound::sampler::remote::InvalidEndpoint>(())
    /// ```
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Connects, asks and reads the reply.
    async fn ask(&self, service: &str) -> Result<SamplingStrategyResponse, Box<dyn Error>> {
        let channel = self.endpoint.connect().await?;
        let mut client = Grpc::new(channel).max_decoding_message_size(Strategy::MAX_JSON_BYTES);
        client.ready().await?;
        let parameters = SamplingStrategyParameters {
            service_name: service.to_owned(),
        };
        let path = PathAndQuery::from_static(METHOD);
        let reply = client.unary(Request::new(parameters), path, ProstCodec::default());
        Ok(reply.await?.into_inner())
    }

    /// Asks, until the time is up or the request is cancelled.
    async fn ask_in_time(&self, service: &str) -> Result<SamplingStrategyResponse, FetchError> {
        let mut asked = pin!(time::timeout(self.timeout, self.ask(service)));
        let mut cancelled = pin!(self.cancelled.notified());
        let reply = poll_fn(|cx| match asked.as_mut().poll(cx) {
            Poll::Ready(reply) => Poll::Ready(Some(reply)),
            Poll::Pending => cancelled.as_mut().poll(cx).map(|()| None),
        });
        match reply.await {
            Some(Ok(Ok(reply))) => Ok(reply),
            Some(Ok(Err(error))) => Err(FetchError::failed(shown(&*error))),
            Some(Err(Elapsed { .. })) => Err(FetchError::failed(format!(
                "no whole reply within {:?}",
                self.timeout
            ))),
            None => Err(FetchError::failed("the request was cancelled")),
        }
    }
}

impl StrategyFetcher for GrpcStrategyFetcher {
    /// Asks for the strategy of a service. Fails on a thread of an async runtime, which must not block.
    fn fetch(&mut self, service: &str) -> Result<Strategy, FetchError> {
        if Handle::try_current().is_ok() {
            return Err(FetchError::failed("called on a thread of an async runtime"));
        }
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(FetchError::failed)?;
        let reply = runtime.block_on(self.ask_in_time(service));
        // Dropping the runtime would wait for a look-up of the host that hangs.
        runtime.shutdown_background();
        Ok(Strategy::from_reply(reply?.into())?)
    }

    fn description(&self) -> String {
        let uri = self.endpoint.uri();
        let scheme = match uri.scheme_str() {
            Some("https") => "grpcs",
            _ => "grpc",
        };
        format!(
            "{scheme}://{}",
            uri.authority().map_or("", |all| all.as_str())
        )
    }

    fn canceller(&self) -> Option<CancelFetch> {
        let cancelled = self.cancelled.clone();
        Some(Box::new(move || cancelled.notify_one()))
    }

    fn after_fork(&self) -> Option<MakeFetcher> {
        let (endpoint, timeout) = (self.endpoint.clone(), self.timeout);
        Some(Box::new(move || {
            Box::new(Self::of(endpoint.clone(), timeout))
        }))
    }
}

impl fmt::Debug for GrpcStrategyFetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GrpcStrategyFetcher({})", self.description())
    }
}

const METHOD: &str = "/jaeger.api_v2.SamplingManager/GetSamplingStrategy";

/// The time for a whole request.
const TIMEOUT: Duration = Duration::from_secs(10);

const USER_AGENT: &str = concat!("tracehound/", env!("CARGO_PKG_VERSION"));

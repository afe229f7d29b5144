use std::fmt;

use crate::http_client::{Endpoint, HttpClient, InvalidEndpoint};
#[cfg(feature = "tls")]
use crate::http_client::{InvalidCertificates, trusting};
use crate::sampler::remote::{CancelFetch, FetchError, MakeFetcher, Strategy, StrategyFetcher};

/// A fetcher that asks a Jaeger agent, collector or `remote_sampling` extension over HTTP.
///
/// It sends `GET {url}?service={service}`, with the service percent-encoded, and accepts a status from 200 to 299 with
/// a body of at most [`Strategy::MAX_JSON_BYTES`]. A request takes at most ten seconds in all. Redirects are not
/// followed, and proxies of the environment are not used.
///
/// ```
/// use tracehound::sampler::remote::{HttpStrategyFetcher, StrategyFetcher};
///
/// let fetcher = HttpStrategyFetcher::new("http://localhost:5778/sampling?zone=eu")?;
/// assert_eq!(fetcher.description(), "http://localhost:5778/sampling");
/// # Ok::<(), tracehound::sampler::remote::InvalidEndpoint>(())
/// ```
#[derive(Clone)]
pub struct HttpStrategyFetcher {
    endpoint: Endpoint,
    client: HttpClient,
}

impl HttpStrategyFetcher {
    /// The URL of an agent or a Jaeger 2 on this host.
    ///
    /// ```
    /// use tracehound::sampler::remote::{HttpStrategyFetcher, StrategyFetcher};
    ///
    /// let fetcher = HttpStrategyFetcher::default();
    /// assert_eq!(fetcher.description(), HttpStrategyFetcher::DEFAULT_URL);
    /// ```
    pub const DEFAULT_URL: &'static str = "http://127.0.0.1:5778/sampling";

    /// Makes a fetcher that asks at `url`. Opens no connection.
    ///
    /// A query of the URL is kept. A user name and a password are sent as basic authentication. `https` needs the
    /// feature `tls`, and a certificate that one of Mozilla's root certificates vouches for, or one of your own
    /// (`root_certificates`).
    ///
    /// # Errors
    ///
    /// Fails if `url` is not a URL of HTTP, or would send a password in the clear: see [`InvalidEndpoint`].
    pub fn new(url: &str) -> Result<Self, InvalidEndpoint> {
        Ok(Self {
            endpoint: Endpoint::parse(url)?,
            client: HttpClient::new(),
        })
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
    /// use tracehound::sampler::remote::HttpStrategyFetcher;
    ///
    /// let fetcher = HttpStrategyFetcher::new("https://jaeger.example/sampling")?;
    /// let error = fetcher.root_certificates("not PEM").expect_err("no certificate");
    /// println!("{error}");
    /// # Ok::<(), tracehound::sampler::remote::InvalidEndpoint>(())
    /// ```
    #[cfg(feature = "tls")]
    pub fn root_certificates(mut self, pem: impl AsRef<[u8]>) -> Result<Self, InvalidCertificates> {
        self.client = HttpClient::with_tls(trusting(pem.as_ref())?);
        Ok(self)
    }
}

impl Default for HttpStrategyFetcher {
    /// Returns a fetcher that asks at [`DEFAULT_URL`](Self::DEFAULT_URL).
    fn default() -> Self {
        Self::new(Self::DEFAULT_URL).expect("a URL of HTTP")
    }
}

impl StrategyFetcher for HttpStrategyFetcher {
    fn fetch(&mut self, service: &str) -> Result<Strategy, FetchError> {
        let url = self.endpoint.url_with(&[("service", service)]);
        let json = self.client.get(&url, Strategy::MAX_JSON_BYTES);
        Ok(Strategy::from_json(&json.map_err(FetchError::failed)?)?)
    }

    /// Returns the URL without credentials and query.
    fn description(&self) -> String {
        self.endpoint.to_string()
    }

    fn canceller(&self) -> Option<CancelFetch> {
        let client = self.client.clone();
        Some(Box::new(move || client.shut_down()))
    }

    fn after_fork(&self) -> Option<MakeFetcher> {
        let (endpoint, client) = (self.endpoint.clone(), self.client.clone());
        Some(Box::new(move || {
            Box::new(Self {
                endpoint: endpoint.clone(),
                client: client.renewed(),
            })
        }))
    }
}

impl fmt::Debug for HttpStrategyFetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpStrategyFetcher({})", self.endpoint)
    }
}

use crate::http_client::InvalidEndpoint;
use crate::reporter::sender::BatchFormat;
use crate::reporter::sender::upload::{HttpProtocol, HttpUpload, gzip_setter, http_sender};

/// A sender of JSON over HTTP to Zipkin, or to Jaeger's port for it.
///
/// It posts each batch as a list of spans in version 2 of Zipkin's model, of type `application/json`, to an endpoint
/// such as `http://localhost:9411/api/v2/spans`. Jaeger 1 has the port only with `--collector.zipkin.host-port=:9411`.
///
/// A batch counts as sent when the collector has answered with a status from 200 to 299 and not with a page of HTML. It
/// is tried again after a 500, too, because a storage without room answers so. The
/// [module's page](crate::reporter::sender) has the other rules.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::reporter::RemoteReporter;
/// use tracehound::reporter::sender::ZipkinSender;
///
/// let sender = ZipkinSender::new("http://localhost:9411/api/v2/spans")?;
/// let tracer = JaegerTracer::builder("shop")
///     .reporter(RemoteReporter::new(sender))
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ZipkinSender(HttpUpload);

impl ZipkinSender {
    /// The endpoint of a Zipkin on this host.
    ///
    /// ```
    /// use tracehound::reporter::sender::{Sender, ZipkinSender};
    ///
    /// let sender = ZipkinSender::new(ZipkinSender::DEFAULT_ENDPOINT)?;
    /// assert_eq!(sender.destination(), ZipkinSender::DEFAULT_ENDPOINT);
    /// # Ok::<(), tracehound::reporter::sender::InvalidEndpoint>(())
    /// ```
    pub const DEFAULT_ENDPOINT: &'static str = "http://localhost:9411/api/v2/spans";

    /// Returns a sender to a collector of Zipkin. Opens no connection.
    ///
    /// An endpoint without a path gets `/api/v2/spans`. A query is kept. A user name and a password are sent as basic
    /// authentication. `https` needs the feature `tls`.
    ///
    /// # Errors
    ///
    /// Fails if `endpoint` is not a URL of HTTP, or would send a password in the clear: see [`InvalidEndpoint`].
    ///
    /// ```
    /// use tracehound::reporter::sender::{Sender, ZipkinSender};
    ///
    /// let sender = ZipkinSender::new("http://localhost:9411")?;
    /// assert_eq!(sender.destination(), "http://localhost:9411/api/v2/spans");
    /// # Ok::<(), tracehound::reporter::sender::InvalidEndpoint>(())
    /// ```
    pub fn new(endpoint: &str) -> Result<Self, InvalidEndpoint> {
        HttpUpload::new(&ZIPKIN, endpoint).map(Self)
    }
}

http_sender!(ZipkinSender, "http://localhost:9411");
gzip_setter!(ZipkinSender, "http://localhost:9411");

static ZIPKIN: HttpProtocol = HttpProtocol {
    format: BatchFormat::ZipkinJson,
    content_type: "application/json",
    path: "/api/v2/spans",
    query: None,
    is_otlp: false,
    retries_500: true,
    if_refused: "is a Zipkin there? It listens on port 9411; Jaeger takes OTLP on 4318, and Thrift on 14268 \
                 (JAEGER_ENDPOINT)",
    if_unauthorized: "set the user name and the password that it wants, in its URL \
                      (OTEL_EXPORTER_ZIPKIN_ENDPOINT), or a header in code (ZipkinSender::header)",
    if_not_found: "is it a Zipkin? It takes spans at /api/v2/spans of port 9411",
};

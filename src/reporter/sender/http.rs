use crate::http_client::InvalidEndpoint;
use crate::reporter::sender::BatchFormat;
use crate::reporter::sender::upload::{HttpProtocol, HttpUpload, http_sender};

/// A sender of Thrift over HTTP to a Jaeger collector.
///
/// It posts each batch as a `Batch` struct in Thrift's binary protocol, of type `application/x-thrift`, to an endpoint
/// such as `http://localhost:14268/api/traces`. The query gets `format=jaeger.thrift`, which old collectors want.
///
/// A batch counts as sent when the collector has answered with a status from 200 to 299 and not with a page of HTML. It
/// is tried again after a 500, too, because a collector whose queue is full answers so. The
/// [module's page](crate::reporter::sender) has the other rules.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::reporter::RemoteReporter;
/// use tracehound::reporter::sender::HttpSender;
///
/// let sender = HttpSender::new("http://localhost:14268/api/traces")?;
/// let tracer = JaegerTracer::builder("shop")
///     .reporter(RemoteReporter::new(sender))
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct HttpSender(HttpUpload);

impl HttpSender {
    /// The endpoint of a collector on this host.
    ///
    /// ```
    /// use tracehound::reporter::sender::{HttpSender, Sender};
    ///
    /// let sender = HttpSender::new(HttpSender::DEFAULT_ENDPOINT)?;
    /// assert_eq!(sender.destination(), HttpSender::DEFAULT_ENDPOINT);
    /// # Ok::<(), tracehound::reporter::sender::InvalidEndpoint>(())
    /// ```
    pub const DEFAULT_ENDPOINT: &'static str = "http://localhost:14268/api/traces";

    /// Returns a sender to a collector. Opens no connection.
    ///
    /// An endpoint without a path gets `/api/traces`. A query is kept. A user name and a password are sent as basic
    /// authentication. `https` needs the feature `tls`.
    ///
    /// # Errors
    ///
    /// Fails if `endpoint` is not a URL of HTTP, or would send a password in the clear: see [`InvalidEndpoint`].
    ///
    /// ```
    /// use tracehound::reporter::sender::{HttpSender, Sender};
    ///
    /// let sender = HttpSender::new("http://me:secret@localhost:14268")?;
    /// assert_eq!(sender.destination(), "http://localhost:14268/api/traces");
    /// # Ok::<(), tracehound::reporter::sender::InvalidEndpoint>(())
    /// ```
    pub fn new(endpoint: &str) -> Result<Self, InvalidEndpoint> {
        HttpUpload::new(&THRIFT, endpoint).map(Self)
    }
}

http_sender!(HttpSender, "http://localhost:14268");

static THRIFT: HttpProtocol = HttpProtocol {
    format: BatchFormat::BinaryBatch,
    content_type: "application/x-thrift",
    path: "/api/traces",
    query: Some(("format", "jaeger.thrift")),
    is_otlp: false,
    retries_500: true,
    if_refused: "is a collector there? Jaeger listens on port 14268; OTLP goes to 4318 (OTEL_EXPORTER_OTLP_ENDPOINT, OtlpSender)",
    if_unauthorized: "set the user name and the password that it wants (JAEGER_USER, JAEGER_PASSWORD), or the token \
                      (JAEGER_AUTH_TOKEN)",
    if_not_found: "is it a collector? Jaeger takes Thrift at /api/traces of port 14268",
};

use crate::http_client::InvalidEndpoint;
use crate::reporter::sender::BatchFormat;
use crate::reporter::sender::grpc::parse;
use crate::reporter::sender::grpc::protocol::GrpcProtocol;
use crate::reporter::sender::upload::{UploadOptions, Uploader, upload_sender, upload_setters};

/// A sender of Jaeger's own messages over gRPC to a Jaeger collector.
///
/// It calls `jaeger.api_v2.CollectorService/PostSpans` at an endpoint such as `http://localhost:14250`. Jaeger 1
/// keeps the flags of spans that come so; OTLP has no place for them.
///
/// A batch counts as sent when the collector has answered with `OK`. It is tried again after `RESOURCE_EXHAUSTED`, as
/// which a collector answers whose queue is full, and after `UNAVAILABLE`, `ABORTED`, `OUT_OF_RANGE`, `DATA_LOSS`,
/// `CANCELLED` and `DEADLINE_EXCEEDED`. The [module's page](crate::reporter::sender) has the other rules.
///
/// A request runs on the sender's own thread, in a small runtime of its own: the program needs none.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::reporter::RemoteReporter;
/// use tracehound::reporter::sender::GrpcSender;
///
/// let sender = GrpcSender::new("http://localhost:14250")?;
/// let tracer = JaegerTracer::builder("shop")
///     .reporter(RemoteReporter::new(sender))
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(all(feature = "collector", feature = "grpc"))))]
pub struct GrpcSender(Uploader<GrpcProtocol>);

impl GrpcSender {
    /// The endpoint of a collector on this host.
    ///
    /// ```
    /// use tracehound::reporter::sender::{GrpcSender, Sender};
    ///
    /// let sender = GrpcSender::new(GrpcSender::DEFAULT_ENDPOINT)?;
    /// assert_eq!(sender.destination(), "http://localhost:14250/");
    /// # Ok::<(), tracehound::reporter::sender::InvalidEndpoint>(())
    /// ```
    pub const DEFAULT_ENDPOINT: &'static str = "http://localhost:14250";

    /// Returns a sender to a collector. Opens no connection.
    ///
    /// A user name and a password are sent as basic authentication. `grpc` stands for `http`; `grpcs` and `https` need
    /// the feature `tls`.
    ///
    /// # Errors
    ///
    /// Fails if `endpoint` is not a URL, has a path or a query, or would send a password in the clear: see
    /// [`InvalidEndpoint`].
    ///
    /// ```
    /// use tracehound::reporter::sender::{GrpcSender, InvalidEndpoint};
    ///
    /// assert!(GrpcSender::new("grpc://jaeger:14250").is_ok());
    /// let error = GrpcSender::new("http://jaeger:14268/api/traces").err();
    /// assert_eq!(error, Some(InvalidEndpoint::NotAGrpcEndpoint));
    /// ```
    pub fn new(endpoint: &str) -> Result<Self, InvalidEndpoint> {
        let options = UploadOptions::new(parse(endpoint)?);
        Ok(Self(Uploader::with_options(&POST_SPANS, options)))
    }
}

upload_setters!(GrpcSender, "http://localhost:14250");
upload_sender!(GrpcSender);

static POST_SPANS: GrpcProtocol = GrpcProtocol {
    format: BatchFormat::JaegerProto,
    path: "/jaeger.api_v2.CollectorService/PostSpans",
    is_otlp: false,
    retries_exhausted: true,
    if_refused: "is a collector there? Jaeger listens on port 14250 for gRPC; OTLP goes to 4317 (OTEL_EXPORTER_OTLP_ENDPOINT, OtlpGrpcSender)",
    if_unauthorized: "set the user name and the password that it wants (JAEGER_USER, JAEGER_PASSWORD), or the token \
                      (JAEGER_AUTH_TOKEN)",
    if_unimplemented: "is it a collector? Jaeger takes its own messages on port 14250; OTLP goes to 4317",
};

use crate::http_client::InvalidEndpoint;
use crate::reporter::sender::BatchFormat;
use crate::reporter::sender::grpc::parse;
use crate::reporter::sender::grpc::protocol::GrpcProtocol;
use crate::reporter::sender::upload::{
    UploadOptions, Uploader, gzip_setter, upload_sender, upload_setters,
};

/// A sender of OTLP over gRPC to Jaeger, an OpenTelemetry collector or any other receiver.
///
/// It calls `opentelemetry.proto.collector.trace.v1.TraceService/Export` at an endpoint such as
/// `http://localhost:4317`. The [`OtlpSender`](crate::reporter::sender::OtlpSender) sends the same messages over
/// HTTP/1.1 and needs fewer crates; take this one for a receiver that speaks gRPC alone. [`BatchFormat::Otlp`] tells
/// how spans are mapped.
///
/// A batch counts as sent when the receiver has answered with `OK`. Spans that it says it did not take are counted as
/// rejected. A batch is tried again after `UNAVAILABLE`, `ABORTED`, `OUT_OF_RANGE`, `DATA_LOSS`, `CANCELLED` and
/// `DEADLINE_EXCEEDED`, and after `RESOURCE_EXHAUSTED` if the receiver says when: in a `RetryInfo`, which holds for the
/// other codes, too. The [module's page](crate::reporter::sender) has the other rules.
///
/// A request runs on the sender's own thread, in a small runtime of its own: the program needs none.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::reporter::RemoteReporter;
/// use tracehound::reporter::sender::OtlpGrpcSender;
///
/// let sender = OtlpGrpcSender::new("http://localhost:4317")?;
/// let tracer = JaegerTracer::builder("shop")
///     .reporter(RemoteReporter::new(sender))
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(all(feature = "otlp", feature = "grpc"))))]
pub struct OtlpGrpcSender(Uploader<GrpcProtocol>);

impl OtlpGrpcSender {
    /// The endpoint of a receiver on this host.
    ///
    /// ```
    /// use tracehound::reporter::sender::{OtlpGrpcSender, Sender};
    ///
    /// let sender = OtlpGrpcSender::new(OtlpGrpcSender::DEFAULT_ENDPOINT)?;
    /// assert_eq!(sender.destination(), "http://localhost:4317/");
    /// # Ok::<(), tracehound::reporter::sender::InvalidEndpoint>(())
    /// ```
    pub const DEFAULT_ENDPOINT: &'static str = "http://localhost:4317";

    /// Returns a sender to a receiver. Opens no connection.
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
    /// use tracehound::reporter::sender::{OtlpGrpcSender, Sender};
    ///
    /// let sender = OtlpGrpcSender::new("grpc://me:secret@localhost:4317")?;
    /// assert_eq!(sender.destination(), "http://localhost:4317/");
    /// # Ok::<(), tracehound::reporter::sender::InvalidEndpoint>(())
    /// ```
    pub fn new(endpoint: &str) -> Result<Self, InvalidEndpoint> {
        let options = UploadOptions::new(parse(endpoint)?);
        Ok(Self(Uploader::with_options(&EXPORT, options)))
    }
}

upload_setters!(OtlpGrpcSender, "http://localhost:4317");
gzip_setter!(OtlpGrpcSender, "http://localhost:4317");
upload_sender!(OtlpGrpcSender);

static EXPORT: GrpcProtocol = GrpcProtocol {
    format: BatchFormat::Otlp,
    path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    is_otlp: true,
    retries_exhausted: false,
    if_refused: "is a receiver of OTLP there? It listens on port 4317 for gRPC, and on 4318 for HTTP",
    if_unauthorized: "set the token or other header that it wants (OTEL_EXPORTER_OTLP_HEADERS)",
    if_unimplemented: "does it take OTLP? Jaeger does on port 4317; port 14250 is for a GrpcSender",
};

use crate::http_client::InvalidEndpoint;
use crate::reporter::sender::BatchFormat;
use crate::reporter::sender::upload::{HttpProtocol, HttpUpload, gzip_setter, http_sender};

/// A sender of OTLP over HTTP: to Jaeger from version 1.35, an OpenTelemetry collector, or any other receiver of it.
///
/// It posts each batch as an `ExportTraceServiceRequest` in protobuf, of type `application/x-protobuf`, to an endpoint
/// such as `http://localhost:4318/v1/traces`. Jaeger 1 takes OTLP by default from version 1.57.
///
/// A batch counts as sent when the receiver has answered with a status from 200 to 299. The answer may say that some
/// spans were not taken (`partial_success`): these are lost as `rejected`. If the answer breaks off or has more than
/// 64 KiB, the batch is lost as `unknown`. With a page of HTML it is lost as `rejected`. Another answer
/// that is not protobuf says no more than the status. The [module's page](crate::reporter::sender) has the other rules.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::reporter::RemoteReporter;
/// use tracehound::reporter::sender::OtlpSender;
///
/// let sender = OtlpSender::new("http://localhost:4318")?.gzip(true);
/// let tracer = JaegerTracer::builder("shop")
///     .reporter(RemoteReporter::new(sender))
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct OtlpSender(HttpUpload);

impl OtlpSender {
    /// The endpoint of a receiver on this host.
    ///
    /// ```
    /// use tracehound::reporter::sender::{OtlpSender, Sender};
    ///
    /// let sender = OtlpSender::new(OtlpSender::DEFAULT_ENDPOINT)?;
    /// assert_eq!(sender.destination(), OtlpSender::DEFAULT_ENDPOINT);
    /// # Ok::<(), tracehound::reporter::sender::InvalidEndpoint>(())
    /// ```
    pub const DEFAULT_ENDPOINT: &'static str = "http://localhost:4318/v1/traces";

    /// Returns a sender to a receiver of OTLP. Opens no connection.
    ///
    /// An endpoint without a path gets `/v1/traces`. A query is kept. A user name and a password are sent as basic
    /// authentication. `https` needs the feature `tls`.
    ///
    /// # Errors
    ///
    /// Fails if `endpoint` is not a URL of HTTP, or would send a password in the clear: see [`InvalidEndpoint`].
    ///
    /// ```
    /// use tracehound::reporter::sender::{OtlpSender, Sender};
    ///
    /// let sender = OtlpSender::new("http://localhost:4318")?;
    /// assert_eq!(sender.destination(), "http://localhost:4318/v1/traces");
    /// # Ok::<(), tracehound::reporter::sender::InvalidEndpoint>(())
    /// ```
    pub fn new(endpoint: &str) -> Result<Self, InvalidEndpoint> {
        HttpUpload::new(&OTLP, endpoint).map(Self)
    }
}

http_sender!(OtlpSender, "http://localhost:4318");
gzip_setter!(OtlpSender, "http://localhost:4318");

static OTLP: HttpProtocol = HttpProtocol {
    format: BatchFormat::Otlp,
    content_type: "application/x-protobuf",
    path: "/v1/traces",
    query: None,
    is_otlp: true,
    // "All other 4xx or 5xx response status codes must not be retried."
    retries_500: false,
    if_refused: "is a receiver there? Jaeger listens for OTLP on port 4318, and for Thrift on 14268 \
                 (JAEGER_ENDPOINT)",
    if_unauthorized: "set the token or other header that it wants (OTEL_EXPORTER_OTLP_HEADERS)",
    if_not_found: "is it a receiver of OTLP? They take traces at /v1/traces of port 4318",
};

/// The fate of a batch by its reply, for fuzz targets.
#[cfg(tracehound_fuzz)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplyRead {
    /// The number of spans that were not taken, if the others were.
    pub rejected: Option<u64>,
    /// Whether the batch is tried again.
    pub may_retry: bool,
    /// The pause that the receiver asks for.
    pub pause: Option<std::time::Duration>,
    /// A part of a line to the user.
    pub reason: String,
}

#[cfg(tracehound_fuzz)]
impl OtlpSender {
    pub(crate) fn read_reply(&self, reply: &crate::http_client::Reply) -> ReplyRead {
        use crate::reporter::sender::upload::Answer;

        let read = ReplyRead::default();
        match OTLP.answer_of(self.0.options.clone(), reply) {
            Answer::Accepted => ReplyRead {
                rejected: Some(0),
                ..read
            },
            Answer::Partial { rejected, reason } => ReplyRead {
                rejected: Some(rejected),
                reason,
                ..read
            },
            Answer::Retry { after, reason, .. } => ReplyRead {
                may_retry: true,
                pause: after,
                reason,
                ..read
            },
            Answer::TooLarge { reason } | Answer::Lost { reason, .. } => {
                ReplyRead { reason, ..read }
            }
        }
    }
}

use std::sync::Arc;

use crate::model::Process;
use crate::reporter::OwnedSpan;
use crate::reporter::sender::BatchFormat;

/// Spans of one process that a mock got in one message.
///
/// ```
/// use std::time::Duration;
/// use tracehound::JaegerTracer;
/// use tracehound::prelude::*;
/// use tracehound::reporter::RemoteReporter;
/// use tracehound::reporter::sender::UdpSender;
/// use tracehound::sampler::ConstSampler;
/// use tracehound::testkit::MockAgent;
///
/// let agent = MockAgent::start()?;
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(RemoteReporter::new(UdpSender::new(agent.address())))
///     .build()?;
/// tracer.start_span("checkout").finish();
/// tracer.close(Duration::from_secs(5));
///
/// agent.wait_for_spans(1, Duration::from_secs(5));
/// let batch = &agent.batches()[0];
/// assert_eq!(batch.process.service_name, "shop");
/// assert_eq!(batch.sequence_number, Some(1));
/// assert_eq!(batch.losses.unwrap_or_default().full_queue, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ReceivedBatch {
    /// The encoding of the message.
    pub format: BatchFormat,
    /// The process that sent the spans. Each span has it, too.
    pub process: Arc<Process>,
    /// The spans, in their order in the message. Those with an id of zero are left out, as a Jaeger backend does, and so
    /// are those of Zipkin that cannot be read.
    pub spans: Vec<OwnedSpan>,
    /// The number of spans that were left out.
    pub left_out: u64,
    /// The number of the batch (`seqNo`), which only Thrift has.
    pub sequence_number: Option<i64>,
    /// The losses that the client reports (`stats`), which only Thrift has.
    pub losses: Option<ReportedLosses>,
}

/// The name of a service that does not say it, as Jaeger 2 has it.
pub(crate) const NO_NAME: &str = "missing-service-name";

impl ReceivedBatch {
    /// Joins a process and its spans, which get the process.
    pub(crate) fn new(format: BatchFormat, process: Process, mut spans: Vec<OwnedSpan>) -> Self {
        let process = Arc::new(process);
        for span in &mut spans {
            span.process = Some(process.clone());
        }
        Self {
            format,
            process,
            spans,
            left_out: 0,
            sequence_number: None,
            losses: None,
        }
    }
}

/// The numbers of spans that a client says it has lost since its start: `ClientStats` of Jaeger's IDL.
///
/// ```
/// use tracehound::testkit::ReportedLosses;
///
/// assert_eq!(ReportedLosses::default().failed_to_emit, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReportedLosses {
    /// Spans that found no room in the client's queue.
    pub full_queue: i64,
    /// Spans that were too large for a message.
    pub too_large: i64,
    /// Spans that the client could not send.
    pub failed_to_emit: i64,
}

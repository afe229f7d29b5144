use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::model::Process;
use crate::reporter::OwnedSpan;
use crate::reporter::sender::BatchFormat;
use crate::testkit::Fault;

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
    /// The spans, in their order in the message. Those with an id of zero are left out, as a Jaeger backend does.
    pub spans: Vec<OwnedSpan>,
    /// The number of the batch (`seqNo`), which only Thrift has.
    pub sequence_number: Option<i64>,
    /// The losses that the client reports (`stats`), which only Thrift has.
    pub losses: Option<ReportedLosses>,
}

impl ReceivedBatch {
    /// Joins a process and its spans, which get the process.
    pub(super) fn new(format: BatchFormat, process: Process, mut spans: Vec<OwnedSpan>) -> Self {
        let process = Arc::new(process);
        for span in &mut spans {
            span.process = Some(process.clone());
        }
        Self {
            format,
            process,
            spans,
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

/// The messages that a mock has received, and its script for those that come next.
#[derive(Debug)]
pub(super) struct Received {
    batches: Vec<ReceivedBatch>,
    kept: usize,
    keeps: usize,
    span_count: u64,
    errors: Vec<String>,
    script: VecDeque<Fault>,
    always: Fault,
}

impl Received {
    /// Takes a batch. Above the limit of spans it is only counted.
    pub(super) fn push(&mut self, batch: ReceivedBatch) {
        self.span_count += batch.spans.len() as u64;
        if self.kept + batch.spans.len() <= self.keeps {
            self.kept += batch.spans.len();
            self.batches.push(batch);
        }
    }

    pub(super) fn push_error(&mut self, error: String) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(error);
        }
    }

    pub(super) fn script(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.script.extend(faults);
    }

    pub(super) fn always(&mut self, fault: Fault) {
        self.script.clear();
        self.always = fault;
    }

    /// Returns what happens to the message that has come.
    pub(super) fn next_fault(&mut self) -> Fault {
        self.script
            .pop_front()
            .unwrap_or_else(|| self.always.clone())
    }

    pub(super) fn keep_at_most(&mut self, spans: usize) {
        self.keeps = spans;
    }

    pub(super) fn clear(&mut self) {
        self.batches.clear();
        self.errors.clear();
        (self.kept, self.span_count) = (0, 0);
    }

    pub(super) fn batches(&self) -> Vec<ReceivedBatch> {
        self.batches.clone()
    }

    pub(super) fn spans(&self) -> Vec<OwnedSpan> {
        let spans = self.batches.iter().flat_map(|batch| &batch.spans);
        spans.cloned().collect()
    }

    pub(super) fn span_count(&self) -> u64 {
        self.span_count
    }

    pub(super) fn error_count(&self) -> usize {
        self.errors.len()
    }

    pub(super) fn errors(&self) -> Vec<String> {
        self.errors.clone()
    }
}

impl Default for Received {
    fn default() -> Self {
        Self {
            batches: Vec::new(),
            kept: 0,
            keeps: KEPT_SPANS,
            span_count: 0,
            errors: Vec::new(),
            script: VecDeque::new(),
            always: Fault::none(),
        }
    }
}

/// The number of spans that a mock keeps unless a test sets another one.
const KEPT_SPANS: usize = 100_000;
const MAX_ERRORS: usize = 1_000;
/// The time that a mock waits for its own thread, which has nothing else to do.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

use std::collections::VecDeque;
use std::time::Duration;

use crate::decode::ReceivedBatch;
use crate::reporter::OwnedSpan;
use crate::testkit::Fault;

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

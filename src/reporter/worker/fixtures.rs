//! Fixtures for the tests of the worker.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::ManualClock;
use crate::diagnostics::Diagnostics;
use crate::metrics::{Counter, Metrics};
use crate::model::{Flags, Process, SpanId, TraceId};
use crate::record::{Budget, FrameBytes, FrameHeader, SpanQueue};
use crate::reporter::worker::options::WorkerOptions;
use crate::services::Services;

/// Returns options with a queue of that many bytes and no flush of its own, and the lines to the user.
pub(super) fn options(budget: usize) -> (WorkerOptions, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let metrics = Metrics::default();
    let diagnostics = Diagnostics::with_handler(move |line| {
        sink.lock().expect("not poisoned").push(line.to_owned());
    });
    let options = WorkerOptions {
        queue: Arc::new(SpanQueue::new(Budget::new(budget), metrics.clone())),
        services: Services::new(
            Arc::new(Process::new("test", Vec::new())),
            metrics,
            diagnostics,
            ManualClock::at_micros(1).into(),
        ),
        keeps_uuid: true,
        flush_interval: Duration::from_secs(3_600),
        factory: None,
    };
    (options, lines)
}

/// Finishes a span with that operation name.
pub(super) fn finish_span(queue: &SpanQueue, operation_name: &str) {
    let (trace_id, span_id) = (TraceId::new(0, 1), SpanId::new(1));
    let (trace_id, span_id) = trace_id.zip(span_id).expect("not zero");
    let header = FrameHeader {
        flags: Flags::SAMPLED,
        ..FrameHeader::new(trace_id, span_id)
    };
    let bytes = FrameBytes {
        operation_name,
        ..FrameBytes::default()
    };
    queue.push(&header, &bytes, Counter::FinishedSpansSampled);
}

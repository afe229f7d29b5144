//! The worker's hand-over of counts to the metrics factory of the program.

use std::sync::Arc;

use crate::metrics::{
    Counter, CounterHandle, FlushReport, GaugeHandle, MetricName, Metrics, MetricsFactory,
};
use crate::reporter::guarded::guarded;

/// The handles of a factory, and what they have been told.
#[derive(Default)]
pub(super) struct Export {
    counters: Vec<(Counter, Box<dyn CounterHandle>, u64)>,
    queue_length: Option<Box<dyn GaugeHandle>>,
}

impl Export {
    /// Makes a handle for each counter, and one for the length of the queue.
    pub(super) fn new(factory: Option<&Arc<dyn MetricsFactory>>, metrics: &Metrics) -> Self {
        let Some(factory) = factory else {
            return Self::default();
        };
        let counters = Counter::ALL.iter().filter_map(|&counter| {
            let name = format!("{PREFIX}{}", counter.name());
            let name = MetricName::new(&name, counter.labels(), counter.help());
            let handle = guarded(metrics, || factory.counter(&name))?;
            Some((counter, handle, 0))
        });
        let name = format!("{PREFIX}{}", Metrics::QUEUE_LENGTH);
        let name = MetricName::new(&name, &[], Metrics::QUEUE_LENGTH_HELP);
        Self {
            counters: counters.collect(),
            queue_length: guarded(metrics, || factory.gauge(&name)),
        }
    }

    /// Hands over what has changed since the last time.
    pub(super) fn hand_over(&mut self, metrics: &Metrics, report: &FlushReport) {
        if self.counters.is_empty() && self.queue_length.is_none() {
            return;
        }
        for (counter, handle, told) in &mut self.counters {
            let now = metrics.exported(*counter, report);
            let more = now.saturating_sub(*told);
            if more > 0 {
                // Noted first: a handle that panics may have added it.
                *told = now;
                guarded(metrics, || handle.add(more));
            }
        }
        if let Some(gauge) = &self.queue_length {
            let queued = i64::try_from(report.queued).unwrap_or(i64::MAX);
            guarded(metrics, || gauge.set(queued));
        }
    }
}

/// The prefix of the names of the tracer's own metrics.
const PREFIX: &str = Metrics::PREFIX;

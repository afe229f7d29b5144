//! All metrics of a tracer as of one moment.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{PoisonError, Weak};

use crate::metrics::page::{MetricsPage, MetricsSource};
use crate::metrics::text_format::TextFormat;
use crate::metrics::{Counter, DropCause, FlushReport, Metrics};

/// The metrics of a tracer about itself as of one moment: every counter, and the length of the queue.
///
/// The spans that the tracer accounts for never exceed those that have finished: `reporter_spans` of all results and
/// the queue are together at most `finished_spans{sampled="y"}` and the undecided spans that were kept. They are equal
/// right after a [`flush`](crate::JaegerTracer::flush) if no thread finishes spans meanwhile.
///
/// ```
/// use std::time::Duration;
/// use tracehound::JaegerTracer;
/// use tracehound::metrics::Counter;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(InMemoryReporter::new())
///     .build()?;
/// tracer.start_span("checkout").finish();
/// tracer.flush(Duration::from_secs(5));
/// let snapshot = tracer.metrics().snapshot();
/// assert_eq!(snapshot.get(Counter::FinishedSpansSampled), 1);
/// assert_eq!(snapshot.get(Counter::ReporterSpansOk), 1);
/// assert_eq!(snapshot.queue_length(), 0);
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone)]
pub struct MetricsSnapshot {
    counters: Vec<(Counter, u64)>,
    queue_length: u64,
}

impl MetricsSnapshot {
    /// Returns the value of one counter.
    pub fn get(&self, counter: Counter) -> u64 {
        let at = self.counters.get(counter as usize);
        at.map_or(0, |(_, value)| *value)
    }

    /// Returns every counter with its value, in the order of [`Counter::ALL`].
    pub fn counters(&self) -> &[(Counter, u64)] {
        &self.counters
    }

    /// Returns how many finished spans wait to be sent: the gauge `reporter_queue_length`.
    pub fn queue_length(&self) -> u64 {
        self.queue_length
    }

    pub(super) fn into_counters(self) -> Vec<(Counter, u64)> {
        self.counters
    }
}

impl fmt::Debug for MetricsSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moved = self.counters.iter().filter(|(_, value)| *value > 0);
        let counters = moved.map(|(counter, value)| (counter.to_string(), *value));
        let queue_length = (Metrics::QUEUE_LENGTH.to_owned(), self.queue_length);
        f.debug_map()
            .entries(counters.chain([queue_length]))
            .finish()
    }
}

/// The keeper of the account of finished spans: the tracer's worker.
pub(crate) trait Accounts: Send + Sync {
    /// Returns what has become of all finished spans.
    fn report(&self) -> FlushReport;
}

impl Metrics {
    /// The prefix of the names of the tracer's metrics, as in the other Jaeger clients.
    pub(crate) const PREFIX: &'static str = "jaeger_tracer_";
    /// The name of the gauge, without the prefix.
    pub(crate) const QUEUE_LENGTH: &'static str = "reporter_queue_length";
    pub(crate) const QUEUE_LENGTH_HELP: &'static str = "Finished spans that wait to be sent.";
    /// The name of the counter of lost spans by cause, which the other Jaeger clients do not have.
    const LOST_SPANS: &'static str = "tracehound_lost_spans";

    /// Returns all metrics as of now.
    pub fn snapshot(&self) -> MetricsSnapshot {
        // First, so that no more spans show as accounted for than have finished.
        let report = self.report();
        let counters = Counter::ALL.iter().map(|&counter| {
            let value = match counter.result() {
                Some(result) => report.by_result()[result],
                None => self.counted(counter),
            };
            (counter, value)
        });
        MetricsSnapshot {
            counters: counters.collect(),
            queue_length: report.queued,
        }
    }

    /// Returns all metrics in Prometheus' text format. [`MetricsPage`] joins them with others.
    ///
    /// ```
    /// use tracehound::JaegerTracer;
    /// use tracehound::prelude::*;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// let tracer = JaegerTracer::builder("shop").sampler(ConstSampler::new(false)).build()?;
    /// tracer.start_span("checkout").finish();
    /// let page = tracer.metrics().prometheus();
    /// assert!(page.contains("\njaeger_tracer_finished_spans_total{sampled=\"n\"} 1\n"));
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn prometheus(&self) -> String {
        MetricsPage::new(TextFormat::Prometheus).with(self).finish()
    }

    /// Returns all metrics in the text format of OpenMetrics.
    ///
    /// ```
    /// use tracehound::JaegerTracer;
    /// use tracehound::metrics::Counter;
    ///
    /// let metrics = JaegerTracer::builder("shop").build()?.metrics();
    /// assert!(metrics.open_metrics().ends_with("# EOF\n"));
    /// assert_eq!(metrics.snapshot().counters().len(), Counter::ALL.len());
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn open_metrics(&self) -> String {
        MetricsPage::new(TextFormat::OpenMetrics)
            .with(self)
            .finish()
    }

    /// Takes the account of finished spans. The first one counts.
    pub(crate) fn keep_accounts(&self, accounts: Weak<dyn Accounts>) {
        let _ = self.inner.accounts.set(accounts);
    }

    /// Keeps the last report of a worker that goes.
    pub(crate) fn settle(&self, report: FlushReport) {
        let mut last = self
            .inner()
            .last_report
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last = report;
    }

    /// Returns what has become of all finished spans.
    pub(super) fn report(&self) -> FlushReport {
        let accounts = self.inner.accounts.get().and_then(Weak::upgrade);
        match accounts {
            Some(accounts) => accounts.report(),
            None => *self
                .inner()
                .last_report
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Returns the value of a counter for a library that expects counters never to fall.
    ///
    /// A span that was sent may turn out to be lost: `reporter_spans{result="ok"}` then stays at its highest value
    /// until further spans are sent.
    pub(crate) fn exported(&self, counter: Counter, report: &FlushReport) -> u64 {
        match counter.result() {
            None => self.counted(counter),
            Some(result) => {
                let value = report.by_result()[result];
                let highest = &self.inner().exported[result];
                highest.fetch_max(value, Ordering::Relaxed).max(value)
            }
        }
    }

    /// Returns the number of lost spans for each cause of [`DropCause::ALL`], which never falls.
    fn exported_losses(&self, report: &FlushReport) -> impl Iterator<Item = u64> {
        let highest = &self.inner().exported_losses;
        DropCause::ALL.iter().zip(highest).map(|(cause, highest)| {
            let value = report.dropped.get(*cause);
            highest.fetch_max(value, Ordering::Relaxed).max(value)
        })
    }
}

/// Counters never fall on a page. A span that was sent and turns out to be lost counts as `err` too, and as `ok` until
/// further spans are sent.
impl MetricsSource for Metrics {
    fn write_to(&self, page: &mut MetricsPage) {
        let report = self.report();
        let mut names: Vec<&str> = Vec::new();
        for counter in Counter::ALL {
            if names.contains(&counter.name()) {
                continue;
            }
            names.push(counter.name());
            let same_name = Counter::ALL.iter().filter(|it| it.name() == counter.name());
            let series = same_name.map(|it| (it.labels(), self.exported(*it, &report)));
            let name = format!("{}{}", Self::PREFIX, counter.name());
            page.counter(&name, counter.help(), series);
        }
        let name = format!("{}{}", Self::PREFIX, Self::QUEUE_LENGTH);
        let queued = i64::try_from(report.queued).unwrap_or(i64::MAX);
        page.gauge(&name, Self::QUEUE_LENGTH_HELP, [(&[][..], queued)]);
        let labels = DropCause::ALL.iter().map(|it| [("cause", it.name())]);
        let labels: Vec<_> = labels.collect();
        let losses = self.exported_losses(&report);
        page.counter(
            Self::LOST_SPANS,
            "Finished sampled spans that were lost, by cause.",
            labels.iter().map(|it| &it[..]).zip(losses),
        );
    }
}

impl Counter {
    /// Returns a sentence about the metric: all counters of one name together.
    pub fn help(self) -> &'static str {
        match self.name() {
            "traces" => "Traces that began in this process or were joined by it.",
            "started_spans" => "Spans started.",
            "finished_spans" => "Spans finished.",
            "baggage_updates" => "Baggage items set or refused.",
            "sampler_queries" => "Requests for a sampling strategy.",
            "sampler_updates" => "Sampling strategies that were fetched.",
            "baggage_restrictions_updates" => "Requests for baggage restrictions.",
            "throttler_updates" => "Requests for credits for debug traces.",
            "reporter_spans" => "Finished sampled spans, by what became of them.",
            "weighed_traces" => {
                "Traces that a keeping sampler has weighed, by what became of them."
            }
            _ => {
                let documentation = self.documentation();
                let end = documentation.find(" (Ours").unwrap_or(documentation.len());
                documentation[..end].trim_ascii()
            }
        }
    }

    /// Returns the place of the counter in [`FlushReport::by_result`] if the worker's account tells its value.
    pub(super) fn result(self) -> Option<usize> {
        match self {
            Self::ReporterSpansOk => Some(0),
            Self::ReporterSpansErr => Some(1),
            Self::ReporterSpansDropped => Some(2),
            _ => None,
        }
    }
}

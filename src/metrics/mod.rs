//! What the tracer counts about itself, and what became of every span.
//!
//! # Have all spans been sent?
//!
//! A [`FlushReport`] accounts for every sampled span that was finished: sent, dropped and why, or waiting. `flush`,
//! `close` and `report` of the [`JaegerTracer`](crate::JaegerTracer) return one.
//!
//! ```
//! use std::time::Duration;
//! use tracehound::JaegerTracer;
//! use tracehound::metrics::DropCause;
//! use tracehound::prelude::*;
//! use tracehound::reporter::InMemoryReporter;
//! use tracehound::sampler::ConstSampler;
//!
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(ConstSampler::new(true))
//!     .reporter(InMemoryReporter::new())
//!     .build()?;
//! let late = tracer.start_span("checkout");
//! tracer.start_span("search").finish();
//! let report = tracer.close(Duration::from_secs(1));
//! assert!(report.is_complete());
//! assert_eq!(report.sent, 1);
//! late.finish();
//! assert_eq!(tracer.report().dropped.get(DropCause::AfterShutdown), 1);
//! # Ok::<(), tracehound::tracer::BuildError>(())
//! ```
//!
//! [`Metrics::losses`] has the same losses with the last reason of each cause and its time, and a scrape page has them
//! as `tracehound_lost_spans_total{cause="…"}`.
//!
//! # What else is counted?
//!
//! Each [`Counter`] has the name and the labels that Jaeger's Go client gives it, after `jaeger_tracer_`; counters that
//! only this crate has are marked "Ours". [`Metrics::get`] reads one, and [`Metrics::snapshot`] reads all, with the
//! length of the queue.
//!
//! The tracer counts about itself. What it can count about your program, how often an operation runs, fails and how
//! long it takes, is a matter of [observers](crate::observer).
//!
//! # How do I have it scraped?
//!
//! A [`MetricsPage`] is a string in Prometheus' format or that of OpenMetrics. Your web server returns it; the crate
//! opens no port for it.
//!
//! ```
//! use tracehound::JaegerTracer;
//! use tracehound::metrics::{MetricsPage, TextFormat};
//! use tracehound::observer::RedMetrics;
//!
//! /// Returns the content type and the body for a request with this `accept` header.
//! fn scrape(tracer: &JaegerTracer, red: &RedMetrics, accept: &str) -> (&'static str, String) {
//!     let format = TextFormat::of_accept(accept);
//!     let page = MetricsPage::new(format).with(&tracer.metrics()).with(red);
//!     (format.content_type(), page.finish())
//! }
//!
//! let red = RedMetrics::new();
//! let tracer = JaegerTracer::builder("shop").observer(red.clone()).build()?;
//! let (_, page) = scrape(&tracer, &red, "*/*");
//! assert!(page.contains("\njaeger_tracer_reporter_spans_total{result=\"ok\"} 0\n"));
//! # Ok::<(), tracehound::tracer::BuildError>(())
//! ```
//!
//! # How do I plug in a metrics library?
//!
//! By a [`MetricsFactory`], which [`TracerBuilder::metrics_factory`](crate::tracer::TracerBuilder::metrics_factory) or
//! [`Config::metrics_factory`](crate::Config::metrics_factory) takes. For the crate `metrics` there is `FacadeMetrics`
//! (feature `metrics`), for tests [`InMemoryMetrics`], and one of your own has three methods.
//!
//! # What does each cost?
//!
//! - A counter costs a span one or two additions in a block that only its thread writes. A reading adds the blocks up
//!   under a lock.
//! - A scrape page costs spans nothing.
//! - A metrics factory costs spans nothing: the worker hands over what has changed, once each flush interval.
//! - [`RedMetrics`](crate::observer::RedMetrics) costs a span about thirty nanoseconds, and one that is not sampled also
//!   a look at the clock. It holds about 300 bytes for each operation and thread.
//! - [`RpcMetrics`](crate::observer::RpcMetrics) costs a server span two or three calls into the metrics library.

#[cfg(feature = "metrics")]
mod facade;
mod factory;
mod in_memory;
mod ledger;
mod losses;
mod page;
mod snapshot;
mod text_format;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

#[cfg(feature = "metrics")]
pub use facade::FacadeMetrics;
pub use factory::{CounterHandle, GaugeHandle, MetricName, MetricsFactory, TimerHandle};
pub use in_memory::{InMemoryMetrics, TimerValue};
pub(crate) use ledger::Ledger;
pub use ledger::{DropCause, DropCounts, FlushReport};
pub use losses::{LastLoss, Loss};
pub use page::{Exemplar, HistogramView, Labels, MetricsPage, MetricsSource};
pub(crate) use snapshot::Accounts;
pub use snapshot::MetricsSnapshot;
pub use text_format::TextFormat;

use crate::metrics::losses::LastLosses;
use crate::sync::PerProcess;

/// The counters of one tracer. Cheap to clone. In a forked child they begin from zero.
///
/// ```
/// use tracehound::metrics::Counter;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
/// use tracehound::JaegerTracer;
///
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(InMemoryReporter::new())
///     .build()?;
/// tracer.start_span("checkout").finish();
/// assert_eq!(tracer.metrics().get(Counter::StartedSpansSampled), 1);
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Shared>,
}

struct Shared {
    process: PerProcess<Inner>,
    /// The account of finished spans, which the worker keeps.
    accounts: OnceLock<Weak<dyn Accounts>>,
}

#[derive(Default)]
struct Inner {
    shared: CounterBlock,
    /// The last report of a tracer that is gone.
    last_report: Mutex<FlushReport>,
    /// The highest values of `reporter_spans` that were exported.
    exported: [AtomicU64; 3],
    /// The highest numbers of lost spans that were exported, by cause.
    exported_losses: [AtomicU64; DropCause::ALL.len()],
    threads: Mutex<Vec<Weak<CounterBlock>>>,
    last_losses: Mutex<LastLosses>,
}

impl Metrics {
    /// Returns the value of one counter.
    pub fn get(&self, counter: Counter) -> u64 {
        match counter.result() {
            Some(result) => self.report().by_result()[result],
            None => self.counted(counter),
        }
    }

    /// Returns every counter with its value, in the order of [`Counter::ALL`]. [`snapshot`](Self::snapshot) returns the
    /// gauge too.
    ///
    /// ```
    /// use tracehound::metrics::{Counter, Metrics};
    ///
    /// let metrics = Metrics::default();
    /// metrics.add(Counter::DecodingErrors, 1);
    /// let counted: Vec<_> = metrics.iter().filter(|(_, count)| *count > 0).collect();
    /// assert_eq!(counted, [(Counter::DecodingErrors, 1)]);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (Counter, u64)> + '_ {
        self.snapshot().into_counters().into_iter()
    }

    /// Returns how often something was counted by all threads.
    fn counted(&self, counter: Counter) -> u64 {
        // Under the lock, so that a block that retires meanwhile is counted exactly once.
        let mut threads = self.inner().threads();
        threads.retain(|block| block.strong_count() > 0);
        let local: u64 = threads
            .iter()
            .filter_map(Weak::upgrade)
            .map(|block| block.get(counter))
            .sum();
        local + self.inner().shared.get(counter)
    }

    /// Adds `n` to a counter, by one atomic addition that all threads share. For a sampler, codec, reporter or sender
    /// that counts something rare.
    ///
    /// ```
    /// use tracehound::metrics::{Counter, Metrics};
    ///
    /// let metrics = Metrics::default();
    /// metrics.add(Counter::BaggageItemsSkipped, 2);
    /// assert_eq!(metrics.get(Counter::BaggageItemsSkipped), 2);
    /// ```
    pub fn add(&self, counter: Counter, n: u64) {
        self.inner().shared.add(counter, n);
    }

    /// Returns what was lost, by cause, and why last.
    ///
    /// ```
    /// use tracehound::metrics::Metrics;
    ///
    /// for loss in Metrics::default().losses() {
    ///     println!("{} spans lost as {}", loss.spans, loss.cause);
    /// }
    /// ```
    pub fn losses(&self) -> Vec<Loss> {
        let counts = self.report().dropped;
        self.inner().last_losses().losses(&counts)
    }

    /// Notes that spans were lost just now. The reason is asked for once a second.
    pub(crate) fn note_loss(&self, cause: DropCause, reason: impl FnOnce() -> String) {
        if !self.inner().last_losses().note(cause) {
            // Not under the lock: the sender of a user may be asked.
            let reason = reason();
            self.inner().last_losses().note_reason(cause, reason);
        }
    }

    /// Makes a block in which one thread counts; [`Metrics::retire`] takes it back.
    pub(crate) fn register(&self) -> Arc<CounterBlock> {
        let block = Arc::new(CounterBlock::default());
        let mut threads = self.inner().threads();
        threads.retain(|block| block.strong_count() > 0);
        threads.push(Arc::downgrade(&block));
        block
    }

    /// Adds the counts of a thread to the shared counters and forgets its block.
    pub(crate) fn retire(&self, block: &Arc<CounterBlock>) {
        let mut threads = self.inner().threads();
        let before = threads.len();
        threads.retain(|known| known.as_ptr() != Arc::as_ptr(block));
        if threads.len() < before {
            for &counter in Counter::ALL {
                self.inner().shared.add(counter, block.get(counter));
            }
        }
    }
}

impl Metrics {
    fn inner(&self) -> &Inner {
        self.inner.process.get(|_| Inner::default())
    }
}

impl Inner {
    fn last_losses(&self) -> MutexGuard<'_, LastLosses> {
        let losses = self.last_losses.lock();
        losses.unwrap_or_else(PoisonError::into_inner)
    }

    fn threads(&self) -> MutexGuard<'_, Vec<Weak<CounterBlock>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            inner: Arc::new(Shared {
                process: PerProcess::new(Inner::default()),
                accounts: OnceLock::new(),
            }),
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moved = self.iter().filter(|(_, value)| *value > 0);
        f.debug_map()
            .entries(moved.map(|(counter, value)| (counter.to_string(), value)))
            .finish()
    }
}

/// The values of all counters, as one thread has counted them.
pub(crate) struct CounterBlock([AtomicU64; Counter::ALL.len()]);

impl Default for CounterBlock {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; Counter::ALL.len()])
    }
}

impl CounterBlock {
    /// Adds one. Only the thread that owns the block calls it.
    #[inline(always)]
    pub(crate) fn count(&self, counter: Counter) {
        let value = &self.0[counter as usize];
        value.store(
            value.load(Ordering::Relaxed).wrapping_add(1),
            Ordering::Relaxed,
        );
    }

    fn add(&self, counter: Counter, n: u64) {
        if n > 0 {
            self.0[counter as usize].fetch_add(n, Ordering::Relaxed);
        }
    }

    fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize].load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal $labels:expr;)*) => {
        /// Something that the tracer counts. Its `Display` and adapters show the name and the labels.
        ///
        /// ```
        /// use tracehound::metrics::Counter;
        ///
        /// let counter = Counter::FinishedSpansSampled;
        /// assert_eq!((counter.name(), counter.labels()), ("finished_spans", &[("sampled", "y")][..]));
        /// assert_eq!(counter.help(), "Spans finished.");
        /// assert!(Counter::ALL.contains(&counter));
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Counter {
            $($(#[doc = $doc])* $variant,)*
        }

        impl Counter {
            /// Every counter. A later version may have more.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the name, without `jaeger_tracer_` before it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns the labels, as pairs of name and value.
            pub const fn labels(self) -> &'static [(&'static str, &'static str)] {
                match self { $(Self::$variant => &$labels,)* }
            }

            /// Returns the text of the variant's documentation.
            const fn documentation(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),*),)* }
            }
        }
    };
}

counters! {
    /// New roots that are sampled.
    TracesStartedSampled = "traces" [("state", "started"), ("sampled", "y")];
    /// New roots that are not sampled.
    TracesStartedUnsampled = "traces" [("state", "started"), ("sampled", "n")];
    /// New roots that the sampler has not decided about. (Ours: the Go client counts them with the ones above.)
    TracesStartedDelayed = "traces" [("state", "started"), ("sampled", "delayed")];
    /// Server spans that joined a sampled trace from another process.
    TracesJoinedSampled = "traces" [("state", "joined"), ("sampled", "y")];
    /// Server spans that joined a trace that is not sampled.
    TracesJoinedUnsampled = "traces" [("state", "joined"), ("sampled", "n")];
    /// Spans started, sampled.
    StartedSpansSampled = "started_spans" [("sampled", "y")];
    /// Spans started, not sampled.
    StartedSpansUnsampled = "started_spans" [("sampled", "n")];
    /// Spans started, undecided.
    StartedSpansDelayed = "started_spans" [("sampled", "delayed")];
    /// Spans finished, sampled.
    FinishedSpansSampled = "finished_spans" [("sampled", "y")];
    /// Spans finished, not sampled.
    FinishedSpansUnsampled = "finished_spans" [("sampled", "n")];
    /// Spans finished, undecided.
    FinishedSpansDelayed = "finished_spans" [("sampled", "delayed")];
    /// Extractions that found a malformed context, one for each call.
    DecodingErrors = "span_context_decoding_errors" [];
    /// Contexts that were not written whole, baggage aside: no codec knows the carrier, or the carrier refuses a
    /// header. (Ours.)
    EncodingErrors = "span_context_encoding_errors" [];
    /// Baggage items set.
    BaggageUpdatesOk = "baggage_updates" [("result", "ok")];
    /// Baggage items refused.
    BaggageUpdatesErr = "baggage_updates" [("result", "err")];
    /// Baggage values cut.
    BaggageTruncations = "baggage_truncations" [];
    /// Baggage items that a carrier could not hold, or that were beyond a limit when they were extracted. (Ours.)
    BaggageItemsSkipped = "baggage_items_skipped" [];
    /// Carriers with several contexts that disagree. (Ours.)
    PropagationConflicts = "propagation_conflicts" [];
    /// Sampling strategies fetched.
    SamplerQueriesOk = "sampler_queries" [("result", "ok")];
    /// Sampling strategies that could not be fetched.
    SamplerQueriesErr = "sampler_queries" [("result", "err")];
    /// Sampling strategies that changed the sampler.
    SamplerUpdatesOk = "sampler_updates" [("result", "ok")];
    /// Sampling strategies that were fetched and could not be used.
    SamplerUpdatesErr = "sampler_updates" [("result", "err")];
    /// Lists of baggage restrictions fetched.
    BaggageRestrictionsUpdatesOk = "baggage_restrictions_updates" [("result", "ok")];
    /// Lists of baggage restrictions that could not be fetched or used.
    BaggageRestrictionsUpdatesErr = "baggage_restrictions_updates" [("result", "err")];
    /// Requests for a debug trace that the throttler has denied.
    ThrottledDebugSpans = "throttled_debug_spans" [];
    /// Credits for debug traces fetched.
    ThrottlerUpdatesOk = "throttler_updates" [("result", "ok")];
    /// Credits for debug traces that could not be fetched.
    ThrottlerUpdatesErr = "throttler_updates" [("result", "err")];
    /// Tag values, log fields and names that were cut at a limit, or to fit into a packet. (Ours.)
    TruncatedValues = "truncated_values" [];
    /// Tags, log fields and records left out because the span was full or too large for a packet, or came too late,
    /// after the middleware had ended the span. (Ours.)
    DroppedItems = "dropped_items" [];
    /// Times that were moved: starts, ends and log times before 1970 or after February 2116 to the nearest of these,
    /// and ends before their start to the start. (Ours.)
    ClampedTimes = "clamped_times" [];
    /// Calls of `finish` on a span that had finished. (Ours.)
    FinishedTwice = "finished_twice" [];
    /// Spans that were made smaller to fit into a packet. (Ours.)
    DegradedSpans = "degraded_spans" [];
    /// Panics of user code that the tracer has called and caught. (Ours.)
    CallbackPanics = "callback_panics" [];
    /// Sampled spans that were handed over, as of the last flush.
    ReporterSpansOk = "reporter_spans" [("result", "ok")];
    /// Sampled spans that the reporter lost: not sent, refused, or too large. [`DropCause`] tells the reasons.
    ReporterSpansErr = "reporter_spans" [("result", "err")];
    /// Sampled spans that never reached the reporter: the queue was full, the tracer was closed, there was no worker,
    /// or their trace was never decided.
    ReporterSpansDropped = "reporter_spans" [("result", "dropped")];
    /// Traces that a [`KeepSampler`](crate::sampler::KeepSampler) has weighed and kept because a span failed. (Ours.)
    WeighedTracesError = "weighed_traces" [("result", "error")];
    /// Weighed traces kept because they were slow. (Ours.)
    WeighedTracesSlow = "weighed_traces" [("result", "slow")];
    /// Weighed traces kept because of a rule. (Ours.)
    WeighedTracesRule = "weighed_traces" [("result", "rule")];
    /// Weighed traces let go because there was no reason to keep them. (Ours.)
    WeighedTracesLetGo = "weighed_traces" [("result", "let_go")];
    /// Weighed traces let go because more were kept already than the limits allow. (Ours.)
    WeighedTracesLimited = "weighed_traces" [("result", "limited")];
}

impl fmt::Display for Counter {
    /// Writes `name{label="value",…}`, as Prometheus does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        MetricName::new(self.name(), self.labels(), "").fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retire_counts_a_block_once() {
        let metrics = Metrics::default();
        let block = metrics.register();
        block.count(Counter::StartedSpansSampled);
        assert_eq!(metrics.get(Counter::StartedSpansSampled), 1);
        metrics.retire(&block);
        metrics.retire(&block);
        assert_eq!(metrics.get(Counter::StartedSpansSampled), 1);
    }

    #[test]
    fn counters_print_as_prometheus_writes_them() {
        assert_eq!(
            Counter::TracesStartedSampled.to_string(),
            r#"traces{state="started",sampled="y"}"#
        );
        assert_eq!(
            Counter::DecodingErrors.to_string(),
            "span_context_decoding_errors"
        );
    }
}

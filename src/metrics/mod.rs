//! What the tracer counts about itself.
//!
//! The names and labels are those of Jaeger's Go client (`jaeger_tracer_<name>`); a few of our own are added
//! and marked so. Everything is readable in process by [`Metrics::get`] and [`Metrics::iter`].
//!
//! Counting is free of shared writes on the hot path: each thread has a block of counters that it alone
//! writes, and a reader adds the blocks up.

mod ledger;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

pub(crate) use ledger::Ledger;
pub use ledger::{DropCause, DropCounts, FlushReport};

use crate::sync::PerProcess;

/// The counters of one tracer. Cheap to clone. In the child of a `fork` they begin from zero.
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
    inner: Arc<PerProcess<Inner>>,
}

#[derive(Default)]
struct Inner {
    shared: CounterBlock,
    threads: Mutex<Vec<Weak<CounterBlock>>>,
}

impl Metrics {
    /// The value of one counter now.
    pub fn get(&self, counter: Counter) -> u64 {
        // Under the lock, so that a block that retires is counted exactly once.
        let mut threads = self.inner().threads();
        threads.retain(|block| block.strong_count() > 0);
        let local: u64 = threads
            .iter()
            .filter_map(Weak::upgrade)
            .map(|block| block.get(counter))
            .sum();
        local + self.inner().shared.get(counter)
    }

    /// Every counter with its value now, in the order of [`Counter::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Counter, u64)> + '_ {
        Counter::ALL
            .iter()
            .map(|&counter| (counter, self.get(counter)))
    }

    /// Adds `n` to a counter. For a part of the tracer that counts something rare: one atomic addition that all threads
    /// share.
    pub fn add(&self, counter: Counter, n: u64) {
        self.inner().shared.add(counter, n);
    }

    /// A block for the calling thread to count in; [`Metrics::retire`] takes it back.
    pub(crate) fn register(&self) -> Arc<CounterBlock> {
        let block = Arc::new(CounterBlock::default());
        let mut threads = self.inner().threads();
        threads.retain(|block| block.strong_count() > 0);
        threads.push(Arc::downgrade(&block));
        block
    }

    /// Adds what a thread has counted to the shared counters and forgets its block.
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
        self.inner.get(|_| Inner::default())
    }
}

impl Inner {
    fn threads(&self) -> MutexGuard<'_, Vec<Weak<CounterBlock>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            inner: Arc::new(PerProcess::new(Inner::default())),
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

/// One value a counter.
#[derive(Default)]
pub(crate) struct CounterBlock([AtomicU64; Counter::ALL.len()]);

impl CounterBlock {
    /// Adds one; only for the thread that owns the block.
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
    ($($(#[$doc:meta])* $variant:ident = $name:literal $labels:expr;)*) => {
        /// What is counted. The name and the labels are what `Display` and an adapter show.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Counter {
            $($(#[$doc])* $variant,)*
        }

        impl Counter {
            /// Every counter. A later version may have more.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name, without the `jaeger_tracer_` in front.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The labels, as pairs of name and value.
            pub const fn labels(self) -> &'static [(&'static str, &'static str)] {
                match self { $(Self::$variant => &$labels,)* }
            }
        }
    };
}

counters! {
    /// New roots that are sampled.
    TracesStartedSampled = "traces" [("state", "started"), ("sampled", "y")];
    /// New roots that are not.
    TracesStartedUnsampled = "traces" [("state", "started"), ("sampled", "n")];
    /// New roots on which the sampler has not decided. (Our addition: the Go client mixes them with the ones above.)
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
    /// Extractions that met a malformed context, one a call.
    DecodingErrors = "span_context_decoding_errors" [];
    /// Contexts that were not written because no codec knows the carrier. (Ours.)
    EncodingErrors = "span_context_encoding_errors" [];
    /// Baggage items set.
    BaggageUpdatesOk = "baggage_updates" [("result", "ok")];
    /// Baggage items refused.
    BaggageUpdatesErr = "baggage_updates" [("result", "err")];
    /// Baggage values cut.
    BaggageTruncations = "baggage_truncations" [];
    /// Baggage items that a carrier could not hold, or beyond a limit on extraction. (Ours.)
    BaggageItemsSkipped = "baggage_items_skipped" [];
    /// Carriers with several contexts that disagree. (Ours.)
    PropagationConflicts = "propagation_conflicts" [];
    /// Tag values, log fields and names that were cut at their limit or to fit into a packet. (Ours.)
    TruncatedValues = "truncated_values" [];
    /// Tags, log fields and records left out because the span was full or too large for a packet, or came too late, after
    /// the middleware had ended the span. (Ours.)
    DroppedItems = "dropped_items" [];
    /// Starts, ends and log times that were moved: those before 1970 or after February 2116 to the nearest time within,
    /// ends before their start to the start. (Ours.)
    ClampedTimes = "clamped_times" [];
    /// Calls of `finish` on a span that was finished. (Ours.)
    FinishedTwice = "finished_twice" [];
    /// Spans that were made smaller to fit into a packet. (Ours.)
    DegradedSpans = "degraded_spans" [];
    /// Panics of user code that we called and caught. (Ours.)
    CallbackPanics = "callback_panics" [];
}

impl fmt::Display for Counter {
    /// `name{label="value",…}`, as Prometheus writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        for (n, (label, value)) in self.labels().iter().enumerate() {
            write!(f, "{}{label}={value:?}", if n == 0 { "{" } else { "," })?;
        }
        if self.labels().is_empty() {
            Ok(())
        } else {
            f.write_str("}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retired_block_is_counted_once() {
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

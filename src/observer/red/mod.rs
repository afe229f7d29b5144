//! The rate, the errors and the durations of all spans, by operation.

mod bounds;
mod registry;
mod series;
mod shared;
mod static_names;
mod table;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::metrics::{Exemplar, HistogramView, MetricsPage, MetricsSource};
use crate::model::SpanKind;
use crate::observer::red::bounds::Bounds;
use crate::observer::red::series::{Key, Totals};
use crate::observer::red::shared::Shared;
use crate::observer::{ObservedSpan, SpanObserver};

/// An observer that counts every span, sampled or not: how many there were, how many failed, and how long they took, by
/// operation and kind. Cheap to clone; clones share everything.
///
/// ```
/// use std::time::Duration;
/// use tracehound::JaegerTracer;
/// use tracehound::metrics::{MetricsPage, TextFormat};
/// use tracehound::model::SpanKind;
/// use tracehound::observer::RedMetrics;
/// use tracehound::prelude::*;
/// use tracehound::sampler::ConstSampler;
///
/// let red = RedMetrics::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(false)) // no trace is kept
///     .observer(red.clone())
///     .build()?;
/// for user in ["ada", "bob"] {
///     let span = tracer.build_span("GET /cart").tag("span.kind", "server").start();
///     span.set_tag("error", user == "bob");
/// }
/// let cart = red.get("GET /cart", Some(SpanKind::Server)).expect("was counted");
/// assert_eq!((cart.count(), cart.errors), (2, 1));
///
/// let page = MetricsPage::new(TextFormat::Prometheus).with(&red).finish();
/// let line = r#"tracehound_span_errors_total{operation="GET /cart",span_kind="server"} 1"#;
/// assert!(page.contains(line));
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
///
/// # What is on the page?
///
/// `tracehound_span_duration_seconds`, a histogram, and `tracehound_span_errors_total`, a counter, with the labels
/// `operation` (the name at the end of the span) and `span_kind` (`internal` for a span without one). On a page of
/// OpenMetrics the buckets have exemplars: the first kept trace of each bucket since the last reading. A trace that is
/// still undecided when its span ends is no exemplar.
///
/// # How exact is it?
///
/// Each thread counts for itself, and a reading adds the threads up: no span is missed, and none is counted twice. In a
/// forked child all counts begin from zero.
///
/// # What does it cost?
///
/// Memory is bounded: at most [200 names](Self::max_operations) have series of their own, and all others are counted as
/// `other`. Of a name the first 256 bytes count. A series takes about 300 bytes for each thread that counts in it.
#[derive(Clone)]
pub struct RedMetrics {
    shared: Arc<Shared>,
}

/// The counts of the spans of one operation and kind.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::observer::RedMetrics;
/// use tracehound::prelude::*;
///
/// let red = RedMetrics::new();
/// let tracer = JaegerTracer::builder("shop").observer(red.clone()).build()?;
/// tracer.start_span("pay").set_tag("error", true);
/// tracer.start_span("pay").finish();
///
/// let pay = red.get("pay", None).expect("was counted");
/// assert_eq!((pay.operation.as_str(), pay.kind), ("pay", None));
/// assert_eq!((pay.count(), pay.errors), (2, 1));
/// assert_eq!(pay.buckets.iter().sum::<u64>(), pay.count());
/// let mean = pay.total / 2;
/// assert!(mean < *red.bounds().last().expect("16 bounds"));
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OperationMetrics {
    /// The name of the operation, or `other`.
    pub operation: String,
    /// The kind of the spans.
    pub kind: Option<SpanKind>,
    /// How many of the spans failed.
    pub errors: u64,
    /// The sum of their durations.
    pub total: Duration,
    /// The number of spans in each bucket. The buckets are those of [`RedMetrics::bounds`], and one for longer spans.
    pub buckets: Vec<u64>,
    /// A kept trace for each bucket that has one.
    pub exemplars: Vec<Option<Exemplar>>,
}

impl OperationMetrics {
    /// Returns how many spans have finished.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

impl RedMetrics {
    /// The upper bounds of the buckets, if no others are set: from 100 µs to 10 s.
    pub const DEFAULT_BOUNDS: [Duration; 16] = [
        Duration::from_micros(100),
        Duration::from_micros(250),
        Duration::from_micros(500),
        Duration::from_millis(1),
        Duration::from_micros(2_500),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(25),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(250),
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_millis(2_500),
        Duration::from_secs(5),
        Duration::from_secs(10),
    ];

    /// Makes an observer that has counted nothing.
    pub fn new() -> Self {
        Self::with_parts(Bounds::new(&Self::DEFAULT_BOUNDS), DEFAULT_MAX_OPERATIONS)
    }

    /// Sets the upper bounds of the buckets, in any order. At most 63 count, the lowest ones.
    ///
    /// The result counts from zero. Defaults to [`DEFAULT_BOUNDS`](Self::DEFAULT_BOUNDS).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::observer::RedMetrics;
    ///
    /// let red = RedMetrics::new().buckets(&[1, 10, 100].map(Duration::from_millis));
    /// assert_eq!(red.bounds().len(), 3);
    /// ```
    #[must_use]
    pub fn buckets(self, bounds: &[Duration]) -> Self {
        Self::with_parts(Bounds::new(bounds), self.shared.max_operations)
    }

    /// Sets how many names of operations have series of their own: those that come first. All others are `other`.
    ///
    /// The result counts from zero. Defaults to 200.
    ///
    /// ```
    /// use tracehound::JaegerTracer;
    /// use tracehound::observer::RedMetrics;
    /// use tracehound::prelude::*;
    ///
    /// let red = RedMetrics::new().max_operations(1);
    /// assert_eq!(red.bounds(), RedMetrics::DEFAULT_BOUNDS);
    /// let tracer = JaegerTracer::builder("shop").observer(red.clone()).build()?;
    /// for name in ["pay", "search", "ship"] {
    ///     tracer.start_span(name).finish();
    /// }
    /// assert_eq!(red.get("other", None).map(|it| it.count()), Some(2));
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    #[must_use]
    pub fn max_operations(self, names: usize) -> Self {
        Self::with_parts(Bounds::new(self.bounds()), names)
    }

    fn with_parts(bounds: Bounds, max_operations: usize) -> Self {
        Self {
            shared: Arc::new(Shared::new(bounds, max_operations)),
        }
    }

    /// Returns the upper bounds of the buckets, in rising order.
    pub fn bounds(&self) -> &[Duration] {
        self.shared.bounds.durations()
    }

    /// Returns the counts of every operation and kind, sorted by these.
    ///
    /// ```
    /// use tracehound::JaegerTracer;
    /// use tracehound::observer::RedMetrics;
    /// use tracehound::prelude::*;
    ///
    /// let red = RedMetrics::new();
    /// let tracer = JaegerTracer::builder("shop").observer(red.clone()).build()?;
    /// for name in ["pay", "search", "pay"] {
    ///     tracer.start_span(name).finish();
    /// }
    /// let counts = red.snapshot().into_iter().map(|it| (it.count(), it.operation));
    /// assert!(counts.eq([(2, "pay".to_owned()), (1, "search".to_owned())]));
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn snapshot(&self) -> Vec<OperationMetrics> {
        let mut by_name = std::collections::BTreeMap::<_, Totals>::new();
        for (Key { operation, kind }, totals) in self.shared.registry().totals() {
            // An operation may be called `other` itself.
            let operation = operation.map_or_else(|| OTHER.to_owned(), |name| name.to_string());
            by_name.entry((operation, kind)).or_default().merge(&totals);
        }
        by_name
            .into_iter()
            .map(|((operation, kind), totals)| OperationMetrics {
                operation,
                kind,
                errors: totals.errors,
                total: Duration::from_nanos(totals.nanos),
                buckets: totals.buckets,
                exemplars: totals.exemplars,
            })
            .collect()
    }

    /// Returns the counts of one operation and kind, or `None` if it has finished no span, or is counted as `other`.
    pub fn get(&self, operation: &str, kind: Option<SpanKind>) -> Option<OperationMetrics> {
        let mut all = self.snapshot().into_iter();
        all.find(|it| it.operation == operation && it.kind == kind)
    }
}

impl SpanObserver for RedMetrics {
    fn on_finish(&self, span: &ObservedSpan<'_>) {
        if !table::count(&self.shared, span) {
            let key = Key {
                operation: self.shared.admit(table::cut(span.operation_name())),
                kind: span.kind(),
            };
            let registry = self.shared.registry();
            registry.count_homeless(key, span, &self.shared.bounds);
        }
    }
}

impl MetricsSource for RedMetrics {
    fn write_to(&self, page: &mut MetricsPage) {
        let operations = self.snapshot();
        let labels: Vec<_> = operations
            .iter()
            .map(|it| {
                let kind = it.kind.map_or("internal", SpanKind::name);
                [("operation", &*it.operation), ("span_kind", kind)]
            })
            .collect();
        let series = || operations.iter().zip(&labels);
        page.histogram(
            "tracehound_span_duration_seconds",
            "Durations of all finished spans, sampled or not.",
            series().map(|(it, labels)| {
                let histogram = HistogramView {
                    bounds: self.bounds(),
                    counts: &it.buckets,
                    sum: it.total,
                    exemplars: &it.exemplars,
                };
                (&labels[..], histogram)
            }),
        );
        page.counter(
            "tracehound_span_errors",
            "Finished spans that have failed, sampled or not.",
            series().map(|(it, labels)| (&labels[..], it.errors)),
        );
    }
}

impl Default for RedMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RedMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operations = self.snapshot();
        let counts = operations
            .iter()
            .map(|it| ((&it.operation, it.kind), (it.count(), it.errors)));
        f.debug_map().entries(counts).finish()
    }
}

/// The name under which operations beyond the limit are counted.
const OTHER: &str = "other";
const DEFAULT_MAX_OPERATIONS: usize = 200;

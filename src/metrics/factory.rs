//! The seam to a metrics library: a factory that makes counters, gauges and timers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A maker of metrics in the library that a program uses. The tracer hands it what it counts about itself.
///
/// Two factories come with the crate: [`InMemoryMetrics`](super::InMemoryMetrics) and, with the feature `metrics`,
/// `FacadeMetrics` for the recorder of the crate `metrics`. One of your own takes three methods:
///
/// ```
/// use std::time::Duration;
/// use tracehound::JaegerTracer;
/// use tracehound::metrics::{
///     CounterHandle, GaugeHandle, MetricName, MetricsFactory, TimerHandle,
/// };
///
/// /// Writes each change as a line.
/// struct Lines;
/// struct Line(String);
///
/// impl MetricsFactory for Lines {
///     fn counter(&self, name: &MetricName<'_>) -> Box<dyn CounterHandle> {
///         Box::new(Line(name.to_string()))
///     }
///
///     fn gauge(&self, name: &MetricName<'_>) -> Box<dyn GaugeHandle> {
///         Box::new(Line(name.to_string()))
///     }
///
///     fn timer(&self, name: &MetricName<'_>) -> Box<dyn TimerHandle> {
///         Box::new(Line(name.to_string()))
///     }
/// }
///
/// impl CounterHandle for Line {
///     fn add(&self, n: u64) {
///         println!("{} +{n}", self.0);
///     }
/// }
///
/// impl GaugeHandle for Line {
///     fn set(&self, value: i64) {
///         println!("{} ={value}", self.0);
///     }
/// }
///
/// impl TimerHandle for Line {
///     fn record(&self, duration: Duration) {
///         println!("{} {duration:?}", self.0);
///     }
/// }
///
/// let tracer = JaegerTracer::builder("shop").metrics_factory(Lines).build()?;
/// # drop(tracer);
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
///
/// # When is it called?
///
/// No span waits for it. The handles are made when the tracer is built. Its worker hands over what has changed at each
/// flush interval, at a [`flush`](crate::JaegerTracer::flush) and at the [`close`](crate::JaegerTracer::close). After
/// these two everything up to the call has been handed over. A panic is caught and counted
/// ([`Counter::CallbackPanics`](super::Counter::CallbackPanics)).
///
/// A forked child asks the factory for handles of its own.
pub trait MetricsFactory: Send + Sync {
    /// Makes a counter, or returns the one with this name and these labels.
    fn counter(&self, name: &MetricName<'_>) -> Box<dyn CounterHandle>;

    /// Makes a gauge, or returns the one with this name and these labels.
    fn gauge(&self, name: &MetricName<'_>) -> Box<dyn GaugeHandle>;

    /// Makes a timer, or returns the one with this name and these labels.
    fn timer(&self, name: &MetricName<'_>) -> Box<dyn TimerHandle>;
}

/// A counter of a [`MetricsFactory`].
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use tracehound::metrics::CounterHandle;
///
/// /// A counter in a static of the program.
/// struct Static(&'static AtomicU64);
///
/// impl CounterHandle for Static {
///     fn add(&self, n: u64) {
///         self.0.fetch_add(n, Ordering::Relaxed);
///     }
/// }
///
/// static SPANS: AtomicU64 = AtomicU64::new(0);
/// Static(&SPANS).add(3);
/// assert_eq!(SPANS.load(Ordering::Relaxed), 3);
/// ```
pub trait CounterHandle: Send + Sync {
    /// Adds to the counter.
    fn add(&self, n: u64);
}

/// A gauge of a [`MetricsFactory`].
///
/// ```
/// use std::sync::atomic::{AtomicI64, Ordering};
/// use tracehound::metrics::GaugeHandle;
///
/// /// A gauge in a static of the program.
/// struct Static(&'static AtomicI64);
///
/// impl GaugeHandle for Static {
///     fn set(&self, value: i64) {
///         self.0.store(value, Ordering::Relaxed);
///     }
/// }
///
/// static QUEUE: AtomicI64 = AtomicI64::new(0);
/// Static(&QUEUE).set(7);
/// assert_eq!(QUEUE.load(Ordering::Relaxed), 7);
/// ```
pub trait GaugeHandle: Send + Sync {
    /// Replaces the value.
    fn set(&self, value: i64);
}

/// A timer of a [`MetricsFactory`]: a histogram or summary of durations.
///
/// ```
/// use std::time::Duration;
/// use tracehound::metrics::{InMemoryMetrics, MetricName, MetricsFactory, TimerHandle};
///
/// /// Leaves out what is too short to matter.
/// struct LongOnes(Box<dyn TimerHandle>);
///
/// impl TimerHandle for LongOnes {
///     fn record(&self, duration: Duration) {
///         if duration >= Duration::from_millis(1) {
///             self.0.record(duration);
///         }
///     }
/// }
///
/// let metrics = InMemoryMetrics::new();
/// let timer = LongOnes(metrics.timer(&MetricName::new("wait", &[], "Time in the queue.")));
/// timer.record(Duration::from_micros(3));
/// timer.record(Duration::from_secs(3));
/// assert_eq!(metrics.timer_value("wait", &[]).count, 1);
/// ```
pub trait TimerHandle: Send + Sync {
    /// Records one duration.
    fn record(&self, duration: Duration);
}

impl fmt::Debug for dyn MetricsFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricsFactory")
    }
}

impl<F: MetricsFactory + ?Sized> MetricsFactory for Arc<F> {
    fn counter(&self, name: &MetricName<'_>) -> Box<dyn CounterHandle> {
        (**self).counter(name)
    }

    fn gauge(&self, name: &MetricName<'_>) -> Box<dyn GaugeHandle> {
        (**self).gauge(name)
    }

    fn timer(&self, name: &MetricName<'_>) -> Box<dyn TimerHandle> {
        (**self).timer(name)
    }
}

/// The name of a metric, its labels, and a sentence about it.
///
/// It prints as Prometheus shows it:
///
/// ```
/// use tracehound::metrics::MetricName;
///
/// let labels = [("state", "started"), ("sampled", "y")];
/// let name = MetricName::new("jaeger_tracer_traces", &labels, "New roots.");
/// assert_eq!(name.to_string(), r#"jaeger_tracer_traces{state="started",sampled="y"}"#);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MetricName<'a> {
    /// The name, such as `jaeger_tracer_traces`. The name of a counter goes without `_total`.
    pub name: &'a str,
    /// Names and values of labels.
    pub labels: &'a [(&'a str, &'a str)],
    /// A sentence about the measured quantity.
    pub help: &'a str,
}

impl<'a> MetricName<'a> {
    /// Joins the three.
    pub fn new(name: &'a str, labels: &'a [(&'a str, &'a str)], help: &'a str) -> Self {
        Self { name, labels, help }
    }
}

impl fmt::Display for MetricName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        write_labels(f, self.labels)
    }
}

/// Writes `{label="value",…}`, or nothing if there are no labels.
pub(super) fn write_labels(f: &mut fmt::Formatter<'_>, labels: &[(&str, &str)]) -> fmt::Result {
    for (n, (label, value)) in labels.iter().enumerate() {
        write!(f, "{}{label}={value:?}", if n == 0 { "{" } else { "," })?;
    }
    if labels.is_empty() {
        Ok(())
    } else {
        f.write_str("}")
    }
}

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::metrics::factory::{
    CounterHandle, GaugeHandle, MetricName, MetricsFactory, TimerHandle,
};
use crate::metrics::page::{MetricsPage, MetricsSource};
use crate::sync::PerProcess;

/// A factory that keeps its metrics in memory, for tests and for programs without a metrics library. Cheap to clone;
/// clones share everything.
///
/// Memory is bounded by the number of names and labels that it is asked for: a timer keeps a count and three durations,
/// not every duration. In a forked child all metrics begin from zero.
///
/// ```
/// use std::time::Duration;
/// use tracehound::JaegerTracer;
/// use tracehound::metrics::InMemoryMetrics;
/// use tracehound::prelude::*;
/// use tracehound::sampler::ConstSampler;
///
/// let metrics = InMemoryMetrics::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(false))
///     .metrics_factory(metrics.clone())
///     .build()?;
/// tracer.start_span("checkout").finish();
/// tracer.flush(Duration::from_secs(5)); // hands over what was counted before
/// assert_eq!(metrics.counter_value("jaeger_tracer_finished_spans", &[("sampled", "n")]), 1);
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone)]
pub struct InMemoryMetrics {
    metrics: Arc<PerProcess<Mutex<Families>>>,
}

/// The families by name.
type Families = BTreeMap<String, Family>;

struct Family {
    help: String,
    series: BTreeMap<Labels, Series>,
}

/// The labels of a series, sorted.
type Labels = Vec<(String, String)>;

#[derive(Clone)]
enum Series {
    Counter(Arc<AtomicU64>),
    Gauge(Arc<AtomicI64>),
    Timer(Arc<Mutex<TimerValue>>),
}

/// The durations that a timer has recorded.
///
/// ```
/// use std::time::Duration;
/// use tracehound::metrics::{InMemoryMetrics, MetricName, MetricsFactory};
///
/// let metrics = InMemoryMetrics::new();
/// let timer = metrics.timer(&MetricName::new("wait", &[], "Time in the queue."));
/// for seconds in [1, 3] {
///     timer.record(Duration::from_secs(seconds));
/// }
/// let wait = metrics.timer_value("wait", &[]);
/// assert_eq!(wait.sum / 2, Duration::from_secs(2));
/// assert_eq!((wait.min, wait.max), (Duration::from_secs(1), Duration::from_secs(3)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimerValue {
    /// How many there were.
    pub count: u64,
    /// Their sum.
    pub sum: Duration,
    /// The shortest one, or zero if there was none.
    pub min: Duration,
    /// The longest one.
    pub max: Duration,
}

impl InMemoryMetrics {
    /// Makes a factory without metrics.
    pub fn new() -> Self {
        Self {
            metrics: Arc::new(PerProcess::new(Mutex::default())),
        }
    }

    /// Returns the value of a counter, or 0 if there is none of this name with these labels. The order of the labels
    /// does not matter.
    pub fn counter_value(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        match self.find(name, labels) {
            Some(Series::Counter(counter)) => counter.load(Ordering::Relaxed),
            _ => 0,
        }
    }

    /// Returns the value of a gauge, or `None` if there is none of this name with these labels.
    ///
    /// ```
    /// use tracehound::metrics::{InMemoryMetrics, MetricName, MetricsFactory};
    ///
    /// let metrics = InMemoryMetrics::new();
    /// metrics.gauge(&MetricName::new("queue", &[("shop", "teapots")], "Orders that wait.")).set(7);
    /// assert_eq!(metrics.gauge_value("queue", &[("shop", "teapots")]), Some(7));
    /// assert_eq!(metrics.gauge_value("queue", &[]), None);
    /// ```
    pub fn gauge_value(&self, name: &str, labels: &[(&str, &str)]) -> Option<i64> {
        match self.find(name, labels) {
            Some(Series::Gauge(gauge)) => Some(gauge.load(Ordering::Relaxed)),
            _ => None,
        }
    }

    /// Returns what a timer has recorded: nothing if there is none of this name with these labels.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::metrics::{InMemoryMetrics, MetricName, MetricsFactory};
    ///
    /// let metrics = InMemoryMetrics::new();
    /// let timer = metrics.timer(&MetricName::new("wait", &[("door", "front")], "Time at a door."));
    /// timer.record(Duration::from_secs(3));
    /// let value = metrics.timer_value("wait", &[("door", "front")]);
    /// assert_eq!((value.count, value.sum), (1, Duration::from_secs(3)));
    /// ```
    pub fn timer_value(&self, name: &str, labels: &[(&str, &str)]) -> TimerValue {
        match self.find(name, labels) {
            Some(Series::Timer(timer)) => *lock(&timer),
            _ => TimerValue::default(),
        }
    }

    /// Returns every counter that is not 0, by its name and labels as Prometheus shows them. Labels are sorted.
    ///
    /// ```
    /// use tracehound::metrics::{InMemoryMetrics, MetricName, MetricsFactory};
    ///
    /// let metrics = InMemoryMetrics::new();
    /// metrics.counter(&MetricName::new("orders", &[("shop", "teapots")], "Orders.")).add(2);
    /// let counters: Vec<_> = metrics.counters().into_iter().collect();
    /// assert_eq!(counters, [(r#"orders{shop="teapots"}"#.to_owned(), 2)]);
    /// ```
    pub fn counters(&self) -> BTreeMap<String, u64> {
        let mut counters = BTreeMap::new();
        for (name, family) in &*self.families() {
            for (labels, series) in &family.series {
                if let Series::Counter(counter) = series {
                    let value = counter.load(Ordering::Relaxed);
                    if value > 0 {
                        let labels = borrowed(labels);
                        let name = MetricName::new(name, &labels, "").to_string();
                        counters.insert(name, value);
                    }
                }
            }
        }
        counters
    }

    fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<Series> {
        let families = self.families();
        families.get(name)?.series.get(&owned(labels)).cloned()
    }

    /// Returns the series of that name and these labels, made by `make` if there is none.
    fn series(&self, name: &MetricName<'_>, make: impl FnOnce() -> Series) -> Series {
        let mut families = self.families();
        let family = families
            .entry(name.name.to_owned())
            .or_insert_with(|| Family {
                help: name.help.to_owned(),
                series: BTreeMap::new(),
            });
        let series = family.series.entry(owned(name.labels));
        series.or_insert_with(make).clone()
    }

    fn families(&self) -> MutexGuard<'_, Families> {
        lock(self.metrics.get(|_| Mutex::default()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn owned(labels: &[(&str, &str)]) -> Labels {
    let labels = labels.iter();
    let mut labels: Labels = labels
        .map(|&(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    labels.sort();
    labels
}

fn borrowed(labels: &Labels) -> Vec<(&str, &str)> {
    labels
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect()
}

/// A handle of another kind than asked for is not made: it would count for nothing, so the handle counts by itself.
impl MetricsFactory for InMemoryMetrics {
    fn counter(&self, name: &MetricName<'_>) -> Box<dyn CounterHandle> {
        match self.series(name, || Series::Counter(Arc::default())) {
            Series::Counter(counter) => Box::new(InMemoryCounter(counter)),
            _ => Box::new(InMemoryCounter(Arc::default())),
        }
    }

    fn gauge(&self, name: &MetricName<'_>) -> Box<dyn GaugeHandle> {
        match self.series(name, || Series::Gauge(Arc::default())) {
            Series::Gauge(gauge) => Box::new(InMemoryGauge(gauge)),
            _ => Box::new(InMemoryGauge(Arc::default())),
        }
    }

    fn timer(&self, name: &MetricName<'_>) -> Box<dyn TimerHandle> {
        match self.series(name, || Series::Timer(Arc::default())) {
            Series::Timer(timer) => Box::new(InMemoryTimer(timer)),
            _ => Box::new(InMemoryTimer(Arc::default())),
        }
    }
}

struct InMemoryCounter(Arc<AtomicU64>);

impl CounterHandle for InMemoryCounter {
    fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
}

struct InMemoryGauge(Arc<AtomicI64>);

impl GaugeHandle for InMemoryGauge {
    fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

struct InMemoryTimer(Arc<Mutex<TimerValue>>);

impl TimerHandle for InMemoryTimer {
    fn record(&self, duration: Duration) {
        let mut value = lock(&self.0);
        value.min = match value.count {
            0 => duration,
            _ => value.min.min(duration),
        };
        value.max = value.max.max(duration);
        value.count += 1;
        value.sum = value.sum.saturating_add(duration);
    }
}

/// Timers are written as summaries, in seconds.
impl MetricsSource for InMemoryMetrics {
    fn write_to(&self, page: &mut MetricsPage) {
        for (name, family) in &*self.families() {
            let series: Vec<_> = family
                .series
                .iter()
                .map(|(labels, series)| (borrowed(labels), series))
                .collect();
            match series.first() {
                Some((_, Series::Counter(_))) => {
                    let counters = series.iter().filter_map(|(labels, series)| match series {
                        Series::Counter(value) => Some((&**labels, value.load(Ordering::Relaxed))),
                        _ => None,
                    });
                    page.counter(name, &family.help, counters);
                }
                Some((_, Series::Gauge(_))) => {
                    let gauges = series.iter().filter_map(|(labels, series)| match series {
                        Series::Gauge(value) => Some((&**labels, value.load(Ordering::Relaxed))),
                        _ => None,
                    });
                    page.gauge(name, &family.help, gauges);
                }
                Some((_, Series::Timer(_))) => {
                    let timers = series.iter().filter_map(|(labels, series)| match series {
                        Series::Timer(value) => {
                            let value = *lock(value);
                            Some((&**labels, value.count, value.sum))
                        }
                        _ => None,
                    });
                    page.summary(name, &family.help, timers);
                }
                None => {}
            }
        }
    }
}

impl Default for InMemoryMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for InMemoryMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.counters()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::TextFormat;

    #[test]
    fn handles_of_one_name_and_labels_share_their_value_whatever_the_order() {
        let metrics = InMemoryMetrics::new();
        let (one, two) = ([("a", "1"), ("b", "2")], [("b", "2"), ("a", "1")]);
        metrics.counter(&MetricName::new("n", &one, "")).add(2);
        metrics.counter(&MetricName::new("n", &two, "")).add(3);
        assert_eq!(metrics.counter_value("n", &one), 5);
        assert_eq!(metrics.counter_value("n", &[]), 0);
        metrics.gauge(&MetricName::new("g", &[], "")).set(-7);
        assert_eq!(metrics.gauge_value("g", &[]), Some(-7));
        assert_eq!(metrics.gauge_value("n", &one), None);
    }

    #[test]
    fn a_name_of_another_kind_keeps_its_first_kind() {
        let metrics = InMemoryMetrics::new();
        metrics.counter(&MetricName::new("n", &[], "")).add(2);
        metrics.gauge(&MetricName::new("n", &[], "")).set(7);
        metrics
            .timer(&MetricName::new("n", &[], ""))
            .record(Duration::from_secs(1));
        assert_eq!(metrics.counter_value("n", &[]), 2);
        assert_eq!(metrics.timer_value("n", &[]).count, 0);
    }

    #[test]
    fn a_timer_keeps_extremes_and_is_written_as_a_summary() {
        let metrics = InMemoryMetrics::new();
        let timer = metrics.timer(&MetricName::new("wait", &[("a", "b")], "Waits."));
        for millis in [30, 10, 20] {
            timer.record(Duration::from_millis(millis));
        }
        let value = metrics.timer_value("wait", &[("a", "b")]);
        let millis = [value.min, value.max, value.sum].map(|it| it.as_millis());
        assert_eq!((value.count, millis), (3, [10, 30, 60]));
        let page = MetricsPage::new(TextFormat::Prometheus).with(&metrics);
        assert_eq!(
            page.finish(),
            "# HELP wait Waits.\n# TYPE wait summary\nwait_sum{a=\"b\"} 0.06\nwait_count{a=\"b\"} 3\n"
        );
    }
}

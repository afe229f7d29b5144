use std::time::Duration;

use ::metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Unit, with_recorder,
};

use crate::metrics::factory::{
    CounterHandle, GaugeHandle, MetricName, MetricsFactory, TimerHandle,
};

/// A factory that hands metrics to the global recorder of the crate [`metrics`](::metrics), such as its Prometheus
/// exporter.
///
/// Install the recorder before you build the tracer: a handle belongs to the recorder that is installed when it is
/// made, and without one it counts for nothing. Durations are recorded in seconds.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::metrics::FacadeMetrics;
///
/// let tracer = JaegerTracer::builder("shop").metrics_factory(FacadeMetrics).build()?;
/// # drop(tracer);
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no settings")]
pub struct FacadeMetrics;

impl MetricsFactory for FacadeMetrics {
    fn counter(&self, name: &MetricName<'_>) -> Box<dyn CounterHandle> {
        Box::new(with_recorder(|recorder| {
            let (key, key_name) = keys(name);
            recorder.describe_counter(key_name, None, name.help.to_owned().into());
            recorder.register_counter(&key, &METADATA)
        }))
    }

    fn gauge(&self, name: &MetricName<'_>) -> Box<dyn GaugeHandle> {
        Box::new(with_recorder(|recorder| {
            let (key, key_name) = keys(name);
            recorder.describe_gauge(key_name, None, name.help.to_owned().into());
            recorder.register_gauge(&key, &METADATA)
        }))
    }

    fn timer(&self, name: &MetricName<'_>) -> Box<dyn TimerHandle> {
        Box::new(with_recorder(|recorder| {
            let (key, key_name) = keys(name);
            let help = name.help.to_owned().into();
            recorder.describe_histogram(key_name, Some(Unit::Seconds), help);
            recorder.register_histogram(&key, &METADATA)
        }))
    }
}

fn keys(name: &MetricName<'_>) -> (Key, KeyName) {
    let labels: Vec<Label> = name
        .labels
        .iter()
        .map(|&(label, value)| Label::new(label.to_owned(), value.to_owned()))
        .collect();
    let key_name = KeyName::from(name.name.to_owned());
    (Key::from_parts(key_name.clone(), labels), key_name)
}

const METADATA: Metadata<'static> = Metadata::new("tracehound", Level::INFO, Some(module_path!()));

impl CounterHandle for Counter {
    fn add(&self, n: u64) {
        self.increment(n);
    }
}

impl GaugeHandle for Gauge {
    fn set(&self, value: i64) {
        Self::set(self, value as f64);
    }
}

impl TimerHandle for Histogram {
    fn record(&self, duration: Duration) {
        Self::record(self, duration);
    }
}

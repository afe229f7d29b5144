//! The crate `metrics`, which is told what the tracer counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};
use tracehound::metrics::FacadeMetrics;
use tracehound::observer::RpcMetrics;

use super::*;

/// A recorder of the crate `metrics` that keeps what it is told.
#[derive(Default)]
struct Kept {
    numbers: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    seconds: Arc<Mutex<Vec<f64>>>,
    help: Mutex<BTreeMap<String, String>>,
}

impl Kept {
    fn number(&self, key: &Key) -> Arc<AtomicU64> {
        let labels = key
            .labels()
            .map(|it| format!(",{}={}", it.key(), it.value()));
        let name = key.name().to_owned() + &labels.collect::<String>();
        let mut numbers = self.numbers.lock().expect("not poisoned");
        numbers.entry(name).or_default().clone()
    }

    fn value(&self, name: &str) -> Option<u64> {
        let numbers = self.numbers.lock().expect("not poisoned");
        numbers.get(name).map(|it| it.load(Ordering::Relaxed))
    }
}

struct Seconds(Arc<Mutex<Vec<f64>>>);

impl HistogramFn for Seconds {
    fn record(&self, value: f64) {
        self.0.lock().expect("not poisoned").push(value);
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        let mut known = self.help.lock().expect("not poisoned");
        known.insert(name.as_str().to_owned(), help.into_owned());
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe_counter(name, unit, help);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        assert_eq!(unit, Some(Unit::Seconds));
        self.describe_counter(name, unit, help);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.number(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.number(key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Seconds(self.seconds.clone())))
    }
}

#[test]
fn the_recorder_of_the_crate_metrics_gets_the_metrics() {
    let kept = Kept::default();
    let tracer = with_local_recorder(&kept, || {
        let builder = builder().reporter(InMemoryReporter::new());
        let builder = builder.metrics_factory(FacadeMetrics);
        let tracer = builder.observer(RpcMetrics::new(FacadeMetrics)).build();
        let tracer = tracer.expect("named");
        let span = tracer.build_span("pay").tag("span.kind", "server");
        span.start().finish();
        tracer
    });
    tracer.flush(LONG);
    let expected = [
        ("jaeger_tracer_finished_spans,sampled=y", 1),
        ("jaeger_tracer_reporter_spans,result=ok", 1),
        ("jaeger_tracer_reporter_queue_length", 0),
        (
            "jaeger_rpc_requests,component=jaeger,endpoint=pay,error=false",
            1,
        ),
    ];
    for (name, value) in expected {
        assert_eq!(kept.value(name), Some(value), "{name}");
    }
    assert_eq!(kept.seconds.lock().expect("not poisoned").len(), 1);
    let help = kept.help.lock().expect("not poisoned");
    assert_eq!(help["jaeger_tracer_finished_spans"], "Spans finished.");
}

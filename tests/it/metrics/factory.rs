//! A metrics library that is told what the tracer counts.

use tracehound::metrics::{CounterHandle, GaugeHandle, MetricName, MetricsFactory, TimerHandle};

use super::*;

#[test]
fn a_factory_has_everything_after_a_flush_and_after_the_close() {
    let library = InMemoryMetrics::new();
    let builder = builder().reporter(Losing::default()).flush_interval(LONG);
    let tracer = builder
        .metrics_factory(library.clone())
        .build()
        .expect("named");
    let agrees = |when: &str| {
        for &(counter, value) in tracer.metrics().snapshot().counters() {
            let name = format!("jaeger_tracer_{}", counter.name());
            let told = library.counter_value(&name, counter.labels());
            assert_eq!(told, value, "{counter} {when}");
        }
        let queued = library.gauge_value("jaeger_tracer_reporter_queue_length", &[]);
        let length = tracer.metrics().snapshot().queue_length();
        assert_eq!(
            queued,
            Some(i64::try_from(length).expect("small")),
            "{when}"
        );
    };
    for _ in 0..20 {
        tracer.start_span("checkout").finish();
    }
    assert_eq!(library.counters().len(), 0, "no span waits for the factory");
    tracer.flush(LONG);
    agrees("after a flush");
    for _ in 0..20 {
        tracer.start_span("checkout").finish();
    }
    tracer.close(LONG);
    agrees("after the close");
    let page = MetricsPage::new(TextFormat::OpenMetrics)
        .with(&tracer.metrics())
        .with(&library);
    parse(&page.finish(), true);
}

#[test]
fn a_factory_is_told_at_each_flush_interval() {
    let library = InMemoryMetrics::new();
    let builder = builder().reporter(InMemoryReporter::new());
    let builder = builder.flush_interval(Duration::from_millis(1));
    let tracer = builder
        .metrics_factory(library.clone())
        .build()
        .expect("named");
    tracer.start_span("checkout").finish();
    let deadline = Instant::now() + LONG;
    let ok = [("result", "ok")];
    while library.counter_value("jaeger_tracer_reporter_spans", &ok) == 0 {
        assert!(Instant::now() < deadline, "{library:?}");
        thread::yield_now();
    }
}

/// A factory of a user's own whose every part panics.
struct Panicking {
    makes_handles: bool,
}

struct Handle;

fn panic_as_user_code() -> ! {
    std::panic::resume_unwind(Box::new("a panic of a metrics library"))
}

impl MetricsFactory for Panicking {
    fn counter(&self, _: &MetricName<'_>) -> Box<dyn CounterHandle> {
        match self.makes_handles {
            true => Box::new(Handle),
            false => panic_as_user_code(),
        }
    }

    fn gauge(&self, _: &MetricName<'_>) -> Box<dyn GaugeHandle> {
        match self.makes_handles {
            true => Box::new(Handle),
            false => panic_as_user_code(),
        }
    }

    fn timer(&self, _: &MetricName<'_>) -> Box<dyn TimerHandle> {
        panic_as_user_code()
    }
}

impl CounterHandle for Handle {
    fn add(&self, _: u64) {
        panic_as_user_code()
    }
}

impl GaugeHandle for Handle {
    fn set(&self, _: i64) {
        panic_as_user_code()
    }
}

#[test]
fn a_panicking_metrics_library_is_counted_and_spans_are_sent_all_the_same() {
    for makes_handles in [true, false] {
        let spans = InMemoryReporter::new();
        let builder = builder().reporter(spans.clone());
        let tracer = builder.metrics_factory(Panicking { makes_handles }).build();
        let tracer = tracer.expect("named");
        for _ in 0..3 {
            tracer.start_span("checkout").finish();
            assert!(tracer.flush(LONG).is_complete());
        }
        assert_eq!(spans.spans().len(), 3);
        assert!(tracer.metrics().get(Counter::CallbackPanics) > 0);
    }
}

//! What the tracer counts about itself: in one snapshot, on a scrape page, and in a metrics library.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::metrics::{
    Counter, DropCause, DropCounts, InMemoryMetrics, Labels, MetricsPage, TextFormat,
};
use tracehound::prelude::*;
use tracehound::reporter::{FinishedSpan, InMemoryReporter, Reporter, Unsent};
use tracehound::sampler::ConstSampler;
use tracehound::tracer::TracerBuilder;

use crate::exposition::parse;

#[cfg(feature = "metrics")]
mod facade;
mod factory;

const LONG: Duration = Duration::from_secs(20);

fn builder() -> TracerBuilder {
    JaegerTracer::builder("shop").sampler(ConstSampler::new(true))
}

/// A reporter that loses each third span, and holds each fifth one back until it is told to let go.
#[derive(Clone, Default)]
struct Losing(Arc<Mutex<Lost>>);

#[derive(Default)]
struct Lost {
    seen: u64,
    dropped: DropCounts,
    queued: u64,
}

impl Reporter for Losing {
    fn report(&mut self, _: &FinishedSpan<'_>) {
        let mut lost = self.0.lock().expect("not poisoned");
        lost.seen += 1;
        if lost.seen.is_multiple_of(3) {
            lost.dropped.add(DropCause::SendFailed, 1);
        } else if lost.seen.is_multiple_of(5) {
            lost.queued += 1;
        }
    }

    fn flush(&mut self, _: Instant) -> Unsent {
        let lost = self.0.lock().expect("not poisoned");
        Unsent::new(lost.dropped, lost.queued)
    }
}

#[test]
fn every_sampled_span_is_ok_err_dropped_or_queued_under_many_threads() {
    let tracer = builder().reporter(Losing::default()).queue_size(64).build();
    let tracer = tracer.expect("named");
    let check = |when: &str, is_exact: bool| {
        let snapshot = tracer.metrics().snapshot();
        let results = [
            Counter::ReporterSpansOk,
            Counter::ReporterSpansErr,
            Counter::ReporterSpansDropped,
        ];
        let accounted: u64 = results.iter().map(|it| snapshot.get(*it)).sum();
        let accounted = accounted + snapshot.queue_length();
        let finished = snapshot.get(Counter::FinishedSpansSampled);
        assert!(accounted <= finished, "{when}: {snapshot:?}");
        assert!(!is_exact || accounted == finished, "{when}: {snapshot:?}");
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..2_000 {
                    tracer.start_span("checkout").finish();
                    if n % 500 == 0 {
                        check("meanwhile", false);
                    }
                }
            });
        }
    });
    tracer.flush(LONG);
    check("after a flush", true);
    let snapshot = tracer.metrics().snapshot();
    assert!(snapshot.get(Counter::ReporterSpansOk) > 0);
    assert!(snapshot.get(Counter::ReporterSpansErr) > 0);
    assert!(snapshot.queue_length() > 0, "{snapshot:?}");
    let late = tracer.start_span("late");
    tracer.close(LONG);
    let dropped = tracer.metrics().get(Counter::ReporterSpansDropped);
    late.finish();
    assert_eq!(
        tracer.metrics().get(Counter::ReporterSpansDropped),
        dropped + 1
    );
    check("after the close", true);
}

#[test]
fn metrics_outlive_their_tracer() {
    let tracer = builder()
        .reporter(InMemoryReporter::new())
        .build()
        .expect("named");
    let metrics = tracer.metrics();
    for _ in 0..3 {
        tracer.start_span("checkout").finish();
    }
    drop(tracer);
    assert_eq!(metrics.get(Counter::ReporterSpansOk), 3);
    assert_eq!(metrics.snapshot().get(Counter::ReporterSpansOk), 3);
}

/// The metrics of the Go client, with their labels.
const NAMES: [(&str, &[Labels<'_>]); 13] = [
    (
        "traces",
        &[
            &[("state", "started"), ("sampled", "y")],
            &[("state", "started"), ("sampled", "n")],
            &[("state", "started"), ("sampled", "delayed")],
            &[("state", "joined"), ("sampled", "y")],
            &[("state", "joined"), ("sampled", "n")],
        ],
    ),
    ("started_spans", BY_DECISION),
    ("finished_spans", BY_DECISION),
    ("span_context_decoding_errors", &[&[]]),
    (
        "reporter_spans",
        &[
            &[("result", "ok")],
            &[("result", "err")],
            &[("result", "dropped")],
        ],
    ),
    ("sampler_queries", BY_RESULT),
    ("sampler_updates", BY_RESULT),
    ("baggage_updates", BY_RESULT),
    ("baggage_truncations", &[&[]]),
    ("baggage_restrictions_updates", BY_RESULT),
    ("throttled_debug_spans", &[&[]]),
    ("throttler_updates", BY_RESULT),
    ("callback_panics", &[&[]]),
];
const BY_DECISION: &[Labels<'_>] = &[
    &[("sampled", "y")],
    &[("sampled", "n")],
    &[("sampled", "delayed")],
];
const BY_RESULT: &[Labels<'_>] = &[&[("result", "ok")], &[("result", "err")]];

#[test]
fn both_pages_are_well_formed_and_have_every_metric_of_the_go_client() {
    let tracer = builder()
        .reporter(InMemoryReporter::new())
        .build()
        .expect("named");
    for _ in 0..3 {
        tracer.start_span("checkout").finish();
    }
    tracer.flush(LONG);
    let metrics = tracer.metrics();
    for (page, is_open_metrics) in [
        (metrics.prometheus(), false),
        (metrics.open_metrics(), true),
    ] {
        let families = parse(&page, is_open_metrics);
        for (name, series) in NAMES {
            let total = format!("jaeger_tracer_{name}_total");
            let family = match is_open_metrics {
                true => total.trim_end_matches("_total"),
                false => &*total,
            };
            let family = families
                .get(family)
                .unwrap_or_else(|| panic!("no {name}: {page}"));
            assert_eq!(family.kind, "counter");
            assert!(family.help.ends_with('.'), "{name}: {:?}", family.help);
            assert_eq!(family.samples.len(), series.len(), "{name}");
            for labels in series {
                let value = family.value(&total, labels);
                let expected = match (name, *labels) {
                    ("traces", [("state", "started"), ("sampled", "y")])
                    | ("started_spans" | "finished_spans", [("sampled", "y")])
                    | ("reporter_spans", [("result", "ok")]) => 3.0,
                    _ => 0.0,
                };
                assert_eq!(value, expected, "{name} {labels:?}");
            }
        }
        let queue = &families["jaeger_tracer_reporter_queue_length"];
        assert_eq!((&*queue.kind, queue.samples.len()), ("gauge", 1));
    }
}

#[test]
fn both_pages_have_the_lost_spans_of_every_cause() {
    let tracer = builder().reporter(Losing::default()).build();
    let tracer = tracer.expect("named");
    let late = tracer.start_span("late");
    for _ in 0..7 {
        tracer.start_span("checkout").finish();
    }
    tracer.close(LONG);
    late.finish();
    let metrics = tracer.metrics();
    for (page, family, is_open_metrics) in [
        (metrics.prometheus(), "tracehound_lost_spans_total", false),
        (metrics.open_metrics(), "tracehound_lost_spans", true),
    ] {
        let families = parse(&page, is_open_metrics);
        let lost = &families[family];
        assert_eq!(lost.kind, "counter");
        assert_eq!(lost.samples.len(), DropCause::ALL.len());
        for cause in DropCause::ALL {
            let expected = match cause {
                DropCause::SendFailed => 2.0,
                DropCause::AfterShutdown => 1.0,
                _ => tracer.report().dropped.get(*cause) as f64,
            };
            let labels = [("cause", cause.name())];
            let value = lost.value("tracehound_lost_spans_total", &labels);
            assert_eq!(value, expected, "{cause}");
        }
        let in_all: f64 = lost.samples.iter().map(|sample| sample.value).sum();
        assert_eq!(in_all, tracer.report().dropped.total() as f64);
    }
}

/// A reporter that takes its one loss back.
struct Forgetting(u64);

impl Reporter for Forgetting {
    fn report(&mut self, _: &FinishedSpan<'_>) {
        self.0 += 1;
    }

    fn flush(&mut self, _: Instant) -> Unsent {
        let mut dropped = DropCounts::default();
        dropped.add(DropCause::Refused, u64::from(self.0 == 1));
        Unsent::new(dropped, 0)
    }
}

#[test]
fn lost_spans_on_a_page_never_fall() {
    let builder = builder().reporter(Forgetting(0)).flush_interval(LONG);
    let tracer = builder.build().expect("named");
    for name in ["a", "b"] {
        tracer.start_span(name).finish();
        tracer.flush(LONG);
        let page = tracer.metrics().prometheus();
        let line = "\ntracehound_lost_spans_total{cause=\"refused\"} 1\n";
        assert!(page.contains(line), "after {name}: {page}");
    }
}

/// A reporter whose first span turns out to be lost after it was sent.
struct Regretting(u64);

impl Reporter for Regretting {
    fn report(&mut self, _: &FinishedSpan<'_>) {
        self.0 += 1;
    }

    fn flush(&mut self, _: Instant) -> Unsent {
        let mut dropped = DropCounts::default();
        dropped.add(DropCause::Refused, u64::from(self.0 > 1));
        Unsent::new(dropped, u64::from(self.0 > 1))
    }
}

#[test]
fn counters_on_a_page_and_in_a_library_never_fall() {
    let library = InMemoryMetrics::new();
    let builder = builder().reporter(Regretting(0)).flush_interval(LONG);
    let tracer = builder
        .metrics_factory(library.clone())
        .build()
        .expect("named");
    let ok = [("result", "ok")];
    let shown = || {
        let families = parse(&tracer.metrics().prometheus(), false);
        let total = "jaeger_tracer_reporter_spans_total";
        let in_library = library.counter_value("jaeger_tracer_reporter_spans", &ok);
        assert_eq!(families[total].value(total, &ok), in_library as f64);
        in_library
    };
    tracer.start_span("a").finish();
    tracer.flush(LONG);
    assert_eq!(shown(), 1);
    tracer.start_span("b").finish();
    tracer.flush(LONG);
    assert_eq!(tracer.metrics().get(Counter::ReporterSpansOk), 0);
    assert_eq!(shown(), 1, "a fall would read as a restart");
}

#[test]
fn the_help_of_a_metric_is_the_same_for_all_labels_and_plain_text() {
    for counter in Counter::ALL {
        let help = counter.help();
        let with_its_name = Counter::ALL.iter().filter(|it| it.name() == counter.name());
        for other in with_its_name {
            assert_eq!(help, other.help(), "{counter}");
        }
        assert!(!help.contains(['[', ']', '(', ')']), "{counter}: {help}");
    }
}

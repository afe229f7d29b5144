//! Exact counts of all spans, and the RPC metrics of Jaeger's Go client.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use tracehound::JaegerTracer;
use tracehound::clock::ManualClock;
use tracehound::metrics::{InMemoryMetrics, MetricsPage, TextFormat};
use tracehound::model::SpanKind;
use tracehound::observer::{OperationMetrics, RedMetrics, RpcMetrics};
use tracehound::prelude::*;
use tracehound::sampler::ConstSampler;

use crate::exposition::parse;

fn tracer(red: &RedMetrics, keep: bool) -> JaegerTracer {
    let builder = JaegerTracer::builder("shop").sampler(ConstSampler::new(keep));
    builder.observer(red.clone()).build().expect("named")
}

#[test]
fn the_sum_of_durations_never_shrinks() {
    let red = RedMetrics::new();
    let tracer = tracer(&red, true);
    let late = UNIX_EPOCH + Duration::from_secs(140 * 365 * 86_400);
    let mut last = Duration::ZERO;
    for _ in 0..8 {
        let span = tracer.build_span("long").start_time(UNIX_EPOCH).start();
        span.finish_at(late);
        let total = red.get("long", None).expect("counted").total;
        assert!(total >= last, "{total:?} after {last:?}");
        last = total;
    }
}

#[test]
fn every_span_of_every_thread_is_counted_once() {
    const THREADS: u64 = 8;
    const ROUNDS: u64 = 2_000;
    let red = RedMetrics::new();
    for keep in [true, false] {
        let (tracer, barrier) = (tracer(&red, keep), Arc::new(Barrier::new(8)));
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let (tracer, barrier) = (tracer.clone(), barrier.clone());
                thread::spawn(move || {
                    barrier.wait();
                    for n in 0..ROUNDS {
                        let server = tracer.build_span("GET /cart").tag("span.kind", "server");
                        let server = server.start();
                        let name = format!("query {}", n % 3);
                        drop(tracer.build_span(name).child_of(&server).start());
                        server.set_tag("error", n % 4 == 0);
                    }
                })
            })
            .collect();
        // Reading meanwhile loses nothing.
        while threads.iter().any(|thread| !thread.is_finished()) {
            red.snapshot();
            thread::yield_now();
        }
        for thread in threads {
            thread.join().expect("no panic");
        }
    }
    let count = |name: &str, kind| red.get(name, kind).expect("was counted");
    let cart = count("GET /cart", Some(SpanKind::Server));
    assert_eq!(cart.count(), 2 * THREADS * ROUNDS);
    assert_eq!(cart.errors, 2 * THREADS * ROUNDS / 4);
    let queries: u64 = (0..3)
        .map(|n| count(&format!("query {n}"), None).count())
        .sum();
    assert_eq!(queries, 2 * THREADS * ROUNDS);
    assert_eq!(red.snapshot().len(), 4);
}

#[test]
fn durations_go_to_their_buckets_and_add_up() {
    let clock = ManualClock::at_micros(1_000_000);
    let red = RedMetrics::new().buckets(&[10, 1, 5].map(Duration::from_millis));
    let tracer = JaegerTracer::builder("shop")
        .clock(clock.clone())
        .observer(red.clone())
        .build()
        .expect("named");
    for millis in [0, 1, 2, 5, 6, 10, 11, 1_000] {
        let span = tracer.start_span("a");
        clock.advance(Duration::from_millis(millis));
        span.finish();
    }
    let OperationMetrics { buckets, total, .. } = red.get("a", None).expect("was counted");
    assert_eq!(buckets, [2, 2, 2, 2]);
    assert_eq!(total, Duration::from_millis(1_035));
}

#[test]
fn names_beyond_the_limit_are_counted_as_other_from_any_thread() {
    let red = RedMetrics::new().max_operations(3);
    let tracer = tracer(&red, false);
    for name in ["a", "b", "other", "c", "d", "a"] {
        tracer.start_span(name).finish();
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..1_000 {
                tracer.start_span(format!("made up {n}")).finish();
            }
            tracer
                .build_span("b")
                .tag("span.kind", "client")
                .start()
                .finish();
        });
    });
    let counts: Vec<_> = red
        .snapshot()
        .into_iter()
        .map(|it| (it.operation.clone(), it.kind, it.count()))
        .collect();
    let expected = [
        ("a", None, 2),
        ("b", None, 1),
        ("b", Some(SpanKind::Client), 1),
        ("other", None, 1_003),
    ];
    let expected: Vec<_> = expected
        .map(|(name, kind, n)| (name.to_owned(), kind, n))
        .into();
    assert_eq!(counts, expected);
}

#[test]
fn a_thread_keeps_the_counts_of_many_names_apart() {
    let red = RedMetrics::new();
    let tracer = tracer(&red, false);
    let kinds = [None, Some("server")];
    for rounds in [1, 2] {
        for n in 0..100 {
            for kind in kinds {
                let span = tracer.build_span(format!("operation {n}"));
                let span = match kind {
                    Some(kind) => span.tag("span.kind", kind).start(),
                    None => span.start(),
                };
                span.finish();
            }
        }
        let snapshot = red.snapshot();
        assert_eq!(snapshot.len(), 200);
        assert!(snapshot.iter().all(|it| it.count() == rounds), "{rounds}");
    }
}

#[test]
fn exemplars_are_kept_traces_of_their_bucket_and_a_reading_asks_for_new_ones() {
    let clock = ManualClock::at_micros(1_000_000);
    let red = RedMetrics::new().buckets(&[Duration::from_millis(5)]);
    let builder = |keep| JaegerTracer::builder("shop").sampler(ConstSampler::new(keep));
    let [kept, dropped] = [true, false].map(|keep| {
        let builder = builder(keep).clock(clock.clone()).observer(red.clone());
        builder.build().expect("named")
    });
    let span = |tracer: &JaegerTracer, millis| {
        let span = tracer.start_span("a");
        clock.advance(Duration::from_millis(millis));
        let trace_id = span.context().trace_id().expect("has a trace");
        span.finish();
        trace_id
    };
    let exemplars = || red.get("a", None).expect("was counted").exemplars;
    span(&dropped, 1);
    assert!(exemplars().iter().all(Option::is_none));
    let (first, _) = (span(&kept, 1), span(&kept, 1));
    let slow = span(&kept, 7);
    let [Some(fast_one), Some(slow_one)] = exemplars()[..] else {
        panic!("two exemplars");
    };
    assert_eq!((fast_one.trace_id, slow_one.trace_id), (first, slow));
    assert_eq!(slow_one.duration, Duration::from_millis(7));
    let ended_at = clock_now(&clock);
    assert_eq!(slow_one.ended_at, ended_at);
    let second = span(&kept, 2);
    assert_eq!(exemplars()[0].expect("kept").trace_id, second);

    let page = MetricsPage::new(TextFormat::OpenMetrics)
        .with(&red)
        .finish();
    let family = &parse(&page, true)["tracehound_span_duration_seconds"];
    let found = family.samples.iter().filter_map(|it| it.exemplar.clone());
    let ids: Vec<_> = found
        .map(|(labels, ..)| labels["trace_id"].clone())
        .collect();
    assert_eq!(ids, [second.to_string(), slow.to_string()]);
    // Prometheus' own format has no exemplars.
    let page = MetricsPage::new(TextFormat::Prometheus).with(&red).finish();
    let family = &parse(&page, false)["tracehound_span_duration_seconds"];
    let labels = [("operation", "a"), ("span_kind", "internal")];
    let count = family.value("tracehound_span_duration_seconds_count", &labels);
    assert_eq!(count, 5.0);
}

fn clock_now(clock: &ManualClock) -> Duration {
    tracehound::clock::Clock::from(clock.clone()).monotonic()
}

#[test]
fn names_of_any_characters_are_escaped_on_the_page() {
    let red = RedMetrics::new();
    let tracer = tracer(&red, true);
    let names = ["a\"b", "a\\b", "a\nb", "é☂ {}", ""];
    for name in names {
        tracer.start_span(name).finish();
    }
    for (format, is_open) in [
        (TextFormat::Prometheus, false),
        (TextFormat::OpenMetrics, true),
    ] {
        let page = MetricsPage::new(format).with(&red).with(&tracer.metrics());
        let families = parse(&page.finish(), is_open);
        for name in names {
            let labels = [("operation", name), ("span_kind", "internal")];
            let family = &families["tracehound_span_duration_seconds"];
            assert_eq!(
                family.value("tracehound_span_duration_seconds_count", &labels),
                1.0
            );
        }
    }
}

#[test]
fn a_span_that_ends_while_its_thread_is_torn_down_is_counted() {
    struct Late(Option<Span>);
    thread_local! {
        static LATE: std::cell::RefCell<Late> = const { std::cell::RefCell::new(Late(None)) };
    }
    let red = RedMetrics::new();
    let tracer = tracer(&red, true);
    for is_first in [true, false] {
        let tracer = tracer.clone();
        let thread = thread::spawn(move || {
            // Statics go in the order of their first use, or the other way round: by both orders one span is late.
            if is_first {
                LATE.with(|late| late.borrow_mut().0 = Some(tracer.start_span("late")));
            }
            tracer.start_span("early").finish();
            if !is_first {
                LATE.with(|late| late.borrow_mut().0 = Some(tracer.start_span("late")));
            }
        });
        thread.join().expect("no panic");
    }
    assert_eq!(red.get("late", None).expect("was counted").count(), 2);
    assert_eq!(red.get("early", None).expect("was counted").count(), 2);
}

/// Labels of one of the RPC metrics.
fn labels<'a>(endpoint: &'a str, name: &'a str, value: &'a str) -> [(&'a str, &'a str); 3] {
    [
        ("component", "jaeger"),
        ("endpoint", endpoint),
        (name, value),
    ]
}

fn rpc_tracer() -> (JaegerTracer, InMemoryMetrics) {
    let metrics = InMemoryMetrics::new();
    let builder = JaegerTracer::builder("shop").sampler(ConstSampler::new(false));
    let builder = builder.observer(RpcMetrics::new(metrics.clone()));
    (builder.build().expect("named"), metrics)
}

#[test]
fn rpc_metrics_count_server_spans_by_endpoint_outcome_and_status() {
    let (tracer, metrics) = rpc_tracer();
    let start = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let span = |name: &'static str, kind: &str, status: i64, error: &str| {
        let builder = tracer.build_span(name).tag("span.kind", kind);
        let span = builder.start_time(start).start();
        span.set_tag("http.status_code", status)
            .set_tag("error", error);
        span.finish_at(start + Duration::from_millis(30));
    };
    span("GET /é", "server", 200, "0");
    span("GET /é", "server", 599, "T");
    span("GET /é", "server", 404, "no truth value");
    span("GET /é", "server", 199, "f");
    span("GET /é", "server", 600, "f");
    span("GET /é", "client", 200, "true");
    span("", "server", 200, "true");
    let later = tracer.start_span("renamed");
    later
        .set_operation_name("POST")
        .set_tag("span.kind", "server");
    later.finish();
    let expected = [
        (
            "jaeger_rpc_requests",
            labels("GET-/--", "error", "false"),
            4,
        ),
        ("jaeger_rpc_requests", labels("GET-/--", "error", "true"), 1),
        ("jaeger_rpc_requests", labels("POST", "error", "false"), 1),
        (
            "jaeger_rpc_http_requests",
            labels("GET-/--", "status_code", "2xx"),
            1,
        ),
        (
            "jaeger_rpc_http_requests",
            labels("GET-/--", "status_code", "4xx"),
            1,
        ),
        (
            "jaeger_rpc_http_requests",
            labels("GET-/--", "status_code", "5xx"),
            1,
        ),
    ];
    for (name, labels, value) in expected {
        assert_eq!(
            metrics.counter_value(name, &labels),
            value,
            "{name}{labels:?}"
        );
    }
    assert_eq!(metrics.counters().len(), expected.len(), "{metrics:?}");
    let failed = metrics.timer_value(
        "jaeger_rpc_request_latency",
        &labels("GET-/--", "error", "true"),
    );
    assert_eq!((failed.count, failed.sum), (1, Duration::from_millis(30)));
    let page = MetricsPage::new(TextFormat::OpenMetrics)
        .with(&metrics)
        .finish();
    parse(&page, true);
}

#[test]
fn rpc_metrics_remember_200_raw_names() {
    let (tracer, metrics) = rpc_tracer();
    let span = |name: String| {
        tracer
            .build_span(name)
            .tag("span.kind", "server")
            .start()
            .finish();
    };
    // Two raw names of one endpoint take two places.
    span("same name".to_owned());
    span("same-name".to_owned());
    for n in 0..198 {
        span(format!("op{n}"));
    }
    span("op198".to_owned());
    span("yet another".to_owned());
    span("same-name".to_owned());
    span("op197".to_owned());
    let count = |endpoint: &str| {
        metrics.counter_value("jaeger_rpc_requests", &labels(endpoint, "error", "false"))
    };
    let counts = ["same-name", "op0", "op197", "op198", "other"].map(count);
    assert_eq!(counts, [3, 1, 2, 0, 2]);
    assert_eq!(metrics.counters().len(), 200);
}

#[test]
fn rpc_metrics_of_many_threads_add_up() {
    let (tracer, metrics) = rpc_tracer();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for n in 0..500 {
                    let builder = tracer.build_span(format!("op{}", n % 50));
                    builder.tag("span.kind", "server").start().finish();
                }
            });
        }
    });
    assert_eq!(metrics.counters().values().sum::<u64>(), 4_000);
    assert_eq!(metrics.counters().len(), 50);
}

//! A configuration builds a tracer that has every setting, or fails.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tracehound::clock::ManualClock;
use tracehound::metrics::{DropCause, InMemoryMetrics};
use tracehound::model::{Tag, TagValue};
use tracehound::prelude::*;
use tracehound::reporter::{FinishedSpan, InMemoryReporter, NullReporter, Reporter, Unsent};
use tracehound::sampler::{ConstSampler, KeepSampler};
use tracehound::span::Limits;
use tracehound::{Config, JaegerTracer};

use super::{names, read};
use crate::support::{kept_lines, until};

pub(super) const SOON: Duration = Duration::from_secs(30);

/// Builds a tracer, and returns the lines that it writes.
pub(super) fn built(config: Config) -> (JaegerTracer, Arc<Mutex<Vec<String>>>) {
    let (diagnostics, lines) = kept_lines();
    (config.diagnostics(diagnostics).build().unwrap(), lines)
}

/// Builds a tracer that writes nothing to standard error.
fn quiet(config: Config) -> JaegerTracer {
    built(config).0
}

/// Sets a sampler that keeps all traces, and a reporter that sends none.
pub(super) fn kept(config: Config) -> Config {
    config
        .sampler(ConstSampler::new(true))
        .reporter(NullReporter::new())
}

#[test]
fn a_service_without_a_name_is_an_error() {
    let refused = |config: Config| {
        config
            .reporter(NullReporter::new())
            .build()
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused(read(&[])),
        "JAEGER_SERVICE_NAME: a service needs a name, and the code gives none either"
    );
    for name in ["", " \t\u{a0}"] {
        let expected = format!("service_name: expected a name, found {name:?}");
        assert_eq!(refused(Config::new(name)), expected);
        assert_eq!(
            refused(read(&[("JAEGER_SERVICE_NAME", "shop")]).service_name(name)),
            format!(
                "{expected} (passed over: JAEGER_SERVICE_NAME: has no effect: the code names the service)"
            )
        );
    }
    for config in [
        Config::new(" shop "),
        read(&[]).service_name("shop"),
        read(&[("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop")]),
    ] {
        let tracer = quiet(kept(config));
        assert_eq!(tracer.process().unwrap().service_name, "shop");
    }
}

#[test]
fn the_explanation_shows_the_tags_that_are_sent() {
    let variables = [
        ("JAEGER_SERVICE_NAME", "variable"),
        (
            "JAEGER_TAGS",
            "jaeger.version=mine,hostname=h,zone=a,zone=b",
        ),
        ("OTEL_RESOURCE_ATTRIBUTES", "jaeger.version=other,ip=1"),
    ];
    let own = [
        read(&variables),
        read(&variables).service_name(" shop ").tag("zone", 7),
        read(&variables)
            .tag("jaeger.version", "code")
            .tag("client-uuid", "u"),
    ];
    for config in own {
        let explanation = config.explain();
        let tracer = quiet(kept(config));
        let process = tracer.process().unwrap();
        let name = explanation.get("service_name").unwrap().value();
        assert_eq!(name, format!("{:?}", process.service_name));
        for setting in explanation.settings() {
            let Some(key) = setting.name().strip_prefix("tag ") else {
                continue;
            };
            let sent: Vec<_> = process.tags.iter().filter(|tag| tag.key == key).collect();
            assert_eq!(sent.len(), 1, "{key}");
            let value = sent[0].value.to_string();
            assert_eq!(setting.value().trim_matches('"'), value, "{key}");
        }
        let mut passed_over = explanation.passed_over().to_vec();
        passed_over.retain(|problem| problem.name() != "JAEGER_SERVICE_NAME");
        let told = passed_over.iter().map(ToString::to_string);
        let is_version = |text: &String| text.contains("jaeger.version");
        assert_eq!(told.filter(is_version).count(), passed_over.len());
        assert!(
            names(&passed_over).contains(&"JAEGER_TAGS"),
            "{explanation}"
        );
    }
    let (_tracer, lines) = built(kept(Config::new("shop").tag("jaeger.version", "code")));
    assert_eq!(
        lines.lock().unwrap()[0],
        "passed over: tag: jaeger.version is what the tracer says of itself"
    );
}

#[test]
fn a_disabled_tracer_needs_no_setting_and_writes_one_line() {
    for (variable, text) in [("JAEGER_DISABLED", "1"), ("OTEL_SDK_DISABLED", "true")] {
        let (tracer, lines) = built(read(&[(variable, text), ("JAEGER_SAMPLER_TYPE", "all")]));
        assert!(tracer.is_noop());
        let span = tracer.start_span("checkout");
        span.set_tag("n", 1).set_baggage_item("k", "v");
        assert!(span.is_noop());
        span.finish();
        assert!(tracer.close(SOON).is_complete());
        assert_eq!(
            *lines.lock().unwrap(),
            [format!("tracing is off: {variable}")]
        );
    }
    let (tracer, lines) = built(Config::new("").disabled(true));
    assert!(tracer.is_noop() && lines.lock().unwrap().is_empty());
}

#[test]
fn problems_that_were_hidden_while_disabled_count_if_the_code_enables_tracing() {
    let config = read(&[("JAEGER_DISABLED", "1"), ("JAEGER_SAMPLER_TYPE", "all")]).disabled(false);
    let error = config
        .reporter(NullReporter::new())
        .flush_interval(Duration::ZERO)
        .build()
        .unwrap_err();
    assert_eq!(
        names(error.problems()),
        [
            "JAEGER_SAMPLER_TYPE",
            "JAEGER_SERVICE_NAME",
            "flush_interval"
        ]
    );
    assert_eq!(
        error.problems()[2].to_string(),
        "flush_interval: expected a duration above zero, found \"0\""
    );
}

#[test]
fn every_setting_reaches_the_tracer() {
    let spans = InMemoryReporter::new();
    let (tracer, lines) = built(
        read(&[
            ("JAEGER_SERVICE_NAME", "shop"),
            ("JAEGER_SAMPLER_TYPE", "const"),
            ("JAEGER_REPORTER_LOG_SPANS", "true"),
            ("JAEGER_TRACEID_128BIT", "true"),
            ("JAEGER_TAGS", "zone=eu-1"),
            ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "5"),
            ("OTEL_SPAN_EVENT_COUNT_LIMIT", "1"),
        ])
        .tag("build", 7)
        .reporter(spans.clone()),
    );
    let span = tracer.start_span("checkout");
    span.set_tag("long", "123456").log_event("a").log_event("b");
    assert!(span.context().trace_id().unwrap().high() != 0);
    span.finish();
    assert!(tracer.flush(SOON).is_complete());

    let span = &spans.spans()[0];
    assert!(
        span.tags.contains(&Tag::new("long", "12…")),
        "{:?}",
        span.tags
    );
    assert!(
        span.tags.contains(&Tag::new("sampler.type", "const")),
        "{:?}",
        span.tags
    );
    assert_eq!(span.logs.len(), 1);
    let process = tracer.process().unwrap();
    for tag in [
        Tag::new("zone", "eu-1"),
        Tag::new("build", TagValue::Long(7)),
    ] {
        assert!(process.tags.contains(&tag), "{process:?}");
    }
    let lines = lines.lock().unwrap();
    assert!(
        lines.iter().any(|line| line.contains("checkout")),
        "{lines:?}"
    );
}

#[test]
fn the_sampler_of_the_configuration_is_used() {
    let variables = [
        ("JAEGER_SAMPLER_TYPE", "const"),
        ("JAEGER_SAMPLER_PARAM", "0"),
    ];
    let tracer = quiet(
        read(&variables)
            .service_name("shop")
            .reporter(NullReporter::new()),
    );
    assert!((0..1_000).all(|_| !tracer.start_span("checkout").context().is_sampled()));
}

#[test]
fn limits_of_the_code_replace_those_of_variables() {
    let spans = InMemoryReporter::new();
    let config = read(&[
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "5"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "1"),
    ])
    .service_name("shop")
    .sampler(ConstSampler::new(true))
    .limits(Limits::default().tag_value_bytes(8).logs(3))
    .reporter(spans.clone());
    let tracer = quiet(config);
    let span = tracer.start_span("checkout");
    span.set_tag("long", "123456789")
        .log_event("a")
        .log_event("b")
        .log_event("c");
    span.finish();
    assert!(tracer.flush(SOON).is_complete());
    let span = &spans.spans()[0];
    assert!(
        span.tags.contains(&Tag::new("long", "12345…")),
        "{:?}",
        span.tags
    );
    assert_eq!(span.logs.len(), 3);
}

/// A reporter that takes its first span only when a message comes.
struct Held(Receiver<()>);

impl Reporter for Held {
    fn report(&mut self, _: &FinishedSpan<'_>) {
        // An error means that the sender is gone: spans are taken from then on.
        let _ = self.0.recv();
    }
}

#[test]
fn the_queue_has_the_size_that_was_set() {
    let lost = |queue_size: &str| {
        let (release, held) = channel();
        let variables = [("JAEGER_REPORTER_MAX_QUEUE_SIZE", queue_size)];
        let config = read(&variables)
            .service_name("shop")
            .sampler(ConstSampler::new(true));
        let tracer = quiet(config.reporter(Held(held)));
        for _ in 0..2_000 {
            tracer.start_span("checkout").finish();
        }
        drop(release);
        tracer.close(SOON).dropped.get(DropCause::QueueFull)
    };
    assert_eq!(lost("2000"), 0);
    assert!(lost("1") > 1_000);
}

/// A reporter that counts its flushes.
struct Flushes(Arc<AtomicU32>);

impl Reporter for Flushes {
    fn report(&mut self, _: &FinishedSpan<'_>) {}

    fn flush(&mut self, _: Instant) -> Unsent {
        self.0.fetch_add(1, Ordering::Relaxed);
        Unsent::default()
    }
}

#[test]
fn the_worker_flushes_at_the_interval_that_was_set() {
    let flushes = Arc::new(AtomicU32::new(0));
    let config = read(&[("JAEGER_REPORTER_FLUSH_INTERVAL", "1ms")]).service_name("shop");
    let config = config
        .sampler(ConstSampler::new(true))
        .reporter(Flushes(flushes.clone()));
    let tracer = quiet(config);
    let deadline = Instant::now() + SOON;
    // With the default interval this would take 100 seconds.
    while flushes.load(Ordering::Relaxed) < 100 {
        assert!(Instant::now() < deadline, "{flushes:?}");
        tracer.start_span("checkout").finish();
        thread::yield_now();
    }
}

#[test]
fn a_sampler_of_the_code_wraps_the_one_of_the_settings() {
    let never = [
        ("JAEGER_SAMPLER_TYPE", "const"),
        ("JAEGER_SAMPLER_PARAM", "0"),
    ];
    let spans = InMemoryReporter::new();
    let config = read(&never).service_name("shop").reporter(spans.clone());
    let config = config.wrap_sampler(KeepSampler::new);
    let explanation = config.explain();
    let row = explanation.get("sampler").expect("always there");
    assert_eq!(row.value(), "const 0");
    let tracer = quiet(config);
    tracer.start_span("browse").finish();
    tracer.start_span("pay").set_tag("error", true);
    assert!(tracer.flush(SOON).is_complete());
    let [kept] = &spans.spans()[..] else {
        panic!("one of two traces failed: {spans:?}");
    };
    assert_eq!(kept.operation_name, "pay");
    assert_eq!(kept.tag_text("sampler.type"), "keep");
}

#[test]
fn customize_changes_the_builder_after_all_settings() {
    let spans = InMemoryReporter::new();
    let clock = ManualClock::at_micros(1_500_000_000_000_000);
    let config = Config::new("shop")
        .sampler(ConstSampler::new(false))
        .reporter(spans.clone());
    let tracer = quiet(config.customize({
        let clock = clock.clone();
        move |builder| builder.clock(clock).sampler(ConstSampler::new(true))
    }));
    let span = tracer.start_span("checkout");
    clock.advance(Duration::from_millis(3));
    span.finish();
    assert!(tracer.flush(SOON).is_complete());
    assert_eq!(spans.spans()[0].duration, Duration::from_millis(3));
}

#[test]
fn an_error_of_the_builder_is_an_error_of_the_configuration() {
    let error = kept(Config::new("shop"))
        .customize(|_| JaegerTracer::builder(""))
        .build()
        .unwrap_err();
    assert_eq!(error.to_string(), "tracer: the service name is empty");
}

#[test]
#[cfg(not(feature = "udp"))]
fn without_udp_a_reporter_is_needed() {
    let error = Config::new("shop").build().unwrap_err();
    assert_eq!(names(error.problems()), ["reporter"]);
    assert!(error.to_string().contains("the feature `udp`"), "{error}");
}

#[test]
fn rpc_metrics_need_a_factory_which_a_line_says() {
    let config = || {
        Config::from_lookup(|name| match name {
            "JAEGER_RPC_METRICS" => Some("true".to_owned()),
            _ => None,
        })
        .expect("readable")
        .service_name("shop")
        .sampler(ConstSampler::new(false))
        .reporter(InMemoryReporter::new())
    };
    let explanation = config().explain();
    let passed_over: Vec<_> = explanation
        .passed_over()
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected = "JAEGER_RPC_METRICS: has no effect: the code gives no factory for metrics, by `Config::metrics_factory`";
    assert_eq!(passed_over, [expected]);

    let metrics = InMemoryMetrics::new();
    let config = config().metrics_factory(metrics.clone());
    assert_eq!(config.explain().passed_over(), []);
    let tracer = config.build().expect("complete");
    tracer
        .build_span("pay")
        .tag("span.kind", "server")
        .start()
        .finish();
    let labels = [
        ("component", "jaeger"),
        ("endpoint", "pay"),
        ("error", "false"),
    ];
    assert_eq!(metrics.counter_value("jaeger_rpc_requests", &labels), 1);
    tracer.flush(Duration::from_secs(20));
    let labels = [("sampled", "n")];
    assert_eq!(
        metrics.counter_value("jaeger_tracer_finished_spans", &labels),
        1
    );
}

#[test]
fn a_limit_of_open_spans_has_a_line_about_a_span_that_hangs() {
    let config = kept(read(&[("TRACEHOUND_OPEN_SPAN_LIMIT", "20ms")]));
    let (tracer, lines) = built(config.service_name("shop"));
    let _span = tracer.start_span("checkout");
    let is_said = || {
        let lines = lines.lock().unwrap();
        let expected = r#"a span is open longer than 20.0ms: "checkout" for "#;
        lines.iter().any(|line| line.starts_with(expected))
    };
    until("the line", is_said);
}

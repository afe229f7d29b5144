//! Tests of what spans, fields and events of `tracing` become.

use std::fmt;
use std::time::Duration;

use tracehound::bridge::TracingLayer;
use tracehound::clock::ManualClock;
use tracehound::model::{TagRef, TagValue};
use tracing::{Level, error, event, field, info, info_span, warn};
use tracing_subscriber::prelude::*;

use super::{fixed_subscriber, subscriber};
use crate::support::{fixed_tracer, log_texts, recording_tracer, texts};

#[derive(Debug)]
struct Failure(Option<Box<Self>>, &'static str);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.as_deref().map(|cause| cause as _)
    }
}

fn failure() -> Failure {
    Failure(Some(Box::new(Failure(None, "no route"))), "cannot connect")
}

#[test]
fn a_span_keeps_the_types_of_its_fields() {
    let (dispatch, _, spans) = subscriber();
    tracing::dispatcher::with_default(&dispatch, || {
        let span = info_span!(
            "checkout",
            text = "abc",
            whole = -3,
            large = u64::MAX,
            larger = i128::MAX,
            small = 7_u128,
            part = 1.5,
            yes = true,
            shown = %"x y",
            debugged = ?Some(1),
            r#type = "raw",
            late = field::Empty,
            never = field::Empty,
        );
        span.record("late", 4);
        span.record("whole", 5);
    });
    let span = &spans.spans()[0];
    assert_eq!(
        texts(&span.tags),
        [
            "text=abc",
            "whole=5",
            "large=18446744073709551615",
            "larger=170141183460469231731687303715884105727",
            "small=7",
            "part=1.5",
            "yes=true",
            "shown=x y",
            "debugged=Some(1)",
            "type=raw",
            "late=4",
        ]
    );
    assert!(matches!(span.tag("whole"), Some(TagRef::Long(5))));
    assert!(matches!(span.tag("yes"), Some(TagRef::Bool(true))));
    assert!(matches!(span.tag("part"), Some(TagRef::Double(_))));
}

#[test]
fn some_fields_have_a_meaning_of_their_own() {
    for (row, (make, name, tags)) in [
        (
            (|| info_span!("a", otel.name = "GET /x", otel.kind = "SERVER"))
                as fn() -> tracing::Span,
            "GET /x",
            &["span.kind=server"][..],
        ),
        (
            || info_span!("a", otel.kind = ?tracing::Level::INFO),
            "a",
            &["otel.kind=Level(Info)"],
        ),
        (|| info_span!("a", otel.name = ""), "a", &[]),
        (|| info_span!("a", otel.kind = "internal"), "a", &[]),
        (
            || {
                info_span!(
                    "a",
                    otel.status_code = "error",
                    otel.status_message = "full"
                )
            },
            "a",
            &["otel.status_description=full", "error=true"],
        ),
        (
            || info_span!("a", otel.status_code = "OK"),
            "a",
            &["otel.status_code=OK"],
        ),
        (|| info_span!("a", otel.status_code = "unset"), "a", &[]),
        (|| info_span!("a", error = true), "a", &["error=true"]),
        (|| info_span!("a", error = false), "a", &["error=false"]),
        (|| info_span!("a", error = %failure()), "a", &["error=true"]),
    ]
    .into_iter()
    .enumerate()
    {
        let (dispatch, _, spans) = subscriber();
        tracing::dispatcher::with_default(&dispatch, || drop(make()));
        let span = &spans.spans()[0];
        assert_eq!(span.operation_name, name, "row {row}");
        assert_eq!(texts(&span.tags), tags, "row {row}");
    }
}

#[test]
fn an_error_on_a_span_is_logged_with_its_causes() {
    let (dispatch, _, spans) = subscriber();
    tracing::dispatcher::with_default(&dispatch, || {
        let error: &(dyn std::error::Error + 'static) = &failure();
        let span = info_span!("a", error);
        span.record("error", field::display("once more"));
    });
    let span = &spans.spans()[0];
    let logs: Vec<_> = span.logs.iter().map(log_texts).collect();
    assert_eq!(
        logs,
        [
            [
                "event=error",
                "message=cannot connect",
                "error.object=cannot connect: no route"
            ],
            ["event=error", "message=once more", "error.object=once more"],
        ]
    );
    assert_eq!(texts(&span.tags), ["error=true"]);
}

#[test]
fn a_log_record_keeps_the_types_of_the_fields_of_its_event() {
    let (dispatch, _, spans) = subscriber();
    tracing::dispatcher::with_default(&dispatch, || {
        info_span!("a").in_scope(|| {
            info!(
                text = "abc",
                whole = -3,
                large = u64::MAX,
                larger = i128::MIN,
                small = 7_u128,
                largest = u128::MAX,
                part = 0.5,
                yes = true,
                bytes = &b"\x00\x7f"[..],
                shown = %"x y",
            );
        });
    });
    let span = &spans.spans()[0];
    let fields = &span.logs[0].fields;
    let value = |key: &str| {
        let field = fields.iter().find(|field| field.key == key);
        field.map(|field| field.value.clone()).expect("a field")
    };
    assert_eq!(value("text"), "abc".into());
    assert_eq!(value("whole"), (-3).into());
    assert_eq!(value("large"), u64::MAX.to_string().into());
    assert_eq!(value("larger"), i128::MIN.to_string().into());
    assert_eq!(value("small"), 7.into());
    assert_eq!(value("largest"), u128::MAX.to_string().into());
    assert_eq!(value("part"), 0.5.into());
    assert_eq!(value("yes"), true.into());
    assert_eq!(value("bytes"), TagValue::Binary(vec![0, 0x7f]));
    assert_eq!(value("shown"), "x y".into());
}

#[test]
fn events_are_log_records_of_the_span_in_which_they_happen() {
    let (dispatch, tracer, spans) = fixed_subscriber();
    tracing::dispatcher::with_default(&dispatch, || {
        use tracehound::prelude::*;
        info!("no span");
        let a = info_span!("a");
        a.in_scope(|| info!(items = 3, "cart {}", "read"));
        info!(parent: &a, event = "paid", "by card");
        a.in_scope(|| info!(parent: None, "nowhere"));
        let error: &(dyn std::error::Error + 'static) = &failure();
        a.in_scope(|| event!(name: "retry", Level::WARN, error, attempt = 2));
        let own = tracer.start_active_span("own");
        warn!(target: "shop::stock", "low");
        drop(own);
    });
    let target = "target=it::bridge::tracing::basics";
    let a = spans.find("a").expect("it has ended");
    let logs: Vec<_> = a.logs.iter().map(log_texts).collect();
    let expected: [&[&str]; 3] = [
        &[
            "event=log",
            "level=INFO",
            target,
            "message=cart read",
            "items=3",
        ],
        &["level=INFO", target, "message=by card", "event=paid"],
        &[
            "event=retry",
            "level=WARN",
            target,
            "error.object=cannot connect: no route",
            "attempt=2",
        ],
    ];
    assert_eq!(logs, expected);
    assert!(!a.is_error());
    let own = spans.find("own").expect("it has ended");
    assert_eq!(
        log_texts(&own.logs[0]),
        [
            "event=log",
            "level=WARN",
            "target=shop::stock",
            "message=low"
        ]
    );
}

#[test]
fn an_event_at_level_error_marks_its_span_unless_the_span_is_ok() {
    let rows: [(bool, bool, bool, bool); 5] = [
        // (marks, is started before, is ok, has failed)
        (true, false, false, true),
        (true, true, false, true),
        (false, true, false, false),
        (true, false, true, false),
        (true, true, true, false),
    ];
    for (marks, starts, is_ok, expected) in rows {
        let (tracer, spans) = recording_tracer();
        let layer = TracingLayer::new(tracer).error_events(marks);
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            let span = info_span!("a", otel.status_code = field::Empty);
            let _here = span.enter();
            if starts {
                tracehound::scope::active_context();
            }
            error!("failed");
            if is_ok {
                span.record("otel.status_code", "ok");
                error!("failed, but it does not matter");
            }
        });
        let span = &spans.spans()[0];
        assert_eq!(span.is_error(), expected, "{marks} {starts} {is_ok}");
        assert!(
            span.logs
                .iter()
                .all(|log| log_texts(log)[0] == "event=error")
        );
    }
}

#[test]
fn settings_choose_what_is_recorded() {
    let (tracer, spans) = recording_tracer();
    let layer = TracingLayer::new(tracer)
        .event_targets(false)
        .span_levels(true)
        .span_targets(true)
        .locations(true)
        .threads(true);
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        info_span!("a").in_scope(|| info!("b"));
    });
    let span = &spans.spans()[0];
    let keys: Vec<_> = span
        .tags
        .iter()
        .map(|tag| &*tag.key)
        .filter(|key| !key.starts_with("sampler."))
        .collect();
    assert_eq!(
        keys,
        [
            "level",
            "target",
            "code.filepath",
            "code.lineno",
            "code.namespace",
            "thread.name"
        ]
    );
    let log = log_texts(&span.logs[0]);
    assert_eq!(log[..2], ["event=log", "level=INFO"]);
    assert!(
        log[2].starts_with("code.filepath=") && log[3].starts_with("code.lineno="),
        "{log:?}"
    );

    let (tracer, spans) = recording_tracer();
    let layer = TracingLayer::new(tracer).events(false);
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        info_span!("a").in_scope(|| error!("b"));
    });
    let span = &spans.spans()[0];
    assert!(span.logs.is_empty() && span.is_error());
}

#[test]
fn a_span_has_the_times_of_its_creation_its_events_and_its_close() {
    let (tracer, spans, clock): (_, _, ManualClock) = fixed_tracer();
    let subscriber = tracing_subscriber::registry().with(TracingLayer::new(tracer));
    tracing::subscriber::with_default(subscriber, || {
        let millis = |n| clock.advance(Duration::from_millis(n));
        let a = info_span!("a");
        millis(1);
        let here = a.enter();
        info!("early");
        millis(2);
        let _ = tracehound::scope::active_context();
        millis(4);
        info!("late");
        drop(here);
        millis(8);
    });
    let a = &spans.spans()[0];
    let start = a.start.as_micros();
    assert_eq!(start, 1_500_000_000_000_000);
    assert_eq!(a.duration, Duration::from_millis(15));
    let times: Vec<_> = a
        .logs
        .iter()
        .map(|log| log.timestamp.as_micros() - start)
        .collect();
    assert_eq!(times, [1_000, 7_000]);
}

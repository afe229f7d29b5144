//! Times that the wire or a backend cannot carry: they are moved and counted.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tracehound::clock::ManualClock;
use tracehound::metrics::Counter;
use tracehound::model::{LogRecord, Tag, Timestamp, field};
use tracehound::prelude::*;
use tracehound::reporter::sender::BatchFormat;
use tracehound::reporter::{InMemoryReporter, RemoteReporter, Reporter};
use tracehound::sampler::ConstSampler;

use crate::support::batches::{Capture, listening_worker, report, soon, span};
use crate::support::{fixed_tracer, recording_builder, recording_tracer};

/// Microseconds since the epoch in February 2116.
const LATEST: i64 = i64::MAX / 2 / 1_000;

/// Times that are moved, each with its new time in microseconds.
fn moved() -> impl Iterator<Item = (SystemTime, i64)> {
    let before = [
        Duration::from_nanos(1),
        Duration::from_secs(1),
        Duration::from_secs(60 * 60 * 24 * 365 * 1_000),
        Duration::from_secs(i64::MAX.unsigned_abs()),
    ];
    let after = [
        Duration::from_nanos(i64::MAX.unsigned_abs() / 2 + 1),
        Duration::from_secs(60 * 60 * 24 * 366 * 8_030),
        Duration::from_secs(i64::MAX.unsigned_abs()),
    ];
    let before = before.map(|time| UNIX_EPOCH.checked_sub(time).map(|time| (time, 0)));
    let after = after.map(|time| UNIX_EPOCH.checked_add(time).map(|time| (time, LATEST)));
    before.into_iter().chain(after).flatten()
}

#[test]
fn a_start_before_1970_or_after_2116_is_moved_there_and_counted() {
    for (time, micros) in moved() {
        let (tracer, spans, _) = fixed_tracer();
        let span = tracer.build_span("s").start_time(time).start();
        assert_eq!(tracer.metrics().get(Counter::ClampedTimes), 1, "{time:?}");
        span.finish_at(UNIX_EPOCH + Duration::from_nanos(i64::MAX.unsigned_abs() / 2));
        let span = &spans.spans()[0];
        assert_eq!(span.start.as_micros(), micros, "{time:?}");
        let duration = Duration::from_micros((LATEST - micros).max(1).unsigned_abs());
        assert_eq!(span.duration, duration, "{time:?}");
        assert_eq!(tracer.metrics().get(Counter::ClampedTimes), 1, "{time:?}");
    }
}

#[test]
fn a_log_before_1970_or_after_2116_is_moved_there_and_counted() {
    for (time, micros) in moved() {
        let (tracer, spans, _) = fixed_tracer();
        let span = tracer.start_span("s");
        span.log_at(time, [field("event", "short")]);
        span.log_at(time, (0..20).map(|n| field("n", n)));
        span.finish();
        for log in &spans.spans()[0].logs {
            assert_eq!(log.timestamp.as_micros(), micros, "{time:?}");
        }
        assert_eq!(tracer.metrics().get(Counter::ClampedTimes), 2, "{time:?}");
    }
}

#[test]
fn an_end_before_1970_or_after_2116_is_moved_and_counted_once() {
    let start = 1_500_000_000_000_000;
    for (time, micros) in moved() {
        let (tracer, spans, _) = fixed_tracer();
        tracer.start_span("s").finish_at(time);
        let duration = Duration::from_micros((micros - start).max(1).unsigned_abs());
        assert_eq!(spans.spans()[0].duration, duration, "{time:?}");
        assert_eq!(tracer.metrics().get(Counter::ClampedTimes), 1, "{time:?}");
    }
}

#[test]
fn an_end_before_the_start_is_moved_to_it_and_counted() {
    let (tracer, spans, _) = fixed_tracer();
    let now = UNIX_EPOCH + Duration::from_secs(1_500_000_000);
    let ahead = now + Duration::from_secs(1);
    tracer
        .start_span("early end")
        .finish_at(now - Duration::from_secs(1));
    tracer
        .build_span("late start")
        .start_time(ahead)
        .start()
        .finish();
    tracer.start_span("no length").finish_at(now);
    for span in spans.spans() {
        assert_eq!(span.duration, Duration::from_micros(1), "{span:?}");
    }
    assert_eq!(tracer.metrics().get(Counter::ClampedTimes), 2);
}

#[test]
fn times_from_1970_to_2116_stay_as_they_are() {
    let (tracer, spans, _) = fixed_tracer();
    let latest = UNIX_EPOCH + Duration::from_micros(LATEST.unsigned_abs());
    let span = tracer.build_span("s").start_time(UNIX_EPOCH).start();
    span.log_at(UNIX_EPOCH, [field("event", "first")])
        .log_at(latest, [field("event", "last")]);
    span.finish_at(latest);
    let span = &spans.spans()[0];
    let logs: Vec<_> = span
        .logs
        .iter()
        .map(|log| log.timestamp.as_micros())
        .collect();
    assert_eq!((span.start.as_micros(), &*logs), (0, &[0, LATEST][..]));
    assert_eq!(span.duration.as_micros(), u128::from(LATEST.unsigned_abs()));
    assert_eq!(tracer.metrics().get(Counter::ClampedTimes), 0);
}

#[test]
fn times_of_spans_that_are_not_kept_are_not_counted() {
    let (builder, _) = recording_builder();
    let tracer = builder.sampler(ConstSampler::new(false)).build().unwrap();
    for (time, _) in moved() {
        let span = tracer.build_span("s").start_time(time).start();
        span.log_at(time, [field("event", "x")]);
        span.finish_at(time);
    }
    assert_eq!(tracer.metrics().get(Counter::ClampedTimes), 0);
}

#[test]
fn a_manual_clock_goes_no_farther_than_2116() {
    let (builder, spans) = recording_builder();
    let clock = ManualClock::at_micros(u64::MAX);
    let tracer = builder.clock(clock.clone()).build().unwrap();
    let span = tracer.start_span("s");
    clock.advance(Duration::MAX);
    clock.set_micros(u64::MAX);
    span.log_event("x");
    span.finish();
    let span = &spans.spans()[0];
    assert_eq!(span.start.as_micros(), LATEST);
    assert_eq!(span.logs[0].timestamp.as_micros(), LATEST);
    assert_eq!(span.duration, Duration::from_micros(1));
}

#[test]
fn times_of_a_span_made_by_hand_are_moved_when_it_is_sent() {
    let at = Timestamp::from_micros;
    let made = |start, duration, logs: &[i64]| {
        let mut span = span(1);
        (span.start, span.duration) = (at(start), duration);
        for log in logs {
            let fields = vec![Tag::new("event", "x")];
            span.logs.push(LogRecord::new(at(*log), fields));
        }
        span
    };
    let second = Duration::from_secs(1);
    let rows = [
        (made(-1, second, &[]), 1),
        (made(i64::MIN, Duration::MAX, &[-1, 0, i64::MIN]), 4),
        (made(LATEST + 1, second, &[LATEST, LATEST + 1]), 3),
        (made(i64::MAX, Duration::ZERO, &[i64::MAX]), 2),
        (made(1, Duration::from_micros(u64::MAX), &[]), 1),
        (
            made(
                0,
                Duration::from_micros(LATEST.unsigned_abs()),
                &[0, LATEST],
            ),
            0,
        ),
        (made(LATEST, Duration::from_micros(1), &[]), 0),
    ];
    for format in [BatchFormat::Compact, BatchFormat::Binary] {
        for (given, count) in &rows {
            let capture = Capture::new(format, 65_000);
            let (worker, _) = listening_worker();
            let mut reporter = RemoteReporter::new(capture.clone());
            reporter.attach(&worker);
            report(&mut reporter, std::slice::from_ref(given));
            reporter.flush(soon());
            let sent = &capture.decoded()[0].batch.spans[0];
            let clamp = |time: Timestamp| time.as_micros().clamp(0, LATEST);
            assert_eq!(sent.start_time, clamp(given.start), "{given:?}");
            let longest = (LATEST - sent.start_time).max(1);
            assert!((0..=longest).contains(&sent.duration), "{given:?}");
            let logs: Vec<_> = sent.logs.iter().map(|log| log.timestamp).collect();
            let expected: Vec<_> = given.logs.iter().map(|log| clamp(log.timestamp)).collect();
            assert_eq!(logs, expected, "{given:?}");
            assert!(sent.logs.iter().all(|log| log.fields.len() == 1));
            assert_eq!(
                worker.metrics().get(Counter::ClampedTimes),
                *count,
                "{given:?}"
            );
        }
    }
}

#[test]
fn a_child_in_another_tracer_starts_after_its_parent() {
    let (shop, spans_of_shop) = recording_tracer();
    let parent = shop.start_span("parent");
    let later = Instant::now() + Duration::from_millis(20);
    while Instant::now() < later {
        thread::yield_now();
    }
    let (pay, spans_of_pay) = recording_tracer();
    pay.build_span("child").child_of(&parent).start().finish();
    parent.finish();
    let start = |spans: &InMemoryReporter| spans.spans()[0].start.as_micros();
    let between = start(&spans_of_pay) - start(&spans_of_shop);
    assert!((20_000..10_000_000).contains(&between), "{between} us");
}

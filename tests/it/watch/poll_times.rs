//! Tests of the times that futures work and wait, and of polls that hold their thread.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tracehound::clock::ManualClock;
use tracehound::model::TagValue;
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::ConstSampler;
use tracehound::scope::{BLOCKING_LIMIT, Instrumented, PollTimes, capture};
use tracehound::{JaegerTracer, Span};

use crate::support::{kept_lines, log_texts, recording_builder};

/// Returns a future whose polls take so many microseconds of the clock. It ends in the last one.
fn steps(clock: &ManualClock, polls: &'static [u64]) -> impl Future<Output = ()> + use<> {
    let (clock, mut polls) = (clock.clone(), polls.iter());
    poll_fn(move |_| {
        clock.advance(Duration::from_micros(
            *polls.next().expect("polled after its end"),
        ));
        match polls.len() {
            0 => Poll::Ready(()),
            _ => Poll::Pending,
        }
    })
}

fn poll_once<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn recording() -> (JaegerTracer, InMemoryReporter, ManualClock) {
    let (builder, spans) = recording_builder();
    let clock = ManualClock::at_micros(1_500_000_000_000_000);
    let tracer = builder.clock(clock.clone()).build().expect("named");
    (tracer, spans, clock)
}

/// Returns the tags about polls of the only span: busy, idle, polls, longest, blocking.
fn times(spans: &InMemoryReporter) -> Option<[i64; 5]> {
    let spans = spans.take();
    assert_eq!(spans.len(), 1);
    let tag = |key: &str| {
        let tag = spans[0].tags.iter().find(|tag| tag.key == key)?;
        match tag.value {
            TagValue::Long(value) => Some(value),
            _ => panic!("{tag:?}"),
        }
    };
    let blocking = tag("blocking_polls").unwrap_or(0);
    match ["busy_us", "idle_us", "polls", "longest_poll_us"].map(tag) {
        [Some(busy), Some(idle), Some(polls), Some(longest)] => {
            Some([busy, idle, polls, longest, blocking])
        }
        found => {
            assert_eq!(found, [None; 4]);
            None
        }
    }
}

#[test]
fn a_span_tells_how_long_its_future_was_busy_and_idle() {
    let rows: [(&'static [u64], u64, [i64; 5]); 5] = [
        (&[5], 0, [5, 0, 1, 5, 0]),
        (&[0], 0, [0, 0, 1, 0, 0]),
        (&[5, 7, 6], 100, [18, 200, 3, 7, 0]),
        (&[1_000, 0, 0, 2_000], 10, [3_000, 30, 4, 2_000, 0]),
        (&[99_999, 1], 1_000_000, [100_000, 1_000_000, 2, 99_999, 0]),
    ];
    for (polls, pause, expected) in rows {
        let (tracer, spans, clock) = recording();
        let span = tracer.start_span("a");
        clock.advance(Duration::from_secs(1));
        let mut future = pin!(steps(&clock, polls).in_span(span).with_poll_times());
        while poll_once(future.as_mut()).is_pending() {
            clock.advance(Duration::from_micros(pause));
        }
        assert_eq!(times(&spans), Some(expected), "{polls:?}");
    }
}

type Timed = Instrumented<PollTimes<Pin<Box<dyn Future<Output = ()>>>>>;

/// Ends a future that was polled once.
type End = fn(Pin<&mut Timed>);

#[test]
fn the_times_are_told_however_the_future_ends() {
    type Row = (&'static str, &'static [u64], Option<[i64; 5]>, End);
    let rows: [Row; 4] = [
        ("the end", &[3, 4], Some([7, 10, 2, 4, 0]), |future| {
            assert!(poll_once(future).is_ready());
        }),
        ("dropped", &[3, 4], Some([3, 0, 1, 3, 0]), |_| ()),
        ("a panic", &[3], Some([3, 10, 2, 3, 0]), |future| {
            let future = AssertUnwindSafe(future);
            let panicked = catch_unwind(move || poll_once({ future }.0));
            assert!(panicked.is_err());
        }),
        ("a finished span", &[3, 4], None, |mut future| {
            future.span().finish();
            assert!(poll_once(future.as_mut()).is_ready());
        }),
    ];
    for (end, polls, expected, run) in rows {
        let (tracer, spans, clock) = recording();
        let inner = steps(&clock, polls);
        let pending_once = async {
            let mut inner = pin!(inner);
            poll_fn(|context| {
                // The first poll is never the last one.
                let _ = inner.as_mut().poll(context);
                Poll::Ready(())
            })
            .await;
            yield_once().await;
            inner.await;
        };
        let boxed: Pin<Box<dyn Future<Output = ()>>> = Box::pin(pending_once);
        let mut future = Box::pin(boxed.in_span(tracer.start_span("a")).with_poll_times());
        assert!(poll_once(future.as_mut()).is_pending());
        clock.advance(Duration::from_micros(10));
        run(future.as_mut());
        drop(future);
        assert_eq!(times(&spans), expected, "{end}");
    }
}

/// A future that is pending once.
async fn yield_once() {
    let mut is_first = true;
    poll_fn(|_| match std::mem::take(&mut is_first) {
        true => Poll::Pending,
        false => Poll::Ready(()),
    })
    .await;
}

#[test]
fn a_future_that_was_never_polled_tells_so() {
    let (tracer, spans, clock) = recording();
    drop(
        steps(&clock, &[1])
            .in_span(tracer.start_span("a"))
            .with_poll_times(),
    );
    assert_eq!(times(&spans), Some([0; 5]));
}

#[test]
fn a_poll_that_holds_its_thread_is_logged_counted_and_said_once_in_ten_seconds() {
    let (builder, spans) = recording_builder();
    let (diagnostics, lines) = kept_lines();
    let clock = ManualClock::at_micros(1_500_000_000_000_000);
    let builder = builder.diagnostics(diagnostics).clock(clock.clone());
    let tracer = builder.build().expect("named");
    let line = Cell::new(0);
    let run = |polls: &'static [u64]| {
        let future = steps(&clock, polls).in_span(tracer.start_span("a"));
        let (future, here) = (future.with_poll_times(), line!());
        line.set(here);
        let mut future = pin!(future.blocking_limit(BLOCKING_LIMIT));
        while poll_once(future.as_mut()).is_pending() {}
    };
    run(&[99_999]);
    assert_eq!(times(&spans), Some([99_999, 0, 1, 99_999, 0]));
    assert!(lines.lock().unwrap().is_empty());

    run(&[100_000, 5, 230_000]);
    let logs: Vec<_> = spans.spans()[0].logs.iter().flat_map(log_texts).collect();
    let expected = [
        "event=blocking_poll",
        "poll_us=100000",
        "event=blocking_poll",
        "poll_us=230000",
    ];
    assert_eq!(logs, expected);
    assert_eq!(times(&spans), Some([330_005, 0, 3, 230_000, 2]));
    let said = std::mem::take(&mut *lines.lock().unwrap());
    let (file, line) = (file!(), line.get());
    let expected = format!(
        r#"a poll of "a" at {file}:{line} held its thread for 100.0ms; the limit is 100.0ms"#
    );
    assert_eq!(said, [expected]);

    clock.advance(Duration::from_secs(10));
    run(&[150_000]);
    assert_eq!(times(&spans), Some([150_000, 0, 1, 150_000, 1]));
    let said = lines.lock().unwrap()[0].clone();
    assert!(
        said.ends_with(
            "held its thread for 150.0ms; the limit is 100.0ms (1 more since the last line)"
        ),
        "{said}"
    );
}

#[test]
fn a_span_that_is_not_kept_has_its_blocking_polls_said() {
    let (diagnostics, lines) = kept_lines();
    let clock = ManualClock::at_micros(1_500_000_000_000_000);
    let tracer = JaegerTracer::builder("shop")
        .sampler(ConstSampler::new(false))
        .diagnostics(diagnostics)
        .clock(clock.clone())
        .build()
        .expect("named");
    let limit = Duration::from_micros(10);
    let future = steps(&clock, &[10])
        .in_span(tracer.start_span("a"))
        .with_poll_times();
    assert!(poll_once(pin!(future.blocking_limit(limit))).is_ready());
    assert_eq!(lines.lock().unwrap().len(), 1);
    let future = steps(&clock, &[10])
        .in_span(tracer.start_span("a"))
        .with_poll_times();
    assert!(poll_once(pin!(future)).is_ready());
    let noop = steps(&clock, &[10]).in_span(Span::noop()).with_poll_times();
    assert!(poll_once(pin!(noop.blocking_limit(limit))).is_ready());
    assert_eq!(lines.lock().unwrap().len(), 1);
}

#[test]
fn a_future_leaves_no_tags_on_a_span_that_is_not_its_own() {
    let (builder, spans) = recording_builder();
    let (diagnostics, lines) = kept_lines();
    let clock = ManualClock::at_micros(1_500_000_000_000_000);
    let builder = builder.diagnostics(diagnostics).clock(clock.clone());
    let tracer = builder.build().expect("named");
    let span = tracer.start_active_span("a");
    let future = steps(&clock, &[20]).in_active_span().with_poll_times();
    let future = future.blocking_limit(Duration::from_micros(10));
    assert!(poll_once(pin!(future)).is_ready());
    span.finish();
    assert!(spans.spans()[0].logs.is_empty());
    assert_eq!(times(&spans), None);
    assert_eq!(lines.lock().unwrap().len(), 1);
}

#[test]
fn work_that_starts_a_span_of_its_own_has_the_times_on_that_one() {
    for has_child in [true, false] {
        let (tracer, spans, clock) = recording();
        let parent = tracer.start_active_span("a");
        let captured = capture();
        let captured = match has_child {
            true => captured.child(tracer.clone(), "child"),
            false => captured.child_with(Span::noop),
        };
        let future = captured.wrap_future(steps(&clock, &[5])).with_poll_times();
        assert!(poll_once(pin!(future)).is_ready());
        if has_child {
            assert_eq!(times(&spans), Some([5, 0, 1, 5, 0]));
        }
        parent.finish();
        assert_eq!(times(&spans), None);
    }
}

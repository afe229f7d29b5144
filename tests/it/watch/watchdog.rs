//! Spans that are open longer than the limit.

use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::diagnostics::Diagnostics;
use tracehound::prelude::*;
use tracehound::sampler::ConstSampler;
use tracehound::watch::OpenSpans;

use super::{Watched, tracer};
use crate::support::{kept_lines, until};

fn limited(seconds: u64) -> (OpenSpans, Watched) {
    let open = OpenSpans::new().limit(Duration::from_secs(seconds));
    let watched = Watched::by(open.clone());
    (open, watched)
}

#[test]
fn a_span_is_reported_at_its_limit_and_at_each_doubling_of_it() {
    let (open, watched) = limited(100);
    let span = watched.tracer.start_span("checkout");
    // The tracer's own thread looks too, when it likes: so the lines count.
    let rows = [
        (99, 0, 0),
        (100, 1, 1),
        (199, 0, 1),
        (200, 1, 1),
        (399, 0, 1),
        (400, 1, 1),
        (799, 0, 1),
        // Two doublings at once are one line.
        (3_200, 1, 1),
        (6_399, 0, 1),
        (6_400, 1, 1),
    ];
    let mut now = 0;
    for (seconds, lines, over_limit) in rows {
        watched.advance(seconds - now);
        now = seconds;
        open.look();
        until("the line", || watched.lines.lock().unwrap().len() >= lines);
        let said = watched.lines();
        assert_eq!(said.len(), lines, "{seconds} s: {said:?}");
        for line in said {
            let expected =
                format!(r#"a span is open longer than 100.0s: "checkout" for {seconds}.0s, "#);
            assert!(line.starts_with(&expected), "{line}");
        }
        assert_eq!(open.over_limit(), over_limit, "{seconds} s");
    }
    span.finish();
    watched.advance(100_000);
    assert_eq!((open.look(), open.over_limit()), (0, 1));
}

#[test]
fn each_place_has_one_line_in_ten_seconds_which_counts_the_others() {
    let (open, watched) = limited(100);
    let start = |name: &'static str| watched.tracer.start_span(name);
    let mut spans: Vec<_> = (0..3).map(|_| start("a")).collect();
    spans.extend((0..2).map(|_| watched.tracer.start_span("b")));
    watched.advance(1);
    spans.push(start("a"));
    watched.advance(99);
    open.look();
    until("two lines", || watched.lines.lock().unwrap().len() >= 2);
    let lines = watched.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        !lines.iter().any(|line| line.contains("more since")),
        "{lines:?}"
    );
    watched.advance(1);
    open.look();
    until("the last span", || open.over_limit() == 6);
    assert!(watched.lines().is_empty(), "ten seconds are not over");
    watched.advance(99);
    open.look();
    until("two lines", || watched.lines.lock().unwrap().len() >= 2);
    let mut lines = watched.lines();
    lines.sort();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("\"a\"") && lines[0].ends_with("(3 more since the last line)"));
    assert!(lines[1].contains("\"b\"") && lines[1].ends_with("(1 more since the last line)"));
}

#[test]
fn a_span_that_exceeds_its_limit_between_two_looks_is_counted() {
    let (open, watched) = limited(3_600);
    for seconds in [3_599, 3_600, 3_601] {
        let span = watched.tracer.start_span("checkout");
        watched.advance(seconds);
        span.finish();
    }
    assert_eq!(open.over_limit(), 2);
    let untracked = OpenSpans::new().max_spans(0).limit(Duration::from_secs(1));
    let watched = Watched::by(untracked.clone());
    let span = watched.tracer.start_span("checkout");
    watched.advance(1);
    drop(span);
    assert_eq!(untracked.over_limit(), 1);
}

#[test]
fn a_handler_that_panics_does_not_stop_the_watchdog() {
    let open = OpenSpans::new().limit(Duration::from_secs(100));
    let diagnostics = Diagnostics::with_handler(|_| panic!("a handler"));
    let (tracer, clock) = tracer(open.clone(), diagnostics);
    let spans: Vec<_> = (0..3).map(|_| tracer.start_span("a")).collect();
    clock.advance(Duration::from_secs(100));
    open.look();
    until("the spans", || open.over_limit() == 3);
    clock.advance(Duration::from_secs(100));
    drop(spans);
    drop(tracer.start_span("b"));
    assert_eq!((open.look(), open.over_limit(), open.len()), (0, 3, 0));
}

#[test]
fn the_tracers_thread_says_without_being_asked_that_a_span_hangs() {
    let (diagnostics, lines) = kept_lines();
    let open = OpenSpans::new().limit(Duration::from_millis(5));
    let tracer = JaegerTracer::builder("shop")
        .sampler(ConstSampler::new(false))
        .diagnostics(diagnostics)
        .observer(open.clone())
        .build()
        .expect("named");
    let span = tracer.start_span("GET /\n\u{1b}[2Jorders".to_owned());
    until("a line", || !lines.lock().unwrap().is_empty());
    let line = lines.lock().unwrap()[0].clone();
    assert!(line.contains(r#""GET /\n\u{1b}[2Jorders" for "#), "{line}");
    assert_eq!(open.over_limit(), 1);
    span.finish();
}

#[test]
fn a_list_without_a_limit_says_nothing() {
    let open = OpenSpans::new();
    let watched = Watched::by(open.clone());
    let span = watched.tracer.start_span("a");
    watched.advance(1_000_000);
    assert_eq!((open.look(), open.over_limit()), (0, 0));
    span.finish();
    assert_eq!(open.over_limit(), 0);
    assert!(watched.lines().is_empty());
}

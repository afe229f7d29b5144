//! Streams and sinks: the span is active in every call, and tells how they ended and with how many items.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::stream::{self, FusedStream, Stream};
use futures_util::{Sink, SinkExt, StreamExt};
use tracehound::SpanContext;
use tracehound::clock::ManualClock;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::scope::{SinkInSpan, StreamInSpan, capture};

use super::{active, log_of};
use crate::block_on::block_on;
use crate::support::{fixed_tracer, names, recording_tracer};

/// A step of a [`Script`], one for each call.
#[derive(Clone, Copy)]
enum Step {
    Wait,
    Go,
    Fail,
    Panic,
}
use Step::{Fail, Go, Panic, Wait};

/// A stream and a sink that does as it is told, and notes the active context in every call and when it is dropped. The
/// calls of the stream give 1, 2, 3…, and nothing after the last step.
struct Script<'a> {
    steps: VecDeque<Step>,
    given: u32,
    seen: &'a RefCell<Vec<SpanContext>>,
}

impl<'a> Script<'a> {
    fn new(steps: &[Step], seen: &'a RefCell<Vec<SpanContext>>) -> Self {
        Self {
            steps: steps.iter().copied().collect(),
            given: 0,
            seen,
        }
    }

    fn step(&mut self) -> Option<Step> {
        self.seen.borrow_mut().push(active());
        let step = self.steps.pop_front();
        assert!(!matches!(step, Some(Panic)), "on purpose");
        step
    }

    fn poll(&mut self) -> Poll<Result<(), &'static str>> {
        match self.step() {
            Some(Wait) => Poll::Pending,
            Some(Fail) => Poll::Ready(Err("full")),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl Drop for Script<'_> {
    fn drop(&mut self) {
        self.seen.borrow_mut().push(active());
    }
}

impl Stream for Script<'_> {
    type Item = Result<u32, std::fmt::Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.step() {
            None => Poll::Ready(None),
            Some(Wait) => Poll::Pending,
            Some(Fail) => Poll::Ready(Some(Err(std::fmt::Error))),
            Some(_) => {
                self.given += 1;
                Poll::Ready(Some(Ok(self.given)))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.steps.len()))
    }
}

impl Sink<u32> for Script<'_> {
    type Error = &'static str;

    fn poll_ready(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.poll()
    }

    fn start_send(mut self: Pin<&mut Self>, _: u32) -> Result<(), Self::Error> {
        match self.poll() {
            Poll::Ready(result) => result,
            Poll::Pending => unreachable!("no waiting here"),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.poll()
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.poll()
    }
}

/// Polls a stream once. Returns false if the poll panicked.
fn poll_once<S: Stream>(stream: Pin<&mut S>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    catch_unwind(AssertUnwindSafe(|| {
        let _ = stream.poll_next(&mut cx);
    }))
    .is_ok()
}

#[test]
fn a_stream_has_its_span_in_every_poll_and_tells_how_it_ended() {
    // Steps, polls, and what the span has then: items, log records and whether it failed.
    type Row = (
        &'static [Step],
        usize,
        &'static str,
        &'static [&'static str],
        bool,
    );
    let rows: [Row; 9] = [
        (&[], 0, "0", &["event=cancelled"], false),
        (&[], 1, "0", &[], false),
        (&[Wait], 1, "0", &["event=cancelled"], false),
        (&[Go, Go], 2, "2", &["event=cancelled"], false),
        (&[Go, Wait, Go], 4, "2", &[], false),
        (&[Go, Wait, Go], 6, "2", &[], false),
        (&[Go, Fail, Go], 4, "3", &[], false),
        (&[Panic], 1, "0", &["event=panic"], true),
        (&[Go, Go, Panic], 3, "2", &["event=panic"], true),
    ];
    for (n, (steps, polls, items, logs, has_failed)) in rows.into_iter().enumerate() {
        let (tracer, spans) = recording_tracer();
        let seen = RefCell::new(Vec::new());
        let span = tracer.start_span("stream");
        let context = span.context();
        let mut stream = Box::pin(Script::new(steps, &seen).stream_in_span(span));
        for _ in 0..polls {
            poll_once(stream.as_mut());
            assert!(active_span().is_noop(), "row {n}");
        }
        let is_over = has_failed || polls > steps.len();
        assert_eq!(spans.spans().len(), usize::from(is_over), "row {n}");
        assert_eq!(stream.items().to_string(), items, "row {n}");
        drop(stream);
        let expected = vec![context; polls.min(steps.len() + 1) + 1];
        assert_eq!(*seen.borrow(), expected, "row {n}");
        let [span] = &spans.spans()[..] else {
            panic!("row {n}: one span")
        };
        assert_eq!(span.tag_text("stream.items"), items, "row {n}");
        assert_eq!(log_of(span), logs, "row {n}");
        assert_eq!(span.is_error(), has_failed, "row {n}");
        let count = tracer.metrics().get(Counter::FinishedTwice);
        assert_eq!(count, 0, "row {n}");
    }
}

#[test]
fn a_stream_or_sink_that_owns_its_span_tells_of_its_items_before_the_span_ends() {
    let (tracer, spans) = recording_tracer();
    let owned = |name| {
        let span = tracer.start_span(name);
        (span.downgrade(), span)
    };
    let (handle, span) = owned("exhausted");
    let rows = stream::iter([1, 2]).inspect(move |_| assert!(span.is_recording()));
    block_on(rows.stream_in_span(handle).count());

    let (handle, span) = owned("half read");
    let rows = stream::iter([1, 2]).inspect(move |_| assert!(span.is_recording()));
    let mut rows = Box::pin(rows.stream_in_span(handle));
    assert!(poll_once(rows.as_mut()));
    drop(rows);

    let (handle, span) = owned("sink");
    let rows = futures_util::sink::drain().with(move |row: u32| {
        let is_recording = span.is_recording();
        async move {
            assert!(is_recording);
            Ok::<_, Infallible>(row)
        }
    });
    let mut rows = Box::pin(rows.sink_in_span(handle));
    block_on(rows.send(1)).expect("infallible");
    drop(rows);

    for (name, tag, items) in [
        ("exhausted", "stream.items", "2"),
        ("half read", "stream.items", "1"),
        ("sink", "sink.items", "1"),
    ] {
        let span = spans.find(name).expect("ended");
        assert_eq!(span.tag_text(tag), items, "{name}");
    }
}

#[test]
fn a_stream_passes_its_size_on_and_stays_at_its_end() {
    let seen = RefCell::new(Vec::new());
    let script = Script::new(&[Go, Go], &seen).stream_in_span(Span::noop());
    let mut stream = pin!(script);
    assert_eq!(stream.size_hint(), (0, Some(2)));
    assert!(poll_once(stream.as_mut()));
    assert_eq!(stream.size_hint(), (0, Some(1)));
    assert!(!stream.is_terminated());
    block_on(async {
        assert_eq!(stream.next().await, Some(Ok(2)));
        assert_eq!(stream.next().await, None);
        assert!(stream.is_terminated());
        assert_eq!(stream.size_hint(), (0, Some(0)));
        assert_eq!(stream.next().await, None);
    });
}

#[test]
fn the_time_to_the_first_item_counts_from_the_first_poll() {
    let (tracer, spans, clock) = fixed_tracer();
    let wait = |clock: &ManualClock| clock.advance(Duration::from_micros(1_500));
    let seen = RefCell::new(Vec::new());
    let span = tracer.start_span("stream");
    let mut stream = Box::pin(Script::new(&[Wait, Go, Go], &seen).stream_in_span(span));
    for _ in 0..4 {
        wait(&clock);
        poll_once(stream.as_mut());
    }
    let span = spans.find("stream").expect("exhausted");
    assert_eq!(span.tag_text("stream.first_item_us"), "1500");

    let span = tracer.start_span("empty");
    block_on(stream::empty::<u8>().stream_in_span(span).count());
    let span = spans.find("empty").expect("exhausted");
    assert_eq!(span.tag_text("stream.first_item_us"), "");
}

#[test]
fn each_item_may_be_looked_at_with_the_span_active() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("stream");
    let context = span.context();
    let mut sum = 0;
    let numbers = stream::iter(1..=3).stream_in_span(span);
    let numbers = numbers.on_item(|span, n| {
        assert_eq!(active(), context);
        assert_eq!(span.context(), context);
        sum += n;
        span.log([field("n", *n)]);
    });
    assert_eq!(block_on(numbers.collect::<Vec<_>>()), [1, 2, 3]);
    assert_eq!(sum, 6);
    let span = spans.find("stream").expect("exhausted");
    assert_eq!(log_of(&span), ["n=1", "n=2", "n=3"]);

    let numbers = stream::iter(1..=3).stream_in_span(tracer.start_span("panics"));
    let mut numbers = pin!(numbers.on_item(|_, n| assert!(*n < 2, "on purpose")));
    assert!(poll_once(numbers.as_mut()));
    assert!(!poll_once(numbers.as_mut()));
    let span = spans.find("panics").expect("released");
    assert_eq!(span.tag_text("stream.items"), "2");
    assert_eq!(log_of(&span), ["event=panic"]);
}

#[test]
fn errors_among_the_items_are_logged_if_asked_and_the_stream_goes_on() {
    let (tracer, spans) = recording_tracer();
    let texts = stream::iter(["1", "x", "3"]).map(|text| text.parse::<u8>());
    let texts = texts
        .stream_in_span(tracer.start_span("numbers"))
        .log_errors();
    assert_eq!(block_on(texts.count()), 3);
    let span = spans.find("numbers").expect("exhausted");
    assert!(span.is_error());
    assert!(log_of(&span).contains(&"message=invalid digit found in string".to_owned()));
    assert_eq!(span.tag_text("stream.items"), "3");
}

#[test]
fn a_stream_that_carries_a_span_leaves_nothing_on_it() {
    let (tracer, spans) = recording_tracer();
    let request = tracer.start_active_span("request");
    let seen = RefCell::new(Vec::new());
    let all = Script::new(&[Go, Wait], &seen).stream_in_active_span();
    let half = Script::new(&[Go, Go], &seen).stream_in_active_span();
    let fails = Script::new(&[Panic], &seen).stream_in_active_span();
    let (request, context) = (request.into_span(), active());
    let mut streams = [Box::pin(all), Box::pin(half), Box::pin(fails)];
    for stream in &mut streams {
        poll_once(stream.as_mut());
    }
    drop(streams);
    assert!(active_span().is_noop());
    assert_eq!(*seen.borrow(), vec![request.context(); 6]);
    assert!(context.is_empty());
    request.finish();
    let span = spans.find("request").expect("finished");
    assert_eq!(span.tag_text("stream.items"), "");
    assert_eq!(log_of(&span), [""; 0]);
    assert!(!span.is_error());
}

#[test]
fn a_captured_child_runs_from_the_first_poll_of_a_stream_or_sink_to_its_end() {
    let (tracer, spans) = recording_tracer();
    let request = tracer.start_active_span("request");
    let read = capture().child(tracer.clone(), "read");
    let write = capture().child(tracer.clone(), "write");
    let rows = read.wrap_stream(stream::iter([1, 2]));
    drop(read.wrap_stream(stream::iter([1, 2])));
    let mut to = write.wrap_sink(futures_util::sink::drain());
    request.finish();
    let rows = rows.map(|row| {
        tracer.start_span("row").finish();
        Ok::<_, Infallible>(row)
    });
    block_on(rows.forward(&mut to)).expect("infallible");
    assert_eq!(to.items(), 2);
    let tree = "request\n  read\n  write\nrow\nrow";
    assert_eq!(spans.tree(), tree, "`map` is outside");
    for (name, tag) in [("read", "stream.items"), ("write", "sink.items")] {
        let span = spans.find(name).expect("ended");
        assert_eq!(span.tag_text(tag), "2", "{name}");
        assert_eq!(log_of(&span), [""; 0], "{name}");
    }
}

/// A call on a sink.
#[derive(Clone, Copy)]
enum Call {
    Ready,
    Send,
    Flush,
    Close,
}
use Call::{Close, Flush, Ready, Send};

#[test]
fn a_sink_has_its_span_in_every_call_and_tells_how_it_ended() {
    // Calls with their steps, whether the span is over before the drop, and what it has: items, log records, failure.
    type Row = (
        &'static [(Call, Step)],
        bool,
        &'static str,
        &'static [&'static str],
        bool,
    );
    let cancelled: &[&str] = &["event=cancelled"];
    let failed: &[&str] = &["event=error"];
    let rows: [Row; 13] = [
        (&[], false, "0", &[], false),
        (&[(Ready, Wait), (Ready, Go)], false, "0", &[], false),
        (&[(Ready, Go), (Send, Go)], false, "1", cancelled, false),
        (&[(Send, Go), (Flush, Wait)], false, "1", cancelled, false),
        (&[(Send, Go), (Flush, Go)], false, "1", &[], false),
        (&[(Send, Go), (Close, Wait)], false, "1", cancelled, false),
        (&[(Send, Go), (Close, Go)], true, "1", &[], false),
        (&[(Close, Go), (Send, Go)], true, "0", &[], false),
        (&[(Ready, Fail)], true, "0", failed, true),
        (&[(Send, Go), (Send, Fail)], true, "1", failed, true),
        (&[(Flush, Fail), (Close, Go)], true, "0", failed, true),
        (&[(Send, Go), (Close, Fail)], true, "1", failed, true),
        (
            &[(Send, Go), (Flush, Panic)],
            true,
            "1",
            &["event=panic"],
            true,
        ),
    ];
    for (n, (calls, is_over, items, logs, has_failed)) in rows.into_iter().enumerate() {
        let (tracer, spans) = recording_tracer();
        let seen = RefCell::new(Vec::new());
        let span = tracer.start_span("sink");
        let context = span.context();
        let steps: Vec<_> = calls.iter().map(|(_, step)| *step).collect();
        let mut sink = Box::pin(Script::new(&steps, &seen).sink_in_span(span));
        for (call, _) in calls {
            let mut cx = Context::from_waker(Waker::noop());
            let _panic = catch_unwind(AssertUnwindSafe(|| match call {
                Ready => sink.as_mut().poll_ready(&mut cx).map(drop),
                Send => Poll::Ready(sink.as_mut().start_send(7)).map(drop),
                Flush => sink.as_mut().poll_flush(&mut cx).map(drop),
                Close => sink.as_mut().poll_close(&mut cx).map(drop),
            }));
            assert!(active_span().is_noop(), "row {n}");
        }
        assert_eq!(spans.spans().len(), usize::from(is_over), "row {n}");
        drop(sink);
        assert_eq!(*seen.borrow(), vec![context; calls.len() + 1], "row {n}");
        let [span] = &spans.spans()[..] else {
            panic!("row {n}: one span")
        };
        assert_eq!(span.tag_text("sink.items"), items, "row {n}");
        assert_eq!(log_of(span), logs, "row {n}");
        assert_eq!(span.is_error(), has_failed, "row {n}");
        let count = tracer.metrics().get(Counter::FinishedTwice);
        assert_eq!(count, 0, "row {n}");
    }
}

#[test]
fn a_sink_that_carries_a_span_leaves_nothing_on_it() {
    let (tracer, spans) = recording_tracer();
    let request = tracer.start_active_span("request");
    let seen = RefCell::new(Vec::new());
    let mut sink = Script::new(&[Go, Go, Fail], &seen).sink_in_active_span();
    block_on(sink.feed(1)).expect("sent");
    assert_eq!(block_on(sink.close()), Err("full"));
    drop(sink);
    assert_eq!(*seen.borrow(), vec![active(); 4]);
    request.finish();
    let span = spans.find("request").expect("finished");
    assert_eq!(span.tag_text("sink.items"), "");
    assert!(!span.is_error());
}

#[test]
fn an_error_of_a_sink_is_logged_with_its_text_inside_of_its_span() {
    let (tracer, spans) = recording_tracer();
    let seen = RefCell::new(Vec::new());
    let sink = Script::new(&[Fail], &seen).sink_map_err(|error| {
        active_span().log([field("event", "error"), field("message", error)]);
    });
    let mut sink = sink.sink_in_span(tracer.start_span("sink"));
    assert!(block_on(sink.send(1)).is_err());
    let span = spans.find("sink").expect("over");
    let expected = ["event=error", "message=full", "event=error"];
    assert_eq!(log_of(&span), expected);
}

#[test]
fn a_stream_that_is_dropped_on_another_thread_or_after_the_close_ends_once() {
    let (tracer, spans) = recording_tracer();
    let begun = |name| {
        let rows = stream::iter([1, 2]).stream_in_span(tracer.start_span(name));
        let mut rows = Box::pin(rows);
        assert!(poll_once(rows.as_mut()));
        rows
    };
    let there = begun("there");
    std::thread::spawn(move || drop(there))
        .join()
        .expect("no panic");
    let late = begun("late");
    assert_eq!(names(&spans), ["there"]);
    assert_eq!(log_of(&spans.spans()[0]), ["event=cancelled"]);
    assert!(tracer.close(Duration::from_secs(5)).is_complete());
    drop(late);
    assert_eq!(names(&spans), ["there"], "the tracer was closed before");
    assert_eq!(tracer.metrics().get(Counter::FinishedTwice), 0);
}

#[test]
fn a_stream_that_has_begun_keeps_its_count_when_its_items_are_looked_at() {
    let (tracer, spans) = recording_tracer();
    let mut items = stream::iter([1, 2, 3]).stream_in_span(tracer.start_span("read"));
    assert_eq!(block_on(items.next()), Some(1));
    let items = items.on_item(|span, item| {
        span.set_tag("last", *item);
    });
    assert_eq!(items.items(), 1);
    assert_eq!(block_on(items.count()), 2);
    let read = &spans.spans()[0];
    assert_eq!(read.tag_text("stream.items"), "3");
    assert_eq!(read.tag_text("last"), "3");
    let first_items = read
        .tags
        .iter()
        .filter(|tag| tag.key == "stream.first_item_us");
    assert_eq!(first_items.count(), 1);
}

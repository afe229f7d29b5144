//! A remote reporter whose sender learns later what became of its batches.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use tracehound::JaegerTracer;
use tracehound::prelude::*;
use tracehound::sampler::ConstSampler;

use super::*;

/// The script of a sender, and the batches that it has taken.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// The spans of each batch that waits for its answer.
    in_flight: VecDeque<u64>,
    /// Answers that were not asked for yet.
    news: SendOutcome,
    /// Batches are answered as they come.
    answers_at_once: bool,
    /// There is room for one batch at a time.
    is_narrow: bool,
    /// The number of batches that found no room.
    refused: usize,
    polls: usize,
}

impl Collector {
    fn batches(&self) -> usize {
        self.0.lock().unwrap().in_flight.len()
    }

    /// Answers the oldest batch, with a cause if it is lost.
    fn answer(&self, cause: Option<DropCause>) {
        let mut state = self.0.lock().unwrap();
        let spans = state.in_flight.pop_front().expect("a batch");
        let news = std::mem::take(&mut state.news);
        state.news = match cause {
            Some(cause) => news.with_failure(cause, spans),
            None => news.with_arrival(spans),
        };
    }

    fn answer_all(&self) {
        let mut state = self.0.lock().unwrap();
        state.answers_at_once = true;
        let spans = state.in_flight.drain(..).sum();
        let news = std::mem::take(&mut state.news);
        state.news = news.with_arrival(spans);
    }
}

impl Sender for Collector {
    fn format(&self) -> BatchFormat {
        BatchFormat::BinaryBatch
    }

    fn reads_spans(&self) -> bool {
        true
    }

    fn max_bytes(&self) -> usize {
        2_000
    }

    fn send(&mut self, batch: &Batch<'_>, _: Instant) -> SendOutcome {
        assert_eq!(batch.spans().count() as u64, batch.span_count);
        let mut state = self.0.lock().unwrap();
        let news = std::mem::take(&mut state.news);
        let mut outcome = SendOutcome::new(SendResult::InFlight);
        (outcome.arrived, outcome.failed) = (news.arrived, news.failed);
        if state.is_narrow && !state.in_flight.is_empty() {
            state.refused += 1;
            outcome.this = SendResult::Later(Instant::now() + Duration::from_millis(1));
            return outcome;
        }
        match state.answers_at_once {
            true => state.news = SendOutcome::default().with_arrival(batch.span_count),
            false => state.in_flight.push_back(batch.span_count),
        }
        outcome
    }

    fn poll(&mut self) -> SendOutcome {
        let mut state = self.0.lock().unwrap();
        state.polls += 1;
        std::mem::take(&mut state.news)
    }
}

fn reporter(collector: &Collector) -> RemoteReporter {
    let mut reporter = RemoteReporter::new(collector.clone());
    reporter.attach(&listening_worker().0);
    reporter
}

#[test]
fn spans_in_flight_are_queued_until_their_answer_comes() {
    let collector = Collector::default();
    let mut reporter = reporter(&collector);
    let counts = |unsent: Unsent| (unsent.dropped.total(), unsent.queued, unsent.in_flight);
    report(&mut reporter, &[span(1), span(2)]);
    assert_eq!(counts(reporter.flush(soon())), (0, 2, 2));
    report(&mut reporter, &[span(3)]);
    assert_eq!(counts(reporter.poll()), (0, 3, 2), "one is not flushed yet");
    assert_eq!(counts(reporter.flush(soon())), (0, 3, 3));
    collector.answer(Some(DropCause::Rejected));
    let unsent = reporter.poll();
    assert_eq!(counts(unsent), (2, 1, 1));
    assert_eq!(unsent.dropped.get(DropCause::Rejected), 2);
    collector.answer(None);
    assert_eq!(counts(reporter.poll()), (2, 0, 0));
}

#[test]
fn spans_without_an_answer_at_the_close_are_lost_as_unknown() {
    let collector = Collector::default();
    let mut reporter = reporter(&collector);
    report(&mut reporter, &[span(1), span(2), span(3)]);
    let unsent = reporter.close(Instant::now() + Duration::from_millis(5));
    assert_eq!(unsent.dropped.get(DropCause::Unknown), 3);
    assert_eq!((unsent.queued, unsent.in_flight), (0, 0));
}

#[test]
fn a_sender_that_answers_more_than_it_has_taken_changes_nothing_else() {
    let collector = Collector::default();
    let mut reporter = reporter(&collector);
    report(&mut reporter, &[span(1)]);
    reporter.flush(soon());
    collector.0.lock().unwrap().news = SendOutcome::default()
        .with_arrival(u64::MAX)
        .with_failure(DropCause::Refused, 7);
    let unsent = reporter.poll();
    assert_eq!((unsent.dropped.total(), unsent.queued), (0, 0));
}

fn tracer(collector: &Collector) -> JaegerTracer {
    tracer_with(collector, Duration::from_millis(10))
}

fn tracer_with(collector: &Collector, flush_interval: Duration) -> JaegerTracer {
    JaegerTracer::builder("shop")
        .sampler(ConstSampler::new(true))
        .reporter(RemoteReporter::new(collector.clone()))
        .flush_interval(flush_interval)
        .build()
        .unwrap()
}

/// Waits until a caller's flush waits for the answer to the first batch.
fn await_flush(collector: &Collector) {
    until("a batch in flight", || collector.batches() == 1);
    // The interval's own flush looks for answers once, and a caller's every millisecond.
    collector.0.lock().unwrap().polls = 0;
    until("the caller's flush", || {
        collector.0.lock().unwrap().polls > 10
    });
}

#[test]
fn a_flush_waits_for_the_answers_and_later_spans_go_out_meanwhile() {
    let collector = Collector::default();
    let tracer = tracer_with(&collector, Duration::from_millis(500));
    tracer.start_span("first").finish();
    let is_flushed = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let flush = threads.spawn(|| {
            let report = tracer.flush(Duration::from_secs(60));
            is_flushed.store(true, Ordering::Relaxed);
            report
        });
        await_flush(&collector);
        // A batch holds fewer than 20 of these, so some go out while the flush waits.
        for _ in 0..100 {
            tracer.start_span("later").finish();
        }
        until("later batches", || collector.batches() >= 4);
        assert!(!is_flushed.load(Ordering::Relaxed), "no answer has come");
        collector.answer(None);
        let report = flush.join().unwrap();
        assert_eq!(report.sent, 1, "{report}");
        assert_eq!(report.finished, 101);
        assert_eq!(report.queued, 100);
    });
    collector.answer_all();
    let report = tracer.close(Duration::from_secs(60));
    assert_eq!((report.finished, report.sent), (101, 101), "{report}");
}

#[test]
fn a_flush_ends_with_its_own_answers_while_later_batches_find_no_room() {
    let collector = Collector::default();
    collector.0.lock().unwrap().is_narrow = true;
    let tracer = tracer_with(&collector, Duration::from_millis(500));
    tracer.start_span("first").finish();
    std::thread::scope(|threads| {
        let flush = threads.spawn(|| tracer.flush(Duration::from_secs(60)));
        await_flush(&collector);
        // A batch holds fewer than 20 of these.
        for _ in 0..100 {
            tracer.start_span("later").finish();
        }
        until("a pause", || collector.0.lock().unwrap().refused > 2);
        let start = Instant::now();
        collector.answer(None);
        let report = flush.join().unwrap();
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "no later answer came"
        );
        assert_eq!((report.sent, report.queued), (1, 100), "{report}");
    });
    collector.answer_all();
    let report = tracer.close(Duration::from_secs(60));
    assert_eq!((report.finished, report.sent), (101, 101), "{report}");
}

#[test]
fn a_flush_gives_up_at_its_deadline_and_a_close_counts_what_has_no_answer() {
    let collector = Collector::default();
    let tracer = tracer(&collector);
    for _ in 0..40 {
        tracer.start_span("s").finish();
    }
    let report = tracer.flush(Duration::from_millis(20));
    assert_eq!((report.sent, report.queued), (0, 40), "{report}");
    until("all batches in flight", || collector.batches() == 4);
    collector.answer(None);
    collector.answer(Some(DropCause::SendFailed));
    tracer.close(Duration::from_millis(20));
    // The time of the caller is up together with that of the worker.
    until("the worker's last word", || tracer.report().queued == 0);
    let report = tracer.report();
    assert!(report.sent > 0, "{report}");
    assert!(report.dropped.get(DropCause::SendFailed) > 0, "{report}");
    assert!(report.dropped.get(DropCause::Unknown) > 0, "{report}");
    assert_eq!(report.finished, report.sent + report.dropped.total());
}

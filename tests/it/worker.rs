//! The way of a finished span to the reporter: flush, close, and the account of every span.

mod numbers;

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::{Counter, DropCause, DropCounts};
use tracehound::prelude::*;
use tracehound::reporter::{
    FinishedSpan, InMemoryReporter, MakeReporter, NullReporter, Reporter, Unsent, WorkerHandle,
};
use tracehound::sampler::ConstSampler;
use tracehound::tracer::{BuildError, TracerBuilder};
use tracehound::{JaegerTracer, NoopTracer};

use crate::support::{recording_builder, recording_tracer, until};

const LONG: Duration = Duration::from_secs(20);

fn builder(reporter: impl Reporter + 'static) -> TracerBuilder {
    JaegerTracer::builder("test")
        .sampler(ConstSampler::new(true))
        .diagnostics(Diagnostics::with_handler(|_| {}))
        .reporter(reporter)
}

#[test]
fn a_flush_tells_what_became_of_every_span() {
    let (tracer, spans) = recording_tracer();
    for _ in 0..100 {
        tracer.start_span("s").finish();
    }
    let report = tracer.flush(LONG);
    assert_eq!((report.finished, report.sent, report.queued), (100, 100, 0));
    assert!(report.is_complete());
    assert_eq!(
        report.to_string(),
        "finished 100, sent 100, dropped none, queued 0"
    );
    assert_eq!(spans.spans().len(), 100);
}

#[test]
fn the_worker_hands_spans_over_without_a_flush() {
    let spans = Arc::new(Mutex::new(0));
    struct Counts(Arc<Mutex<u32>>);
    impl Reporter for Counts {
        fn report(&mut self, _: &FinishedSpan<'_>) {
            *self.0.lock().expect("not poisoned") += 1;
        }
    }
    let tracer = builder(Counts(spans.clone()))
        .flush_interval(Duration::from_millis(1))
        .build()
        .expect("named");
    tracer.start_span("s").finish();
    until("the worker", || *spans.lock().expect("not poisoned") == 1);
}

#[test]
fn a_closed_tracer_counts_spans_that_finish_afterwards() {
    let (tracer, spans) = recording_tracer();
    let open = tracer.start_span("open");
    tracer.start_span("before").finish();
    let report = tracer.close(LONG);
    assert_eq!((report.finished, report.sent), (1, 1));
    open.finish();
    let late = tracer.start_span("late");
    assert!(late.context().has_trace(), "the context still propagates");
    late.finish();
    let clone = tracer.clone();
    thread::spawn(move || clone.start_span("on a new thread").finish())
        .join()
        .expect("no panic");
    let report = tracer.close(LONG);
    assert_eq!((report.finished, report.sent, report.queued), (4, 1, 0));
    assert_eq!(report.dropped.get(DropCause::AfterShutdown), 3);
    assert_eq!(spans.spans().len(), 1);
    assert_eq!(
        tracer.flush(LONG),
        report,
        "a flush after the close returns at once"
    );
}

#[test]
fn dropping_the_last_handle_closes_the_tracer() {
    let (tracer, spans) = recording_tracer();
    let open = tracer.start_span("open");
    let clone = tracer.clone();
    tracer.start_span("s").finish();
    drop(tracer);
    clone.start_span("by the clone").finish();
    drop(clone);
    open.finish();
    let names: Vec<_> = spans
        .spans()
        .into_iter()
        .map(|span| span.operation_name)
        .collect();
    assert_eq!(names, ["s", "by the clone"]);
}

#[test]
fn a_callback_may_drop_the_last_handle() {
    struct Holds(
        Option<JaegerTracer>,
        mpsc::Receiver<JaegerTracer>,
        mpsc::Sender<&'static str>,
    );
    impl Reporter for Holds {
        fn report(&mut self, _: &FinishedSpan<'_>) {
            if let Ok(tracer) = self.1.recv() {
                self.0 = Some(tracer);
                self.0 = None;
                let _ = self.2.send("dropped");
            }
        }

        fn close(&mut self, _: Instant) -> Unsent {
            let _ = self.2.send("closed");
            Unsent::default()
        }
    }
    let (give, take) = mpsc::channel();
    let (say, hear) = mpsc::channel();
    let tracer = builder(Holds(None, take, say))
        .flush_interval(Duration::from_millis(1))
        .build()
        .expect("named");
    tracer.start_span("s").finish();
    give.send(tracer).expect("the reporter waits");
    assert_eq!(hear.recv_timeout(LONG), Ok("dropped"));
    assert_eq!(hear.recv_timeout(LONG), Ok("closed"));
}

/// Blocks in `report` until the test releases it.
struct Stuck(mpsc::Receiver<()>);

impl Reporter for Stuck {
    fn report(&mut self, _: &FinishedSpan<'_>) {
        let _ = self.0.recv();
    }
}

#[test]
fn a_stuck_reporter_delays_a_flush_and_a_close_no_longer_than_their_timeout() {
    let (release, wait) = mpsc::channel();
    let tracer = builder(Stuck(wait)).build().expect("named");
    for _ in 0..3 {
        tracer.start_span("s").finish();
    }
    let before = Instant::now();
    let report = tracer.flush(Duration::from_millis(30));
    assert!(before.elapsed() < LONG);
    assert_eq!((report.finished, report.sent, report.queued), (3, 0, 3));
    let report = tracer.close(Duration::from_millis(30));
    assert_eq!((report.finished, report.queued), (3, 3));
    drop(release);
    until("the worker", || tracer.report().queued == 0);
    assert_eq!(tracer.report().sent, 3);
}

#[test]
fn a_full_queue_drops_the_newest_spans_and_counts_them() {
    let (release, wait) = mpsc::channel();
    let tracer = builder(Stuck(wait)).queue_size(256).build().expect("named");
    for n in 0..5_000 {
        tracer.build_span("s").tag("n", n).start().finish();
    }
    let report = tracer.flush(Duration::from_millis(1));
    let dropped = report.dropped.get(DropCause::QueueFull);
    assert!(dropped > 3_000, "{report}");
    assert_eq!(report.finished, 5_000);
    drop(release);
    let report = tracer.close(LONG);
    assert_eq!(report.sent + report.dropped.total(), 5_000, "{report}");
    assert_eq!(report.queued, 0);
}

#[test]
fn in_a_flood_the_worker_drains_every_thread_without_waiting_for_the_interval() {
    /// Counts the spans of each operation.
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<[u64; 2]>>);
    impl Reporter for Seen {
        fn report(&mut self, span: &FinishedSpan<'_>) {
            let of = usize::from(span.operation_name() == "b");
            self.0.lock().expect("not poisoned")[of] += 1;
        }
    }
    let seen = Seen::default();
    let tracer = builder(seen.clone())
        .queue_size(1_024)
        .flush_interval(Duration::from_secs(3_600))
        .build()
        .expect("named");
    let each = 20_000;
    let has_enough = || {
        let seen = *seen.0.lock().expect("not poisoned");
        seen.iter().all(|spans| *spans >= each)
    };
    let finished: u64 = thread::scope(|scope| {
        let flood = |name: &'static str| {
            let deadline = Instant::now() + LONG;
            let mut finished = 0;
            while !has_enough() {
                assert!(Instant::now() < deadline, "{}", tracer.report());
                for _ in 0..100 {
                    tracer.start_span(name).finish();
                }
                finished += 100;
            }
            finished
        };
        let threads = ["a", "b"].map(|name| scope.spawn(move || flood(name)));
        threads
            .map(|thread| thread.join().expect("no panic"))
            .iter()
            .sum()
    });
    let report = tracer.close(LONG);
    assert_eq!((report.finished, report.queued), (finished, 0));
    let seen: u64 = seen.0.lock().expect("not poisoned").iter().sum();
    assert_eq!(report.sent, seen);
    let found_no_room = report.dropped.get(DropCause::QueueFull);
    assert_eq!(report.dropped.total(), found_no_room, "{report}");
    assert_eq!(seen + found_no_room, finished);
}

/// Panics when it is attached, at every third span, and in every flush and close.
struct Panics(u32);

impl Reporter for Panics {
    fn attach(&mut self, _: &WorkerHandle) {
        panic!("attach")
    }

    fn report(&mut self, _: &FinishedSpan<'_>) {
        self.0 += 1;
        assert!(!self.0.is_multiple_of(3), "every third");
    }

    fn flush(&mut self, _: Instant) -> Unsent {
        panic!("flush")
    }
}

#[test]
fn a_reporter_that_panics_loses_only_the_spans_on_which_it_panicked() {
    let tracer = builder(Panics(0)).build().expect("named");
    for round in 1..=3 {
        for _ in 0..30 {
            tracer.start_span("s").finish();
        }
        let report = tracer.flush(LONG);
        assert_eq!((report.finished, report.sent), (round * 30, round * 20));
        assert_eq!(report.dropped.get(DropCause::InternalError), round * 10);
    }
    assert!(tracer.close(LONG).queued == 0);
    assert!(tracer.metrics().get(Counter::CallbackPanics) >= 34);
}

#[test]
fn the_report_counts_spans_that_the_reporter_has_not_sent() {
    struct Half(u64);
    impl Reporter for Half {
        fn report(&mut self, _: &FinishedSpan<'_>) {
            self.0 += 1;
        }
        fn flush(&mut self, _: Instant) -> Unsent {
            let mut dropped = DropCounts::default();
            dropped.add(DropCause::Refused, self.0 / 2);
            Unsent::new(dropped, 1)
        }
    }
    let tracer = builder(Half(0)).build().expect("named");
    for _ in 0..10 {
        tracer.start_span("s").finish();
    }
    let report = tracer.flush(LONG);
    assert_eq!(
        (
            report.sent,
            report.dropped.get(DropCause::Refused),
            report.queued
        ),
        (4, 5, 1)
    );
}

#[test]
fn threads_that_end_leave_their_spans_and_counts_behind() {
    let (tracer, spans) = recording_tracer();
    for _ in 0..200 {
        let tracer = tracer.clone();
        thread::spawn(move || tracer.start_span("s").finish())
            .join()
            .expect("no panic");
    }
    assert_eq!(spans.spans().len(), 200);
    let report = tracer.flush(LONG);
    assert_eq!((report.finished, report.sent), (200, 200));
    assert_eq!(tracer.metrics().get(Counter::FinishedSpansSampled), 200);
}

#[test]
fn threads_that_finish_flush_and_close_lose_no_span_uncounted() {
    for _ in 0..20 {
        let (builder, spans) = recording_builder();
        let tracer = builder.queue_size(64).build().expect("named");
        let threads: Vec<_> = (0..4)
            .map(|n| {
                let tracer = tracer.clone();
                thread::spawn(move || {
                    for i in 0..500 {
                        tracer.start_span("s").finish();
                        if n == 0 && i == 400 {
                            tracer.close(LONG);
                        } else if i % 100 == 0 {
                            let report = tracer.flush(LONG);
                            assert!(
                                report.sent + report.dropped.total() <= report.finished,
                                "{report}"
                            );
                        }
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
        let report = tracer.close(LONG);
        assert_eq!(report.finished, 2_000, "{report}");
        assert_eq!(report.sent + report.dropped.total(), 2_000, "{report}");
        assert_eq!(report.queued, 0);
        assert_eq!(spans.spans().len() as u64, report.sent);
    }
}

#[test]
fn tracers_keep_their_spans_apart() {
    let (a, spans_of_a) = recording_tracer();
    let (b, spans_of_b) = recording_tracer();
    let span = a.start_span("a");
    b.build_span("b").child_of(&span).start().finish();
    span.finish();
    a.close(LONG);
    assert_eq!(spans_of_a.spans().len(), 1);
    assert_eq!(spans_of_b.spans().len(), 1);
    b.start_span("b still works").finish();
    assert_eq!(spans_of_b.spans().len(), 2);
}

#[test]
fn a_tracer_works_inside_any_runtime() {
    let use_it = || {
        let (tracer, spans) = recording_tracer();
        tracer.start_span("s").finish();
        assert!(tracer.flush(LONG).is_complete());
        drop(tracer);
        assert_eq!(spans.spans().len(), 1);
    };
    use_it();
    let current = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    current.block_on(async { use_it() });
    let multi = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .expect("a runtime");
    multi.block_on(async {
        tokio::spawn(async move { use_it() })
            .await
            .expect("no panic")
    });
    let left_over = {
        let (tracer, spans) = recording_tracer();
        let for_runtime = tracer.clone();
        multi.block_on(async move { for_runtime.start_span("s").finish() });
        drop(multi);
        (tracer, spans)
    };
    assert!(left_over.0.close(LONG).is_complete());
    assert_eq!(left_over.1.spans().len(), 1);
}

#[test]
fn a_blank_service_name_is_an_error() {
    for name in ["", " ", "\t"] {
        let error = JaegerTracer::builder(name).build().expect_err("blank");
        assert_eq!(error, BuildError::EmptyServiceName);
    }
}

#[test]
fn a_disabled_tracer_and_a_noop_tracer_do_nothing() {
    let disabled = JaegerTracer::disabled();
    let tracers: [&dyn Tracer; 2] = [&disabled, &NoopTracer];
    for tracer in tracers {
        let span = tracer.build_span("s").tag("a", 1).start();
        assert!(span.is_noop() && tracer.is_noop());
        let mut headers = std::collections::HashMap::new();
        tracer.inject(&span.context(), &mut headers);
        assert!(headers.is_empty());
        assert_eq!(tracer.extract(&headers), Ok(None));
    }
    assert!(disabled.flush(LONG).is_complete());
    assert!(disabled.close(LONG).is_complete());
}

#[test]
fn a_noop_tracer_does_not_read_references() {
    struct Unseen;
    impl tracehound::span::ToSpanContext for Unseen {
        fn to_span_context(&self) -> tracehound::SpanContext {
            unreachable!("a noop tracer does not look")
        }
    }
    NoopTracer
        .build_span("s")
        .child_of(&Unseen)
        .follows_from(&Unseen)
        .start()
        .finish();
}

#[test]
fn spans_for_a_null_reporter_count_as_sent() {
    let tracer = builder(NullReporter::new()).build().expect("named");
    tracer.start_span("s").finish();
    assert_eq!(tracer.flush(LONG).sent, 1);
}

/// Keeps its worker's handle, and returns a clone of itself for a forked child.
#[derive(Clone, Default)]
struct Keeper {
    worker: Arc<Mutex<Option<WorkerHandle>>>,
}

impl Reporter for Keeper {
    fn attach(&mut self, worker: &WorkerHandle) {
        *self.worker.lock().expect("not poisoned") = Some(worker.clone());
    }

    fn report(&mut self, _: &FinishedSpan<'_>) {}

    fn after_fork(&self) -> Option<MakeReporter> {
        let same = self.clone();
        Some(Box::new(move || Box::new(same.clone())))
    }
}

#[test]
fn a_reporter_that_keeps_its_worker_is_dropped_with_the_tracer() {
    let reporter = Keeper::default();
    let worker = Arc::downgrade(&reporter.worker);
    let tracer = builder(reporter).build().expect("named");
    tracer.start_span("s").finish();
    assert!(tracer.flush(LONG).is_complete());
    drop(tracer);
    // The worker's thread may not have ended yet.
    until("the worker", || worker.strong_count() == 0);
}

#[test]
fn an_in_memory_reporter_returns_spans_without_a_flush() {
    let spans = InMemoryReporter::new();
    let tracer = builder(spans.clone()).build().expect("named");
    assert!(spans.spans().is_empty());
    tracer.start_span("s").finish();
    assert_eq!(spans.spans().len(), 1);
}

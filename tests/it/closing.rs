//! Flush and close as futures.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::DropCause;
use tracehound::prelude::*;
use tracehound::reporter::{FinishedSpan, InMemoryReporter, Reporter, WorkerHandle};
use tracehound::sampler::ConstSampler;

use crate::block_on::block_on;
use crate::support::{kept_lines, recording_tracer, until};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(20);

fn tracer_with(reporter: impl Reporter + 'static) -> JaegerTracer {
    JaegerTracer::builder("test")
        .sampler(ConstSampler::new(true))
        .diagnostics(Diagnostics::with_handler(|_| {}))
        .reporter(reporter)
        .build()
        .expect("named")
}

/// Polls a future once, with a waker that does nothing.
fn poll_once<T>(future: &mut Pin<Box<impl Future<Output = T>>>) -> Poll<T> {
    future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

/// Blocks in `report` until the test releases it.
struct Stuck(mpsc::Receiver<()>);

impl Reporter for Stuck {
    fn report(&mut self, _: &FinishedSpan<'_>) {
        let _ = self.0.recv();
    }
}

#[test]
fn a_future_flushes_and_closes_without_a_runtime() {
    let (tracer, spans) = recording_tracer();
    tracer.start_span("a").finish();
    let report = block_on(tracer.flush_async(LONG));
    assert_eq!((report.sent, report.queued), (1, 0), "{report}");
    tracer.start_span("b").finish();
    let report = block_on(tracer.close_async(LONG));
    assert_eq!((report.sent, report.queued), (2, 0), "{report}");
    tracer.start_span("late").finish();
    assert_eq!(tracer.report().dropped.get(DropCause::AfterShutdown), 1);
    let losses = tracer.metrics().losses();
    let reason = losses[0].last.as_ref().map(|last| last.reason.as_str());
    assert_eq!(
        reason,
        Some(
            "the span finished after the tracer had been closed; finish spans first, and close last"
        )
    );
    assert_eq!(spans.spans().len(), 2);
    let again = block_on(tracer.close_async(LONG));
    assert_eq!(again, tracer.report(), "a second close only reports");
}

#[test]
fn a_close_says_once_how_many_spans_are_open() {
    let open_at_close = |close: fn(&JaegerTracer), expected: &str| {
        let (diagnostics, lines) = kept_lines();
        let tracer = JaegerTracer::builder("shop")
            .sampler(ConstSampler::new(true))
            .reporter(InMemoryReporter::new())
            .diagnostics(diagnostics)
            .build()
            .expect("named");
        tracer.start_span("finished").finish();
        let open = [tracer.start_span("one"), tracer.start_span("other")];
        lines.lock().unwrap().clear();
        close(&tracer);
        tracer.close(LONG);
        drop(open);
        assert_eq!(tracer.report().dropped.get(DropCause::AfterShutdown), 2);
        drop(tracer);
        assert_eq!(*lines.lock().unwrap(), [expected]);
    };
    let line = "the tracer of \"shop\" was closed while 2 of its spans were open, which are lost: wait for your workers \
                before";
    open_at_close(|tracer| _ = tracer.close(LONG), line);
    open_at_close(|tracer| _ = block_on(tracer.close_async(LONG)), line);
}

#[test]
fn a_future_asks_nothing_before_it_is_polled() {
    let (tracer, _) = recording_tracer();
    drop(tracer.close_async(LONG));
    tracer.start_span("s").finish();
    assert!(tracer.close(LONG).is_complete());
}

#[test]
fn futures_of_one_thread_wait_at_once() {
    let (tracer, _) = recording_tracer();
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.build().expect("a runtime");
    runtime.block_on(async {
        let tasks: Vec<_> = (1..=50)
            .map(|_| {
                tracer.start_span("s").finish();
                tokio::spawn(tracer.flush_async(LONG))
            })
            .collect();
        for task in tasks {
            let report = task.await.expect("no panic");
            assert_eq!((report.sent, report.queued), (50, 0), "{report}");
        }
    });
}

#[test]
fn a_stuck_reporter_delays_a_future_no_longer_than_its_timeout() {
    let (release, wait) = mpsc::channel();
    let tracer = tracer_with(Stuck(wait));
    tracer.start_span("s").finish();
    let before = Instant::now();
    let long = Box::pin(tracer.flush_async(3 * LONG));
    let mut long = { long };
    assert!(poll_once(&mut long).is_pending());
    // Its deadline comes first, though it was left later.
    let report = block_on(tracer.flush_async(SHORT));
    assert_eq!((report.finished, report.queued), (1, 1), "{report}");
    let report = block_on(tracer.close_async(SHORT));
    assert_eq!((report.finished, report.queued), (1, 1), "{report}");
    assert!(poll_once(&mut long).is_pending());
    assert!((2 * SHORT..LONG).contains(&before.elapsed()));
    drop(release);
    assert_eq!(block_on(long).sent, 1);
}

#[test]
fn a_close_that_is_dropped_closes_all_the_same() {
    let (release, wait) = mpsc::channel();
    let tracer = tracer_with(Stuck(wait));
    tracer.start_span("s").finish();
    let mut close = Box::pin(tracer.close_async(LONG));
    assert!(poll_once(&mut close).is_pending());
    drop(close);
    tracer.start_span("late").finish();
    assert_eq!(tracer.report().dropped.get(DropCause::AfterShutdown), 1);
    drop(release);
    until("the worker", || tracer.report().sent == 1);
}

#[test]
fn a_future_that_moves_to_another_task_wakes_that_one() {
    /// Counts how often it wakes.
    #[derive(Default)]
    struct Woken(AtomicU32);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let (release, wait) = mpsc::channel();
    let tracer = tracer_with(Stuck(wait));
    tracer.start_span("s").finish();
    let mut flush = Box::pin(tracer.flush_async(LONG));
    let (first, second) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    for woken in [&first, &second] {
        let waker = Waker::from(woken.clone());
        let poll = flush.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(poll.is_pending());
    }
    drop(release);
    until("the waker", || second.0.load(Ordering::Relaxed) == 1);
    assert_eq!(first.0.load(Ordering::Relaxed), 0);
    assert_eq!(block_on(flush).sent, 1);
}

/// Keeps the handle to its worker.
#[derive(Clone, Default)]
struct Keeper(Arc<Mutex<Option<WorkerHandle>>>);

impl Reporter for Keeper {
    fn attach(&mut self, worker: &WorkerHandle) {
        *self.0.lock().expect("not poisoned") = Some(worker.clone());
    }

    fn report(&mut self, _: &FinishedSpan<'_>) {}
}

#[test]
fn a_future_that_is_dropped_leaves_nothing_of_the_tracer_behind() {
    let keeper = Keeper::default();
    let kept = Arc::downgrade(&keeper.0);
    let tracer = tracer_with(keeper);
    for _ in 0..100 {
        tracer.start_span("s").finish();
        let mut flush = Box::pin(tracer.flush_async(100 * LONG));
        let _ = poll_once(&mut flush);
    }
    drop(tracer);
    until("the threads", || kept.strong_count() == 0);
}

#[test]
fn a_tracer_that_is_off_ends_its_futures_at_once() {
    let tracer = JaegerTracer::disabled();
    assert_eq!(block_on(tracer.flush_async(LONG)).finished, 0);
    assert_eq!(block_on(tracer.close_async(LONG)).finished, 0);
}

#[test]
fn a_drop_after_a_close_does_not_wait_again() {
    let (release, wait) = mpsc::channel();
    let tracer = tracer_with(Stuck(wait));
    tracer.start_span("s").finish();
    assert_eq!(tracer.close(SHORT).queued, 1);
    let before = Instant::now();
    drop(tracer);
    // A drop without a close waits for a whole second.
    assert!(before.elapsed() < Duration::from_millis(700));
    drop(release);
}

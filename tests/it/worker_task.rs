//! The worker as a task of a tokio runtime.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::yield_now;
use tokio::time::timeout;
use tracehound::JaegerTracer;
use tracehound::diagnostics::Diagnostics;
use tracehound::prelude::*;
use tracehound::reporter::{FinishedSpan, Reporter, Unsent};
use tracehound::sampler::ConstSampler;

use crate::support::until;

const LONG: Duration = Duration::from_secs(20);

/// Keeps the threads on which it was called, and the number of spans.
#[derive(Clone, Default)]
struct Threads(Arc<Mutex<(HashSet<ThreadId>, u64)>>);

impl Reporter for Threads {
    fn report(&mut self, _: &FinishedSpan<'_>) {
        let mut seen = self.0.lock().expect("not poisoned");
        seen.0.insert(thread::current().id());
        seen.1 += 1;
    }
}

impl Threads {
    fn spans(&self) -> u64 {
        self.0.lock().expect("not poisoned").1
    }

    /// Returns the threads since the last call.
    fn take(&self) -> HashSet<ThreadId> {
        std::mem::take(&mut self.0.lock().expect("not poisoned").0)
    }
}

fn one_thread() -> Runtime {
    { Builder::new_current_thread() }
        .enable_all()
        .build()
        .expect("a runtime")
}

fn two_threads() -> Runtime {
    { Builder::new_multi_thread() }
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

fn tracer_on(runtime: &Handle, reporter: impl Reporter + 'static) -> JaegerTracer {
    JaegerTracer::builder("test")
        .sampler(ConstSampler::new(true))
        .diagnostics(Diagnostics::with_handler(|_| {}))
        .reporter(reporter)
        .flush_interval(Duration::from_millis(1))
        .worker_on(runtime.clone())
        .build()
        .expect("named")
}

fn only_this_thread() -> HashSet<ThreadId> {
    HashSet::from([thread::current().id()])
}

#[test]
fn a_runtime_of_one_thread_has_no_other_for_the_worker() {
    let runtime = one_thread();
    let threads = Threads::default();
    let tracer = tracer_on(runtime.handle(), threads.clone());
    runtime.block_on(async {
        tracer.start_span("s").finish();
        let deadline = Instant::now() + LONG;
        while threads.spans() < 1 {
            assert!(Instant::now() < deadline, "the interval has long passed");
            yield_now().await;
        }
        assert_eq!(threads.take(), only_this_thread());
        // A thread may stand in from here on, if the machine is so busy that this one does not get on.
        tracer.start_span("s").finish();
        let report = tracer.flush_async(LONG).await;
        assert_eq!((report.sent, report.queued), (2, 0), "{report}");
        tracer.start_span("s").finish();
        let report = tracer.close_async(LONG).await;
        assert_eq!((report.sent, report.queued), (3, 0), "{report}");
    });
}

#[test]
fn a_call_that_blocks_the_only_thread_is_served_and_the_task_goes_on_afterwards() {
    let runtime = one_thread();
    let threads = Threads::default();
    let tracer = tracer_on(runtime.handle(), threads.clone());
    runtime.block_on(async {
        for n in 1..=3 {
            tracer.start_span("s").finish();
            let report = tracer.flush(LONG);
            assert_eq!((report.sent, report.queued), (2 * n - 1, 0), "{report}");
            assert!(!threads.take().contains(&thread::current().id()));
            // The thread that stood in may serve this, too, if the task is slow to go on.
            tracer.start_span("s").finish();
            assert_eq!(tracer.flush_async(LONG).await.sent, 2 * n);
            threads.take();
        }
        let deadline = Instant::now() + LONG;
        while threads.take() != only_this_thread() {
            assert!(Instant::now() < deadline, "the task is back");
            tracer.start_span("s").finish();
            yield_now().await;
        }
        let report = tracer.close(LONG);
        assert!(report.is_complete(), "{report}");
    });
}

#[test]
fn a_thread_goes_on_when_the_runtime_has_ended() {
    for runtime in [one_thread(), two_threads()] {
        let threads = Threads::default();
        let tracer = tracer_on(runtime.handle(), threads.clone());
        tracer.start_span("s").finish();
        runtime.block_on(yield_now());
        tracer.start_span("s").finish();
        runtime.shutdown_background();
        // Nobody asks for them: the flush interval goes on.
        until("the spans", || threads.spans() == 2);
        tracer.start_span("s").finish();
        let report = tracer.flush(LONG);
        assert_eq!((report.sent, report.queued), (3, 0), "{report}");
        assert!(tracer.close(LONG).is_complete());
    }
}

#[test]
fn a_tracer_of_a_runtime_that_has_ended_has_a_thread() {
    let runtime = one_thread();
    let handle = runtime.handle().clone();
    drop(runtime);
    let threads = Threads::default();
    let tracer = tracer_on(&handle, threads.clone());
    tracer.start_span("s").finish();
    until("the span", || threads.spans() == 1);
    assert!(tracer.close(LONG).is_complete());
}

#[test]
fn a_tracer_of_a_runtime_without_a_timer_has_a_thread() {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let threads = Threads::default();
    let tracer = tracer_on(runtime.handle(), threads.clone());
    tracer.start_span("s").finish();
    until("the span", || threads.spans() == 1);
    assert!(tracer.close(LONG).is_complete());
}

#[test]
fn the_last_tracer_may_be_dropped_on_the_only_thread_of_the_runtime() {
    let runtime = one_thread();
    let threads = Threads::default();
    let tracer = tracer_on(runtime.handle(), threads.clone());
    let before = Instant::now();
    runtime.block_on(async move {
        yield_now().await;
        tracer.start_span("s").finish();
        drop(tracer);
    });
    assert_eq!(threads.spans(), 1);
    assert!(
        before.elapsed() < Duration::from_millis(900),
        "served at once"
    );
    drop(runtime);
}

/// Asks for a pause after each span. Says what it is called for.
struct Pausing(UnboundedSender<Called>, Option<Instant>);

#[derive(Debug, PartialEq, Eq)]
enum Called {
    Report,
    Flush,
}

impl Reporter for Pausing {
    fn report(&mut self, _: &FinishedSpan<'_>) {
        let _ = self.0.send(Called::Report);
        self.1 = Some(Instant::now() + Duration::from_millis(1));
    }

    fn paused_until(&self) -> Option<Instant> {
        self.1
    }

    fn resume(&mut self) {
        self.1 = None;
    }

    fn flush(&mut self, _: Instant) -> Unsent {
        let _ = self.0.send(Called::Flush);
        Unsent::default()
    }
}

#[test]
fn a_task_resumes_a_reporter_after_its_pause_and_not_only_at_the_next_flush() {
    let runtime = one_thread();
    let (say, mut heard) = unbounded_channel();
    let tracer = JaegerTracer::builder("test")
        .sampler(ConstSampler::new(true))
        .reporter(Pausing(say, None))
        .flush_interval(Duration::from_millis(300))
        .worker_on(runtime.handle().clone())
        .build()
        .expect("named");
    for _ in 0..40 {
        tracer.start_span("s").finish();
    }
    let (mut spans, mut flushes) = (0, 0);
    let hear = async {
        while spans < 40 {
            match heard.recv().await.expect("the reporter lives") {
                Called::Report => spans += 1,
                Called::Flush => flushes += 1,
            }
        }
    };
    let is_heard = runtime.block_on(async { timeout(LONG, hear).await });
    is_heard.expect("all spans in time");
    assert!(flushes < 20, "a flush for every other span: {flushes}");
}

/// Blocks in `report` until the test releases it.
struct Stuck(mpsc::Receiver<()>);

impl Reporter for Stuck {
    fn report(&mut self, _: &FinishedSpan<'_>) {
        let _ = self.0.recv();
    }
}

#[test]
fn a_stuck_reporter_delays_callers_on_a_runtime_no_longer_than_their_timeout() {
    let runtime = two_threads();
    let (release, wait) = mpsc::channel();
    let tracer = tracer_on(runtime.handle(), Stuck(wait));
    let short = Duration::from_millis(20);
    tracer.start_span("s").finish();
    assert_eq!(tracer.flush(short).queued, 1);
    let report = runtime.block_on(async { tracer.flush_async(short).await });
    assert_eq!(report.queued, 1, "{report}");
    assert_eq!(tracer.close(short).queued, 1);
    drop(release);
    until("the worker", || tracer.report().sent == 1);
}

/// Drops what it is given with the reporter, and says so.
struct Says(mpsc::Sender<()>);

impl Reporter for Says {
    fn report(&mut self, _: &FinishedSpan<'_>) {}
}

impl Drop for Says {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[test]
fn a_closed_tracer_leaves_nothing_on_the_runtime() {
    let runtime = two_threads();
    for is_async in [true, false] {
        let (say, hear) = mpsc::channel();
        let tracer = tracer_on(runtime.handle(), Says(say));
        tracer.start_span("s").finish();
        let report = match is_async {
            true => runtime.block_on(tracer.close_async(LONG)),
            false => tracer.close(LONG),
        };
        assert!(report.is_complete(), "{report}");
        drop(tracer);
        assert_eq!(hear.recv_timeout(LONG), Ok(()), "the reporter is dropped");
        let metrics = runtime.metrics();
        until("the task", || metrics.num_alive_tasks() == 0);
    }
}

#[test]
fn callers_of_every_kind_at_once_lose_no_span_uncounted() {
    for round in 0..20 {
        let runtime = two_threads();
        let threads = Threads::default();
        let tracer = tracer_on(runtime.handle(), threads.clone());
        let tasks: Vec<_> = (0..4)
            .map(|n| {
                let tracer = tracer.clone();
                runtime.spawn(async move {
                    for i in 0..100 {
                        tracer.start_span("s").finish();
                        match (n + i) % 7 {
                            0 => drop(tracer.flush(LONG)),
                            1 => drop(tracer.flush_async(LONG).await),
                            2 => yield_now().await,
                            _ => {}
                        }
                    }
                })
            })
            .collect();
        if round % 2 == 0 {
            runtime.block_on(async {
                for task in tasks {
                    task.await.expect("no panic");
                }
            });
        } else {
            // In the middle of it all.
            runtime.shutdown_timeout(LONG);
        }
        let report = tracer.close(LONG);
        assert_eq!(report.sent, threads.spans(), "{report}");
        assert_eq!(report.sent, report.finished, "{report}");
        assert!(round % 2 == 1 || report.sent == 400, "{report}");
    }
}

use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::*;
use crate::clock::{deadline_after, instant_now};
use crate::metrics::{DropCause, DropCounts};
use crate::record::SpanQueue;
use crate::reporter::worker::fixtures::{finish_span, options};
use crate::reporter::worker::mailbox::IdleTurn;
use crate::reporter::{FinishedSpan, Unsent};

const LONG: Duration = Duration::from_secs(20);

struct Fixture {
    worker: Worker,
    queue: Arc<SpanQueue>,
    reporter: Counting,
    lines: Arc<Mutex<Vec<String>>>,
}

/// Counts the spans that it is handed.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicU32>);

impl Reporter for Counting {
    fn report(&mut self, _: &FinishedSpan<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn start(
    spawn: impl Fn(&Arc<Mailbox>, IdleTurn) -> Result<(), IdleTurn> + Send + Sync + 'static,
) -> Fixture {
    let reporter = Counting::default();
    start_with(
        Box::new(spawn),
        |_| Box::new(reporter.clone()),
        reporter.clone(),
    )
}

fn start_with(
    spawn: SpawnWorker,
    reporter: impl FnOnce(&Arc<SpanQueue>) -> Box<dyn Reporter>,
    counting: Counting,
) -> Fixture {
    let (options, lines) = options(1 << 20);
    let queue = options.queue.clone();
    let reporter = reporter(&queue);
    Fixture {
        worker: Worker::start(options, reporter, spawn),
        queue,
        reporter: counting,
        lines,
    }
}

impl Fixture {
    fn finish_span(&self) {
        finish_span(&self.queue, "s");
    }

    fn handed(&self) -> u32 {
        self.reporter.0.load(Ordering::Relaxed)
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("not poisoned").clone()
    }
}

#[test]
fn a_flush_without_a_thread_returns_and_a_close_counts_the_spans_as_lost() {
    let fixture = start(|_, idle| Err(idle));
    for _ in 0..3 {
        fixture.finish_span();
    }
    let before = instant_now();
    let report = fixture.worker.flush(LONG);
    assert_eq!((report.finished, report.queued), (3, 3), "{report}");
    let report = fixture.worker.close(LONG);
    assert!(
        before.elapsed() < LONG,
        "no caller waits for a thread that is not there"
    );
    assert_eq!(report.dropped.get(DropCause::NoWorker), 3, "{report}");
    assert_eq!((report.sent, report.queued), (0, 0), "{report}");
    assert_eq!(fixture.worker.flush(LONG), report);
    let lines = fixture.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("no thread could be started"), "{lines:?}");
}

#[test]
fn a_future_without_a_thread_ends_at_once() {
    let fixture = start(|_, idle| Err(idle));
    fixture.finish_span();
    let poll = |future: &mut (dyn Future<Output = _> + Unpin)| {
        Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
    };
    let Poll::Ready(report) = poll(&mut Box::pin(fixture.worker.flush_async(LONG))) else {
        panic!("it waits");
    };
    assert_eq!((report.finished, report.queued), (1, 1), "{report}");
    let Poll::Ready(report) = poll(&mut Box::pin(fixture.worker.close_async(LONG))) else {
        panic!("it waits");
    };
    assert_eq!(report.dropped.get(DropCause::NoWorker), 1, "{report}");
}

#[test]
fn a_flush_asks_again_for_a_thread_that_could_not_be_started() {
    static REFUSALS: AtomicU32 = AtomicU32::new(2);
    let fixture = start(|mailbox, idle| {
        if REFUSALS.load(Ordering::Relaxed) == 0 {
            return thread::spawn(mailbox, idle);
        }
        REFUSALS.fetch_sub(1, Ordering::Relaxed);
        Err(idle)
    });
    fixture.finish_span();
    assert_eq!(fixture.worker.flush(LONG).queued, 1);
    let report = fixture.worker.flush(LONG);
    assert_eq!((report.sent, report.queued), (1, 0), "{report}");
    assert_eq!(fixture.handed(), 1);
    assert_eq!(
        fixture.lines().len(),
        2,
        "one about the failure and one about its end"
    );
}

#[test]
fn spans_that_start_ask_for_a_thread_once_a_second_at_most() {
    static IS_REFUSED: AtomicBool = AtomicBool::new(true);
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let fixture = start(|mailbox, idle| {
        ASKED.fetch_add(1, Ordering::Relaxed);
        if IS_REFUSED.load(Ordering::Relaxed) {
            return Err(idle);
        }
        thread::spawn(mailbox, idle)
    });
    fixture.finish_span();
    for _ in 0..1_000 {
        fixture.queue.enter();
    }
    let asked = ASKED.load(Ordering::Relaxed);
    assert!(asked <= 10, "{asked} times within a moment");
    fixture.worker.mailbox.end_pause();
    fixture.queue.enter();
    assert_eq!(ASKED.load(Ordering::Relaxed), asked + 1);
    IS_REFUSED.store(false, Ordering::Relaxed);
    fixture.worker.mailbox.end_pause();
    fixture.queue.enter();
    // The worker drains because the span has asked it to. There was no flush.
    let deadline = deadline_after(LONG);
    while fixture.handed() < 1 {
        assert!(instant_now() < deadline);
        std::thread::yield_now();
    }
    assert_eq!(ASKED.load(Ordering::Relaxed), asked + 2);
}

/// For each span that it is handed: finishes another one, asks for a drain, and pauses for a moment.
struct Growing {
    queue: Arc<SpanQueue>,
    worker: Option<WorkerHandle>,
    pause: Option<Instant>,
}

impl Reporter for Growing {
    fn attach(&mut self, worker: &WorkerHandle) {
        self.worker = Some(worker.clone());
    }

    fn report(&mut self, _: &FinishedSpan<'_>) {
        finish_span(&self.queue, "s");
        let worker = self.worker.as_ref().expect("attached");
        assert!(worker.drain(Duration::ZERO), "on the worker");
        self.pause = Some(deadline_after(Duration::from_millis(1)));
    }

    fn paused_until(&self) -> Option<Instant> {
        self.pause
    }

    fn resume(&mut self) {
        self.pause = None;
    }
}

#[test]
fn later_requests_do_not_put_off_a_flush() {
    let growing = |queue: &Arc<SpanQueue>| -> Box<dyn Reporter> {
        Box::new(Growing {
            queue: queue.clone(),
            worker: None,
            pause: None,
        })
    };
    let fixture = start_with(Box::new(thread::spawn), growing, Counting::default());
    fixture.finish_span();
    let before = instant_now();
    let report = fixture.worker.flush(LONG);
    assert!(before.elapsed() < LONG, "{report}");
    assert!(report.sent >= 1, "{report}");
}

/// Has no room until the test says so.
#[derive(Clone, Default)]
struct Full {
    counting: Counting,
    has_room: Arc<AtomicBool>,
}

impl Reporter for Full {
    fn report(&mut self, span: &FinishedSpan<'_>) {
        self.counting.report(span);
    }

    fn paused_until(&self) -> Option<Instant> {
        let has_room = self.has_room.load(Ordering::Relaxed);
        (!has_room).then(|| deadline_after(Duration::from_millis(10)))
    }

    fn flush(&mut self, _: Instant) -> Unsent {
        let has_room = self.has_room.load(Ordering::Relaxed);
        let queued = if has_room {
            0
        } else {
            self.counting.0.load(Ordering::Relaxed)
        };
        Unsent::new(DropCounts::default(), queued.into())
    }
}

#[test]
fn a_close_ends_a_flush_that_waits_longer() {
    let fixture = start_with(
        Box::new(thread::spawn),
        |_| Box::new(Full::default()),
        Counting::default(),
    );
    fixture.finish_span();
    let before = instant_now();
    std::thread::scope(|scope| {
        let flush = scope.spawn(|| fixture.worker.flush(3 * LONG));
        while fixture.worker.mailbox.requests() == 0 {
            std::thread::yield_now();
        }
        let report = fixture.worker.close(Duration::from_millis(1));
        assert_eq!((report.finished, report.queued), (1, 1));
        assert_eq!(flush.join().expect("no panic").queued, 1);
    });
    assert!(before.elapsed() < LONG);
}

#[test]
fn the_worker_drains_after_a_pause_in_which_memory_ran_short() {
    let full = Full::default();
    let reporter = full.clone();
    let counting = full.counting.clone();
    let fixture = start_with(Box::new(thread::spawn), |_| Box::new(reporter), counting);
    // A single span in a long time, so the next look at the queues is far away.
    let later = deadline_after(Duration::from_millis(200));
    while instant_now() < later {
        std::thread::yield_now();
    }
    fixture.finish_span();
    fixture.worker.flush(Duration::from_millis(1));
    let lost = || fixture.queue.totals().0.get(DropCause::QueueFull);
    while lost() == 0 {
        fixture.finish_span();
    }
    full.has_room.store(true, Ordering::Relaxed);
    let before = instant_now();
    let finished = fixture.queue.totals().1;
    while u64::from(fixture.handed()) + lost() < finished {
        assert!(
            before.elapsed() < LONG,
            "{} of {finished}",
            fixture.handed()
        );
        std::thread::yield_now();
    }
}

/// Takes every span and panics when it is asked whether it has room.
struct Unsure;

impl Reporter for Unsure {
    fn report(&mut self, _: &FinishedSpan<'_>) {}

    fn paused_until(&self) -> Option<Instant> {
        panic!("paused_until");
    }
}

#[test]
fn a_panic_after_a_span_was_taken_does_not_lose_it() {
    let fixture = start_with(
        Box::new(thread::spawn),
        |_| Box::new(Unsure),
        Counting::default(),
    );
    fixture.finish_span();
    let report = fixture.worker.flush(LONG);
    assert_eq!((report.sent, report.dropped.total()), (1, 0), "{report}");
}

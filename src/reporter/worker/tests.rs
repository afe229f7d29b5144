use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::*;
use crate::metrics::Counter;
use crate::model::{Flags, SpanId, TraceId};
use crate::record::{Budget, FrameBytes, FrameHeader};
use crate::reporter::{FinishedSpan, Unsent, thread};

const LONG: Duration = Duration::from_secs(20);

struct Fixture {
    worker: Worker,
    store: Arc<Store>,
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

fn start(driver: Driver) -> Fixture {
    let reporter = Counting::default();
    start_with(driver, |_| Box::new(reporter.clone()), reporter.clone())
}

fn start_with(
    driver: Driver,
    reporter: impl FnOnce(&Arc<Store>) -> Box<dyn Reporter>,
    counting: Counting,
) -> Fixture {
    let metrics = Metrics::default();
    let store = Arc::new(Store::new(Budget::new(1 << 20), metrics.clone()));
    let lines = Arc::new(Mutex::new(Vec::new()));
    let said = lines.clone();
    let options = WorkerOptions {
        store: store.clone(),
        clock: crate::clock::ManualClock::at_micros(1).into(),
        process: Arc::new(Process::new("test", Vec::new())),
        keeps_uuid: true,
        metrics,
        diagnostics: Diagnostics::with_handler(move |line| {
            said.lock().expect("not poisoned").push(line.to_owned());
        }),
        flush_interval: Duration::from_secs(3_600),
    };
    let reporter = reporter(&store);
    Fixture {
        worker: Worker::start(options, reporter, driver),
        store,
        reporter: counting,
        lines,
    }
}

impl Fixture {
    fn finish_span(&self) {
        finish_span(&self.store);
    }

    fn handed(&self) -> u32 {
        self.reporter.0.load(Ordering::Relaxed)
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("not poisoned").clone()
    }
}

fn finish_span(store: &Store) {
    let header = FrameHeader {
        flags: Flags::SAMPLED,
        ..FrameHeader::new(
            TraceId::new(0, 1).expect("not zero"),
            SpanId::new(1).expect("not zero"),
        )
    };
    let bytes = FrameBytes {
        operation_name: "s",
        ..FrameBytes::default()
    };
    let counter = Counter::FinishedSpansSampled;
    store.push(&header, &bytes, counter);
}

#[test]
fn without_a_thread_a_flush_returns_and_close_counts_what_waited() {
    let fixture = start(|_, drive| Err(drive));
    for _ in 0..3 {
        fixture.finish_span();
    }
    let before = instant_now();
    let report = fixture.worker.flush(LONG);
    assert_eq!((report.finished, report.queued), (3, 3), "{report}");
    let report = fixture.worker.close(LONG);
    assert!(
        before.elapsed() < LONG,
        "nobody waits for what is not there"
    );
    assert_eq!(report.dropped.get(DropCause::NoWorker), 3, "{report}");
    assert_eq!((report.sent, report.queued), (0, 0), "{report}");
    assert_eq!(fixture.worker.flush(LONG), report);
    let lines = fixture.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("no thread could be started"), "{lines:?}");
}

#[test]
fn a_thread_that_could_not_be_had_is_asked_for_again() {
    static REFUSALS: AtomicU32 = AtomicU32::new(2);
    let fixture = start(|shared, drive| {
        if REFUSALS.load(Ordering::Relaxed) == 0 {
            return thread::spawn(shared, drive);
        }
        REFUSALS.fetch_sub(1, Ordering::Relaxed);
        Err(drive)
    });
    fixture.finish_span();
    assert_eq!(fixture.worker.flush(LONG).queued, 1);
    let report = fixture.worker.flush(LONG);
    assert_eq!((report.sent, report.queued), (1, 0), "{report}");
    assert_eq!(fixture.handed(), 1);
    assert_eq!(fixture.lines().len(), 2, "and one when it is over");
}

#[test]
fn spans_that_start_ask_for_a_thread_once_a_second() {
    static IS_REFUSED: AtomicBool = AtomicBool::new(true);
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let fixture = start(|shared, drive| {
        ASKED.fetch_add(1, Ordering::Relaxed);
        if IS_REFUSED.load(Ordering::Relaxed) {
            return Err(drive);
        }
        thread::spawn(shared, drive)
    });
    fixture.finish_span();
    for _ in 0..1_000 {
        fixture.store.enter();
    }
    let asked = ASKED.load(Ordering::Relaxed);
    assert!(asked <= 10, "{asked} times within a moment");
    fixture.worker.shared.lock().retry_at = Some(instant_now());
    fixture.store.enter();
    assert_eq!(ASKED.load(Ordering::Relaxed), asked + 1);
    IS_REFUSED.store(false, Ordering::Relaxed);
    fixture.worker.shared.lock().retry_at = Some(instant_now());
    fixture.store.enter();
    // The worker drains because it was asked to: nobody has flushed.
    let deadline = deadline_after(LONG);
    while fixture.handed() < 1 {
        assert!(instant_now() < deadline);
        std::thread::yield_now();
    }
    assert_eq!(ASKED.load(Ordering::Relaxed), asked + 2);
}

/// Calls for another span with each one that it is handed, and for everything to be handed over; makes a short pause then.
struct Growing {
    store: Arc<Store>,
    worker: Option<WorkerHandle>,
    pause: Option<Instant>,
}

impl Reporter for Growing {
    fn attach(&mut self, worker: &WorkerHandle) {
        self.worker = Some(worker.clone());
    }

    fn report(&mut self, _: &FinishedSpan<'_>) {
        finish_span(&self.store);
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
fn a_flush_is_not_put_off_by_what_is_asked_for_behind_it() {
    let growing = |store: &Arc<Store>| -> Box<dyn Reporter> {
        Box::new(Growing {
            store: store.clone(),
            worker: None,
            pause: None,
        })
    };
    let fixture = start_with(thread::spawn, growing, Counting::default());
    fixture.finish_span();
    let before = instant_now();
    let report = fixture.worker.flush(LONG);
    assert!(before.elapsed() < LONG, "{report}");
    assert!(report.sent >= 1, "{report}");
}

/// Never has room, or only when it is told to.
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
        thread::spawn,
        |_| Box::new(Full::default()),
        Counting::default(),
    );
    fixture.finish_span();
    let before = instant_now();
    std::thread::scope(|scope| {
        let flush = scope.spawn(|| fixture.worker.flush(3 * LONG));
        while fixture.worker.shared.lock().asked == 0 {
            std::thread::yield_now();
        }
        let report = fixture.worker.close(Duration::from_millis(1));
        assert_eq!((report.finished, report.queued), (1, 1));
        assert_eq!(flush.join().expect("no panic").queued, 1);
    });
    assert!(before.elapsed() < LONG);
}

#[test]
fn memory_that_runs_short_during_a_pause_is_looked_at_behind_it() {
    let full = Full::default();
    let reporter = full.clone();
    let counting = full.counting.clone();
    let fixture = start_with(thread::spawn, |_| Box::new(reporter), counting);
    // A single span in a long time: the next look is far away.
    let later = deadline_after(Duration::from_millis(200));
    while instant_now() < later {
        std::thread::yield_now();
    }
    fixture.finish_span();
    fixture.worker.flush(Duration::from_millis(1));
    let lost = || fixture.store.totals().0.get(DropCause::QueueFull);
    while lost() == 0 {
        fixture.finish_span();
    }
    full.has_room.store(true, Ordering::Relaxed);
    let before = instant_now();
    let finished = fixture.store.totals().1;
    while u64::from(fixture.handed()) + lost() < finished {
        assert!(
            before.elapsed() < LONG,
            "{} of {finished}",
            fixture.handed()
        );
        std::thread::yield_now();
    }
}

/// Takes every span and cannot say whether it has room.
struct Unsure;

impl Reporter for Unsure {
    fn report(&mut self, _: &FinishedSpan<'_>) {}

    fn paused_until(&self) -> Option<Instant> {
        panic!("paused_until");
    }
}

#[test]
fn a_span_that_was_taken_is_not_lost_by_a_panic_behind_it() {
    let fixture = start_with(thread::spawn, |_| Box::new(Unsure), Counting::default());
    fixture.finish_span();
    let report = fixture.worker.flush(LONG);
    assert_eq!((report.sent, report.dropped.total()), (1, 0), "{report}");
}

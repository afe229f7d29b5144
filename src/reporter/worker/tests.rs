use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::*;
use crate::metrics::Counter;
use crate::model::{Flags, SpanId, TraceId};
use crate::record::{Budget, FrameBytes, FrameHeader};
use crate::reporter::{FinishedSpan, thread};

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
        diagnostics: Diagnostics::to(move |line| {
            said.lock().expect("not poisoned").push(line.to_owned());
        }),
        flush_interval: Duration::from_secs(3_600),
    };
    let reporter = Counting::default();
    Fixture {
        worker: Worker::start(options, Box::new(reporter.clone()), driver),
        store,
        reporter,
        lines,
    }
}

impl Fixture {
    fn finish_span(&self) {
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
        self.store.push(&header, &bytes, counter);
    }

    fn handed(&self) -> u32 {
        self.reporter.0.load(Ordering::Relaxed)
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("not poisoned").clone()
    }
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

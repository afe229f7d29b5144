//! Reporters that miscount.

use tracehound::reporter::CompositeReporter;

use super::*;

/// Says that it holds more spans than there can be.
struct Boastful;

impl Reporter for Boastful {
    fn report(&mut self, _: &FinishedSpan<'_>) {}

    fn flush(&mut self, _: Instant) -> Unsent {
        let mut dropped = DropCounts::default();
        for cause in [DropCause::Refused, DropCause::Unknown] {
            dropped.add(cause, u64::MAX);
            dropped.add(cause, 1);
        }
        Unsent::new(dropped, u64::MAX)
    }
}

#[test]
fn a_reporter_whose_numbers_overflow_does_not_keep_callers_waiting() {
    for reporter in [
        Box::new(Boastful) as Box<dyn Reporter>,
        Box::new(CompositeReporter::new().member(Boastful).member(Boastful)),
    ] {
        let tracer = builder(reporter).build().expect("named");
        tracer.start_span("s").finish();
        let before = Instant::now();
        let report = tracer.flush(LONG);
        assert_eq!((report.finished, report.sent), (1, 0), "{report}");
        tracer.close(LONG);
        assert!(before.elapsed() < LONG, "both were served");
    }
}

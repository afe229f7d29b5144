//! The times of spans beside those of the wall clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tracehound::prelude::*;

use crate::support::{LONG, number, recording};

/// Looks at span after span for a second and a half; `--seconds 600` looks for as long as clocks need to drift apart,
/// and holds them to a millisecond, which a busy machine may not keep.
pub(super) fn spans_start_at_the_time_of_the_wall_clock() {
    let asked = number("--seconds");
    let seconds = asked.map_or(1.5, |seconds| seconds as f64);
    let (tracer, spans) = recording();
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let (mut farthest, mut looks) = (Duration::ZERO, 0);
    while Instant::now() < end {
        let before = SystemTime::now();
        let span = tracer.start_span("s");
        let after = SystemTime::now();
        span.finish();
        tracer.flush(LONG);
        let reported = spans.spans().pop().expect("sent");
        spans.clear();
        let micros = u64::try_from(reported.start.as_micros()).expect("after 1970");
        let start = UNIX_EPOCH + Duration::from_micros(micros);
        let early = before.duration_since(start).unwrap_or_default();
        let late = start.duration_since(after).unwrap_or_default();
        farthest = farthest.max(early).max(late);
        looks += 1;
    }
    let report = tracer.close(LONG);
    println!("{looks} spans in {seconds} s, at most {farthest:?} beside the wall clock");
    assert_eq!(report.finished, looks);
    assert_eq!(report.sent + report.dropped.total(), report.finished);
    let bound = match asked {
        Some(_) => Duration::from_millis(1),
        None => Duration::from_secs(10),
    };
    assert!(farthest < bound, "{farthest:?}");
}

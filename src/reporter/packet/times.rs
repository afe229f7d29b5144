//! Times of a span that was made by hand. They may be any time, whereas a tracer's spans have times from 1970 to 2116.

use crate::model::Timestamp;
use crate::record::wire::encode::write_log;
use crate::record::{FinishedSpan, FrameBytes, FrameHeader};

/// Calls `look` with `span`, whose times are moved to where they can be sent, and with the number of times that moved.
pub(super) fn show_clamped<R>(
    span: &FinishedSpan<'_>,
    look: impl FnOnce(&FinishedSpan<'_>, u64) -> R,
) -> R {
    let given = span.header();
    let start = span.start().clamped();
    let until_latest = Timestamp::LATEST.duration_since(start).as_micros() as u64;
    // A span that starts at the latest time lasts one microsecond, because backends warn of a duration of zero.
    let duration = given.duration_micros().min(until_latest.max(1));
    let mut moved = u64::from(start != span.start());
    moved += u64::from(duration != given.duration_micros());
    moved += span
        .logs()
        .filter(|log| log.timestamp.clamped() != log.timestamp)
        .count() as u64;
    if moved == 0 {
        return look(span, 0);
    }
    let mut logs = Vec::new();
    for log in span.logs() {
        write_log(&mut logs, log.timestamp.clamped(), &log.field_refs());
    }
    let header = FrameHeader {
        start: start.as_micros(),
        duration,
        ..*given
    };
    let bytes = FrameBytes {
        logs: [&logs, &[]],
        ..span.frame_bytes()
    };
    look(&FinishedSpan::new(header, bytes), moved)
}

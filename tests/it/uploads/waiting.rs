//! Pauses that a collector asks for.

use super::*;

/// Returns what becomes of three spans if the first answer asks for a pause, how many requests came, and the time.
fn after_asking(value: &'static str) -> (FlushReport, usize, Duration) {
    let server = CollectorServer::by(move |n| match n {
        0 => Act::retry_after(value),
        _ => Act::status(202),
    });
    let start = Instant::now();
    let report = Shop::uploading_to(&server).finish(3).flush();
    (report, server.begun(), start.elapsed())
}

#[test]
fn a_short_pause_is_kept_and_the_batch_arrives() {
    for value in ["1", "0", "Thu, 01 Jan 1970 00:00:00 GMT"] {
        let (report, requests, time) = after_asking(value);
        assert_eq!((report.sent, requests), (3, 2), "{value}: {report}");
        assert!(time >= Duration::from_secs(1), "{value}: {time:?}");
    }
}

#[test]
fn a_value_that_says_nothing_counts_as_none() {
    for value in ["-1", "nan", "1e300", "inf", "soon", ""] {
        let (report, requests, time) = after_asking(value);
        assert_eq!((report.sent, requests), (3, 2), "{value:?}: {report}");
        assert!(time < Duration::from_secs(20), "{value:?}: {time:?}");
    }
}

#[test]
fn a_long_pause_loses_this_batch_and_those_that_come_meanwhile() {
    for value in [
        "60",
        "99999999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ] {
        let server = CollectorServer::start(Act::retry_after(value));
        let shop = Shop::uploading_to(&server);
        assert_lost(&shop.finish(3).flush(), DropCause::Backoff);
        let start = Instant::now();
        assert_lost(&shop.finish(2).flush(), DropCause::Backoff);
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_eq!(server.begun(), 1, "{value}");
        assert_eq!(shop.lines().len(), 1, "{:?}", shop.lines());
    }
}

#[test]
fn a_close_does_not_wait_for_a_pause_beyond_its_time() {
    let server = CollectorServer::start(Act::retry_after("9"));
    let shop = Shop::uploading_to(&server);
    let report = shop.finish(3).close(Duration::from_millis(300));
    assert_lost(&report, DropCause::Unknown);
}

#[test]
fn a_flush_of_short_time_leaves_the_batch_in_flight() {
    let server = CollectorServer::by(|n| match n {
        0 => Act::retry_after("1"),
        _ => Act::status(202),
    });
    let shop = Shop::uploading_to(&server);
    let report = shop.finish(3).tracer.flush(Duration::from_millis(100));
    assert_balanced(&report);
    assert_eq!((report.sent, report.queued), (0, 3), "{report}");
    assert_eq!(shop.flush().sent, 3);
}

//! The fate of a batch after each status.

use super::*;

#[test]
fn spans_that_were_not_taken_are_rejected() {
    for (rejected, arrived) in [(0, 3), (1, 2), (3, 0), (99, 0), (-1, 3)] {
        let act = Act::Partial(rejected, "too old".to_owned());
        let (report, calls) = after(otlp, move |_| act.clone());
        let lost = report.dropped.get(DropCause::Rejected);
        assert_eq!(
            (report.sent, lost, calls),
            (arrived, 3 - arrived, 1),
            "{rejected}"
        );
    }
    let collector = GrpcCollector::start(Act::Partial(1, "too old".to_owned()));
    let shop = Shop::new(otlp(&collector));
    shop.finish(1).flush();
    assert!(shop.lines()[0].contains("too old"), "{:?}", shop.lines());
}

#[test]
fn a_refusal_is_not_tried_again() {
    for (code, cause) in [
        (Code::InvalidArgument, DropCause::Rejected),
        (Code::NotFound, DropCause::Rejected),
        (Code::AlreadyExists, DropCause::Rejected),
        (Code::PermissionDenied, DropCause::Rejected),
        (Code::FailedPrecondition, DropCause::Rejected),
        (Code::Unimplemented, DropCause::Rejected),
        (Code::Unauthenticated, DropCause::Rejected),
        (Code::Unknown, DropCause::SendFailed),
        (Code::Internal, DropCause::SendFailed),
    ] {
        let (report, calls) = after(otlp, move |_| Act::Refuse(code, "no"));
        assert_lost(&report, cause);
        assert_eq!(calls, 1, "{code:?}");
    }
}

#[test]
fn a_collector_without_room_is_asked_three_times() {
    for (code, cause) in [
        (Code::Unavailable, DropCause::SendFailed),
        (Code::Aborted, DropCause::SendFailed),
        (Code::OutOfRange, DropCause::SendFailed),
        (Code::DataLoss, DropCause::SendFailed),
        (Code::Cancelled, DropCause::Unknown),
        (Code::DeadlineExceeded, DropCause::Unknown),
    ] {
        let (report, calls) = after(otlp, move |_| Act::Refuse(code, "busy"));
        assert_lost(&report, cause);
        assert_eq!(calls, 3, "{code:?}");
        let then_accept = move |n| match n {
            0 | 1 => Act::Refuse(code, "busy"),
            _ => Act::Accept,
        };
        let (report, calls) = after(otlp, then_accept);
        assert_eq!((report.sent, calls), (3, 3), "{code:?}: {report}");
    }
}

#[test]
fn a_full_queue_is_asked_again_if_that_may_help() {
    let full = |_| Act::Refuse(Code::ResourceExhausted, "queue is full");
    let (report, calls) = after(otlp, full);
    assert_lost(&report, DropCause::Rejected);
    assert_eq!(calls, 1, "OTLP wants a RetryInfo");
    let (report, calls) = after(jaeger, full);
    assert_lost(&report, DropCause::SendFailed);
    assert_eq!(calls, 3, "Jaeger's collector has no other word for it");
}

#[test]
fn the_pause_that_a_collector_asks_for_is_kept() {
    let start = Instant::now();
    let (report, calls) = after(otlp, |n| match n {
        0 => Act::AskForPause(300),
        _ => Act::Accept,
    });
    assert_eq!((report.sent, calls), (3, 2), "{report}");
    assert!(start.elapsed() >= Duration::from_millis(300));

    let (report, calls) = after(otlp, |_| Act::AskForPause(60_000));
    assert_lost(&report, DropCause::Backoff);
    assert_eq!(calls, 1);
}

#[test]
fn a_batch_that_was_too_large_makes_the_next_ones_smaller() {
    const MESSAGE: &str = "grpc: received message larger than max (5000000 vs. 4194304)";
    let collector = GrpcCollector::by(|n| match n {
        0 => Act::Refuse(Code::ResourceExhausted, MESSAGE),
        _ => Act::Accept,
    });
    let shop = Shop::new(jaeger(&collector));
    assert_lost(&shop.finish(1_000).flush(), DropCause::TooLarge);
    let report = shop.finish(1_000).flush();
    assert_eq!((report.sent, report.dropped.total()), (1_000, 1_000));
    let sizes: Vec<_> = collector.calls().iter().map(|call| call.bytes).collect();
    assert!(sizes.len() >= 3, "{sizes:?}");
    assert!(
        sizes[1..].iter().all(|size| *size <= sizes[0] / 2),
        "{sizes:?}"
    );
}

#[test]
fn an_answer_that_is_much_too_long_is_not_read() {
    let message = "x".repeat(100_000);
    let (report, calls) = after(otlp, move |_| Act::Partial(0, message.clone()));
    assert_lost(&report, DropCause::Unknown);
    assert_eq!(calls, 1);
}

#[test]
fn the_line_to_the_user_says_what_is_wrong() {
    for (code, message, expected) in [
        (Code::Unauthenticated, "no token", "no token"),
        (
            Code::PermissionDenied,
            "missing tenant header",
            "header that it wants (OTEL_EXPORTER_OTLP_HEADERS)",
        ),
        (Code::Unimplemented, "unknown service", "14250"),
        (Code::InvalidArgument, "bad\nspan", "bad span"),
    ] {
        let collector = GrpcCollector::start(Act::Refuse(code, message));
        let shop = Shop::new(otlp(&collector));
        shop.finish(1).flush();
        let lines = shop.lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains(expected), "{lines:?}");
        assert!(lines[0].contains(&collector.url()), "{lines:?}");
    }
}

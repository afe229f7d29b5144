//! The fate of a batch after each status.

use super::*;

/// Finishes three spans, flushes, and returns what became of them and how many requests came.
fn after(act: impl Fn(usize) -> Act + Send + Sync + 'static) -> (FlushReport, usize) {
    let server = CollectorServer::by(act);
    let report = Shop::uploading_to(&server).finish(3).flush();
    (report, server.begun())
}

#[test]
fn a_status_of_success_means_that_all_spans_arrived() {
    for status in [200, 202, 204, 299] {
        let server = CollectorServer::start(Act::status(status));
        let report = Shop::uploading_to(&server).finish(3).flush();
        assert_eq!((report.sent, report.is_complete()), (3, true), "{status}");
        let requests = server.received();
        assert_eq!(requests.len(), 1, "{status}");
        let request = &requests[0];
        assert_eq!(
            request.line,
            "POST /api/traces?format=jaeger.thrift HTTP/1.1"
        );
        assert_eq!(request.header("content-type"), Some("application/x-thrift"));
        let agent = concat!("tracehound/", env!("CARGO_PKG_VERSION"));
        assert_eq!(request.header("user-agent"), Some(agent));
        assert_eq!(request.header("content-encoding"), None);
        let batch = decode_batch(&request.body).expect("a batch");
        assert_eq!(batch.process.service_name, "shop");
        assert_eq!(batch.spans.len(), 3);
    }
}

#[test]
fn a_refusal_is_not_tried_again() {
    for (status, cause) in [
        (302, DropCause::Rejected),
        (400, DropCause::Rejected),
        (401, DropCause::Rejected),
        (403, DropCause::Rejected),
        (404, DropCause::Rejected),
        (405, DropCause::Rejected),
        (415, DropCause::Rejected),
        (413, DropCause::TooLarge),
        (501, DropCause::SendFailed),
        (505, DropCause::SendFailed),
    ] {
        let (report, requests) = after(move |_| Act::status(status));
        assert_lost(&report, cause);
        assert_eq!(requests, 1, "{status}");
    }
}

#[test]
fn a_collector_without_room_is_asked_three_times() {
    for status in [429, 500, 502, 503, 504] {
        let (report, requests) = after(move |_| Act::status(status));
        assert_lost(&report, DropCause::SendFailed);
        assert_eq!(requests, 3, "{status}");
        let (report, requests) = after(move |n| Act::status(if n < 2 { status } else { 202 }));
        assert_eq!((report.sent, requests), (3, 3), "{status}: {report}");
    }
}

#[test]
fn a_batch_that_was_too_large_makes_the_next_ones_smaller() {
    let server = CollectorServer::by(|n| Act::status(if n == 0 { 413 } else { 202 }));
    let shop = Shop::uploading_to(&server);
    let report = shop.finish(1_000).flush();
    assert_lost(&report, DropCause::TooLarge);
    let refused = server.received()[0].body.len();
    let report = shop.finish(1_000).flush();
    assert_eq!((report.sent, report.dropped.total()), (1_000, 1_000));
    let sizes: Vec<_> = server.received()[1..]
        .iter()
        .map(|request| request.body.len())
        .collect();
    assert!(sizes.len() >= 2, "{sizes:?}");
    assert!(sizes.iter().all(|size| *size <= refused / 2), "{sizes:?}");
}

#[test]
fn no_redirect_is_followed() {
    let target = CollectorServer::start(Act::status(202));
    for status in [301, 302, 303, 307, 308] {
        let location = format!("Location: {}\r\n", target.url("/api/traces"));
        let act = Act::Reply(status, location, Vec::new());
        let (report, requests) = after(move |_| act.clone());
        assert_lost(&report, DropCause::Rejected);
        assert_eq!(requests, 1, "{status}");
    }
    assert_eq!(target.begun(), 0);
}

#[test]
fn the_status_counts_whatever_the_body_is() {
    let head = b"HTTP/1.1 202 Accepted\r\n";
    let with = |rest: &[u8]| [head, rest].concat();
    for act in [
        Act::text(202, "thank you"),
        Act::text(202, &"x".repeat(100_000)),
        Act::Raw(with(b"content-length: 9\r\n\r\ncut")),
        Act::Raw(with(b"transfer-encoding: chunked\r\n\r\nzz\r\n")),
        Act::Raw(with(b"connection: close\r\n\r\n")),
        Act::Endless(with(b"\r\n"), vec![b'x'; 8_192], Duration::ZERO),
    ] {
        let what = format!("{:.100}", format!("{act:?}"));
        let (report, requests) = after(move |_| act.clone());
        assert_eq!((report.sent, requests), (3, 1), "{what}: {report}");
    }
}

#[test]
fn a_page_of_html_is_no_receipt() {
    assert_pages_are_no_receipt(
        |server| Box::new(sender_to(server)),
        "is it a collector? Jaeger takes Thrift at /api/traces",
    );
}

#[test]
fn spans_behind_a_lost_batch_arrive() {
    let server = CollectorServer::by(|n| Act::status(if n == 0 { 400 } else { 202 }));
    let shop = Shop::uploading_to(&server);
    assert_lost(&shop.finish(2).flush(), DropCause::Rejected);
    let report = shop.finish(3).flush();
    assert_eq!(report.sent, 3, "{report}");
    assert_eq!(report.dropped.get(DropCause::Rejected), 2);
}

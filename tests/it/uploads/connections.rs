//! Connections that break, hang, drip or never come to be.

use std::net::{Ipv4Addr, TcpListener};

use super::*;

/// Returns what becomes of three spans if sending may take 300 ms, and how many requests came.
fn within_300_ms(act: Act) -> (FlushReport, usize) {
    let server = CollectorServer::start(act);
    let sender = sender_to(&server).timeout(Duration::from_millis(300));
    let start = Instant::now();
    let report = Shop::new(sender).finish(3).flush();
    assert!(start.elapsed() < Duration::from_secs(20));
    (report, server.begun())
}

/// Returns a sender to a port of loopback on which no program listens.
fn sender_to_nobody() -> HttpSender {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("bound");
    HttpSender::new(&format!("http://{address}")).expect("a URL")
}

#[test]
fn a_request_without_an_answer_is_not_known_to_have_arrived() {
    let partial_head = Act::Raw(b"HTTP/1.1 20".to_vec());
    for act in [Act::Hang, Act::Raw(Vec::new()), partial_head] {
        let what = format!("{act:?}");
        let (report, requests) = within_300_ms(act);
        assert_lost(&report, DropCause::Unknown);
        assert_eq!(requests, 1, "{what}");
    }
}

#[test]
fn a_reply_that_drips_does_not_outlast_the_timeout() {
    let drip =
        |start: &[u8]| Act::Endless(start.to_vec(), b"x".to_vec(), Duration::from_millis(10));
    let (report, _) = within_300_ms(drip(b"HTTP/1.1 202 Accepted\r\nx"));
    assert_lost(&report, DropCause::Unknown);
    let (report, _) = within_300_ms(drip(b"HTTP/1.1 202 Accepted\r\n\r\n"));
    assert_eq!(report.sent, 3, "the status is there: {report}");
}

#[test]
fn what_is_not_http_is_lost() {
    let (report, requests) = within_300_ms(Act::Raw(b"\0\0\x18\x04\0\0\0\0\0".to_vec()));
    assert_lost(&report, DropCause::SendFailed);
    assert_eq!(requests, 1);
}

#[test]
fn a_request_that_breaks_off_is_tried_three_times() {
    // More than sockets hold, so the client cannot believe that it is written.
    let server = CollectorServer::start(Act::CloseAfter(1_000));
    let sender = sender_to(&server).max_bytes(64 << 20);
    let shop = Shop::new(sender);
    for _ in 0..10_000 {
        let span = shop.tracer.start_span("checkout");
        span.set_tag("note", "x".repeat(700));
        span.finish();
    }
    let report = shop.flush();
    assert_lost(&report, DropCause::SendFailed);
    assert_eq!(server.begun(), 3);
}

#[test]
fn a_collector_that_never_reads_does_not_outlast_the_timeout() {
    let server = CollectorServer::start(Act::Deaf);
    let sender = sender_to(&server).max_bytes(64 << 20);
    let shop = Shop::new(sender.timeout(Duration::from_millis(300)));
    for _ in 0..10_000 {
        let span = shop.tracer.start_span("checkout");
        span.set_tag("note", "x".repeat(700));
        span.finish();
    }
    let start = Instant::now();
    let report = shop.flush();
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_lost(&report, DropCause::SendFailed);
}

#[test]
fn a_collector_that_is_away_is_refused() {
    let shop = Shop::new(sender_to_nobody());
    assert_lost(&shop.finish(3).flush(), DropCause::Refused);
}

#[test]
fn a_host_that_does_not_exist_has_no_address() {
    // `.invalid` is reserved for names that do not exist.
    let sender = HttpSender::new("http://collector.invalid:14268").expect("a URL");
    let shop = Shop::new(sender.timeout(Duration::from_secs(30)));
    assert_lost(&shop.finish(3).flush(), DropCause::NoAddress);
}

#[test]
fn a_connection_is_kept_between_batches() {
    let server = CollectorServer::start(Act::text(202, "thank you"));
    let shop = Shop::uploading_to(&server);
    for _ in 0..5 {
        shop.finish(1).flush();
    }
    let connections: Vec<_> = server
        .received()
        .iter()
        .map(|request| request.connection)
        .collect();
    assert_eq!(connections, [0; 5]);
}

#[test]
fn a_connection_that_the_collector_closed_is_made_anew() {
    let server = CollectorServer::start(Act::Raw(
        b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".to_vec(),
    ));
    let shop = Shop::uploading_to(&server);
    for sent in 1..=5 {
        assert_eq!(shop.finish(1).flush().sent, sent);
    }
    assert_eq!(server.received().len(), 5);
}

#[test]
fn a_query_of_the_endpoint_is_kept() {
    for (path, expected) in [
        ("", "/api/traces?format=jaeger.thrift"),
        ("/", "/?format=jaeger.thrift"),
        ("/a/b?c=d", "/a/b?c=d&format=jaeger.thrift"),
        ("?format=other", "/api/traces?format=other"),
    ] {
        let server = CollectorServer::start(Act::status(202));
        let sender = HttpSender::new(&server.url(path)).expect("a URL");
        Shop::new(sender).finish(1).flush();
        let line = &server.received()[0].line;
        assert_eq!(*line, format!("POST {expected} HTTP/1.1"));
    }
}

#[test]
fn only_urls_of_http_are_taken() {
    for url in [
        "",
        "localhost:14268",
        "ftp://h/",
        "unix:///run/jaeger",
        "udp://h:6831",
    ] {
        assert!(HttpSender::new(url).is_err(), "{url}");
    }
}

#[test]
fn a_proxy_that_drips_does_not_outlast_the_timeout_by_much() {
    // Each read succeeds, and the head never ends.
    let head = b"HTTP/1.1 200 OK\r\nx: ".to_vec();
    let drips = Act::Endless(head, b"x".to_vec(), Duration::from_millis(10));
    let proxy = CollectorServer::start(drips);
    let sender = HttpSender::new("http://collector.invalid:14268").expect("a URL");
    let sender = sender.proxy(&proxy.url("")).expect("a proxy");
    let shop = Shop::new(sender.timeout(Duration::from_millis(300)));
    let start = Instant::now();
    assert_lost(&shop.finish(1).flush(), DropCause::SendFailed);
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_proxy_that_is_set_gets_the_request() {
    let proxy = CollectorServer::start(Act::status(202));
    let sender = HttpSender::new("http://collector.invalid:14268").expect("a URL");
    let sender = sender.proxy(&proxy.url("")).expect("a proxy");
    let shop = Shop::new(sender.timeout(Duration::from_secs(2)));
    shop.finish(1).flush();
    assert!(proxy.begun() >= 1);
}

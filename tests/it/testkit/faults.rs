//! Collectors that do not reply well.

use std::io::{ErrorKind, Read as _, Write as _};
use std::time::{Duration, Instant};

use tracehound::testkit::{Fault, MockCollector};

use super::{LONG, connect, exchange, post, reply, zipkin};
use crate::support::until;

fn start() -> MockCollector {
    MockCollector::start().expect("a port")
}

#[test]
fn scripted_faults_meet_one_request_each() {
    let collector = start();
    collector.next_faults([Fault::status(503), Fault::none(), Fault::status(429)]);
    let mut connection = connect(collector.address());
    let statuses: Vec<_> = (0..4)
        .map(|_| {
            connection.write_all(&zipkin()).expect("sent");
            let text = reply(&mut connection);
            text.split(' ').nth(1).unwrap_or_default().to_owned()
        })
        .collect();
    assert_eq!(statuses, ["503", "202", "429", "202"]);
    assert_eq!((collector.span_count(), collector.request_count()), (2, 4));
}

#[test]
fn a_status_has_the_headers_and_the_body_it_was_given() {
    let collector = start();
    let busy = Fault::status(429).header("Retry-After", "2").body("busy");
    collector.always(busy);
    let mut connection = connect(collector.address());
    for _ in 0..2 {
        connection.write_all(&zipkin()).expect("sent");
        assert_eq!(
            reply(&mut connection),
            "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\nContent-Length: 4\r\n\r\nbusy"
        );
    }
    collector.always(Fault::none());
    connection.write_all(&zipkin()).expect("sent");
    assert!(reply(&mut connection).starts_with("HTTP/1.1 202 "));
}

#[test]
fn a_function_decides_by_the_request() {
    let collector = start();
    collector.on_request(|request| match request.header("authorization") {
        Some("Bearer t0ken") => Fault::none(),
        _ => Fault::status(401),
    });
    let mut connection = connect(collector.address());
    connection.write_all(&zipkin()).expect("sent");
    assert!(reply(&mut connection).starts_with("HTTP/1.1 401 "));
    let headers = "Authorization: Bearer t0ken\r\n";
    let request = post("/api/v2/spans", "application/json", headers, b"[]");
    connection.write_all(&request).expect("sent");
    assert!(reply(&mut connection).starts_with("HTTP/1.1 202 "));
}

#[test]
fn partial_success_takes_all_but_the_last_spans_and_says_so() {
    let collector = start();
    let span = |id: u8| {
        let ids = [&[0x0a, 16][..], &[7; 16], &[0x12, 8], &[id; 8]].concat();
        [&[0x12, 28][..], &ids].concat()
    };
    let scope = [span(1), span(2), span(3)].concat();
    let scope = [&[0x12, 90][..], &scope].concat();
    let request = [&[0x0a, 92][..], &scope].concat();
    let request = post("/v1/traces", "application/x-protobuf", "", &request);
    collector.next_faults([
        Fault::partial_success(2, "quota"),
        Fault::partial_success(300, ""),
    ]);
    let mut connection = connect(collector.address());
    for expected in [
        "\x0a\x09\x08\x02\x12\x05quota",
        "\x0a\x05\x08\u{fffd}\x02\x12\x00",
        "",
    ] {
        connection.write_all(&request).expect("sent");
        let text = reply(&mut connection);
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert_eq!(body, expected);
    }
    let ids: Vec<_> = collector
        .spans()
        .iter()
        .map(|span| span.span_id.get() as u8)
        .collect();
    assert_eq!(ids, [1, 1, 2, 3]);
}

#[test]
fn broken_replies_come_as_they_were_given() {
    let collector = start();
    let mut fast = Vec::new();
    for (fault, expected) in [
        (Fault::hang_up(), ""),
        (
            Fault::garbage("220 mail.example.com ESMTP\r\n"),
            "220 mail.example.com ESMTP\r\n",
        ),
        (
            Fault::drip("HTTP/1.1 2", Duration::from_millis(2)),
            "HTTP/1.1 2",
        ),
    ] {
        collector.next_faults([fault]);
        fast.push(exchange(collector.address(), &zipkin()).expect("an end"));
        assert_eq!(fast.last().map(String::as_str), Some(expected));
    }
    assert_eq!((collector.span_count(), collector.request_count()), (0, 3));
}

#[test]
#[cfg(target_os = "linux")]
fn a_reset_is_told_from_an_end() {
    let collector = start();
    for fault in [Fault::reset(), Fault::reset_after("HTTP/1.1 200 OK\r\n")] {
        collector.next_faults([fault]);
        let error = exchange(collector.address(), &zipkin()).expect_err("a reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_reply_that_never_comes_keeps_the_connection_open() {
    let collector = start();
    for (fault, expected) in [(Fault::drop(), ""), (Fault::stall("HTTP/1"), "HTTP/1")] {
        collector.next_faults([fault]);
        let mut connection = connect(collector.address());
        connection.write_all(&zipkin()).expect("sent");
        let mut begin = vec![0; expected.len()];
        connection.read_exact(&mut begin).expect("the begin");
        assert_eq!(begin, expected.as_bytes());
        connection
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        let silence = connection.read(&mut [0]).expect_err("no more");
        let kinds = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
        assert!(kinds.contains(&silence.kind()), "{silence}");
    }
    assert_eq!(collector.span_count(), 0);
}

#[test]
fn an_endless_reply_ends_when_the_client_or_the_collector_leaves() {
    let collector = start();
    collector.always(Fault::endless("HTTP/1.1 200 OK\r\n\r\n", "again "));
    let mut connection = connect(collector.address());
    connection.write_all(&zipkin()).expect("sent");
    let mut begin = [0; 1_000_000];
    connection.read_exact(&mut begin).expect("much");
    assert!(begin.ends_with(b"again again aga"));
    drop(connection);
    let mut connection = connect(collector.address());
    connection.write_all(&zipkin()).expect("sent");
    connection.read_exact(&mut begin).expect("much");
    let start = Instant::now();
    drop(collector);
    assert!(start.elapsed() < LONG / 2);
}

#[test]
fn a_late_and_a_slow_collector_take_their_time_and_the_spans() {
    let collector = start();
    let late = Duration::from_millis(100);
    // The body takes longer than that at 400 bytes a second.
    for (fault, count) in [(Fault::delay(late), 1), (Fault::slow_reader(400), 2)] {
        collector.next_faults([fault]);
        let mut connection = connect(collector.address());
        let start = Instant::now();
        connection.write_all(&zipkin()).expect("sent");
        assert!(reply(&mut connection).starts_with("HTTP/1.1 202 "));
        assert!(start.elapsed() >= late, "{count}: {:?}", start.elapsed());
        until("the spans", || collector.span_count() == count);
    }
}

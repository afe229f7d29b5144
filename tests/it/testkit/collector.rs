//! A collector that records.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use tracehound::testkit::{Fault, MockCollector, assert_trace};

use super::{LONG, ZIPKIN, connect, exchange, post, reply, zipkin};

fn start() -> MockCollector {
    MockCollector::start().expect("a port")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("to memory");
    encoder.finish().expect("to memory")
}

#[test]
fn a_connection_takes_one_request_after_the_other() {
    let collector = start();
    let mut connection = connect(collector.address());
    for count in 1..=3 {
        connection.write_all(&zipkin()).expect("sent");
        assert!(reply(&mut connection).starts_with("HTTP/1.1 202 Accepted\r\n"));
        assert_eq!(collector.span_count(), count);
    }
    // Two at once.
    connection.write_all(&zipkin().repeat(2)).expect("sent");
    for _ in 0..2 {
        assert!(reply(&mut connection).starts_with("HTTP/1.1 202 Accepted\r\n"));
    }
    assert_eq!(collector.request_count(), 5);
    assert_trace(&collector.spans()[..1], "checkout");
}

#[test]
fn requests_tell_their_headers_in_any_case_and_their_bodies() {
    let collector = start();
    let headers = "authorization: Basic dTpw\r\nX-Two: 1\r\nX-Two: 2\r\nConnection: close\r\n";
    let request = post(
        "/api/v2/spans?a=b",
        "application/json",
        headers,
        ZIPKIN.as_bytes(),
    );
    exchange(collector.address(), &request).expect("a reply");
    let request = &collector.wait_for_requests(1, LONG)[0];
    assert_eq!(request.method(), "POST");
    assert_eq!(
        (request.target(), request.path()),
        ("/api/v2/spans?a=b", "/api/v2/spans")
    );
    assert_eq!(request.header("Authorization"), Some("Basic dTpw"));
    assert_eq!(request.header("x-two"), Some("1"));
    assert_eq!(request.header("x-three"), None);
    let twos: Vec<_> = request
        .headers()
        .filter(|(name, _)| *name == "X-Two")
        .collect();
    assert_eq!(twos, [("X-Two", "1"), ("X-Two", "2")]);
    assert_eq!(request.body(), ZIPKIN.as_bytes());
    assert_eq!(collector.span_count(), 1);
}

#[test]
fn packed_and_chunked_bodies_are_taken() {
    let collector = start();
    let packed = gzip(ZIPKIN.as_bytes());
    let headers = "Content-Encoding: gzip\r\nConnection: close\r\n";
    let request = post("/api/v2/spans", "application/json", headers, &packed);
    let text = exchange(collector.address(), &request).expect("a reply");
    assert!(text.starts_with("HTTP/1.1 202 "), "{text}");
    assert_eq!(collector.requests()[0].body(), packed);

    let (first, second) = ZIPKIN.split_at(10);
    let request = format!(
        "POST /api/v2/spans HTTP/1.1\r\nContent-Type: application/json; charset=utf-8\r\n\
         Transfer-Encoding: chunked\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n\
         a\r\n{first}\r\n{:x};note=1\r\n{second}\r\n0\r\n\r\n",
        second.len()
    );
    let text = exchange(collector.address(), request.as_bytes()).expect("a reply");
    assert!(
        text.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 "),
        "{text}"
    );
    assert_eq!(collector.span_count(), 2);
    assert!(collector.errors().is_empty());
}

#[test]
fn what_no_collector_takes_is_refused_and_is_an_error() {
    let collector = start();
    let close = "Connection: close\r\n";
    let packed_badly = "Content-Encoding: gzip\r\nConnection: close\r\n";
    let bomb = gzip(&vec![b' '; 17 << 20]);
    let rows: [(Vec<u8>, u16, Option<&str>); 9] = [
        (
            post("/elsewhere", "application/json", close, b""),
            404,
            None,
        ),
        (
            b"GET /v1/traces HTTP/1.1\r\nConnection: close\r\n\r\n".to_vec(),
            405,
            None,
        ),
        (
            post("/v1/traces", "application/json", close, b"{}"),
            415,
            Some("/v1/traces: the content type \"application/json\" is not taken here"),
        ),
        (
            post("/v1/traces", "application/x-protobuf", close, &[0x0a, 9]),
            400,
            Some("/v1/traces: the message is cut short"),
        ),
        (
            post("/api/traces", "application/x-thrift", close, b"no"),
            400,
            Some("/api/traces: "),
        ),
        (
            post("/api/v2/spans", "application/json", close, b"[{}]"),
            400,
            Some("/api/v2/spans: a span has no traceId"),
        ),
        (
            post("/api/v2/spans", "application/json", packed_badly, b"no"),
            400,
            Some("/api/v2/spans: the body cannot be unpacked"),
        ),
        (
            post("/api/v2/spans", "application/json", packed_badly, &bomb),
            400,
            Some("/api/v2/spans: the body is too long"),
        ),
        (
            post(
                "/api/v2/spans",
                "application/json",
                "Content-Encoding: br\r\nConnection: close\r\n",
                b"",
            ),
            400,
            Some("/api/v2/spans: the encoding br is not known"),
        ),
    ];
    for (request, status, error) in rows {
        collector.clear();
        let reply = exchange(collector.address(), &request).expect("a reply");
        assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{reply}");
        let errors = collector.errors();
        assert_eq!(errors.len(), usize::from(error.is_some()), "{errors:?}");
        for (said, expected) in errors.iter().zip(error) {
            assert!(said.starts_with(expected), "{said}");
        }
        assert_eq!(collector.span_count(), 0);
    }
}

#[test]
fn what_is_no_request_ends_its_connection_and_no_other_one() {
    let collector = start();
    let mut other = connect(collector.address());
    let rows: [(&[u8], &str); 8] = [
        (b"no HTTP\r\n\r\n", "a request does not begin as HTTP does"),
        (
            b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
            "a header has no colon",
        ),
        (b"GET / HT", "a request was cut short in its head"),
        (&[b'a'; 100_000], "the head of a request is too long"),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab",
            "/: the body was cut short",
        ),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
            "/: the body is too long",
        ),
        (
            b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            "/: the length is no number",
        ),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "/: the length of a chunk is no number",
        ),
    ];
    for (bytes, error) in rows {
        collector.clear();
        let mut connection = connect(collector.address());
        // The collector may close before it has read all.
        let _ = connection.write_all(bytes);
        let _ = connection.shutdown(std::net::Shutdown::Write);
        let mut reply = Vec::new();
        let _ = connection.read_to_end(&mut reply);
        assert_eq!(String::from_utf8_lossy(&reply), "", "{error}");
        assert_eq!(collector.errors(), [error]);
        assert_eq!(collector.request_count(), 0);
    }
    other.write_all(&zipkin()).expect("sent");
    assert!(reply(&mut other).starts_with("HTTP/1.1 202 "));
}

#[test]
fn documents_are_served() {
    let collector = start();
    collector.serve("/sampling", "first");
    collector.serve("/sampling", "{}");
    let mut connection = connect(collector.address());
    connection
        .write_all(b"GET /sampling?service=shop HTTP/1.1\r\n\r\n")
        .expect("sent");
    let text = reply(&mut connection);
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(
        text.contains("Content-Type: application/json\r\n"),
        "{text}"
    );
    assert!(text.ends_with("\r\n\r\n{}"), "{text}");
    connection
        .write_all(b"GET /credits HTTP/1.1\r\n\r\n")
        .expect("sent");
    assert!(reply(&mut connection).starts_with("HTTP/1.1 404 "));
    connection
        .write_all(b"DELETE /sampling HTTP/1.1\r\n\r\n")
        .expect("sent");
    assert!(reply(&mut connection).starts_with("HTTP/1.1 405 "));
}

#[test]
fn a_collector_that_stops_closes_its_connections_and_refuses_others() {
    let collector = start();
    let mut idle = connect(collector.address());
    idle.write_all(&zipkin()).expect("sent");
    reply(&mut idle);
    for _ in 0..3 {
        collector.stop().expect("stopped");
        assert_eq!(idle.read(&mut [0]).unwrap_or(0), 0, "closed");
        TcpStream::connect(collector.address()).expect_err("refused");
        collector.restart().expect("the port is free");
        collector.restart().expect("it runs already");
        idle = connect(collector.address());
        idle.write_all(&zipkin()).expect("sent");
        reply(&mut idle);
    }
    assert_eq!(collector.span_count(), 4);
    // Nothing to wait for at the end.
    let start = Instant::now();
    collector.always(Fault::drop());
    idle.write_all(&zipkin()).expect("sent");
    collector.wait_for_requests(5, LONG);
    drop(collector);
    assert!(start.elapsed() < LONG / 2);
}

#[test]
fn a_connection_may_be_wrapped() {
    let collector = MockCollector::start_with(|connection| {
        let address = connection.peer_addr().ok()?;
        address.ip().is_loopback().then_some(Box::new(connection))
    });
    let collector = collector.expect("a port");
    let mut connection = connect(collector.address());
    connection.write_all(&zipkin()).expect("sent");
    assert!(reply(&mut connection).starts_with("HTTP/1.1 202 "));

    let closed = MockCollector::start_with(|_| None).expect("a port");
    let reply = exchange(closed.address(), &zipkin());
    assert_eq!(reply.unwrap_or_default(), "");
    assert_eq!(closed.request_count(), 0);
}

#[test]
fn a_collector_that_keeps_nothing_still_counts() {
    let collector = start();
    collector.keep_at_most(0);
    let mut connection = connect(collector.address());
    for _ in 0..10 {
        connection.write_all(&zipkin()).expect("sent");
        reply(&mut connection);
    }
    assert_eq!(
        (collector.span_count(), collector.request_count()),
        (10, 10)
    );
    assert!(collector.spans().is_empty() && collector.requests().is_empty());
    collector.keep_at_most(1);
    connection.write_all(&zipkin()).expect("sent");
    reply(&mut connection);
    assert_eq!(
        (collector.spans().len(), collector.requests().len()),
        (1, 1)
    );
}

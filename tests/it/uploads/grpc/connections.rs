//! Connections that break, hang or never come to be.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener};

use tonic::transport::Server;

use super::*;
use crate::closed_port::closed_port;

#[test]
fn a_connection_is_kept_between_batches() {
    let collector = GrpcCollector::start(Act::Accept);
    let shop = Shop::new(otlp(&collector));
    for sent in 1..=5 {
        assert_eq!(shop.finish(1).flush().sent, sent);
    }
    let peers: Vec<_> = collector.calls().iter().map(|call| call.peer).collect();
    assert_eq!(peers, [peers[0]; 5]);
}

#[test]
fn a_refusal_keeps_the_connection() {
    let collector = GrpcCollector::by(|n| match n {
        0 => Act::Refuse(Code::InvalidArgument, "no"),
        _ => Act::Accept,
    });
    let shop = Shop::new(otlp(&collector));
    shop.finish(1).flush();
    assert_eq!(shop.finish(1).flush().sent, 1);
    let peers: Vec<_> = collector.calls().iter().map(|call| call.peer).collect();
    assert_eq!(peers[0], peers[1]);
}

#[test]
fn a_collector_that_was_started_again_gets_the_next_batch() {
    let first = GrpcCollector::start(Act::Accept);
    let shop = Shop::new(otlp(&first));
    assert_eq!(shop.finish(1).flush().sent, 1);
    let address = first.address;
    drop(first);
    until("the port is free", || TcpListener::bind(address).is_ok());
    let second = GrpcCollector::start_on(Server::builder(), address, |_| Act::Accept);
    assert_eq!(shop.finish(2).flush().sent, 3);
    assert_eq!(second.spans(), 2);
}

#[test]
fn a_call_without_an_answer_is_not_known_to_have_arrived() {
    let collector = GrpcCollector::start(Act::Hang);
    let sender = otlp(&collector).timeout(Duration::from_millis(300));
    let report = Shop::new(sender).finish(3).flush();
    assert_lost(&report, DropCause::Unknown);
    assert_eq!(collector.calls().len(), 1);
}

#[test]
fn a_call_whose_connection_breaks_is_not_known_to_have_arrived() {
    let collector = GrpcCollector::start(Act::Hang);
    let shop = Shop::new(otlp(&collector).timeout(Duration::from_secs(60)));
    shop.finish(3);
    let flushed = std::thread::scope(|scope| {
        let flushed = scope.spawn(|| shop.flush());
        until("the call", || collector.calls().len() == 1);
        drop(collector);
        flushed.join().expect("no panic")
    });
    assert_lost(&flushed, DropCause::Unknown);
}

#[test]
fn closing_does_not_wait_for_an_answer() {
    let collector = GrpcCollector::start(Act::Hang);
    let shop = Shop::new(otlp(&collector).timeout(Duration::from_secs(60)));
    shop.finish(3);
    let report = shop.close(Duration::from_millis(300));
    assert_lost(&report, DropCause::Unknown);
}

#[test]
fn a_collector_that_is_away_is_refused() {
    let (_socket, address) = closed_port();
    let sender = GrpcSender::new(&format!("http://{address}")).expect("an endpoint");
    let shop = Shop::new(sender);
    assert_lost(&shop.finish(3).flush(), DropCause::Refused);
    let lines = shop.lines();
    assert!(lines[0].contains("is a collector there?"), "{lines:?}");
}

#[test]
fn a_host_that_does_not_exist_has_no_address() {
    // `.invalid` is reserved for names that do not exist.
    let sender = GrpcSender::new("http://collector.invalid:14250").expect("an endpoint");
    let shop = Shop::new(sender.timeout(Duration::from_secs(30)));
    assert_lost(&shop.finish(3).flush(), DropCause::NoAddress);
}

/// Starts a server that takes some bytes of each connection, answers with these and closes it.
fn server_that_says(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut start = [0; 24];
            let _ = (&stream).read_exact(&mut start);
            let _ = (&stream).write_all(answer);
            let _ = stream.shutdown(Shutdown::Write);
            let _ = (&stream).read_to_end(&mut Vec::new());
        }
    });
    format!("http://{address}")
}

#[test]
fn a_server_of_http_1_is_told_from_one_of_grpc() {
    let url = server_that_says(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    let sender = OtlpGrpcSender::new(&url).expect("an endpoint");
    let shop = Shop::new(sender.timeout(Duration::from_secs(2)));
    let report = shop.finish(3).flush();
    let lines = shop.lines();
    assert!(lines[0].contains("does not speak HTTP/2"), "{lines:?}");
    assert_lost(&report, DropCause::SendFailed);
}

#[test]
fn a_server_that_closes_at_once_loses_the_batch() {
    let sender = OtlpGrpcSender::new(&server_that_says(b"")).expect("an endpoint");
    let shop = Shop::new(sender.timeout(Duration::from_secs(2)));
    let report = shop.finish(3).flush();
    assert_eq!((report.sent, report.dropped.total()), (0, 3), "{report}");
}

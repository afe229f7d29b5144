//! The UDP side, and the server as a whole.

use std::net::{TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use tracehound::dev::DevServer;
use tracehound::diagnostics::Diagnostics;
use tracehound::model::TraceId;

use super::{GOLDEN, GOLDEN_TRACE, PATIENCE, quiet, send, start, unhex};
use crate::support::until;

fn golden_trace() -> TraceId {
    GOLDEN_TRACE.parse().unwrap()
}

#[test]
fn a_span_that_is_sent_can_be_read() {
    let server = start();
    assert!(!server.wait_for_spans(1, Duration::ZERO));
    send(&server, server.agent_address(), &unhex(GOLDEN));
    assert!(server.wait_for_spans(1, PATIENCE));
    let trace = server.trace(golden_trace()).unwrap();
    assert_eq!(trace.services(), ["svc"]);
    assert_eq!(trace.spans[0].span.operation_name, "GET /");
    assert_eq!(server.services(), ["svc"]);
    server.clear();
    assert!(server.traces().is_empty());
    assert_eq!(server.totals().received, 1);
}

#[test]
fn every_socket_is_on_loopback() {
    let server = start();
    for address in [
        server.agent_address(),
        server.binary_agent_address(),
        server.collector_address(),
        server.sampling_address(),
        server.query_address(),
    ] {
        assert!(address.ip().is_loopback(), "{address}");
        assert_ne!(address.port(), 0);
    }
}

#[test]
fn datagrams_that_are_no_messages_are_only_counted() {
    let server = start();
    let golden = unhex(GOLDEN);
    let hostile: Vec<Vec<u8>> = vec![
        vec![],
        vec![0],
        vec![0xff; 65_000],
        vec![0; 8],
        golden[..100].to_vec(),
        // A list of two billion spans.
        unhex("82810009656d697442617463681c1c1801610019fcffffffff07"),
        // Structs nested without an end.
        [&unhex("82810009656d69744261746368")[..], &[0x1c; 60_000]].concat(),
        unhex("82810009656d697442617463681c1cffffffff0f"),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ];
    let count = hostile.len() as u64;
    for bytes in &hostile {
        send(&server, server.agent_address(), bytes);
        send(&server, server.binary_agent_address(), bytes);
    }
    // Binary on the compact port and the other way round.
    send(&server, server.binary_agent_address(), &golden);
    assert_eq!(server.totals().undecodable, 2 * count + 1);
    assert!(server.traces().is_empty());
    send(&server, server.agent_address(), &golden);
    assert_eq!(server.totals().received, 1);
}

#[test]
fn a_flood_of_traces_is_bounded_and_counted() {
    let server = DevServer::start(quiet().max_traces(10)).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let golden = unhex(GOLDEN);
    // The trace id's lower half is the single byte after `1c 16`, a zigzag varint.
    let at = golden
        .windows(4)
        .position(|bytes| bytes == [0x19, 0x1c, 0x16, 0x01])
        .unwrap()
        + 3;
    for trace in 1..=100 {
        let mut datagram = golden.clone();
        datagram[at] = trace;
        socket.send_to(&datagram, server.agent_address()).unwrap();
        assert!(server.wait_until_read(PATIENCE));
    }
    let totals = server.totals();
    assert_eq!(
        (totals.received, totals.evicted, totals.dropped),
        (100, 90, 0)
    );
    assert_eq!(server.traces().len(), 10);
}

#[test]
fn a_port_that_is_taken_is_replaced_and_named_in_a_line() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let said = lines.clone();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let (taken_udp, taken_tcp) = (
        udp.local_addr().unwrap().port(),
        tcp.local_addr().unwrap().port(),
    );
    let options = quiet()
        .agent_port(taken_udp)
        .collector_port(taken_tcp)
        .diagnostics(Diagnostics::with_handler(move |line| {
            said.lock().unwrap().push(line.to_owned())
        }));
    let server = DevServer::start(options).unwrap();
    let (agent, collector) = (server.agent_address(), server.collector_address());
    assert_ne!(agent.port(), taken_udp);
    assert_ne!(collector.port(), taken_tcp);
    let lines = lines.lock().unwrap();
    assert_eq!(
        *lines,
        [format!(
            "ports are taken, likely by a real Jaeger, so this embedded agent uses others: \
             agent {} instead of {taken_udp}; collector {} instead of {taken_tcp}",
            agent.port(),
            collector.port(),
        )]
    );
}

#[test]
fn ports_of_another_embedded_agent_are_named_as_such() {
    let first = start();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let said = lines.clone();
    let (viewer, agent) = (first.query_address(), first.agent_address());
    let options = quiet()
        .query_port(viewer.port())
        .agent_port(agent.port())
        .diagnostics(Diagnostics::with_handler(move |line| {
            said.lock().unwrap().push(line.to_owned())
        }));
    let second = DevServer::start(options).unwrap();
    let lines = lines.lock().unwrap();
    assert_eq!(
        *lines,
        [format!(
            "ports are taken, by the embedded agent at http://{viewer}/, so this embedded agent uses others: \
             viewer {} instead of {}; agent {} instead of {}",
            second.query_address().port(),
            viewer.port(),
            second.agent_address().port(),
            agent.port(),
        )]
    );
}

#[test]
fn a_free_port_is_used_as_asked_and_free_again_afterwards() {
    // Another test may take the port in between; then the next one is tried.
    for _ in 0..20 {
        let port = UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let server = DevServer::start(
            quiet()
                .agent_port(port)
                .diagnostics(Diagnostics::with_handler(|_| {})),
        );
        let server = server.unwrap();
        let (agent, query) = (server.agent_address(), server.query_address());
        if agent.port() != port {
            continue;
        }
        let clone = server.clone();
        drop(server);
        send(&clone, agent, &unhex(GOLDEN));
        drop(clone);
        // A child that another test starts has copies of the sockets until its program runs.
        until("the ports to be free", || {
            UdpSocket::bind(agent).is_ok() && TcpListener::bind(query).is_ok()
        });
        return;
    }
    panic!("no port stays free");
}

#[test]
fn many_servers_live_side_by_side() {
    let servers: Vec<_> = (0..5).map(|_| start()).collect();
    send(&servers[2], servers[2].agent_address(), &unhex(GOLDEN));
    let received: Vec<_> = servers
        .iter()
        .map(|server| server.totals().received)
        .collect();
    assert_eq!(received, [0, 0, 1, 0, 0]);
}

#[test]
fn random_datagrams_never_stop_the_agent() {
    let server = start();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let golden = unhex(GOLDEN);
    let changes = proptest::collection::vec((0..golden.len(), any::<u8>()), 1..8);
    let mut runner = proptest::test_runner::TestRunner::default();
    runner
        .run(&changes, |changes| {
            let mut datagram = golden.clone();
            for (at, byte) in changes {
                datagram[at] = byte;
            }
            for agent in [server.agent_address(), server.binary_agent_address()] {
                socket.send_to(&datagram, agent).unwrap();
            }
            prop_assert!(server.wait_until_read(PATIENCE));
            Ok(())
        })
        .unwrap();
    send(&server, server.agent_address(), &golden);
    assert!(server.trace(golden_trace()).is_some());
}

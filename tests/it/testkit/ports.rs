//! Ports that are given back and taken again while the process starts children.

use std::net::{TcpStream, UdpSocket};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tracehound::testkit::{MockAgent, MockCollector};

use crate::support::until;

/// Calls `work` while other threads start one child after the other. A child has copies of all sockets until its
/// program runs.
fn while_children_start(work: impl FnOnce()) {
    let is_over = AtomicBool::new(false);
    let started = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let child = Command::new("true").status();
                    assert!(child.expect("a child").success());
                    started.store(true, Ordering::Relaxed);
                }
            });
        }
        let _over = SetAtEnd(&is_over);
        until("the first child", || started.load(Ordering::Relaxed));
        work();
    });
}

/// Sets a flag when it is dropped, in a panic too.
struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn an_agent_stops_and_listens_again() {
    let agent = MockAgent::start().expect("a port");
    while_children_start(|| {
        for _ in 0..200 {
            agent.stop().expect("it stops");
            UdpSocket::bind(agent.address()).expect_err("the port is kept");
            agent.restart().expect("it listens");
        }
    });
}

#[test]
fn a_collector_stops_and_listens_again() {
    let collector = MockCollector::start().expect("a port");
    while_children_start(|| {
        for _ in 0..200 {
            collector.stop().expect("it stops");
            TcpStream::connect(collector.address()).expect_err("it refuses");
            collector.restart().expect("it listens");
            TcpStream::connect(collector.address()).expect("it takes connections");
        }
    });
}

//! What a tracer takes of its process while nothing is traced.

use std::fs;
use std::net::UdpSocket;

use tracehound::prelude::*;
use tracehound::reporter::RemoteReporter;
use tracehound::reporter::sender::UdpSender;

use crate::support::{LONG, builder, until};

pub(super) fn a_tracer_at_rest_has_one_thread_and_two_descriptors() {
    let agent = UdpSocket::bind("127.0.0.1:0").expect("a port of loopback");
    let address = agent.local_addr().expect("bound");
    let (threads, descriptors) = (entries("task"), entries("fd"));

    let sender = UdpSender::new(address);
    let tracer = builder(RemoteReporter::new(sender)).build().expect("named");
    for _ in 0..100 {
        tracer.start_span("s").finish();
    }
    assert!(tracer.flush(LONG).is_complete());
    // A thread that looks an address up, or a file of the kernel's counts, may be open for a moment.
    until("the tracer rests", || {
        entries("task") == threads + 1 && entries("fd") <= descriptors + 2
    });
    let more = entries("fd") - descriptors;
    println!("one thread and {more} descriptors");
    assert!(more > 0, "the sender has a socket");

    assert!(tracer.close(LONG).is_complete());
    drop(tracer);
    until("the tracer leaves nothing behind", || {
        (entries("task"), entries("fd")) == (threads, descriptors)
    });
}

/// Counts what the kernel lists of this process: its threads, or its descriptors and the one of the list itself.
fn entries(list: &str) -> usize {
    let entries = fs::read_dir(format!("/proc/self/{list}"));
    entries.expect("Linux has it").count()
}

//! Diagnostic lines of several tracers on the standard error of one process.

use std::io::PipeWriter;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;

use tracehound::JaegerTracer;
use tracehound::prelude::*;
use tracehound::reporter::RemoteReporter;
use tracehound::reporter::sender::UdpSender;
use tracehound::sampler::ConstSampler;

use crate::process::fork;
use crate::support::LONG;

pub(super) fn tracers_without_an_agent_say_so_once_per_destination() {
    let deaf = [Deaf::new(), Deaf::new()];
    let said = fork(|output| {
        take_stderr(output);
        let tracers: Vec<_> = (0..100).map(|n| tracer(deaf[n % 2].address)).collect();
        for tracer in &tracers {
            // The kernel reports the refusal of the first datagram when the second one is sent.
            for _ in 0..2 {
                tracer.start_span("s").finish();
                tracer.flush(LONG);
            }
        }
    });
    let said = String::from_utf8(said.wait()).expect("text");
    for Deaf { address, .. } in &deaf {
        let line = format!("tracehound: nobody is listening on {address}");
        assert_eq!(said.matches(&line).count(), 1, "{said}");
    }
    assert_eq!(said.lines().count(), 2, "{said}");
}

/// A port that refuses datagrams, and that no other program can take.
struct Deaf {
    address: SocketAddr,
    _socket: UdpSocket,
}

impl Deaf {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port of loopback");
        let address = socket.local_addr().expect("bound");
        socket.connect(address).expect("it is there");
        Self {
            address,
            _socket: socket,
        }
    }
}

/// Returns a tracer whose diagnostic lines go to standard error.
fn tracer(agent: SocketAddr) -> JaegerTracer {
    JaegerTracer::builder("test")
        .sampler(ConstSampler::new(true))
        .reporter(RemoteReporter::new(UdpSender::new(agent)))
        .build()
        .expect("named")
}

/// Redirects the standard error of this process to `output`.
fn take_stderr(output: &PipeWriter) {
    // SAFETY: both are open descriptors of this process.
    #[expect(unsafe_code, reason = "the standard library cannot redirect a process")]
    let result = unsafe { libc::dup2(output.as_raw_fd(), libc::STDERR_FILENO) };
    assert_eq!(result, libc::STDERR_FILENO);
}

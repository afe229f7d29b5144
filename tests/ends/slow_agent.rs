//! A steady stream of spans to an agent that reads slowly.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tracehound::metrics::FlushReport;
use tracehound::prelude::*;
use tracehound::reporter::RemoteReporter;
use tracehound::reporter::sender::UdpSender;

use crate::support::{LONG, builder, number};

/// The operation name of every span, which nothing else in a datagram contains.
const NAME: &[u8] = b"GET /orders/{id}";

/// Runs at 5,000 spans a second for a second, and looks only at the counts, because on a busy machine the agent may
/// get no time to read. `--rate 100000 --seconds 10` is the promise: all but a thousandth of the spans are sent, and
/// each of these arrives.
pub(super) fn a_steady_stream_reaches_a_slow_agent_whole() {
    let (asked_rate, asked_seconds) = (number("--rate"), number("--seconds"));
    let (rate, seconds) = (asked_rate.unwrap_or(5_000), asked_seconds.unwrap_or(1));
    let agent = SlowAgent::start();
    let report = trace(agent.address, rate, seconds);
    let arrived = agent.end();
    println!("{report}; arrived: {arrived}");
    assert_eq!(report.finished, (rate * seconds) as u64);
    assert_eq!(report.sent + report.dropped.total(), report.finished);
    assert!(arrived <= report.sent);
    if asked_rate.or(asked_seconds).is_some() {
        assert_eq!(arrived, report.sent);
        assert!(report.dropped.total() <= report.finished / 1_000);
    }
}

/// Makes `rate` spans with five tags in each second, a hundredth of them at a time.
fn trace(agent: SocketAddr, rate: usize, seconds: usize) -> FlushReport {
    let name = str::from_utf8(NAME).expect("text");
    // The agent reads 500 MB a second, more than the sender's default pace.
    let sender = UdpSender::new(agent).max_bytes_per_second(100_000_000);
    let reporter = RemoteReporter::new(sender);
    let tracer = builder(reporter).build().expect("named");
    let start = Instant::now();
    for turn in 0..100 * seconds {
        while start.elapsed() < Duration::from_millis(10 * turn as u64) {
            thread::sleep(Duration::from_millis(1));
        }
        for n in 0..rate / 100 {
            let span = tracer.start_span(name);
            span.set_tag("component", "shop")
                .set_tag("http.method", "GET")
                .set_tag("http.url", "/api/v2/orders/104711/items?limit=50")
                .set_tag("http.status_code", 200)
                .set_tag("n", n);
        }
    }
    tracer.close(LONG)
}

/// Reads datagrams out of a receive buffer of the default size, and takes 2 ns for each byte.
struct SlowAgent {
    address: SocketAddr,
    is_done: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl SlowAgent {
    fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port of loopback");
        let address = socket.local_addr().expect("bound");
        let timeout = Some(Duration::from_millis(20));
        socket.set_read_timeout(timeout).expect("a socket can");
        let is_done = Arc::<AtomicBool>::default();
        let until = is_done.clone();
        let thread = thread::spawn(move || {
            let (mut spans, mut buffer) = (0, vec![0; 65_536]);
            loop {
                match socket.recv(&mut buffer) {
                    Ok(len) => {
                        let free_at = Instant::now() + Duration::from_nanos(2 * len as u64);
                        spans += spans_in(&buffer[..len]);
                        while Instant::now() < free_at {
                            std::hint::spin_loop();
                        }
                    }
                    Err(_) if until.load(Ordering::Relaxed) => return spans,
                    Err(_) => {}
                }
            }
        });
        Self {
            address,
            is_done,
            thread,
        }
    }

    /// Returns how many spans have arrived.
    fn end(self) -> u64 {
        self.is_done.store(true, Ordering::Relaxed);
        self.thread.join().expect("no panic")
    }
}

/// Counts the names in a datagram.
fn spans_in(datagram: &[u8]) -> u64 {
    let mut rest = datagram;
    let mut spans = 0;
    while let Some(at) = rest.iter().position(|byte| *byte == NAME[0]) {
        rest = &rest[at..];
        let is_name = rest.starts_with(NAME);
        spans += u64::from(is_name);
        rest = &rest[if is_name { NAME.len() } else { 1 }..];
    }
    spans
}

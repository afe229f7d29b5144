//! Delivery to agents that read slowly, that stand still, and whose receive buffer others fill too.
//!
//! The agents have receive buffers of the default size. A sender that hands the kernel one datagram after the other,
//! without a pace, would lose most spans of these loads.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::DropCause;
use tracehound::prelude::*;
use tracehound::reporter::RemoteReporter;
use tracehound::reporter::sender::{BatchFormat, UdpSender};
use tracehound::sampler::ConstSampler;
use tracehound::tracer::TracerBuilder;

use crate::support::jaeger_thrift::decode;

const LONG: Duration = Duration::from_secs(60);

/// Returns a socket with a receive buffer of the default size.
fn agent_socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket
        .set_read_timeout(Some(Duration::from_millis(20)))
        .expect("a socket can");
    let address = socket.local_addr().expect("bound");
    (socket, address)
}

fn spans_in(datagram: &[u8]) -> u64 {
    let message = decode(BatchFormat::Compact, datagram).expect("a message of the IDL");
    message.batch.spans.len() as u64
}

/// Reads datagrams, and spins for 2 ns a byte after each in place of decoding it.
struct SlowAgent {
    address: SocketAddr,
    spans: Arc<AtomicU64>,
    is_done: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl SlowAgent {
    fn start() -> Self {
        let (socket, address) = agent_socket();
        let (spans, is_done) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (for_thread, until) = (spans.clone(), is_done.clone());
        let thread = thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            let mut datagrams = Vec::new();
            loop {
                match socket.recv(&mut buffer) {
                    Ok(len) => {
                        let free_at = Instant::now() + Duration::from_nanos(2 * len as u64);
                        datagrams.push(buffer[..len].to_vec());
                        while Instant::now() < free_at {
                            std::hint::spin_loop();
                        }
                    }
                    Err(_) if until.load(Ordering::Relaxed) => break,
                    Err(_) => {}
                }
            }
            let spans = datagrams.iter().map(|datagram| spans_in(datagram)).sum();
            for_thread.store(spans, Ordering::Relaxed);
        });
        Self {
            address,
            spans,
            is_done,
            thread,
        }
    }

    /// Returns how many spans have arrived.
    fn end(self) -> u64 {
        self.is_done.store(true, Ordering::Relaxed);
        self.thread.join().expect("no panic");
        self.spans.load(Ordering::Relaxed)
    }
}

fn builder(agent: SocketAddr) -> (TracerBuilder, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let said = lines.clone();
    let diagnostics =
        Diagnostics::with_handler(move |line| said.lock().unwrap().push(line.to_owned()));
    let builder = JaegerTracer::builder("shop")
        .sampler(ConstSampler::new(true))
        .diagnostics(diagnostics)
        .reporter(RemoteReporter::new(UdpSender::new(agent)))
        // A budget of its own, which other tests do not use up.
        .queue_size(16 * 1_024);
    (builder, lines)
}

/// Finishes spans of about 560 bytes.
fn finish_spans(tracer: &JaegerTracer, count: u64) {
    let text = "x".repeat(240);
    for n in 0..count {
        let span = tracer.start_span("GET /accounts/{id}");
        span.set_tag("http.url", &text).set_tag("n", n);
        span.set_tag("user", &text);
    }
}

#[test]
fn a_burst_reaches_a_slow_agent_whole() {
    for threads in [1, 8] {
        let agent = SlowAgent::start();
        let (builder, lines) = builder(agent.address);
        let tracer = builder.build().expect("named");
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| finish_spans(&tracer, 8_000 / threads));
            }
        });
        let report = tracer.close(LONG);
        assert_eq!((report.finished, report.sent), (8_000, 8_000), "{report}");
        assert_eq!(agent.end(), 8_000, "{threads} threads");
        assert_eq!(*lines.lock().unwrap(), [""; 0]);
    }
}

#[test]
fn a_steady_stream_reaches_a_slow_agent_whole_without_a_flush() {
    let agent = SlowAgent::start();
    let (builder, _) = builder(agent.address);
    let tracer = builder.build().expect("named");
    let start = Instant::now();
    // 5,000 spans a second: 2.8 MB, of which a receive buffer holds a fourteenth.
    for millis in 0..1_500 {
        while start.elapsed() < Duration::from_millis(millis) {
            thread::yield_now();
        }
        finish_spans(&tracer, 5);
    }
    let report = tracer.close(LONG);
    assert_eq!((report.finished, report.sent), (7_500, 7_500), "{report}");
    assert_eq!(agent.end(), 7_500);
}

#[test]
fn tracers_share_a_slow_agent_without_loss() {
    let agent = SlowAgent::start();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let (builder, _) = builder(agent.address);
                let tracer = builder.build().expect("named");
                finish_spans(&tracer, 1_000);
                let report = tracer.close(LONG);
                assert_eq!((report.finished, report.sent), (1_000, 1_000), "{report}");
            });
        }
    });
    assert_eq!(agent.end(), 4_000);
}

#[test]
fn an_agent_that_stands_still_loses_spans_in_the_queue_and_delays_no_flush_beyond_its_timeout() {
    let (socket, address) = agent_socket();
    let (builder, lines) = builder(address);
    let tracer = builder.queue_size(1_000).build().expect("named");
    finish_spans(&tracer, 10_000);
    let before = Instant::now();
    let flushed = tracer.flush(Duration::from_millis(200));
    assert!(flushed.queued > 0, "{flushed}");
    // On a busy machine the worker may not have had its turn yet.
    let mut sent = flushed.sent;
    while sent == 0 && before.elapsed() < LONG / 4 {
        sent = tracer.flush(Duration::from_millis(50)).sent;
    }
    let report = tracer.close(Duration::from_millis(200));
    assert!(before.elapsed() < LONG / 2, "{:?}", before.elapsed());
    let lost = report.dropped.get(DropCause::QueueFull);
    assert!(
        lost > 5_000 && report.queued > 0 && report.sent > 0,
        "{report}"
    );
    assert_eq!(report.finished, 10_000);
    assert_eq!(report.sent + lost + report.queued, 10_000, "{report}");
    let lines = lines.lock().unwrap().join("\n");
    assert!(lines.contains("found no room in the queue"), "{lines}");
    // It is chance whether the worker has to wait before the first loss.
    let cures = ["net.core.rmem", "JAEGER_REPORTER_MAX_QUEUE_SIZE"];
    assert!(cures.iter().any(|cure| lines.contains(cure)), "{lines}");

    // A worker that the system wakes late finds room again now. It may send more, and counts it.
    let (mut arrived, mut buffer) = (0, vec![0; 65_536]);
    let deadline = Instant::now() + LONG;
    loop {
        while let Ok(len) = socket.recv(&mut buffer) {
            arrived += spans_in(&buffer[..len]);
        }
        let sent = tracer.report().sent;
        if arrived == sent {
            break;
        }
        assert!(Instant::now() < deadline, "{arrived} arrived, {sent} sent");
    }
}

#[test]
fn an_agent_that_reads_again_gets_the_spans_that_waited() {
    let (socket, address) = agent_socket();
    let (builder, _) = builder(address);
    let tracer = builder.build().expect("named");
    finish_spans(&tracer, 3_000);
    assert!(tracer.flush(Duration::from_millis(100)).queued > 0);
    let reading = thread::spawn(move || {
        let (mut arrived, mut buffer) = (0, vec![0; 65_536]);
        let deadline = Instant::now() + LONG;
        while arrived < 3_000 && Instant::now() < deadline {
            if let Ok(len) = socket.recv(&mut buffer) {
                arrived += spans_in(&buffer[..len]);
            }
        }
        arrived
    });
    let report = tracer.close(LONG);
    assert_eq!((report.sent, report.queued), (3_000, 0), "{report}");
    assert_eq!(reading.join().expect("no panic"), 3_000);
}

/// Only Linux tells what its sockets have dropped.
#[test]
#[cfg(target_os = "linux")]
fn datagrams_that_the_kernel_drops_do_not_count_as_sent_when_others_fill_the_buffer() {
    let (socket, address) = agent_socket();
    let is_done = Arc::new(AtomicBool::new(false));
    // Stands for another program, which sends without a pace.
    let flood = {
        let is_done = is_done.clone();
        thread::spawn(move || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            socket.connect(address).expect("loopback");
            while !is_done.load(Ordering::Relaxed) {
                // A datagram that is not ours begins with a zero.
                socket.send(&[0; 8_000]).expect("sent");
            }
        })
    };
    let reader = {
        let is_done = is_done.clone();
        thread::spawn(move || {
            let (mut arrived, mut buffer) = (0, vec![0; 65_536]);
            loop {
                match socket.recv(&mut buffer) {
                    Ok(len) if buffer[0] != 0 => arrived += spans_in(&buffer[..len]),
                    Ok(_) => {}
                    Err(_) if is_done.load(Ordering::Relaxed) => return arrived,
                    Err(_) => {}
                }
            }
        })
    };
    let (builder, lines) = builder(address);
    // One span in each datagram, so that the count of drops is exact.
    let sender = UdpSender::new(address).max_packet_bytes(900);
    let tracer = builder
        .reporter(RemoteReporter::new(sender))
        .build()
        .expect("named");
    let deadline = Instant::now() + LONG;
    let report = loop {
        finish_spans(&tracer, 200);
        let report = tracer.flush(LONG);
        if report.dropped.get(DropCause::AgentKernelDrops) > 20 || Instant::now() > deadline {
            break report;
        }
    };
    is_done.store(true, Ordering::Relaxed);
    flood.join().expect("no panic");
    let report = {
        let last = tracer.close(LONG);
        assert!(last.sent >= report.sent);
        last
    };
    let arrived = reader.join().expect("no panic");
    let dropped = report.dropped.get(DropCause::AgentKernelDrops);
    assert!(dropped > 20, "the buffer was never full: {report}");
    assert_eq!(report.sent + dropped, report.finished, "{report}");
    assert!(arrived >= report.sent, "{arrived} arrived, {report}");
    let lines = lines.lock().unwrap().join("\n");
    assert!(lines.contains("the kernel dropped datagrams"), "{lines}");
}

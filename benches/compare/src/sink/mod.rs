//! Where spans go: a process that listens as an agent and as a collector, and counts.

mod http;
mod otlp;
mod thrift;

use std::io::{BufRead, BufReader, Write, stdin};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

use rustix::net::sockopt::set_socket_recv_buffer_size;

/// The process, seen from the one that sends.
pub struct Sink {
    process: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    pub addresses: Addresses,
}

#[derive(Clone, Copy)]
pub struct Addresses {
    /// Takes Thrift's compact protocol over UDP.
    pub agent: SocketAddr,
    /// Takes OTLP over HTTP.
    pub collector: SocketAddr,
}

impl Sink {
    pub fn start() -> Self {
        let mut process = Command::new(env::current_exe().expect("the system knows this program"))
            .arg(SINK)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts");
        let questions = process.stdin.take();
        let mut answers = BufReader::new(process.stdout.take().expect("it is a pipe"));
        let [agent, collector] = numbers(&mut answers)
            .map(|port| SocketAddr::from(([127, 0, 0, 1], port.try_into().expect("a port"))));
        Self {
            process,
            questions,
            answers,
            addresses: Addresses { agent, collector },
        }
    }

    /// How many spans have arrived.
    pub fn delivered(&mut self) -> u64 {
        let questions = self.questions.as_mut().expect("open until the end");
        questions.write_all(b"\n").expect("it listens");
        let [spans, unreadable] = numbers(&mut self.answers);
        assert_eq!(unreadable, 0, "messages that cannot be read");
        spans
    }

    /// Waits until that many have, or no more come, and says how many.
    pub fn wait_for(&mut self, expected: u64) -> u64 {
        let mut delivered = self.delivered();
        let mut last_news = Instant::now();
        while delivered < expected && last_news.elapsed() < SILENCE {
            thread::sleep(Duration::from_millis(2));
            let now = self.delivered();
            if now > delivered {
                (delivered, last_news) = (now, Instant::now());
            }
        }
        delivered
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        drop(self.questions.take());
        let _ = self.process.wait();
    }
}

fn numbers(answers: &mut impl BufRead) -> [u64; 2] {
    let mut line = String::new();
    answers.read_line(&mut line).expect("it answers");
    let numbers = line
        .split_whitespace()
        .map(|number| number.parse().expect("a number"));
    let numbers: Vec<u64> = numbers.collect();
    numbers.try_into().expect("two numbers")
}

#[derive(Default)]
struct Counts {
    spans: AtomicU64,
    unreadable: AtomicU64,
}

impl Counts {
    fn add(&self, spans: Option<u64>) {
        match spans {
            Some(spans) => self.spans.fetch_add(spans, Ordering::Relaxed),
            None => self.unreadable.fetch_add(1, Ordering::Relaxed),
        };
    }
}

/// What the process does, until its input ends.
pub fn serve() {
    let counts = Arc::new(Counts::default());
    let agent = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    set_socket_recv_buffer_size(&agent, RECEIVE_BUFFER).expect("it is cut to what is allowed");
    let collector = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = |address: std::io::Result<SocketAddr>| address.expect("it is bound").port();
    println!(
        "{} {}",
        port(agent.local_addr()),
        port(collector.local_addr())
    );
    let ours = counts.clone();
    thread::spawn(move || {
        let mut datagram = vec![0; 65_536];
        while let Ok(size) = agent.recv(&mut datagram) {
            ours.add(thrift::spans(&datagram[..size]));
        }
    });
    let ours = counts.clone();
    thread::spawn(move || {
        for connection in collector.incoming().map_while(Result::ok) {
            let counts = ours.clone();
            thread::spawn(move || http::serve(&connection, |body| counts.add(otlp::spans(body))));
        }
    });
    for _ in stdin().lines() {
        let spans = counts.spans.load(Ordering::Relaxed);
        let unreadable = counts.unreadable.load(Ordering::Relaxed);
        println!("{spans} {unreadable}");
    }
}

pub const SINK: &str = "sink";
/// What Linux allows at most, as it usually is set up, is less; this is what an agent would ask for.
const RECEIVE_BUFFER: usize = 4 << 20;
const SILENCE: Duration = Duration::from_millis(200);

//! The sink of W8: a process that listens as an agent and as a collector, and counts spans.

mod http;
mod kernel_drops;
mod otlp;
mod reader;
mod thrift;

use std::io::{BufRead, BufReader, Write, stdin};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

use rustix::net::sockopt::set_socket_recv_buffer_size;

use crate::sink::kernel_drops::kernel_drops;
pub use crate::sink::reader::Reader;

/// The sink as the sending process sees it.
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
    pub fn start(reader: Reader) -> Self {
        let mut process = Command::new(env::current_exe().expect("the system knows this program"))
            .args([SINK, reader.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts");
        let questions = process.stdin.take();
        let mut answers = BufReader::new(process.stdout.take().expect("it is a pipe"));
        let [agent, collector] = words(&mut answers)
            .map(|port| SocketAddr::from(([127, 0, 0, 1], port.parse().expect("a port"))));
        Self {
            process,
            questions,
            answers,
            addresses: Addresses { agent, collector },
        }
    }

    /// Asks how many spans have arrived.
    pub fn delivered(&mut self) -> u64 {
        self.ask().0
    }

    /// Asks how many datagrams the kernel dropped because the agent's receive buffer was full. Returns `None` if the
    /// kernel does not tell, or if no datagram was sent to the agent.
    pub fn kernel_drops(&mut self) -> Option<u64> {
        self.ask().1
    }

    fn ask(&mut self) -> (u64, Option<u64>) {
        let questions = self.questions.as_mut().expect("open until the end");
        questions.write_all(b"\n").expect("it listens");
        let [spans, unreadable, datagrams, drops] = words(&mut self.answers);
        assert_eq!(unreadable, "0", "messages that cannot be read");
        let drops = drops
            .parse()
            .ok()
            .filter(|drops| *drops > 0 || datagrams != "0");
        (spans.parse().expect("a number"), drops)
    }

    /// Waits until `expected` spans have arrived or no more come, and returns how many have.
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

fn words<const N: usize>(answers: &mut impl BufRead) -> [String; N] {
    let mut line = String::new();
    answers.read_line(&mut line).expect("it answers");
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    words.try_into().expect("as many words as were asked for")
}

#[derive(Default)]
struct Counts {
    spans: AtomicU64,
    unreadable: AtomicU64,
    datagrams: AtomicU64,
}

impl Counts {
    fn add(&self, spans: Option<u64>) {
        match spans {
            Some(spans) => self.spans.fetch_add(spans, Ordering::Relaxed),
            None => self.unreadable.fetch_add(1, Ordering::Relaxed),
        };
    }
}

/// Runs the sink until its input ends.
pub fn serve(reader: Reader) {
    let counts = Arc::new(Counts::default());
    let any_port = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
    let agent = UdpSocket::bind(any_port).expect("a port is free");
    if let Some(bytes) = reader.receive_buffer() {
        set_socket_recv_buffer_size(&agent, bytes).expect("it is cut to what is allowed");
    }
    let collector = TcpListener::bind(any_port).expect("a port is free");
    let port = |address: std::io::Result<SocketAddr>| address.expect("it is bound").port();
    let agent_port = port(agent.local_addr());
    println!("{agent_port} {}", port(collector.local_addr()));
    let ours = counts.clone();
    thread::spawn(move || {
        let mut datagram = vec![0; 65_536];
        while let Ok(size) = agent.recv(&mut datagram) {
            ours.datagrams.fetch_add(1, Ordering::Relaxed);
            ours.add(thrift::spans(&datagram[..size]));
            reader.work(size);
        }
    });
    let ours = counts.clone();
    thread::spawn(move || {
        for connection in collector.incoming().map_while(Result::ok) {
            let counts = ours.clone();
            let take = move |body: &[u8]| {
                counts.add(otlp::spans(body));
                reader.work(body.len());
            };
            thread::spawn(move || http::serve(&connection, take));
        }
    });
    for _ in stdin().lines() {
        let [spans, unreadable, datagrams] = [&counts.spans, &counts.unreadable, &counts.datagrams]
            .map(|count| count.load(Ordering::Relaxed));
        let drops = kernel_drops(SocketAddrV4::new(Ipv4Addr::LOCALHOST, agent_port))
            .map_or_else(|| "unknown".to_owned(), |drops| drops.to_string());
        println!("{spans} {unreadable} {datagrams} {drops}");
    }
}

pub const SINK: &str = "sink";
const SILENCE: Duration = Duration::from_millis(200);

//! The processor time of a served request: servers of axum in processes of their own, and a load over loopback.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, process};

use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header::CONTENT_TYPE;

use crate::clocks::process_cpu;
use crate::library::{Library, Mode, Side};
use crate::median::median;
use crate::pipeline::Pipeline;
use crate::request::router;
use crate::requests::BROWSER;

/// The time of a request by that of one without a library.
pub struct Served {
    pub library: Library,
    pub mode: Mode,
    pub ratio: f64,
}

/// The results of all servers.
pub struct Results {
    /// The processor time of a request without a library, in µs.
    pub without: f64,
    pub all: Vec<Served>,
}

/// Serves requests until the standard input ends. It prints the port, and for each line of input the processor time so
/// far in ns and the number of spans.
pub fn serve(library: Library, mode: Mode) {
    let pipeline = Pipeline::start(library, mode);
    let router = router(get(stock), &pipeline, library);
    thread::spawn(move || {
        for _ in io::stdin().lines() {
            pipeline.flush();
            println!("{} {}", process_cpu().as_nanos(), pipeline.spans());
        }
        process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        println!("{}", listener.local_addr().expect("bound").port());
        axum::serve(listener, router).await.expect("it never ends");
    });
}

/// Answers with 16 items as JSON, which are about a kilobyte.
async fn stock(Path(shelf): Path<u32>) -> impl IntoResponse {
    let mut text = String::with_capacity(1_200);
    let _ = write!(text, "{{\"shelf\":{shelf},\"items\":[");
    for n in 0..16 {
        let comma = if n == 0 { "" } else { "," };
        let _ = write!(
            text,
            "{comma}{{\"sku\":{},\"name\":\"a teapot of stoneware\",\"cents\":{}}}",
            104_700 + n,
            1_999 + n
        );
    }
    text.push_str("]}");
    ([(CONTENT_TYPE, "application/json")], text)
}

/// Asks all servers in turn, that many times.
pub fn measure(rounds: usize) -> Results {
    let with = Mode::ALL.into_iter().flat_map(|mode| {
        let libraries = Side::Axum.libraries().iter();
        libraries.map(move |&library| (library, mode))
    });
    let mut servers: Vec<Server> = [(Library::Nothing, Mode::Sampled)]
        .into_iter()
        .chain(with)
        .map(|(library, mode)| Server::start(library, mode))
        .collect();
    // The first round warms up.
    for round in 0..=rounds {
        let first = round % servers.len();
        let (behind, before) = servers.split_at_mut(first);
        for server in before.iter_mut().chain(behind) {
            let time = server.ask();
            if round > 0 {
                server.times.push(time);
            }
        }
    }
    let without = servers[0].times.clone();
    let ratios = servers[1..].iter().map(|server| {
        let ratios = server.times.iter().zip(&without).map(|(a, b)| a / b);
        Served {
            library: server.library,
            mode: server.mode,
            ratio: median(ratios),
        }
    });
    Results {
        all: ratios.collect(),
        without: median(without.iter().copied()),
    }
}

struct Server {
    library: Library,
    mode: Mode,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    connections: Vec<TcpStream>,
    asked: u64,
    times: Vec<f64>,
}

impl Server {
    fn start(library: Library, mode: Mode) -> Self {
        let mut child = Command::new(env::current_exe().expect("this program"))
            .args(["--serve", library.key(), mode.key()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut port = String::new();
        output.read_line(&mut port).expect("a port");
        let port = port.trim().parse().expect("a port");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let connections = (0..CONNECTIONS).map(|_| {
            let stream = TcpStream::connect(address).expect("it listens");
            stream.set_nodelay(true).expect("an option of TCP");
            stream
        });
        Self {
            library,
            mode,
            connections: connections.collect(),
            input: child.stdin.take(),
            child,
            output,
            asked: 0,
            times: Vec::new(),
        }
    }

    /// Sends requests at a pace, and returns the processor time of one in µs.
    fn ask(&mut self) -> f64 {
        let request = http_request(self.mode);
        let mut answer = [0; 4_096];
        let begin = self.cpu();
        let start = Instant::now();
        for n in 0..REQUESTS {
            let due = start + INTERVAL * n;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let connections = self.connections.len();
            let stream = &mut self.connections[n as usize % connections];
            stream.write_all(request.as_bytes()).expect("it reads");
            let mut read = 0;
            while !answer[..read].ends_with(b"]}") {
                let more = stream.read(&mut answer[read..]).expect("it answers");
                assert!(more > 0, "{:?} hung up", self.library);
                read += more;
            }
        }
        self.asked += u64::from(REQUESTS);
        (self.cpu() - begin) / f64::from(REQUESTS) / 1e3
    }

    /// Returns the processor time of the server so far in ns, with all its spans flushed.
    fn cpu(&mut self) -> f64 {
        let mut input = self.input.as_ref().expect("it is open");
        input.write_all(b"\n").expect("it reads");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it answers");
        let (time, spans) = line.trim().split_once(' ').expect("two numbers");
        let spans: u64 = spans.parse().expect("a number");
        let expected = match self.mode {
            Mode::Sampled if self.library != Library::Nothing => self.asked,
            _ => 0,
        };
        assert_eq!(spans, expected, "{:?} lost spans", self.library);
        time.parse().expect("a number")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

fn http_request(mode: Mode) -> String {
    let trace = ("traceparent", mode.traceparent());
    let headers: String = BROWSER
        .iter()
        .chain([&trace])
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!("GET /users/7?plan=free HTTP/1.1\r\n{headers}\r\n")
}

const CONNECTIONS: usize = 4;
/// The number of requests to a server in a round.
pub const REQUESTS: u32 = 500;
const INTERVAL: Duration = Duration::from_micros(500);

//! Runs each example and compares what it prints with what its readers are told.
#![expect(clippy::panic, reason = "a test that fails says what was printed")]

mod production;
mod rides;

use std::env;
use std::fmt;
use std::fs;
use std::io::{self, Read};
#[cfg(unix)]
use std::io::{BufRead as _, BufReader, Write as _};
#[cfg(unix)]
use std::net::TcpStream;
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::process::Child;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tracehound::reporter::OwnedSpan;
use tracehound::testkit::{MockAgent, assert_trace};

/// Every example, with pieces of its output in order.
macro_rules! examples {
    ($($name:ident: [$($piece:literal),+ $(,)?];)+) => {
        const EXAMPLES: &[&str] = &[$(stringify!($name)),+];
        $(
            #[test]
            fn $name() {
                expect(stringify!($name), &[$($piece),+]);
            }
        )+
    };
}

examples! {
    baggage: [
        "gate sees\n  user-id = \"4711\", as Some(\"4711\")\n",
        "  test-run = \"friday 17:00 ☂\", as Some(\"friday%2017%3A00%20%E2%98%82\")\nshop sees",
        "\nstock sees\n  user-id = \"4711\"",
        "  cart = \"3\", as Some(\"3\")\n",
    ];
    formats: [
        "a partner, W3C\n  uber-trace-id: 463ac35c9f6413ad48485a3953bb6124:",
        ":1\n  uberctx-tenant: eu%201\n\na partner, B3 debug\n  uber-trace-id: 463ac35c9f6413ad48485a3953bb6124:",
        ":3\n\na stranger, W3C\n  uber-trace-id: ",
        ":0\n\na stranger, B3 debug\n  uber-trace-id: ",
        ":0\n",
    ];
    function: [
        "Hello, Ada!",
        "Hello, Grace!",
        "\nsay_hello\n  format_greeting\n  print_greeting\n",
        "say_hello_later\n  format_greeting\n  look_up\n  print_greeting\n",
    ];
    grpc: [
        "Hello, Ada!\nNotFound: nobody is there\n",
        "2 services  depth 3  5 spans  1 error",
        "\nguest     \\ /greeter.Greeter/Greet",
        "\ngreeter    \\ /greeter.Greeter/Greet",
        "\nguest     \\ /greeter.Greeter/Greet",
        " nobody is there",
        "\ngreeter    \\ /greeter.Greeter/Greet",
        "(received 5, dropped 0)\n",
    ];
    hello: ["Hello, Ada!\n", "trace ", "\nfinished 1, "];
    http: [
        "on the shelf behind the teapots\n",
        "look_for_book  trace ",
        "3 services  depth 5  5 spans",
        "\nreader   look_for_book",
        "\nreader    \\ HTTP GET",
        "\nlibrary    \\ GET /books/{id}",
        "\nlibrary     \\ HTTP GET",
        "\nshelves      \\ GET /shelves/{id}",
        "(received 5, dropped 0)\n",
    ];
    koala: [
        "] breakfast was good trace_id=",
        "] Producer POST /leaves: 202 Accepted (",
        "] Server PUT /meals/breakfast: 200 OK (",
        "] Client PUT /meals/breakfast: 200 OK (",
        "] Server PUT /meals/dinner: 429 Too Many Requests (",
        "[WARN  koala::access_log] Client PUT /meals/supper: beyond the limit (",
        " us) trace_id=",
        "\nkeeper: PUT /meals x 4, 1 failed, ",
        "\nkoala: PUT /meals x 3, 0 failed, ",
        "\ngardener: From_leaves x 2, 0 failed, ",
        "3 services  depth 5  14 spans  1 error",
        "\nkeeper     \\ PUT /meals",
        "\nkoala       \\ PUT /meals",
        "\nkoala        \\ INSERT",
        "\nkoala        \\ To_leaves",
        "\ngardener      > From_leaves",
        " beyond the limit\n",
        "(received 14, dropped 0)\n",
    ];
    logs: [
        " INFO logs: the shop opens\ntrace_id=",
        " sampled=true  INFO logs: order taken customer=\"bob\"\ntrace_id=",
        " sampled=true ERROR logs: order failed customer=\"bob\" reason=\"bank on strike\"\n",
        "\nlines of the trace ",
        "\"message\":\"order taken\",\"customer\":\"bob\"},\"target\":\"logs\",\"trace_id\":\"",
        "\"message\":\"ask the bank\"},\"target\":\"logs\",\"trace_id\":\"",
        "\"message\":\"order failed\",\"customer\":\"bob\",\"reason\":\"bank on strike\"},",
        ",\"sampled\":true}\n\nspans of the trace of \"order failed\":\ncharge\norder\n",
    ];
    metrics: [
        "http://127.0.0.1:",
        "tracehound_span_duration_seconds_count{operation=\"GET /cart\",span_kind=\"server\"} 1000\n",
        "tracehound_span_duration_seconds_count{operation=\"query items\",span_kind=\"internal\"} 1000\n",
        "tracehound_span_errors_total{operation=\"GET /cart\",span_kind=\"server\"} 10\n",
        "jaeger_tracer_finished_spans_total{sampled=\"n\"} ",
    ];
    queue: [
        "no paper: one teapot goes back\npacked one teapot\n",
        "checkout  trace ",
        "2 services  depth 3  4 spans  1 error",
        "\nshop       checkout",
        "\nshop        \\ To_orders",
        "\nwarehouse    > From_orders",
        "\nwarehouse    > From_orders",
        "(received 4, dropped 0)\n",
    ];
    quickstart: [
        "Welcome to the teapot shop!",
        "\n1. Ada ",
        "POST /orders/ada -> 200 OK: 3 items, paid",
        "\nPOST /orders/{customer}  trace ",
        "3 services  depth 5  8 spans",
        "\nshop  POST /orders/{customer}",
        "\nshop   \\ HTTP GET",
        "\ncart    \\ GET /cart/{customer}",
        "\ncart     \\ query_items",
        "\nshop   \\ charge",
        "\nshop    \\ /pay.Payments/Charge",
        "\npay      \\ /pay.Payments/Charge",
        "\npay       \\ ask_bank",
        "\n2. Bob's ",
        "POST /orders/bob -> 502 Bad Gateway: bank on strike\n",
        "3 services  depth 5  8 spans  5 errors",
        "\npay       \\ ask_bank",
        " bank on strike",
        "\n3. Carol ",
        "POST /orders/carol -> 200 OK: 40000 items, paid\n",
        "3 services  depth 5  8 spans",
        "\nspans: sent 24, dropped 0\n",
    ];
    rides: [
        "Four customers order a ride at once.",
        " min, after ",
        "4 services  depth 4  28 spans  1 error",
        "\nfrontend  POST /rides/{customer}",
        "\nfrontend   \\ HTTP GET",
        "\ncustomer    \\ GET /customers/{name}",
        "\ncustomer     \\ AcquireConnection",
        "\ncustomer     \\ SELECT",
        "\nfrontend   \\ /driver.Drivers/FindNearest",
        "\ndriver      \\ /driver.Drivers/FindNearest",
        "\ndriver       \\ GEOSEARCH",
        "\ndriver       \\ GET",
        "\nroute        \\ compute_route",
        "\nfrontend   \\ To_rides",
        "\ndriver      > From_rides",
        "\ndriver       \\ SET",
        "\n\n--fix query: ",
        "\nbefore:\nfrontend  POST /rides/{customer}",
        "\ncustomer     \\ SELECT",
        "\nafter:\nfrontend  POST /rides/{customer}",
        "\ncustomer     \\ SELECT",
        "\n\n--fix lock: ",
        "\ncustomer     \\ AcquireConnection",
        "\n\n--fix pool: ",
        "\nroute        \\ compute_route",
        "\nspans: sent 448, dropped 0\n",
    ];
    sampling: [
        "keep everything: browse 1000 of 1000, pay 1000 of 1000\n",
        "keep one in ten: browse ",
        "keep payments: browse 0 of 1000, pay 1000 of 1000\n",
        "keep failures at 0.1 %: charge 1 of 1\n",
    ];
    tasks: [
        "6 g\norder\n  read_cart\n  reserve\n  reserve\n  charge\n  pack\n    print_label\nwaited ",
        " µs\n",
    ];
    testing: [
        "ok: a check-out charges and reserves\n",
        "ok: a bad amount fails the charge and the check-out\n",
        "ok: a span lasts as long as its work",
        "ok: a trace that is not sampled leaves nothing\n",
        "ok: an agent that loses datagrams stops no check-out\n",
    ];
    tracing: [
        " sampled=true  INFO look_up{item=\"teapot\" shelf=7}: tracing::stock: one was taken\ntrace_id=",
        " sampled=true  INFO order{item=\"teapot\"}: tracing::shop: reserved left=\"2\"\n",
        "\nOne teapot for you, 2 left.\n",
        "2 services  depth 6  6 spans",
        "\nshop   GET /orders/{item}",
        "\nshop    \\ order",
        "\nshop     \\ reserve",
        "\nshop      \\ HTTP GET",
        "\nstock      \\ GET /items/{item}",
        "\nstock       \\ look_up",
        "(received 6, dropped 0)\n",
    ];
    ways_out: [
        "JAEGER_AGENT_HOST=127.0.0.1\n",
        "  finished 2, sent 2, dropped none, queued 0\n\nJAEGER_SERVICE_NAME=shop\nJAEGER_ENDPOINT=http://127.0.0.1:",
        "  finished 2, sent 2, dropped none, queued 0\n\nOTEL_TRACES_EXPORTER=otlp\n",
        "  finished 2, sent 2, dropped none, queued 0\n\nOTEL_TRACES_EXPORTER=zipkin\n",
        "  finished 2, sent 2, dropped none, queued 0\n\nthe agent has 2 spans\nthe collector has 6 spans\n",
        " bytes at /api/traces\n",
        " bytes at /v1/traces\n",
        " bytes at /api/v2/spans\n",
    ];
    thrift: [
        "teapot: 7\nsamovar: remote service threw SoldOut\n",
        "\nfill_shelf  trace ",
        "2 services  depth 3  7 spans  2 errors",
        "\nshop   fill_shelf",
        "\nshop    \\ count",
        "\nstock    \\ count",
        "\nshop    \\ count",
        " ! ",
        "\nstock    \\ count",
        " ! ",
        "\nshop    \\ restock",
        "\nstock    \\ restock",
        "(received 7, dropped 0)\n",
    ];
    websocket: [
        "fail:\n",
        "  chat    panic by local, silent for ",
        "\nleave:\n",
        "  client  dropped by local, silent for ",
        "\nwait:\n",
        " end_of_stream by peer, silent for ",
        " end_of_stream by peer, silent for ",
    ];
}

#[test]
fn hello_sends_its_span_to_an_agent() {
    let agent = MockAgent::start().expect("a port");
    let printed = run_with("hello", &variables(&agent));
    let ledger = "finished 1, sent 1, dropped none, queued 0\n";
    assert!(printed.stdout.ends_with(ledger), "{printed}");
    assert_trace(&sent_by_program(&agent), "say_hello");
}

#[test]
fn hello_without_an_agent_does_its_work_and_reports_the_missing_agent() {
    let agent = MockAgent::start().expect("a port");
    agent.stop().expect("it stops");
    let address = agent.address();
    let printed = run_with("hello", &variables(&agent));
    assert!(printed.stdout.starts_with("Hello, Ada!\n"), "{printed}");
    let ledger = "finished 1, sent 0, dropped refused 1, queued 0\n";
    assert!(printed.stdout.ends_with(ledger), "{printed}");
    let line = format!("nobody is listening on {address}");
    assert_eq!(printed.stderr.matches(&line).count(), 1, "{printed}");
}

#[test]
fn quickstart_sends_to_the_agent_that_the_environment_names() {
    let agent = MockAgent::start().expect("a port");
    let printed = run_with("quickstart", &variables(&agent));
    let mut traces = printed
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("trace "));
    for _ in 0..3 {
        let id = traces
            .next()
            .unwrap_or_else(|| panic!("no trace: {printed}"));
        let look = format!("\nlook: http://127.0.0.1:16686/trace/{id}\n");
        assert!(printed.stdout.contains(&look), "{printed}");
    }
    let ledger = "\nspans: sent 24, dropped 0\n";
    assert!(printed.stdout.ends_with(ledger), "{printed}");
    let spans = sent_by_program(&agent);
    assert_eq!(spans.len(), 24);
    for name in ["POST /orders/{customer}", "query_items", "ask_bank"] {
        let names = names(&spans);
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
}

#[test]
fn quickstart_writes_an_ipv6_address_into_links_in_brackets() {
    let Ok(agent) = MockAgent::start_at("[::1]:0") else {
        return eprintln!("this machine has no IPv6");
    };
    let printed = run_with("quickstart", &variables(&agent));
    let address = agent.address();
    let sends_to = format!("\nby UDP to your agent at {address}.\n");
    assert!(printed.stdout.contains(&sends_to), "{printed}");
    let look = "\nlook: http://[::1]:16686/trace/";
    assert_eq!(printed.stdout.matches(look).count(), 3, "{printed}");
}

/// Follows the recipe for services: after SIGTERM the span of the last request arrives.
#[cfg(unix)]
#[test]
fn shutdown_sends_the_last_spans_at_sigterm() {
    let agent = MockAgent::start().expect("a port");
    let mut child = Command::new(program("shutdown"))
        .env_clear()
        .envs(variables(&agent))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{error}: {HOW_TO_BUILD}"));
    let lines = lines(child.stdout.take().expect("piped"));
    let line = || lines.recv_timeout(TIMEOUT).expect("another line in time");
    let url = line();
    let address = url
        .strip_prefix("http://")
        .and_then(|rest| rest.strip_suffix("/time"))
        .expect(&url);

    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!("GET /time HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.ends_with("five o'clock"), "{answer}");

    terminate(&child);
    assert_eq!(line(), "no more requests");
    assert_eq!(line(), "finished 1, sent 1, dropped none, queued 0");
    assert!(child.wait().expect("it is our child").success());
    let spans = sent_by_program(&agent);
    assert_eq!(names(&spans), ["GET /time"]);
    assert_eq!(spans[0].tag_text("zone"), "teatime");
}

/// Sends SIGTERM.
#[cfg(unix)]
fn terminate(child: &Child) {
    let killed = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(killed.expect("a program of every system").success());
}

#[test]
fn every_example_has_a_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut names: Vec<_> = fs::read_dir(folder)
        .expect("the folder of the examples")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| path.file_stem().expect("a name").to_owned())
        .collect();
    names.sort();
    let mut tested = EXAMPLES.to_vec();
    // These end by a signal or run for a minute, so they have tests of their own.
    tested.extend(["production", "shutdown"]);
    tested.sort_unstable();
    assert_eq!(names, tested);
}

/// Runs an example with an empty environment and looks for `pieces` in its output.
#[track_caller]
fn expect(name: &str, pieces: &[&str]) {
    let printed = run_with(name, &[]);
    let mut rest = printed.stdout.as_str();
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => panic!("{name} did not print {piece:?} where it should:\n{printed}"),
        }
    }
}

/// The output of an example.
struct Printed {
    stdout: String,
    stderr: String,
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.stdout, self.stderr)
    }
}

/// Runs an example with these variables alone, and fails if it does not end with success.
#[track_caller]
fn run_with(name: &str, variables: &[(&str, String)]) -> Printed {
    run_with_arguments(name, &[], variables)
}

#[track_caller]
fn run_with_arguments(name: &str, arguments: &[&str], variables: &[(&str, String)]) -> Printed {
    let program = program(name);
    let mut child = Command::new(&program)
        .args(arguments)
        .env_clear()
        .envs(variables.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}: {HOW_TO_BUILD}", program.display()));
    let stdout = read(child.stdout.take().expect("piped"));
    let stderr = read(child.stderr.take().expect("piped"));
    // Both pipes are closed when the program ends.
    let Ok(stdout) = stdout.recv_timeout(TIMEOUT) else {
        child.kill().expect("it is our child");
        panic!("{name} still runs after {TIMEOUT:?}");
    };
    let status = child.wait().expect("it is our child");
    let printed = Printed {
        stdout,
        stderr: stderr.recv_timeout(TIMEOUT).unwrap_or_default(),
    };
    assert!(status.success(), "{name}: {status}\n{printed}");
    assert!(!printed.stderr.contains("panicked"), "{name}: {printed}");
    printed
}

/// Returns the variables that name an agent.
fn variables(agent: &MockAgent) -> [(&'static str, String); 2] {
    let address = agent.address();
    [
        ("JAEGER_AGENT_HOST", address.ip().to_string()),
        ("JAEGER_AGENT_PORT", address.port().to_string()),
    ]
}

/// Returns the spans that a program which has ended has sent.
fn sent_by_program(agent: &MockAgent) -> Vec<OwnedSpan> {
    // What has come is read before the agent stops.
    agent.stop().expect("it stops");
    assert_eq!(agent.errors(), [""; 0]);
    agent.spans()
}

fn names(spans: &[OwnedSpan]) -> Vec<&str> {
    let names = spans.iter().map(|span| span.operation_name.as_str());
    names.collect()
}

/// Returns the lines of a stream, as they come.
#[cfg(unix)]
fn lines(stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        while lines.next().is_some_and(|line| sender.send(line).is_ok()) {}
    });
    receiver
}

fn read(mut stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || -> io::Result<()> {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
        Ok(())
    });
    receiver
}

/// This test is `target/{profile}/deps/examples-{hash}`; the examples are two folders away.
fn program(name: &str) -> PathBuf {
    let this = env::current_exe().expect("the path of this test");
    let profile = this.ancestors().nth(2).expect("tests are two folders deep");
    profile
        .join("examples")
        .join(name.to_owned() + env::consts::EXE_SUFFIX)
}

const TIMEOUT: Duration = Duration::from_secs(60);
const HOW_TO_BUILD: &str =
    "`cargo test` builds the examples, `cargo test --test examples` does not";

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::prelude::*;
use tracehound::reporter::RemoteReporter;
use tracehound::reporter::sender::{AgentAddress, UdpSender};
use tracehound::sampler::ConstSampler;

use crate::closed_port::closed_port;
use crate::support::{Ended, PATIENCE, backend, program, run};

/// A running server. It is ended with its value.
struct Server {
    process: Child,
    output: BufReader<ChildStdout>,
    viewer: String,
    agent: AgentAddress,
    binary_agent: AgentAddress,
}

impl Server {
    /// Starts a server and reads its addresses.
    fn start(arguments: &[&str]) -> Self {
        Self::run(program(&[&["dev", "--any-ports"], arguments].concat()))
    }

    /// Starts a server by `env`, with an option that sets how the server takes SIGHUP.
    #[cfg(target_os = "linux")]
    fn start_with_signal(option: &str, arguments: &[&str]) -> Self {
        let program = program(&[&["dev", "--any-ports"], arguments].concat());
        let mut command = Command::new("/usr/bin/env");
        command
            .env_clear()
            .arg(option)
            .arg(program.get_program())
            .args(program.get_args())
            .stdout(Stdio::piped());
        Self::run(command)
    }

    fn run(mut command: Command) -> Self {
        let mut process = command.spawn().expect("the program runs");
        let mut output = BufReader::new(process.stdout.take().expect("an output"));
        let mut address = |name: &str| loop {
            let mut line = String::new();
            let length = output.read_line(&mut line).expect("a line");
            assert_ne!(length, 0, "no line for {name}");
            if let Some((_, address)) = line.split_once("://").filter(|_| line.starts_with(name)) {
                let end = address.find(['/', ' ', '\n']).unwrap_or(address.len());
                break address[..end].to_owned();
            }
        };
        let viewer = format!("http://{}", address("viewer"));
        let agent = address("agent").parse().expect("an address");
        let binary_agent = address("agent").parse().expect("an address");
        address("sampling");
        Self {
            process,
            output,
            viewer,
            agent,
            binary_agent,
        }
    }

    /// Sends a span, and returns the id of its trace.
    fn send_span(&self) -> String {
        Self::send_span_to(&self.agent)
    }

    /// Sends a span in the compact protocol to this address.
    fn send_span_to(agent: &AgentAddress) -> String {
        let tracer = JaegerTracer::builder("shop")
            .sampler(ConstSampler::new(true))
            .reporter(RemoteReporter::new(UdpSender::new(agent.clone())))
            .build()
            .expect("a tracer");
        let span = tracer.start_span("checkout");
        let trace_id = span.context().to_trace_id();
        span.finish();
        assert!(tracer.close(PATIENCE).is_complete());
        trace_id
    }

    /// Shows a trace, once it has come.
    fn show(&self, trace_id: &str) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = run(&["trace", trace_id, "--from", &self.viewer]);
            if ended.code == Some(0) || Instant::now() > deadline {
                return ended;
            }
        }
    }

    /// Returns the next line that begins so, or what came instead in time.
    fn line(&mut self, begin: &str) -> String {
        let (process, output) = (&mut self.process, &mut self.output);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut line = String::new();
                while output.read_line(&mut line).expect("a line") > 0 && !line.starts_with(begin) {
                    line.clear();
                }
                line
            });
            let deadline = Instant::now() + PATIENCE;
            while !reader.is_finished() && Instant::now() < deadline {
                std::thread::park_timeout(Duration::from_millis(5));
            }
            if !reader.is_finished() {
                // The end of the process is the end of its output.
                let _ = process.kill();
            }
            reader.join().expect("the reader ends")
        })
    }

    /// Tells the server to end, and returns what it writes until then.
    #[cfg(unix)]
    fn end(self) -> String {
        self.end_by("-TERM")
    }

    /// Sends a signal that ends the server, and returns what it writes until then.
    #[cfg(unix)]
    fn end_by(mut self, signal: &str) -> String {
        self.signal(signal);
        assert!(has_ended(&mut self.process), "the server ends");
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("a text");
        rest
    }

    #[cfg(unix)]
    fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        let killed = Command::new("kill").args([signal, &id]).status();
        assert!(killed.expect("kill runs").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_load_is_sent_and_read_back() {
    let backend = backend();
    let to = format!("http://{}/api/traces", backend.collector_address());
    let viewer = format!("http://{}", backend.query_address());
    let load = [
        "bench",
        &to,
        "--rate",
        "500",
        "--duration",
        "2",
        "--read-back",
        &viewer,
    ];
    let ended = run(&load);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.assert_line(&["made", "1000"]);
    ended.assert_line(&["arrived", "1000"]);
    ended.assert_line(&["lost", "0 "]);
}

#[test]
fn a_load_that_is_lost_fails() {
    let (_socket, address) = closed_port();
    let to = format!("http://{address}/api/traces");
    let ended = run(&["bench", &to, "--rate", "50", "--duration", "0.2"]);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    ended.assert_line(&["dropped", "refused"]);
}

#[test]
#[cfg(unix)]
fn a_server_takes_spans_shows_them_and_ends_when_it_is_told_to() {
    let server = Server::start(&[]);
    let trace_id = server.send_span();
    let ended = server.show(&trace_id);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.assert_line(&["shop", "checkout"]);
    let last = ["trace", "--last", "--service", "shop", "--from"];
    let last = run(&[&last[..], &[&server.viewer]].concat());
    assert_eq!(last.output, ended.output);
    let ended = run(&["trace", "abc", "--from", &server.viewer]);
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(ended.errors.contains("no such trace"), "{ended:#?}");
    let rest = server.end();
    assert!(rest.contains("received 1, dropped 0"), "{rest}");
}

#[test]
fn a_server_tells_at_once_of_spans_in_the_protocol_of_another_port() {
    let mut server = Server::start(&[]);
    Server::send_span_to(&server.binary_agent);
    let line = server.line("unreadable");
    let port = format!("compact one belongs to udp://{}", server.agent);
    assert!(line.contains(&port), "{line:?} without {port:?}");
}

#[test]
fn an_address_without_a_scheme_is_one_of_http() {
    let backend = backend();
    let from = backend.query_address().to_string();
    let ended = run(&["trace", "abc", "--from", &from]);
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(ended.errors.contains("has no such trace"), "{ended:#?}");
}

#[test]
#[cfg(unix)]
fn a_server_keeps_its_traces_in_a_file_for_the_next_run() {
    let name = format!("tracehound-cli-kept-{}.json", std::process::id());
    let path = std::env::temp_dir().join(name);
    let arguments = ["--keep", path.to_str().expect("a path")];
    let server = Server::start(&arguments);
    let trace_id = server.send_span();
    assert_eq!(server.show(&trace_id).code, Some(0));
    server.end();
    let server = Server::start(&arguments);
    let ended = server.show(&trace_id);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    server.end();
    std::fs::remove_file(path).expect("the file");
}

#[test]
#[cfg(target_os = "linux")]
fn a_server_keeps_its_traces_when_its_terminal_is_closed() {
    let name = format!("tracehound-cli-hung-up-{}.json", std::process::id());
    let path = std::env::temp_dir().join(name);
    let keep = ["--keep", path.to_str().expect("a path")];
    let server = Server::start_with_signal("--default-signal=HUP", &keep);
    let trace_id = server.send_span();
    assert_eq!(server.show(&trace_id).code, Some(0));
    let rest = server.end_by("-HUP");
    assert!(rest.contains("received 1, dropped 0"), "{rest}");
    let kept = std::fs::read_to_string(&path).expect("the file");
    assert!(kept.contains(&trace_id), "{kept}");
    std::fs::remove_file(path).expect("the file");
}

#[test]
#[cfg(target_os = "linux")]
fn a_server_that_is_told_to_outlive_its_terminal_does() {
    let server = Server::start_with_signal("--ignore-signal=HUP", &[]);
    server.signal("-HUP");
    let trace_id = server.send_span();
    assert_eq!(server.show(&trace_id).code, Some(0));
    let rest = server.end();
    assert!(rest.contains("received 1, dropped 0"), "{rest}");
}

/// Waits for the end of a process.
#[cfg(unix)]
fn has_ended(child: &mut Child) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if child.try_wait().expect("a child").is_some() {
            return true;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    false
}

#[test]
fn completions_are_printed_for_a_shell() {
    let ended = run(&["completions", "bash"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.assert_line(&["complete", "tracehound"]);
}

#[test]
fn an_argument_that_makes_no_sense_is_an_error_of_use() {
    for arguments in [
        &["bench"][..],
        &["bench", "localhost:1", "--duration", "x"],
        &["brew"],
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(2), "{ended:#?}");
    }
}

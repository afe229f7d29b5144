//! Programs that use the embedded agent.

use std::collections::HashMap;
use std::env;
use std::io::{self, BufRead as _, BufReader, Read as _, Write};
use std::net::{TcpStream, UdpSocket};
use std::process::Command;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

use tracehound::Config;
use tracehound::dev::{DevOptions, Waterfall};
use tracehound::diagnostics::Diagnostics;
use tracehound::prelude::*;

use crate::process::fork;
use crate::support::LONG;

pub(crate) fn a_second_program_sends_its_spans_to_the_agent_of_the_first() {
    let (inbox, mut outbox) = io::pipe().expect("a pipe");
    let mut pay = fork(|output| {
        let picture = Shared::default();
        let lines = Shared::default();
        let tracer = options(&lines).waterfall_to(picture.clone()).tracer("pay");
        writeln!(output, "{}", viewer_port(&lines.text())).expect("heard");

        // The request of the other program.
        let mut inbox = BufReader::new(inbox).lines();
        let mut line = || inbox.next().expect("a line").expect("a pipe");
        let request = HashMap::from([("uber-trace-id".to_owned(), line())]);
        let caller = tracer.extract(&request).expect("valid").expect("there");
        tracer
            .build_span("charge")
            .child_of(&caller)
            .start()
            .finish();

        assert_eq!(line(), "the caller has finished");
        assert!(tracer.close(LONG).is_complete());
        output.write_all(picture.text().as_bytes()).expect("heard");
    });

    let mut port = String::new();
    let mut byte = [0];
    while pay.output().read(&mut byte).expect("a pipe") == 1 && byte != *b"\n" {
        port.push(byte[0].into());
    }
    let lines = Shared::default();
    let port = port.parse().expect("a port");
    let shop = options(&lines).query_port(port).tracer("shop");
    let second = options(&lines).query_port(port).tracer("cart");
    let version = env!("CARGO_PKG_VERSION");
    let line = format!(
        "an embedded agent runs already (tracehound {version}), and gets the spans of this program: \
         look at http://127.0.0.1:{port}/\n"
    );
    assert_eq!(lines.text(), line, "one line for all tracers of a program");

    let checkout = shop.start_span("checkout");
    second
        .build_span("read cart")
        .child_of(&checkout)
        .start()
        .finish();
    let mut request = HashMap::new();
    shop.inject(&checkout.context(), &mut request);
    writeln!(outbox, "{}", request["uber-trace-id"]).expect("heard");
    checkout.finish();
    assert!(shop.close(LONG).is_complete());
    assert!(second.close(LONG).is_complete());
    writeln!(outbox, "the caller has finished").expect("heard");

    let picture = String::from_utf8(pay.wait()).expect("ASCII");
    // On a busy machine an earlier picture may have shown less of the trace.
    let last = picture.rfind("  trace ").expect("a picture");
    let head = picture[..last].rfind('\n').map_or(0, |end| end + 1);
    let picture = &picture[head..];
    assert!(picture.starts_with("checkout  trace "), "{picture}");
    assert!(
        picture.contains("3 services  depth 2  3 spans\n"),
        "{picture}"
    );
    for row in [
        "\nshop  checkout ",
        "\ncart   \\ read cart ",
        "\npay    \\ charge ",
    ] {
        assert!(picture.contains(row), "{row}: {picture}");
    }
}

/// A handler may build a tracer of its own, and one that waits for itself would hang.
pub(crate) fn a_handler_may_ask_for_a_tracer_of_the_embedded_agent() {
    // The port of the agent is taken, so there is a line about that too.
    let taken = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port();
    let (told, heard) = channel();
    let handler = move |line: &str| {
        let options = DevOptions::new().any_ports().waterfall(Waterfall::Never);
        let inner = options.diagnostics(Diagnostics::silent()).tracer("inner");
        told.send((line.to_owned(), inner.process().is_some()))
            .expect("heard");
    };
    thread::spawn(move || {
        let options = DevOptions::new().any_ports().agent_port(port);
        let options = options.waterfall(Waterfall::Never);
        options
            .diagnostics(Diagnostics::with_handler(handler))
            .tracer("outer")
    });
    for beginning in ["ports are taken", "traces: look at"] {
        let (line, has_tracer) = heard.recv_timeout(LONG).expect("nothing hangs");
        assert!(line.contains(beginning) && has_tracer, "{line}");
    }
}

pub(crate) fn a_variable_puts_the_embedded_agent_in_the_place_of_a_real_one() {
    if env::var_os("TRACEHOUND_DEV").is_some() {
        return a_program_that_reads_the_environment();
    }
    let mut program = Command::new(env::current_exe().expect("the path of this test"));
    let scene = "a_variable_puts_the_embedded_agent_in_the_place_of_a_real_one";
    let output = program
        .args(["--scene", scene])
        .env_clear()
        .env("TRACEHOUND_DEV", "1")
        .env("JAEGER_SERVICE_NAME", "shop")
        .env("JAEGER_SAMPLER_TYPE", "const")
        .env("JAEGER_SAMPLER_PARAM", "0")
        .env("JAEGER_AGENT_HOST", "agent.invalid")
        .output()
        .expect("it runs");
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{said}");
    let shown = String::from_utf8(output.stdout).expect("text");
    assert!(shown.contains("\"shop\""), "{shown}");

    let lines: Vec<_> = said.lines().collect();
    let [first, second] = lines[..] else {
        panic!("two lines: {said}");
    };
    let pictures = "tracehound: no terminal: no pictures, look at http://127.0.0.1:";
    assert!(first.starts_with(pictures), "{first}");
    let destination = "tracehound: service \"shop\" is traced: sampler const 1, \
                       spans go to the embedded agent at 127.0.0.1:";
    assert!(second.starts_with(destination), "{second}");
}

/// Traces by its environment alone, and prints the answer of the viewer. The agent is started before, at ports that the
/// system chooses.
fn a_program_that_reads_the_environment() {
    let viewer = Shared::default();
    let line = Mutex::new(viewer.clone());
    let diagnostics = Diagnostics::with_handler(move |text| {
        eprintln!("tracehound: {text}");
        let _ = writeln!(line.lock().expect("whole"), "{text}");
    });
    let options = DevOptions::new().any_ports().diagnostics(diagnostics);
    let _agent = options.tracer("keeper");

    let config = Config::from_env().expect("every variable is good");
    let tracer = config.build().expect("the embedded agent");
    tracer.start_span("checkout").finish();
    assert!(tracer.flush(LONG).is_complete());

    let port = viewer_port(&viewer.text());
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the viewer");
    let request = "GET /api/services HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("heard");
    io::copy(&mut stream, &mut io::stdout()).expect("an answer");
}

/// Returns options with ports that the system chooses, and without pictures. Lines go to `lines`.
fn options(lines: &Shared) -> DevOptions {
    let lines = Mutex::new(lines.clone());
    DevOptions::new()
        .any_ports()
        .waterfall(Waterfall::Never)
        .diagnostics(Diagnostics::with_handler(move |line| {
            let _ = writeln!(lines.lock().expect("whole"), "{line}");
        }))
}

/// Returns the port in a line such as `look at http://127.0.0.1:16699/`.
fn viewer_port(lines: &str) -> u16 {
    let port = lines
        .rsplit_once(':')
        .and_then(|(_, rest)| rest.trim_end().strip_suffix('/'));
    port.expect(lines).parse().expect(lines)
}

/// A text that several writers share.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<String>>);

impl Shared {
    fn text(&self) -> String {
        self.0.lock().expect("whole").clone()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes).expect("UTF-8");
        self.0.lock().expect("whole").push_str(text);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

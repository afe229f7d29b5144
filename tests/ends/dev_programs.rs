//! Programs that use the embedded agent.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Write};
use std::sync::{Arc, Mutex};

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
    while io::Read::read(pay.output(), &mut byte).expect("a pipe") == 1 && byte != *b"\n" {
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

/// Ports that the system chooses, and no pictures. What is said goes to `lines`.
fn options(lines: &Shared) -> DevOptions {
    let lines = Mutex::new(lines.clone());
    DevOptions::new()
        .any_ports()
        .waterfall(Waterfall::Never)
        .diagnostics(Diagnostics::to(move |line| {
            let _ = writeln!(lines.lock().expect("whole"), "{line}");
        }))
}

/// The port in a line such as `look at http://127.0.0.1:16699/`.
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

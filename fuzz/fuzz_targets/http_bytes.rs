//! Bytes on a connection to the embedded agent: no panic, the connection ends, nobody elsewhere gets an answer, no
//! failure of the server, and memory is bounded.
//!
//! The first byte is the letter of a port, as in `agent_requests`; the second says how many bytes come at a time.

#![no_main]

use std::cell::OnceCell;

use allocation_counter::measure;
use libfuzzer_sys::fuzz_target;
use tracehound::fuzzing::{Agent, MessageFormat, Port, decode_message};

fuzz_target!(|input: &[u8]| AGENT.with(|agent| {
    let [port, at_a_time, bytes @ ..] = input else {
        return;
    };
    let agent = agent.get_or_init(|| Agent::new(TRACES, BYTES));
    agent.clear();
    let first = decode_message(MessageFormat::OtlpJson, FIRST).expect("spans");
    first
        .into_iter()
        .for_each(|received| agent.insert(received));
    let port = match port {
        b'c' => Port::Collector,
        b'g' => Port::Grpc,
        b's' => Port::Sampling,
        _ => Port::Viewer,
    };
    let at_a_time = match at_a_time {
        0 => bytes.len(),
        &count => count.into(),
    };
    let before = agent.totals();
    let mut answer = Vec::new();
    let used = measure(|| answer = agent.serve(port, bytes.to_vec(), at_a_time));
    let lower = bytes.to_ascii_lowercase();
    let has = |text: &[u8]| lower.windows(text.len()).any(|part| part == text);
    // What is packed may be a thousand times as long, and has a bound of its own.
    let is_packed = has(b"gzip") || has(b"deflate") || has(b"zlib");
    let allowed = 1_024 * input.len() as u64 + (4 << 20);
    assert!(is_packed || used.bytes_max <= allowed, "{used:?}");

    let text = String::from_utf8_lossy(&answer);
    if let Some(status) = first_status(&text) {
        let is_known = matches!(status, 100..=499 | 501);
        assert!(is_known || has(b"archive"), "{text}");
    }
    let names_loopback = has(b"localhost") || has(b"127.") || has(b":1");
    assert!(
        names_loopback || !text.contains("HTTP/1.1 200 OK"),
        "{text}"
    );
    if !has(b"post") {
        assert_eq!(agent.totals(), before);
    }
}));

/// Returns the status of the first answer; `None` if the connection ended without one.
fn first_status(answer: &str) -> Option<u16> {
    if answer.is_empty() {
        return None;
    }
    let line = answer.lines().next().expect("a line");
    let rest = line.strip_prefix("HTTP/1.");
    let rest = rest.unwrap_or_else(|| panic!("{answer}"));
    let status = rest.split(' ').nth(1).and_then(|text| text.parse().ok());
    Some(status.unwrap_or_else(|| panic!("{answer}")))
}

thread_local! {
    /// The agent of all inputs, without the traces of earlier ones.
    static AGENT: OnceCell<Agent> = const { OnceCell::new() };
}

const TRACES: usize = 8;
const BYTES: usize = 1 << 20;
/// A trace of two services that is there from the start.
const FIRST: &[u8] = include_bytes!("../first_trace.json");

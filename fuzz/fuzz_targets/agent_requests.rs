//! Requests to the embedded agent, one after another: no answer is a failure of the server, no text becomes a part of
//! a page, nobody elsewhere gets an answer, every span that comes is counted, and memory is bounded.
//!
//! Requests are apart by a byte 0x1e. Each begins with a letter for its port.

#![no_main]

use std::cell::OnceCell;

use allocation_counter::measure;
use http::{Method, Response, StatusCode};
use libfuzzer_sys::fuzz_target;
use tracehound::dev::DevTotals;
use tracehound::fuzzing::{Agent, MessageFormat, Port, decode_message};
use tracehound_fuzz::agent::{assert_local, check, get, request};

fuzz_target!(|input: &[u8]| AGENT.with(|agent| {
    let agent = agent.get_or_init(|| Agent::new(TRACES, BYTES));
    agent.clear();
    let first = decode_message(MessageFormat::OtlpJson, FIRST).expect("spans");
    first
        .into_iter()
        .for_each(|received| agent.insert(received));
    let used = measure(|| run(agent, input));
    // What is packed may be a thousand times as long, and has a bound of its own.
    let lower = input.to_ascii_lowercase();
    let has = |text: &[u8]| lower.windows(text.len()).any(|part| part == text);
    let is_packed = has(b"gzip") || has(b"deflate") || has(b"zlib");
    let allowed = 1_024 * input.len() as u64 + (4 << 20);
    assert!(is_packed || used.bytes_max <= allowed, "{used:?}");
}));

fn run(agent: &Agent, input: &[u8]) {
    for text in input.split(|&byte| byte == 0x1e).take(MOST) {
        let Some((&port, text)) = text.split_first() else {
            continue;
        };
        let port = match port {
            b'c' => Port::Collector,
            b'g' => Port::Grpc,
            b's' => Port::Sampling,
            _ => Port::Viewer,
        };
        let Some(request) = request(text) else {
            continue;
        };
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let headers = request.headers().clone();
        let before = agent.totals();
        let answer = agent.ask(port, request);
        let status = answer.status();
        assert_local(&uri, &headers, status);
        check(&answer);
        let has_failed = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED;
        // There is no archive, which is what a Jaeger without one says, too.
        assert!(
            !has_failed || uri.path().starts_with("/api/archive/"),
            "{uri}"
        );
        check_totals(port, &method, &answer, before, agent.totals());
    }
    // A page with all that has come.
    let held = agent.totals();
    let page = PAGES[input.len() % PAGES.len()];
    check(&agent.ask(Port::Viewer, get(page)));
    assert_eq!(agent.totals(), held);
}

/// Only a port that takes spans changes the counters: by the spans of a message, or by one that cannot be read.
fn check_totals(
    port: Port,
    method: &Method,
    answer: &Response<Vec<u8>>,
    before: DevTotals,
    after: DevTotals,
) {
    let takes_spans = matches!(port, Port::Collector | Port::Grpc) && method == Method::POST;
    let has_taken = match port {
        Port::Grpc => answer
            .headers()
            .get("grpc-status")
            .is_some_and(|status| status == "0"),
        _ => answer.status().is_success(),
    };
    let unread = after.undecodable - before.undecodable;
    assert!(unread <= 1);
    if !takes_spans || has_taken {
        assert_eq!(unread, 0, "{answer:?}");
    }
    if !takes_spans || !has_taken {
        assert_eq!(after.received, before.received, "{answer:?}");
        assert_eq!(after.dropped, before.dropped);
    }
}

thread_local! {
    /// The agent of all inputs, without the traces of earlier ones.
    static AGENT: OnceCell<Agent> = const { OnceCell::new() };
}

const TRACES: usize = 8;
const BYTES: usize = 1 << 20;
const PAGES: [&str; 5] = [
    "/",
    "/graph",
    "/live",
    "/trace/a",
    "/api/dependencies?lookback=99999999999999",
];
/// The most requests of an input.
const MOST: usize = 5;
/// A trace of two services that is there from the start.
const FIRST: &[u8] = include_bytes!("../first_trace.json");

//! Traces with hostile texts in everything that the embedded agent answers: no text becomes a part of a page, JSON can
//! be read, and what Jaeger's JSON says of a trace is the trace.

#![no_main]

use std::sync::Arc;

use arbitrary::{Arbitrary as _, Unstructured};
use libfuzzer_sys::fuzz_target;
use tracehound::fuzzing::{Agent, Port, Received};
use tracehound::model::{Process, TagValue};
use tracehound::reporter::OwnedSpan;
use tracehound::view::Trace;
use tracehound_fuzz::agent::{BREAKOUT, check, check_page, get};
use tracehound_fuzz::spans;

fuzz_target!(|input: &[u8]| {
    let mut u = Unstructured::new(input);
    let choice = u.arbitrary::<u8>().unwrap_or_default();
    let agent = Agent::new(16, 1 << 20);
    let mut ids = Vec::new();
    while !u.is_empty() {
        let Some(received) = some_spans(&mut u) else {
            break;
        };
        ids.extend(received.spans.iter().map(|span| span.trace_id));
        agent.insert(received);
    }
    ids.sort_unstable();
    ids.dedup();
    let page = PAGES[usize::from(choice) % PAGES.len()];
    if !page.contains(ID) {
        ask(&agent, page);
    }
    for id in ids {
        if page.contains(ID) {
            ask(&agent, &page.replace(ID, &id.to_string()));
        }
        let jaeger = ask(&agent, &format!("/trace/{id}?format=jaeger"));
        let Some(json) = jaeger else { continue };
        let [trace] = &Trace::from_json(&json).expect("our own JSON")[..] else {
            panic!("not one trace: {json}");
        };
        assert_eq!(trace.trace_id, id);
        let query = ask(&agent, &format!("/api/traces/{id}")).expect("as the viewer has it");
        assert_eq!(query, json);
        check_page(&trace.svg());
        let again = Trace::from_json(&trace.json()).expect("our own JSON");
        assert_eq!(again[0].json(), trace.json());
    }
});

/// Returns the body of an answer, unless nothing was found.
fn ask(agent: &Agent, target: &str) -> Option<String> {
    let answer = agent.ask(Port::Viewer, get(target));
    check(&answer);
    assert!(!answer.status().is_server_error(), "{target}: {answer:?}");
    let body = String::from_utf8(answer.body().clone()).expect("UTF-8");
    answer.status().is_success().then_some(body)
}

fn some_spans(u: &mut Unstructured<'_>) -> Option<Received> {
    let mut process = spans::process(u).ok()?;
    if bool::arbitrary(u).ok()? {
        process = Process::new(process.service_name + BREAKOUT, process.tags);
    }
    let mut spans = spans::spans(u, 20).ok()?;
    spans.iter_mut().for_each(plant);
    Some(Received {
        process: Arc::new(process),
        spans,
        seq_no: None,
    })
}

/// Adds to every text what breaks out of a page.
fn plant(span: &mut OwnedSpan) {
    span.operation_name.push_str(BREAKOUT);
    let fields = span.logs.iter_mut().flat_map(|log| &mut log.fields);
    for tag in span.tags.iter_mut().chain(fields) {
        if let TagValue::String(text) = &mut tag.value {
            *text = format!("{text}{BREAKOUT}").into();
        }
    }
}

/// The place of an id in an address.
const ID: &str = "{id}";
/// The pages that an input may ask for; its first byte says which one.
const PAGES: [&str; 13] = [
    "/",
    "/?service=shop&order=longest",
    "/live",
    "/graph",
    "/compare",
    "/open-spans",
    "/api/traces?limit=5&prettyPrint=true",
    "/api/services",
    "/compare?a={id}&b=1",
    "/api/v3/traces/{id}",
    "/trace/{id}?format=html",
    "/trace/{id}?format=text&details=on",
    "/api/dependencies?endTs=9999999999999&lookback=99999999999999",
];

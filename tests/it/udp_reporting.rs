//! Spans on their way to an agent by UDP, over real sockets on the loopback address.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use thrift::protocol::TMessageType;
use tracehound::JaegerTracer;
use tracehound::metrics::DropCause;
use tracehound::model::Tag;
use tracehound::prelude::*;
use tracehound::reporter::sender::{AgentAddress, AgentProtocol, BatchFormat, UdpSender};
use tracehound::reporter::{RemoteReporter, Reporter};
use tracehound::sampler::ConstSampler;
use tracehound::testkit::MockAgent;

use crate::support::batches::{listening_worker, report, soon, span, wire_span};
use crate::support::jaeger_thrift::{Message, decode};
use crate::support::until;

fn start() -> MockAgent {
    MockAgent::start().expect("a free port")
}

/// Waits for the datagram after the first `seen` ones, and reads it as strictly as the IDL allows.
fn message(agent: &MockAgent, seen: usize, format: BatchFormat) -> Message {
    until("a datagram", || agent.datagrams().len() > seen);
    decode(format, &agent.datagrams()[seen]).expect("a message of the IDL")
}

fn attached(sender: UdpSender) -> (RemoteReporter, Arc<Mutex<Vec<String>>>) {
    let (worker, lines) = listening_worker();
    let mut reporter = RemoteReporter::new(sender);
    reporter.attach(&worker);
    (reporter, lines)
}

#[test]
fn an_agent_gets_whole_messages_in_either_protocol() {
    for (protocol, format) in [
        (AgentProtocol::Compact, BatchFormat::Compact),
        (AgentProtocol::Binary, BatchFormat::Binary),
    ] {
        let agent = start();
        let sender = UdpSender::new(agent.address()).protocol(protocol);
        let (mut reporter, lines) = attached(sender);
        let spans: Vec<_> = (1..=20).map(span).collect();
        report(&mut reporter, &spans);
        let unsent = reporter.flush(soon());
        let message = message(&agent, 0, format);
        assert_eq!((unsent.dropped.total(), unsent.queued), (0, 0));
        assert_eq!((message.kind, message.seqid), (TMessageType::OneWay, 1));
        assert_eq!(message.batch.process.service_name, "shop");
        let expected: Vec<_> = spans.iter().map(wire_span).collect();
        assert_eq!(message.batch.spans, expected);
        assert!(lines.lock().unwrap().is_empty());
    }
}

#[test]
fn an_agent_may_have_an_ipv6_address() {
    let spans = [span(1)];
    match MockAgent::start_at("[::1]:0") {
        Ok(agent) => {
            let (mut reporter, _) = attached(UdpSender::new(agent.address()));
            report(&mut reporter, &spans);
            assert_eq!(reporter.flush(soon()).dropped.total(), 0);
            let message = message(&agent, 0, BatchFormat::Compact);
            assert_eq!(message.batch.spans.len(), 1);
        }
        // A host without IP version 6: a line says so, and nothing panics.
        Err(_) => {
            let agent: AgentAddress = "[::1]:6831".parse().unwrap();
            let (mut reporter, lines) = attached(UdpSender::new(agent));
            report(&mut reporter, &spans);
            let unsent = reporter.flush(soon());
            assert_eq!(unsent.dropped.get(DropCause::SendFailed), 1);
            assert!(lines.lock().unwrap()[0].starts_with("no socket to [::1]:6831"));
        }
    }
}

#[test]
fn an_agent_may_be_given_by_name() {
    let agent = start();
    let name = AgentAddress::new("localhost", agent.address().port());
    let (mut reporter, _) = attached(UdpSender::new(name));
    report(&mut reporter, &[span(1)]);
    let unsent = reporter.flush(soon());
    assert_eq!((unsent.dropped.total(), unsent.queued), (0, 0));
    let message = message(&agent, 0, BatchFormat::Compact);
    assert_eq!(message.batch.spans.len(), 1);
}

#[test]
fn a_large_span_arrives_whole_in_a_datagram_of_its_own() {
    let agent = start();
    let (mut reporter, _) = attached(UdpSender::new(agent.address()));
    let mut large = span(2);
    large.tags = vec![Tag::new("sql", "x".repeat(64_000))];
    report(&mut reporter, &[span(1), large.clone(), span(3)]);
    for (seen, expected) in [span(1), large, span(3)].iter().enumerate() {
        // The large one waits until the agent has read the first.
        let unsent = reporter.flush(soon());
        assert_eq!(unsent.dropped.total(), 0);
        let message = message(&agent, seen, BatchFormat::Compact);
        assert_eq!(message.batch.spans, [wire_span(expected)]);
        while reporter
            .paused_until()
            .is_some_and(|at| at > Instant::now())
        {
            thread::yield_now();
        }
    }
    assert_eq!(reporter.flush(soon()).queued, 0);
}

#[test]
fn without_an_agent_no_span_counts_as_sent_and_one_line_says_so() {
    let agent = start();
    agent.stop().expect("stopped");
    let address = agent.address();
    let (mut reporter, lines) = attached(UdpSender::new(address));
    // Keeps a processor busy, so that the system may be late with its answers.
    let is_done = Arc::new(AtomicBool::new(false));
    let seen = is_done.clone();
    let busy = thread::spawn(move || {
        while !seen.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    });
    let spans: Vec<_> = (1..=200).map(span).collect();
    let mut taken = 0;
    for _ in 0..200 {
        report(&mut reporter, &spans);
        taken += 200;
        let unsent = reporter.flush(soon());
        assert_eq!(unsent.dropped.get(DropCause::Refused), taken);
        assert_eq!((unsent.dropped.total(), unsent.queued), (taken, 0));
    }
    is_done.store(true, Ordering::Relaxed);
    busy.join().unwrap();
    let without = match cfg!(feature = "dev") {
        true => "TRACEHOUND_DEV=1, or tracehound::dev in code",
        false => "tracehound::dev, feature \"dev\"",
    };
    let expected = format!(
        "nobody is listening on {address} (connection refused); start Jaeger's agent, or send elsewhere: \
         JAEGER_ENDPOINT=http://localhost:14268/api/traces or \
         OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318; or see traces without Jaeger: {without}"
    );
    assert_eq!(*lines.lock().unwrap(), [expected]);
}

#[test]
fn spans_arrive_again_when_the_agent_comes_back_and_the_gap_is_counted() {
    let agent = start();
    let address = agent.address();
    let (mut reporter, lines) = attached(UdpSender::new(address));
    let mut taken = 0;
    let mut round = |reporter: &mut RemoteReporter| {
        report(reporter, &(1..=150).map(span).collect::<Vec<_>>());
        taken += 150;
        let unsent = reporter.flush(soon());
        assert_eq!(unsent.queued, 0);
        let refused = unsent.dropped.get(DropCause::Refused);
        assert_eq!(unsent.dropped.total(), refused);
        (taken, refused)
    };
    for _ in 0..3 {
        assert_eq!(round(&mut reporter).1, 0);
    }
    agent.stop().expect("stopped");
    for gap in 1..=4 {
        assert_eq!(round(&mut reporter).1, gap * 150);
    }
    agent.restart().expect("the port is free");
    for _ in 0..3 {
        assert_eq!(
            round(&mut reporter).1,
            600,
            "nothing is lost once it listens"
        );
    }
    let (taken, refused) = round(&mut reporter);
    // All that arrived is read before the agent stops.
    agent.stop().expect("stopped");
    assert_eq!(agent.span_count() + refused, taken);
    let mut datagrams = agent.datagrams().into_iter();
    assert!(datagrams.all(|datagram| decode(BatchFormat::Compact, &datagram).is_ok()));
    let lines = lines.lock().unwrap();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("nobody is listening on "));
    assert_eq!(lines[1], format!("spans reach {address} again"));
}

#[test]
fn a_tracer_reports_to_an_agent() {
    let agent = start();
    let tracer = JaegerTracer::builder("shop")
        .sampler(ConstSampler::new(true))
        .reporter(RemoteReporter::new(UdpSender::new(agent.address())))
        .build()
        .unwrap();
    tracer.start_span("checkout").set_tag("n", 1);
    let done = tracer.flush(Duration::from_secs(30));
    assert_eq!((done.finished, done.sent), (1, 1), "{done}");
    let message = message(&agent, 0, BatchFormat::Compact);
    let process = message.batch.process;
    assert_eq!(process.service_name, "shop");
    for key in ["jaeger.version", "hostname", "client-uuid"] {
        assert!(process.tags.iter().any(|tag| tag.key == key), "{process:?}");
    }
    assert_eq!(message.batch.spans[0].operation_name, "checkout");
}

#[test]
fn no_sender_uses_an_unconnected_socket() {
    // The system never tells such a socket of a refusal.
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/reporter/sender");
    let mut folders = vec![sources];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let source = fs::read_to_string(&path).unwrap();
            assert!(!source.contains("send_to"), "{}", path.display());
        }
    }
    assert!(files >= 4, "{files} files");
}

//! An agent that records.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::model::{Process, ReferenceType, Tag};
use tracehound::prelude::*;
use tracehound::reporter::sender::{AgentProtocol, BatchFormat, UdpSender};
use tracehound::reporter::{OwnedSpan, RemoteReporter};
use tracehound::sampler::ConstSampler;
use tracehound::testkit::{Fault, MockAgent, assert_trace, span};

use super::LONG;
use crate::support::batches::{from_hex, report_all, span as owned_span};
use crate::support::until;

fn tracer(agent: &MockAgent) -> JaegerTracer {
    JaegerTracer::builder("shop")
        .sampler(ConstSampler::new(true))
        .reporter(RemoteReporter::new(UdpSender::new(agent.address())))
        .build()
        .expect("the service has a name")
}

/// Finishes a span and has it sent in a datagram of its own.
fn send(tracer: &JaegerTracer, name: &'static str) {
    tracer.start_span(name).finish();
    tracer.flush(LONG);
}

fn names(spans: &[OwnedSpan]) -> Vec<&str> {
    let names = spans.iter().map(|span| span.operation_name.as_str());
    names.collect()
}

#[test]
fn an_agent_gives_back_what_was_sent_in_either_protocol() {
    for (protocol, format) in [
        (AgentProtocol::Compact, BatchFormat::Compact),
        (AgentProtocol::Binary, BatchFormat::Binary),
    ] {
        let agent = MockAgent::start().expect("a port");
        let sender = UdpSender::new(agent.address()).protocol(protocol);
        let process = Process::new("shop", vec![Tag::new("zone", "eu-1")]);
        let mut sent: Vec<_> = (1..=20).map(owned_span).collect();
        sent[3].parent_id = Some(sent[0].span_id);
        sent[3].tags = vec![Tag::new("n", 3), Tag::new("ok", true)];
        let mut reporter = RemoteReporter::new(sender);
        report_all(&mut reporter, process.clone(), &sent);

        let spans = agent.wait_for_spans(20, LONG);
        let batch = &agent.batches()[0];
        assert_eq!(batch.format, format);
        assert_eq!(*batch.process, process);
        assert_eq!(batch.sequence_number, Some(1));
        assert_eq!(batch.losses.unwrap_or_default().failed_to_emit, 0);
        assert_eq!(spans, batch.spans);
        assert_eq!(spans[3].references[0].kind, ReferenceType::ChildOf);
        for (mut received, sent) in spans.into_iter().zip(sent) {
            assert_eq!(received.service_name(), "shop");
            received.process = None;
            received.references.clear();
            assert_eq!(received, sent);
        }
        assert!(agent.errors().is_empty());
    }
}

#[test]
fn a_datagram_that_cannot_be_read_is_an_error_and_nothing_more() {
    let agent = MockAgent::start().expect("a port");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    // A list of two billion spans, an unknown method, bytes of the other protocol, and nothing at all.
    let datagrams = [
        from_hex(
            "82810009656d697442617463681c1c18016100 19fcffffffff0f"
                .replace(' ', "")
                .as_str(),
        ),
        from_hex("828100056f7468657200"),
        vec![0x80; 40],
        vec![0xff; 1_000],
        vec![],
    ];
    for datagram in &datagrams {
        socket.send_to(datagram, agent.address()).expect("sent");
    }
    let errors = agent.wait_for_errors(5, LONG);
    assert_eq!(errors.len(), 5, "{errors:?}");
    assert_eq!(agent.datagrams(), datagrams);
    assert!(
        errors[1].starts_with("a datagram of 10 bytes: "),
        "{errors:?}"
    );
    assert_eq!(agent.span_count(), 0);
    send(&tracer(&agent), "after all");
    assert_eq!(agent.wait_for_spans(1, LONG).len(), 1);
}

#[test]
fn faults_meet_one_datagram_each_and_then_all_is_well_again() {
    let agent = MockAgent::start().expect("a port");
    let tracer = tracer(&agent);
    agent.next_faults([Fault::drop(), Fault::none(), Fault::drop()]);
    for name in ["a", "b", "c", "d"] {
        send(&tracer, name);
    }
    assert_eq!(names(&agent.wait_for_spans(2, LONG)), ["b", "d"]);
    assert_eq!(agent.datagrams().len(), 4);

    agent.clear();
    agent.always(Fault::drop());
    send(&tracer, "e");
    until("the datagram", || agent.datagrams().len() == 1);
    agent.always(Fault::none());
    send(&tracer, "f");
    assert_eq!(names(&agent.wait_for_spans(1, LONG)), ["f"]);
}

#[test]
fn a_late_and_a_slow_agent_take_their_time() {
    let agent = MockAgent::start().expect("a port");
    let tracer = tracer(&agent);
    let late = Duration::from_millis(150);
    // A datagram here has more than 150 bytes.
    for fault in [Fault::delay(late), Fault::slow_reader(1_000)] {
        agent.clear();
        agent.next_faults([fault]);
        let start = Instant::now();
        send(&tracer, "late");
        assert_eq!(agent.wait_for_spans(1, LONG).len(), 1);
        assert!(start.elapsed() >= late, "{:?}", start.elapsed());
    }
}

#[test]
fn an_agent_that_stops_refuses_datagrams_until_it_starts_again() {
    let agent = MockAgent::start().expect("a port");
    let tracer = tracer(&agent);
    for round in 1..=3 {
        send(&tracer, "taken");
        agent.stop().expect("stopped");
        // What came before the stop is there.
        assert_eq!(agent.span_count(), round);
        tracer.start_span("refused").finish();
        let report = tracer.flush(LONG);
        assert_eq!(report.dropped.total(), round, "{report}");
        UdpSocket::bind(agent.address()).expect_err("the port is kept");
        agent.restart().expect("the port is free");
        agent.restart().expect("it runs already");
    }
    send(&tracer, "taken");
    assert_eq!(agent.wait_for_spans(4, LONG).len(), 4);
}

#[test]
fn an_agent_that_is_stopped_or_has_a_late_datagram_ends_at_once() {
    let start = Instant::now();
    let stopped = MockAgent::start().expect("a port");
    stopped.stop().expect("stopped");
    drop(stopped);
    let late = MockAgent::start().expect("a port");
    late.always(Fault::delay(LONG));
    send(&tracer(&late), "late");
    until("the datagram", || late.datagrams().len() == 1);
    drop(late);
    assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
}

#[test]
fn spans_above_the_limit_are_counted_only() {
    let agent = MockAgent::start().expect("a port");
    agent.keep_at_most(2);
    let tracer = tracer(&agent);
    for name in ["a", "b", "c"] {
        send(&tracer, name);
    }
    assert_eq!(names(&agent.wait_for_spans(3, LONG)), ["a", "b"]);
    assert_eq!(agent.span_count(), 3);
}

#[test]
fn a_trace_that_was_received_has_its_shape() {
    let agent = MockAgent::start().expect("a port");
    let tracer = tracer(&agent);
    let checkout = tracer.start_active_span("checkout");
    let pay = tracer.build_span("pay").tag("cents", 4_200).start();
    pay.log([("event", "retry")]);
    pay.finish();
    tracer.start_span("list").finish();
    checkout.finish();
    tracer.close(LONG);
    let pay = span("pay")
        .service("shop")
        .tag("cents", 4_200)
        .event("retry");
    assert_trace(
        &agent.wait_for_spans(3, LONG),
        span("checkout").child("list").child(pay),
    );
}

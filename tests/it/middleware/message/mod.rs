//! Tests of the spans for messages that a program sends and receives.

pub(super) mod batches;
pub(super) mod ends;
#[cfg(feature = "nats")]
pub(super) mod nats;
#[cfg(feature = "nats")]
pub(super) mod nats_jetstream;
pub(super) mod secrets;

use std::time::Duration;

use tracehound::NoopTracer;
use tracehound::clock::ManualClock;
use tracehound::metrics::Counter;
use tracehound::middleware::MessageBus;
use tracehound::model::ReferenceType;
use tracehound::prelude::*;
use tracehound::propagation::{MessageHeaders, Trust};
use tracehound::reporter::{InMemoryReporter, OwnedSpan};
use tracehound::scope::active_span;

use crate::support::{fixed_tracer, names, recording_builder, recording_tracer, texts};

type Headers = Vec<(String, Vec<u8>)>;

/// Returns a bus whose spans are kept in memory.
fn bus() -> (MessageBus, InMemoryReporter) {
    let (tracer, spans) = recording_tracer();
    (MessageBus::new(tracer, "kafka"), spans)
}

/// Sends a message, and returns its headers.
fn send(bus: &MessageBus, topic: &str) -> Headers {
    let mut headers = Headers::new();
    bus.send(topic)
        .start(&mut MessageHeaders(&mut headers))
        .finish();
    headers
}

/// Receives a message.
fn receive(bus: &MessageBus, topic: &str, headers: &Headers) {
    bus.receive(topic)
        .start(&MessageHeaders(&headers[..]))
        .finish();
}

/// Returns the trace id and the span id in each header with a context.
fn written(headers: &Headers) -> Vec<String> {
    let contexts = headers.iter().filter(|(name, _)| name == "uber-trace-id");
    let texts = contexts.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
    let ids = texts.map(|text| text.splitn(3, ':').take(2).collect::<Vec<_>>().join(":"));
    ids.collect()
}

fn ids(span: &OwnedSpan) -> String {
    format!("{}:{}", span.trace_id, span.span_id)
}

fn only(spans: &InMemoryReporter) -> OwnedSpan {
    let mut spans = spans.take();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    spans.remove(0)
}

#[test]
pub(in crate::middleware) fn both_sides_have_the_tags_of_the_bus_and_of_the_message() {
    let (tracer, spans) = recording_tracer();
    let bus = MessageBus::new(tracer, "kafka")
        .component("rdkafka")
        .peer_service("events")
        .peer_address("app:secret@kafka:9092");
    let mut headers = Headers::new();
    let sending = bus.send("orders").id("m-1").payload(b"teapot");
    let sending = sending.start(&mut MessageHeaders(&mut headers));
    sending.stored_at(3, 17).span().set_tag("shard", 7);
    sending.finish();
    let common = |kind: &str| {
        [
            &format!("span.kind={kind}"),
            "component=rdkafka",
            "peer.service=events",
            "peer.address=@kafka:9092",
            "message_bus.destination=orders",
        ]
        .map(str::to_owned)
        .to_vec()
    };
    let span = only(&spans);
    assert_eq!(span.operation_name, "To_orders");
    let more = [
        "message.id=m-1",
        "message.bytes=6",
        "partition=3",
        "offset=17",
        "shard=7",
    ];
    let mut expected = common("producer");
    expected.extend(more.map(str::to_owned));
    assert_eq!(texts(&span.tags), expected);
    bus.receive("orders")
        .partition(3)
        .offset(17)
        .id("m-1")
        .payload(b"teapot")
        .redeliveries(2)
        .start(&MessageHeaders(&headers[..]))
        .finish();
    let span = only(&spans);
    assert_eq!(span.operation_name, "From_orders");
    let more = [
        "partition=3",
        "offset=17",
        "message.id=m-1",
        "message.bytes=6",
    ];
    let mut expected = common("consumer");
    expected.extend(more.map(str::to_owned));
    expected.push("message.redeliveries=2".to_owned());
    assert_eq!(texts(&span.tags), expected);
    assert!(span.logs.is_empty(), "{span:?}");
}

#[test]
fn a_producer_is_a_child_of_what_is_active_or_given_or_else_in_the_headers() {
    let (tracer, spans) = recording_tracer();
    let bus = MessageBus::new(tracer.clone(), "kafka");
    let mut headers = send(&bus, "a");
    let first = Some(only(&spans).span_id);
    let page = tracer.start_span("page");
    let other = tracer.start_span("other");
    let mut parent_of = |is_active: bool, is_given: bool| {
        let _scope = is_active.then(|| page.activate());
        let message = bus.send("b");
        let message = if is_given {
            message.child_of(&other)
        } else {
            message
        };
        message.start(&mut MessageHeaders(&mut headers)).finish();
        let span = only(&spans);
        assert_eq!(written(&headers), [ids(&span)]);
        (span.parent_id, Some(span.span_id))
    };
    let (parent, second) = parent_of(false, false);
    assert_eq!(parent, first);
    assert_eq!(parent_of(true, false).0, page.context().span_id());
    assert_eq!(parent_of(true, true).0, other.context().span_id());
    let (parent, third) = parent_of(false, true);
    assert_eq!(parent, other.context().span_id());
    let (parent, _) = parent_of(false, false);
    assert_eq!(parent, third);
    assert_ne!(second, third);
}

#[test]
fn a_consumer_follows_from_the_producer_or_is_its_child_and_never_of_the_loop() {
    let rows = [
        (None, None, ReferenceType::FollowsFrom),
        (Some(ReferenceType::ChildOf), None, ReferenceType::ChildOf),
        (None, Some(ReferenceType::ChildOf), ReferenceType::ChildOf),
        (
            Some(ReferenceType::ChildOf),
            Some(ReferenceType::FollowsFrom),
            ReferenceType::FollowsFrom,
        ),
    ];
    for (of_bus, of_message, expected) in rows {
        let (tracer, spans) = recording_tracer();
        let mut bus = MessageBus::new(tracer.clone(), "kafka");
        if let Some(relation) = of_bus {
            bus = bus.relation(relation);
        }
        let headers = send(&bus, "orders");
        let sender = only(&spans);
        let _loop = tracer.start_active_span("poll_loop");
        let mut message = bus.receive("orders");
        if let Some(relation) = of_message {
            message = message.relation(relation);
        }
        message.start(&MessageHeaders(&headers[..])).finish();
        let span = only(&spans);
        let [reference] = &span.references[..] else {
            panic!("one reference: {span:?}");
        };
        assert_eq!(reference.kind, expected);
        assert_eq!(reference.span_id, sender.span_id);
        assert_eq!(span.trace_id, sender.trace_id);
        // A message without a context begins a trace.
        receive(&bus, "orders", &Headers::new());
        let span = only(&spans);
        assert!(span.references.is_empty() && span.parent_id.is_none());
    }
}

#[test]
fn a_malformed_context_is_counted_and_the_message_begins_a_trace() {
    let (tracer, spans) = recording_tracer();
    let bus = MessageBus::new(tracer.clone(), "kafka");
    for malformed in [&b"1:2:0"[..], b"", b"\xff\xfe", b"x:2:0:1"] {
        let headers = vec![("uber-trace-id".to_owned(), malformed.to_vec())];
        let before = tracer.metrics().get(Counter::DecodingErrors);
        receive(&bus, "orders", &headers);
        let span = only(&spans);
        assert!(span.references.is_empty() && span.parent_id.is_none());
        assert_eq!(
            tracer.metrics().get(Counter::DecodingErrors),
            before + 1,
            "{malformed:?}"
        );
    }
}

#[test]
fn a_context_is_believed_as_far_as_the_bus_trusts_it() {
    let headers = [("uber-trace-id", "1:2:0:3"), ("uberctx-user", "7")];
    for relation in [ReferenceType::ChildOf, ReferenceType::FollowsFrom] {
        for (trust, joins, is_debug) in [
            (Trust::full(), true, true),
            (Trust::ids_only(), true, false),
            (Trust::restart(), false, false),
        ] {
            let (tracer, spans) = recording_tracer();
            let bus = MessageBus::new(tracer, "kafka")
                .relation(relation)
                .trust(trust);
            let handling = bus.receive("orders").start(&headers);
            let context = handling.span().context();
            handling.finish();
            let span = only(&spans);
            assert_eq!(span.references.len(), 1, "{trust:?}");
            let joined = context.trace_id() == Some(span.references[0].trace_id);
            assert_eq!(joined, joins, "{trust:?}, {relation:?}");
            assert_eq!(context.is_debug(), is_debug, "{trust:?}, {relation:?}");
            assert_eq!(context.baggage().is_empty(), !is_debug, "{trust:?}");
        }
    }
}

#[test]
fn topics_beyond_the_limit_share_a_name_and_have_their_tag() {
    let (tracer, spans) = recording_tracer();
    let bus = MessageBus::new(tracer, "nats")
        .max_names(2)
        .patterns(["orders.*.created"]);
    let clone = bus.clone();
    send(&bus, "a");
    send(&bus, "orders.1234.created");
    receive(&clone, "b", &Headers::new());
    receive(&clone, "c", &Headers::new());
    send(&clone, "a");
    bus.send("orders.7")
        .name("d")
        .start(&mut MessageHeaders(&mut Headers::new()))
        .finish();
    bus.receive("orders.7")
        .name("b")
        .start(&MessageHeaders(&Headers::new()[..]))
        .finish();
    let topics = spans.spans();
    let topics = topics
        .iter()
        .map(|span| span.tag_text("message_bus.destination").into_owned());
    let topics: Vec<_> = names(&spans).into_iter().zip(topics).collect();
    let expected = [
        ("To_a", "a"),
        ("To_orders.*.created", "orders.1234.created"),
        ("From_b", "b"),
        ("From_other", "c"),
        ("To_a", "a"),
        ("To_other", "orders.7"),
        ("From_b", "orders.7"),
    ];
    let expected = expected.map(|(name, topic)| (name.to_owned(), topic.to_owned()));
    assert_eq!(topics, expected);
}

#[test]
pub(in crate::middleware) fn the_time_in_the_queue_is_a_tag_unless_the_clocks_disagree() {
    let (tracer, spans, clock): (_, _, ManualClock) = fixed_tracer();
    let bus = MessageBus::new(tracer, "kafka");
    let now = std::time::UNIX_EPOCH + Duration::from_secs(1_500_000_000);
    let second = Duration::from_secs(1);
    for (sent_at, waited) in [
        (now, "0"),
        (now - second, "1000000"),
        (now + second, ""),
        (std::time::UNIX_EPOCH - second, "1500000000000000"),
    ] {
        let message = bus.receive("orders").sent_at(sent_at);
        message.start(&MessageHeaders(&Headers::new()[..])).finish();
        assert_eq!(only(&spans).tag_text("queue.wait_us"), waited);
    }
    clock.advance(second);
    let message = bus.receive("orders").sent_at(now);
    message.start(&MessageHeaders(&Headers::new()[..])).finish();
    assert_eq!(only(&spans).tag_text("queue.wait_us"), "1000000");
}

#[test]
fn a_trace_that_is_not_sampled_goes_on_through_the_queue() {
    let (builder, spans) = recording_builder();
    let builder = builder.sampler(tracehound::sampler::ConstSampler::new(false));
    let tracer = builder.build().expect("the service has a name");
    let bus = MessageBus::new(tracer, "kafka");
    let headers = send(&bus, "orders");
    let handling = bus.receive("orders").start(&MessageHeaders(&headers[..]));
    let text = String::from_utf8_lossy(&headers[0].1).into_owned();
    assert!(
        text.starts_with(&handling.span().context().to_trace_id()),
        "{text}"
    );
    assert!(text.ends_with(":0"), "{text}");
    handling.finish();
    assert!(spans.spans().is_empty());
}

#[test]
fn a_tracer_that_is_off_leaves_headers_alone_and_runs_the_work() {
    let bus = MessageBus::new(NoopTracer, "kafka");
    let mut headers = vec![("uber-trace-id".to_owned(), b"1:2:0:1".to_vec())];
    let before = headers.clone();
    let sending = bus.send("orders").start(&mut MessageHeaders(&mut headers));
    assert!(sending.span().is_noop());
    let result = sending.run_blocking(|| Err::<(), _>(std::io::Error::other("no")));
    assert_eq!(result.expect_err("it fails").to_string(), "no");
    drop(
        bus.send("orders")
            .start_batch([MessageHeaders(&mut headers)]),
    );
    assert_eq!(headers, before);
    let handling = bus.receive("orders").start(&MessageHeaders(&headers[..]));
    let ran = handling.run_blocking(|| Ok::<_, std::io::Error>(active_span().is_noop()));
    assert!(ran.expect("no error"));
    let handling = bus
        .receive("orders")
        .start_batch([MessageHeaders(&headers[..])]);
    assert!(handling.span().is_noop());
}

//! JetStream of async-nats, against a server on loopback that acknowledges.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, AckKind};
use async_nats::{HeaderMap, Message};
use futures_util::{FutureExt, StreamExt, stream};
use tracehound::JaegerTracer;
use tracehound::middleware::{JetStreamMessage, MessageBus, TracedJetStream};

use super::nats::Connected;
use super::{ids, only};
use crate::middleware::ways::{Way, check, drive, work};
use crate::support::nats_server::{CLOSES, REFUSED};
use crate::support::{events, fixed_tracer, log_field, recording_tracer, until};

fn jetstream(connected: &Connected, tracer: &JaegerTracer) -> TracedJetStream {
    let _inside = connected.runtime.enter();
    let mut context = jetstream::new(connected.client.clone());
    context.set_timeout(Duration::from_millis(100));
    let bus = MessageBus::nats(tracer.clone()).patterns(["stored.*.created"]);
    TracedJetStream::new(context, bus)
}

/// Receives a message that a consumer of JetStream got for the third time.
fn delivered(
    connected: &Connected,
    orders: &TracedJetStream,
    headers: HeaderMap,
    reply: Option<&str>,
) -> JetStreamMessage {
    let message = Message {
        subject: "stored.1234.created".into(),
        reply: reply.map(Into::into),
        payload: "canary".into(),
        headers: Some(headers),
        status: None,
        description: None,
        length: 0,
    };
    let context = orders.get_ref().clone();
    let message = jetstream::Message { message, context };
    let messages = stream::iter([Ok::<_, io::Error>(message), Err(io::Error::other("gone"))]);
    let mut messages = orders.messages(messages).subject("stored.>");
    let delivered = connected.runtime.block_on(messages.next());
    let ended = connected.runtime.block_on(messages.next());
    assert!(ended.is_some_and(|ended| ended.is_err()));
    delivered.expect("there is one").expect("it has come")
}

/// Delivered for the third time; at 1 499 999 999 s it came to the server.
const THIRD: &str = "$JS.ACK.ORDERS.shipper.3.100.7.1499999999000000000.42";

#[test]
pub(in crate::middleware) fn a_publication_lasts_until_the_server_has_stored_the_message() {
    let connected = Connected::new();
    let (tracer, spans) = recording_tracer();
    let orders = jetstream(&connected, &tracer);
    let message = PublishMessage::build()
        .message_id("m-1")
        .payload("x".into());
    let publish = orders.send_publish("stored.1234.created", message);
    let ack = connected.runtime.block_on(publish).expect("sent");
    assert!(spans.spans().is_empty());
    let ack = connected.runtime.block_on(ack).expect("stored");
    assert_eq!((&*ack.stream, ack.sequence), ("ORDERS", 7));
    let span = only(&spans);
    assert_eq!(span.operation_name, "To_stored.*.created");
    for (key, value) in [
        ("span.kind", "producer"),
        ("message_bus.destination", "stored.1234.created"),
        ("message.id", "m-1"),
        ("offset", "7"),
        ("nats.stream", "ORDERS"),
    ] {
        assert_eq!(span.tag_text(key), value);
    }
    assert!(span.logs.is_empty(), "{span:?}");
    assert_eq!(connected.written(), [ids(&span)]);
}

#[test]
pub(in crate::middleware) fn a_publication_that_the_server_knows_already_is_a_duplicate() {
    let connected = Connected::new();
    let (tracer, spans) = recording_tracer();
    let orders = jetstream(&connected, &tracer);
    for (subject, expected) in [("stored.7.created", ""), ("stored.7.again", "true")] {
        let publish = orders.publish(subject, "x".into());
        let ack = connected.runtime.block_on(publish).expect("sent");
        connected.runtime.block_on(ack).expect("stored");
        assert_eq!(only(&spans).tag_text("message.duplicate"), expected);
    }
}

#[test]
fn a_publication_that_fails_is_marked_once_and_its_values_are_hidden() {
    let connected = Connected::new();
    let (tracer, spans) = recording_tracer();
    let orders = jetstream(&connected, &tracer);
    let kind = "async_nats::error::Error<async_nats::jetstream::context::PublishErrorKind>";
    for (subject, kind) in [
        (REFUSED, kind),
        ("silent", "timeout"),
        // The server goes away in the middle.
        (CLOSES, "timeout"),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("a", "canary");
        let publish = orders.publish_with_headers(subject, headers, "canary".into());
        let ack = connected.runtime.block_on(publish).expect("sent");
        connected.runtime.block_on(ack).expect_err("not stored");
        let span = only(&spans);
        assert_eq!(span.tag_text("error"), "true", "{subject}");
        assert_eq!(events(&span), ["error"], "{subject}");
        let told = log_field(&span, "error", "error.kind");
        assert_eq!(told.as_deref(), Some(kind), "{subject}");
        assert!(!format!("{span:?}").contains("canary"), "{span:?}");
    }
}

#[test]
fn an_acknowledgement_that_nobody_waits_for_ends_the_span() {
    let connected = Connected::new();
    let (tracer, spans) = recording_tracer();
    let orders = jetstream(&connected, &tracer);
    let ack = connected
        .runtime
        .block_on(orders.publish("silent", "x".into()));
    drop(ack.expect("sent"));
    assert!(only(&spans).logs.is_empty());
    connected.runtime.block_on(async {
        let ack = orders.publish("silent", "x".into()).await.expect("sent");
        assert!(ack.now_or_never().is_none());
    });
    assert_eq!(events(&only(&spans)), ["cancelled"]);
}

#[test]
pub(in crate::middleware) fn a_delivered_message_tells_its_place_its_redeliveries_and_its_wait() {
    let connected = Connected::new();
    let (tracer, spans, _clock) = fixed_tracer();
    let orders = jetstream(&connected, &tracer);
    let mut headers = HeaderMap::new();
    headers.insert("uber-trace-id", "1:2:0:1");
    headers.insert("Nats-Msg-Id", "m-1");
    let order = delivered(&connected, &orders, headers, Some(THIRD));
    drop(order);
    let span = only(&spans);
    assert_eq!(span.operation_name, "From_stored.>");
    assert_eq!(span.references[0].span_id.to_string(), "0000000000000002");
    for (key, value) in [
        ("span.kind", "consumer"),
        ("message_bus.destination", "stored.1234.created"),
        ("offset", "100"),
        ("nats.stream", "ORDERS"),
        ("nats.consumer", "shipper"),
        ("message.id", "m-1"),
        ("message.bytes", "6"),
        ("message.redeliveries", "2"),
        ("queue.wait_us", "1000000"),
    ] {
        assert_eq!(span.tag_text(key), value, "{key}");
    }
    assert!(!format!("{span:?}").contains("canary"), "{span:?}");
}

#[test]
fn what_became_of_a_message_is_sent_and_logged() {
    let connected = Connected::new();
    let (tracer, spans) = recording_tracer();
    let orders = jetstream(&connected, &tracer);
    let handled = async { Ok::<_, io::Error>(()) };
    let order = delivered(&connected, &orders, HeaderMap::new(), Some(THIRD));
    connected
        .runtime
        .block_on(async {
            order.run(handled).await?;
            order.ack_with(AckKind::Progress).await?;
            order
                .ack_with(AckKind::Nak(Some(Duration::from_secs(1))))
                .await?;
            order.ack_with(AckKind::Next).await?;
            order.ack_with(AckKind::Term).await?;
            order.ack().await
        })
        .expect("told");
    drop(order);
    let span = only(&spans);
    assert_eq!(events(&span), ["in_progress", "nak", "next", "term", "ack"]);
    assert!(span.tag("error").is_none());
    until("the acknowledgements", || {
        let state = connected.server.shared().state();
        let told = state.own.iter().filter(|message| message.subject == THIRD);
        told.count() == 5
    });
}

#[test]
fn a_message_that_cannot_be_acknowledged_is_marked() {
    let connected = Connected::new();
    let (tracer, spans) = recording_tracer();
    let orders = jetstream(&connected, &tracer);
    let order = delivered(&connected, &orders, HeaderMap::new(), None);
    let acked = connected.runtime.block_on(order.ack());
    acked.expect_err("there is no subject for it");
    let acked = connected
        .runtime
        .block_on(order.double_ack_with(AckKind::Ack));
    acked.expect_err("there is no subject for it");
    drop(order);
    let span = only(&spans);
    assert_eq!(span.tag_text("error"), "true");
    assert_eq!(events(&span), ["error", "error"]);
}

#[test]
fn a_handler_that_panics_marks_its_message_once() {
    let connected = Connected::new();
    let (tracer, spans) = recording_tracer();
    let orders = jetstream(&connected, &tracer);
    let order = delivered(&connected, &orders, HeaderMap::new(), Some(THIRD));
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let handler = order.run(async {
            assert!(events(&only(&spans)).is_empty(), "planned");
            Ok::<_, io::Error>(())
        });
        connected.runtime.block_on(handler)
    }));
    assert!(caught.is_err());
    drop(order);
    assert_eq!(events(&only(&spans)), ["panic"]);
}

#[test]
pub(in crate::middleware) fn a_publication_and_a_message_end_in_each_way() {
    let connected = Connected::new();
    // Nothing of the program runs in a publication, so it does not panic.
    let rows = [
        (Way::Done, "producer"),
        (Way::Error, "producer error=true error"),
        (Way::Cancel, "producer cancelled"),
        (Way::Drop, "producer"),
        (Way::Timeout, "producer error=true timeout"),
    ];
    check(rows, |way, tracer| {
        let orders = jetstream(&connected, tracer);
        let subject = match way {
            Way::Done => "stored.1",
            Way::Error => REFUSED,
            _ => "silent",
        };
        connected.runtime.block_on(async {
            let ack = orders.publish(subject, "x".into()).await.expect("sent");
            match way {
                Way::Cancel | Way::Drop => drop(drive(way, ack)),
                _ => assert_eq!(ack.await.is_ok(), way == Way::Done),
            }
        });
    });
    let rows = [
        (Way::Done, "consumer"),
        (Way::Error, "consumer error=true error"),
        (Way::Cancel, "consumer cancelled"),
        (Way::Drop, "consumer"),
        (Way::Panic, "consumer error=true panic"),
        (Way::Timeout, "consumer error=true timeout"),
    ];
    check(rows, |way, tracer| {
        let orders = jetstream(&connected, tracer);
        let order = delivered(&connected, &orders, HeaderMap::new(), Some(THIRD));
        match way {
            Way::Drop => drop(order),
            _ => drop(drive(way, order.run(work(way)))),
        }
    });
}

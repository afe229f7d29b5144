//! The client of async-nats, against a server on loopback.

use std::io;
use std::time::Duration;

use async_nats::{Client, HeaderMap, Request};
use futures_util::{FutureExt, StreamExt};
use tracehound::metrics::Counter;
use tracehound::middleware::{MessageBus, NatsMessage, NatsMessages, TracedNats};
use tracehound::model::ReferenceType;
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::scope::active_span;
use tracehound::{JaegerTracer, NoopTracer};

use super::{ids, only};
use crate::middleware::ways::{Way, check, drive, work};
use crate::support::nats_server::{self, CLOSES, NatsServer, UNHEARD};
use crate::support::{events, log_field, recording_tracer};

/// A runtime, a server and a client that is connected to it.
pub(super) struct Connected {
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) server: NatsServer,
    pub(super) client: Client,
}

impl Connected {
    pub(super) fn new() -> Self {
        let server = nats_server::start();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let connecting = async_nats::connect(server.address().to_string());
        let client = runtime.block_on(connecting).expect("a connection");
        Self {
            runtime,
            server,
            client,
        }
    }

    /// Returns the contexts in the headers of the messages that the server got, as `trace id:span id`.
    pub(super) fn written(&self) -> Vec<String> {
        let state = self.server.shared().state();
        let lines = state.own.iter().flat_map(|message| message.headers.lines());
        let values = lines.filter_map(|line| line.strip_prefix("uber-trace-id: "));
        let ids = values.map(|value| value.splitn(3, ':').take(2).collect::<Vec<_>>().join(":"));
        ids.collect()
    }

    fn nats(&self, tracer: &JaegerTracer) -> TracedNats {
        let bus = MessageBus::nats(tracer.clone()).patterns(["orders.*.created"]);
        TracedNats::new(self.client.clone(), bus)
    }

    fn subscribe(&self, nats: &TracedNats, subject: &'static str) -> NatsMessages {
        let subscription = self.runtime.block_on(nats.subscribe(subject));
        subscription.expect("a subscription")
    }

    fn next(&self, messages: &mut NatsMessages) -> NatsMessage {
        self.runtime.block_on(messages.next()).expect("a message")
    }
}

/// Handles a message without an error.
async fn handle() -> io::Result<()> {
    active_span().set_tag("inside", true);
    Ok(())
}

#[test]
fn a_published_message_carries_its_span_to_a_subscriber() {
    let connected = Connected::new();
    let (tracer, spans) = recording_tracer();
    let nats = connected.nats(&tracer);
    let mut orders = connected.subscribe(&nats, "orders.*.created");
    let mut stale = HeaderMap::new();
    stale.insert("Uber-Trace-Id", "1:2:0:1");
    stale.append("uber-trace-id", "3:4:0:1");
    stale.append("uber-trace-id", "5:6:0:1");
    stale.insert("authorization", "canary");
    let page = tracer.start_active_span("page");
    let payload = "canary";
    let publish = nats.publish_with_headers("orders.1234.created", stale, payload.into());
    connected.runtime.block_on(publish).expect("published");
    let sent = only(&spans);
    assert_eq!(sent.operation_name, "To_orders.*.created");
    assert_eq!(sent.parent_id, page.context().span_id());
    let order = connected.next(&mut orders);
    assert_eq!(&*order.payload, b"canary");
    connected
        .runtime
        .block_on(order.run(handle()))
        .expect("handled");
    assert_eq!(connected.written(), [ids(&sent)]);
    assert!(spans.spans().is_empty());
    drop(order);
    let handled = only(&spans);
    assert_eq!(handled.operation_name, "From_orders.*.created");
    assert_eq!(handled.tag_text("inside"), "true");
    assert_eq!(handled.references.len(), 1);
    assert_eq!(handled.references[0].span_id, sent.span_id);
    assert_eq!(handled.references[0].kind, ReferenceType::FollowsFrom);
    for (span, kind) in [(&sent, "producer"), (&handled, "consumer")] {
        for (key, value) in [
            ("span.kind", kind),
            ("component", "async-nats"),
            ("peer.service", "nats"),
            ("message_bus.destination", "orders.1234.created"),
            ("message.bytes", "6"),
        ] {
            assert_eq!(span.tag_text(key), value);
        }
        assert!(span.logs.is_empty(), "{span:?}");
        assert!(!format!("{span:?}").contains("canary"), "{span:?}");
    }
}

#[test]
fn every_way_to_publish_has_a_span_and_keeps_the_subject_for_replies() {
    let connected = Connected::new();
    let (tracer, spans) = recording_tracer();
    let nats = connected.nats(&tracer);
    let mut all = connected.subscribe(&nats, "all.>");
    let mut headers = HeaderMap::new();
    headers.insert("a", "b");
    connected
        .runtime
        .block_on(async {
            nats.publish("all.1", "x".into()).await?;
            nats.publish_with_headers("all.2", headers.clone(), "x".into())
                .await?;
            nats.publish_with_reply("all.3", "replies", "x".into())
                .await?;
            nats.publish_with_reply_and_headers("all.4", "replies", headers, "x".into())
                .await
        })
        .expect("published");
    let sent: Vec<_> = spans.take().iter().map(ids).collect();
    assert_eq!(sent.len(), 4);
    for (reply, header) in [
        (None, None),
        (None, Some("b")),
        (Some("replies"), None),
        (Some("replies"), Some("b")),
    ] {
        let message = connected.next(&mut all);
        assert_eq!(message.reply.as_deref(), reply);
        let headers = message.headers.as_ref().expect("a context");
        assert_eq!(headers.get("a").map(|value| value.as_str()), header);
    }
    assert_eq!(connected.written(), sent);
}

#[test]
fn a_request_lasts_until_its_reply_and_the_one_who_replies_is_its_child() {
    let connected = Connected::new();
    let (tracer, spans) = recording_tracer();
    let nats = connected.nats(&tracer);
    let mut service = connected.subscribe(&nats, "price.*");
    let replier = nats.clone();
    let serving = connected.runtime.spawn(async move {
        let request = service.next().await.expect("a request");
        let (message, handling) = request.into_parts();
        let inbox = message.reply.expect("a subject for the reply");
        let client = replier.get_ref();
        let replying = async { client.publish(inbox, "12".into()).await };
        handling.run(replying).await.expect("replied");
    });
    let mut headers = HeaderMap::new();
    headers.insert("a", "b");
    let asking = nats.request_with_headers("price.teapot", headers, "?".into());
    let reply = connected.runtime.block_on(asking).expect("a reply");
    assert_eq!(&*reply.payload, b"12");
    connected.runtime.block_on(serving).expect("served");
    let handled = spans.find("From_price.*").expect("it has ended");
    let asked = spans.find("To_price.teapot").expect("it has ended");
    assert_eq!(handled.parent_id, Some(asked.span_id));
    assert_eq!(handled.references[0].kind, ReferenceType::ChildOf);
    assert!(asked.logs.is_empty() && handled.logs.is_empty());
}

#[test]
fn a_request_that_fails_is_marked_once() {
    let connected = Connected::new();
    let (tracer, spans) = recording_tracer();
    let nats = connected.nats(&tracer);
    let soon = || Request::new().timeout(Some(Duration::from_millis(50)));
    for (subject, request, kind) in [
        (
            UNHEARD,
            Request::new(),
            "async_nats::error::Error<async_nats::client::RequestErrorKind>",
        ),
        ("silent", soon(), "timeout"),
        // The server goes away in the middle.
        (CLOSES, soon(), "timeout"),
    ] {
        let asked = connected
            .runtime
            .block_on(nats.send_request(subject, request));
        asked.expect_err("no reply");
        let span = only(&spans);
        assert_eq!(span.tag_text("error"), "true", "{subject}");
        assert_eq!(events(&span), ["error"], "{subject}");
        let told = log_field(&span, "error", "error.kind");
        assert_eq!(told.as_deref(), Some(kind), "{subject}");
    }
}

#[test]
fn a_request_that_is_dropped_was_cancelled() {
    let connected = Connected::new();
    let (tracer, spans) = recording_tracer();
    let nats = connected.nats(&tracer);
    connected.runtime.block_on(async {
        let asked = nats.request("silent", "?".into());
        assert!(asked.now_or_never().is_none());
    });
    let span = only(&spans);
    assert_eq!(events(&span), ["cancelled"]);
    assert!(span.tag("error").is_none());
}

#[test]
fn a_message_with_a_malformed_context_is_the_root_of_a_trace() {
    let connected = Connected::new();
    let (tracer, spans) = recording_tracer();
    let nats = connected.nats(&tracer);
    let mut orders = connected.subscribe(&nats, "orders");
    for (value, errors) in [(None, 0), (Some("malformed"), 1)] {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert("uber-trace-id", value);
        }
        let published = connected
            .client
            .publish_with_headers("orders", headers, "x".into());
        connected.runtime.block_on(published).expect("published");
        drop(connected.next(&mut orders));
        assert!(only(&spans).references.is_empty());
        assert_eq!(tracer.metrics().get(Counter::DecodingErrors), errors);
    }
}

#[test]
fn a_member_of_a_group_names_its_messages_after_the_subject() {
    let connected = Connected::new();
    let (tracer, spans) = recording_tracer();
    let nats = connected.nats(&tracer);
    let joined = nats.queue_subscribe("jobs.>", "workers".to_owned());
    let mut jobs = connected.runtime.block_on(joined).expect("joined");
    let inbox = connected.client.new_inbox();
    let mut replies = connected
        .runtime
        .block_on(nats.subscribe(inbox.clone()))
        .expect("a subscription");
    connected
        .runtime
        .block_on(async {
            nats.publish("jobs.7.x", "x".into()).await?;
            nats.publish(inbox, "x".into()).await
        })
        .expect("published");
    drop(connected.next(&mut jobs));
    drop(connected.next(&mut replies));
    let mut names = crate::support::names(&spans);
    names.sort_unstable();
    assert_eq!(
        names,
        ["From__INBOX", "From_jobs.>", "To__INBOX", "To_jobs.7.x"]
    );
}

#[test]
fn a_tracer_that_is_off_leaves_messages_as_they_are() {
    let connected = Connected::new();
    let nats = TracedNats::new(connected.client.clone(), MessageBus::nats(NoopTracer));
    let mut orders = connected.subscribe(&nats, "orders");
    let published = nats.publish("orders", "x".into());
    connected.runtime.block_on(published).expect("published");
    let order = connected.next(&mut orders);
    assert!(order.handling().span().is_noop());
    assert!(order.headers.is_none());
}

/// Headers that NATS cannot carry are left out, and counted.
#[test]
fn baggage_that_would_break_a_header_is_left_out() {
    let (tracer, _spans): (_, InMemoryReporter) = recording_tracer();
    let span = tracer.start_span("page");
    span.set_baggage_item("line", "a\r\nb: canary");
    span.set_baggage_item("user", "Zoë");
    let mut headers = HeaderMap::new();
    tracer.inject(&span.context(), &mut headers);
    assert!(headers.get("uberctx-line").is_none(), "{headers:?}");
    let values = headers.iter().flat_map(|(_, values)| values);
    assert!(
        values
            .into_iter()
            .all(|value| !value.as_str().contains('\n'))
    );
    let read = tracer.extract(&headers).expect("well-formed");
    let read = read.expect("written above");
    assert_eq!(read.baggage().get("user"), Some("Zoë"));
    assert_eq!(read.span_id(), span.context().span_id());
}

#[test]
pub(in crate::middleware) fn a_request_and_a_message_end_in_each_way() {
    let connected = Connected::new();
    let _inside = connected.runtime.enter();
    // Nothing of the program runs in a request, so it does not panic.
    let rows = [
        (Way::Done, "producer"),
        (Way::Error, "producer error=true error"),
        (Way::Cancel, "producer cancelled"),
        (Way::Drop, ""),
        (Way::Timeout, "producer error=true timeout"),
    ];
    let off = connected.nats(&JaegerTracer::disabled());
    let mut prices = connected.subscribe(&off, "price");
    check(rows, |way, tracer| {
        let nats = connected.nats(tracer);
        let soon = Request::new().timeout(Some(Duration::from_millis(50)));
        match way {
            Way::Done => connected.runtime.block_on(async {
                let replying = async {
                    let inbox = prices.next().await.expect("a request").reply.clone();
                    let inbox = inbox.expect("a subject for the reply");
                    off.publish(inbox, "12".into()).await.expect("sent");
                };
                let (reply, ()) = tokio::join!(nats.request("price", "?".into()), replying);
                reply.expect("a reply");
            }),
            Way::Timeout => {
                let asked = nats.send_request("silent", soon);
                connected.runtime.block_on(asked).expect_err("no reply");
            }
            Way::Error => {
                let asked = nats.request(UNHEARD, "?".into());
                connected.runtime.block_on(asked).expect_err("no reply");
            }
            _ => drop(drive(way, nats.request("silent", "?".into()))),
        }
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
        let nats = connected.nats(tracer);
        let mut orders = connected.subscribe(&nats, "orders");
        let sent = connected.client.publish("orders", "1".into());
        connected.runtime.block_on(sent).expect("sent");
        let order = connected.next(&mut orders);
        match way {
            Way::Drop => drop(order),
            _ => drop(drive(way, order.run(work(way)))),
        }
    });
}

//! A trace passes through queues from Rust to Python, to Node and back, and reads back from a real Jaeger.

use std::time::Duration;

use async_nats::jetstream::{self, AckKind, consumer::pull, stream};
use futures_util::TryStreamExt;
use tracehound::{
    middleware::{MessageBus, TracedJetStream},
    prelude::*,
    reporter::{RemoteReporter, sender::UdpSender},
};
use tracehound_interop::{
    Backend, ReferenceKind, StoredSpan, Trace, Value, Version, crossdock::ON_NATS,
};

use crate::{
    Result,
    program::{NatsServer, start_peer},
    runtime, tracer,
};

const WITHIN: Duration = Duration::from_secs(30);

#[test]
fn a_trace_goes_through_queues_to_python_to_node_and_back() -> Result {
    for version in [Version::V1, Version::V2] {
        for peer in &ON_NATS {
            if !peer.is_there_or_skipped()? {
                return Ok(());
            }
        }
        let Some(jaeger) = Backend::start_or_skip(version)? else {
            return Ok(());
        };
        let Some(server) = NatsServer::start()? else {
            return Ok(());
        };
        let trace_id = pass_around(&jaeger, &server)?;
        check(&jaeger.trace(trace_id, SPANS.len())?);
    }
    Ok(())
}

/// Sends an order, which a Python service packs and a Node service ships, and hears of it. Returns the id of the trace.
fn pass_around(jaeger: &Backend, server: &NatsServer) -> Result<u128> {
    let [python, node] = &ON_NATS;
    let packs = ["orders.*.created", "packed"];
    let packer = start_peer(python, server, jaeger, packs)?;
    let ships = ["packed", "orders.7.shipped"];
    let shipper = start_peer(node, server, jaeger, ships)?;

    let sender = UdpSender::new(jaeger.endpoints().compact);
    let tracer = tracer(RemoteReporter::new(sender))?;
    let page = tracer.start_span("order");
    let trace_id = page.context().trace_id().ok_or("a span has one")?;
    runtime()?.block_on(async {
        let client = async_nats::connect(server.url()).await?;
        let context = jetstream::new(client);
        let kept = stream::Config {
            name: "ORDERS".into(),
            subjects: vec!["orders.>".into()],
            ..Default::default()
        };
        let kept = context.create_stream(kept).await?;
        let shipped = pull::Config {
            filter_subject: "orders.*.shipped".into(),
            ..Default::default()
        };
        let shipped = kept.create_consumer(shipped).await?;

        let bus = MessageBus::nats(tracer.clone()).patterns(["orders.*.created"]);
        let orders = TracedJetStream::new(context, bus);
        async {
            let ack = orders.publish("orders.7.created", "one teapot".into());
            ack.await?.await
        }
        .in_span(page.downgrade())
        .await?;
        page.finish();

        let mut messages = orders
            .messages(shipped.messages().await?)
            .subject("orders.*.shipped");
        for kind in [AckKind::Nak(None), AckKind::Ack] {
            let next = tokio::time::timeout(WITHIN, messages.try_next());
            let message = next.await??.ok_or("the stream has no end")?;
            assert_eq!(&*message.payload, b"one teapot");
            message.double_ack_with(kind).await?;
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    })?;
    packer.end()?;
    shipper.end()?;
    tracer.flush(WITHIN);
    Ok(u128::from_be_bytes(trace_id.to_bytes()))
}

/// The spans by service and name, each with its kind and the span that it refers to.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    Option<(&'static str, ReferenceKind)>,
);

const CHILD: ReferenceKind = ReferenceKind::ChildOf;
const FOLLOWS: ReferenceKind = ReferenceKind::FollowsFrom;

const SPANS: [Row; 8] = [
    ("queues-rust", "order", "", None),
    (
        "queues-rust",
        "To_orders.*.created",
        "producer",
        Some(("order", CHILD)),
    ),
    (
        "nats-python",
        "From_orders.*.created",
        "consumer",
        Some(("To_orders.*.created", FOLLOWS)),
    ),
    (
        "nats-python",
        "To_packed",
        "producer",
        Some(("From_orders.*.created", CHILD)),
    ),
    (
        "nats-node",
        "From_packed",
        "consumer",
        Some(("To_packed", FOLLOWS)),
    ),
    (
        "nats-node",
        "To_orders.7.shipped",
        "producer",
        Some(("From_packed", CHILD)),
    ),
    (
        "queues-rust",
        "From_orders.*.shipped",
        "consumer",
        Some(("To_orders.7.shipped", FOLLOWS)),
    ),
    (
        "queues-rust",
        "From_orders.*.shipped",
        "consumer",
        Some(("To_orders.7.shipped", FOLLOWS)),
    ),
];

fn check(trace: &Trace) {
    let mut spans: Vec<_> = trace.spans.iter().collect();
    assert_eq!(spans.len(), SPANS.len(), "{spans:#?}");
    for (service, operation, kind, refers) in SPANS {
        let is_it = |span: &&StoredSpan| span.service == service && span.operation == operation;
        let at = spans.iter().position(is_it);
        let span = spans.remove(at.unwrap_or_else(|| unreachable!("no {operation}: {spans:#?}")));
        assert_eq!(text(span, "span.kind"), kind, "{operation}");
        let refers = refers.map(|(other, kind)| {
            let others = trace.spans.iter();
            let other = others.filter(|span| span.operation == other);
            (other.map(|span| span.span_id).next(), kind)
        });
        let told = span.references.iter();
        let told: Vec<_> = told.map(|to| (Some(to.span_id), to.kind)).collect();
        assert_eq!(told, Vec::from_iter(refers), "{operation}");
    }
    let mut received: Vec<_> = trace.spans.iter().collect();
    received.retain(|span| span.operation == "From_orders.*.shipped");
    received.sort_by_key(|span| span.start_us);
    for (span, (event, redeliveries)) in received.iter().zip([("nak", ""), ("ack", "1")]) {
        let fields = span.logs.iter().flat_map(|log| &log.fields);
        let events: Vec<_> = fields.map(|field| shown(&field.value)).collect();
        assert_eq!(events, [event]);
        assert_eq!(text(span, "message.redeliveries"), redeliveries);
        assert_eq!(text(span, "nats.stream"), "ORDERS");
        let waited: u64 = text(span, "queue.wait_us").parse().unwrap_or(u64::MAX);
        assert!(waited < 30_000_000, "{waited}");
    }
}

/// Returns a tag as text, or nothing.
fn text(span: &StoredSpan, key: &str) -> String {
    let tag = span.tags.iter().find(|tag| tag.key == key);
    tag.map(|tag| shown(&tag.value)).unwrap_or_default()
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Long(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

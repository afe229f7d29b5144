//! The recipe for lapin, at a RabbitMQ: what it takes, refuses and delivers again, and channels and brokers that go.

use std::{
    future::{pending, ready},
    io,
    time::Duration,
};

use futures_util::{FutureExt, StreamExt};
use lapin::{
    Channel, Connection, ConnectionProperties, Consumer,
    message::Delivery,
    options::{
        BasicConsumeOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};
use tracehound::{
    middleware::MessageBus,
    prelude::*,
    reporter::{InMemoryReporter, OwnedSpan},
};

use crate::{
    Result,
    amqp_recipe::{handle, send},
    events, follows, in_memory, only,
    rabbitmq_server::RabbitMqServer,
    runtime,
};

const WITHIN: Duration = Duration::from_secs(60);

/// A program that is connected to a RabbitMQ.
struct Client {
    connection: Connection,
    bus: MessageBus,
    spans: InMemoryReporter,
}

impl Client {
    async fn connect(server: &RabbitMqServer) -> Result<Self> {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(&server.url(), properties).await?;
        let (tracer, spans) = in_memory()?;
        let bus = MessageBus::new(tracer, "rabbitmq");
        Ok(Self {
            connection,
            bus,
            spans,
        })
    }

    /// Opens a channel that asks for confirmations.
    async fn channel(&self) -> Result<Channel> {
        let channel = self.connection.create_channel().await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        Ok(channel)
    }
}

/// Declares a queue with settings.
async fn declare(channel: &Channel, name: &str, settings: &[(&str, AMQPValue)]) -> Result {
    let mut table = FieldTable::default();
    for (key, value) in settings {
        table.insert((*key).into(), value.clone());
    }
    let options = QueueDeclareOptions::default();
    channel.queue_declare(name.into(), options, table).await?;
    Ok(())
}

async fn consumer(channel: &Channel, queue: &str) -> Result<Consumer> {
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
    Ok(consumer.await?)
}

async fn next(consumer: &mut Consumer) -> Result<Delivery> {
    let delivery = tokio::time::timeout(WITHIN, consumer.next()).await?;
    Ok(delivery.ok_or("the consumer has ended")??)
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

#[test]
fn messages_at_a_real_rabbitmq_have_their_spans() -> Result {
    let Some(mut server) = RabbitMqServer::start()? else {
        return Ok(());
    };
    runtime()?.block_on(async {
        let client = Client::connect(&server).await?;
        a_message_is_sent_handled_and_acknowledged(&client).await?;
        a_message_that_fails_comes_again_once_and_then_goes_to_the_dead_letters(&client).await?;
        a_message_that_the_broker_does_not_take_is_marked(&client).await?;
        work_that_is_dropped_was_cancelled(&client).await?;
        a_channel_that_the_broker_closes_marks_what_runs_on_it(&client).await?;
        a_broker_that_goes_away_marks_what_waits_for_it(&client, || server.end()).await?;
        assert!(client.spans.take().is_empty() && active_span().is_noop());
        Ok(())
    })
}

async fn a_message_is_sent_handled_and_acknowledged(client: &Client) -> Result {
    let Client { bus, spans, .. } = client;
    let channel = client.channel().await?;
    declare(&channel, "orders", &[]).await?;
    send(bus, &channel, "orders", b"one teapot").await?;
    let sent = only(spans)?;
    assert_eq!(sent.operation_name, "To_orders");
    for (key, value) in [
        ("span.kind", "producer"),
        ("component", "rabbitmq"),
        ("message_bus.destination", "orders"),
        ("message.bytes", "10"),
    ] {
        assert_eq!(sent.tag_text(key), value, "{key}");
    }
    assert!(sent.logs.is_empty(), "{sent:?}");

    let mut orders = consumer(&channel, "orders").await?;
    let delivery = next(&mut orders).await?;
    let work = async {
        active_span().set_tag("inside", true);
        Ok::<_, io::Error>(())
    };
    handle(bus, &delivery, work).await?;
    let handled = only(spans)?;
    assert_eq!(handled.operation_name, "From_orders");
    assert_eq!(handled.tag_text("span.kind"), "consumer");
    assert_eq!(handled.tag_text("inside"), "true");
    assert!(handled.tag("message.redeliveries").is_none());
    assert_eq!(follows(&handled), [sent.span_id]);
    assert_eq!(events(&handled), ["ack"]);
    Ok(())
}

async fn a_message_that_fails_comes_again_once_and_then_goes_to_the_dead_letters(
    client: &Client,
) -> Result {
    let Client { bus, spans, .. } = client;
    let channel = client.channel().await?;
    declare(&channel, "dead", &[]).await?;
    let settings = [
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text("dead")),
    ];
    declare(&channel, "fragile", &settings).await?;
    send(bus, &channel, "fragile", b"one teapot").await?;
    let sent = only(spans)?;
    let mut fragile = consumer(&channel, "fragile").await?;
    for redeliveries in ["", "1"] {
        let delivery = next(&mut fragile).await?;
        let broken = ready(Err(io::Error::other("no box for 'canary'")));
        handle(bus, &delivery, broken).await?;
        let failed = only(spans)?;
        assert_eq!(failed.tag_text("message.redeliveries"), redeliveries);
        assert_eq!(failed.tag_text("error"), "true");
        assert_eq!(events(&failed), ["error", "nack"]);
        assert_eq!(follows(&failed), [sent.span_id]);
        assert!(!format!("{failed:?}").contains("canary"), "{failed:?}");
    }
    // The broker adds a header that is no text, and keeps those of the sender.
    let mut dead = consumer(&channel, "dead").await?;
    let delivery = next(&mut dead).await?;
    handle(bus, &delivery, ready(Ok::<_, io::Error>(()))).await?;
    let buried = only(spans)?;
    assert_eq!(buried.operation_name, "From_dead");
    assert_eq!(follows(&buried), [sent.span_id]);
    assert_eq!(events(&buried), ["ack"]);
    Ok(())
}

async fn a_message_that_the_broker_does_not_take_is_marked(client: &Client) -> Result {
    let Client { bus, spans, .. } = client;
    let channel = client.channel().await?;
    let settings = [
        ("x-max-length", AMQPValue::LongInt(1)),
        ("x-overflow", text("reject-publish")),
    ];
    declare(&channel, "small", &settings).await?;
    let mut refused = Vec::new();
    // The broker may take one more before it counts.
    while refused.is_empty() {
        send(bus, &channel, "small", b"canary").await?;
        refused = spans.take();
        refused.retain(|span| span.tag("error").is_some());
    }
    let [refused] = <[OwnedSpan; 1]>::try_from(refused).map_err(|spans| format!("{spans:#?}"))?;
    assert_eq!(events(&refused), ["error"]);
    assert!(!format!("{refused:?}").contains("canary"), "{refused:?}");
    Ok(())
}

async fn work_that_is_dropped_was_cancelled(client: &Client) -> Result {
    let Client { bus, spans, .. } = client;
    let channel = client.channel().await?;
    declare(&channel, "slow", &[]).await?;
    let left = send(bus, &channel, "slow", b"one teapot").now_or_never();
    assert!(left.is_none(), "the broker has not answered yet");
    assert_eq!(events(&only(spans)?), ["cancelled"]);
    send(bus, &channel, "slow", b"one teapot").await?;
    let sent = only(spans)?;
    let mut slow = consumer(&channel, "slow").await?;
    loop {
        let delivery = next(&mut slow).await?;
        let left = handle(bus, &delivery, pending::<io::Result<()>>()).now_or_never();
        assert!(left.is_none());
        let handled = only(spans)?;
        assert_eq!(events(&handled), ["cancelled"]);
        // lapin may have sent the other one.
        if follows(&handled) == [sent.span_id] {
            return Ok(());
        }
    }
}

async fn a_channel_that_the_broker_closes_marks_what_runs_on_it(client: &Client) -> Result {
    let Client { bus, spans, .. } = client;
    let channel = client.channel().await?;
    declare(&channel, "lost", &[]).await?;
    send(bus, &channel, "lost", b"one teapot").await?;
    let sent = only(spans)?;
    let mut lost = consumer(&channel, "lost").await?;
    let delivery = next(&mut lost).await?;
    // The broker closes the channel of a program that asks for what cannot be.
    let options = ExchangeDeclareOptions {
        passive: true,
        ..Default::default()
    };
    let kind = lapin::ExchangeKind::Direct;
    let asked = channel.exchange_declare("nowhere".into(), kind, options, FieldTable::default());
    asked.await.expect_err("there is no such exchange");

    handle(bus, &delivery, ready(Ok::<_, io::Error>(())))
        .await
        .expect_err("the channel is closed");
    let handled = only(spans)?;
    assert_eq!(handled.tag_text("error"), "true");
    assert_eq!(events(&handled), ["error"]);
    send(bus, &channel, "lost", b"canary")
        .await
        .expect_err("the channel is closed");
    let unsent = only(spans)?;
    assert_eq!(events(&unsent), ["error"]);
    assert!(!format!("{unsent:?}").contains("canary"), "{unsent:?}");

    // What was not acknowledged comes again on another channel.
    let channel = client.channel().await?;
    let mut lost = consumer(&channel, "lost").await?;
    let delivery = next(&mut lost).await?;
    handle(bus, &delivery, ready(Ok::<_, io::Error>(()))).await?;
    let handled = only(spans)?;
    assert_eq!(handled.tag_text("message.redeliveries"), "1");
    assert_eq!(follows(&handled), [sent.span_id]);
    Ok(())
}

async fn a_broker_that_goes_away_marks_what_waits_for_it(
    client: &Client,
    end: impl FnOnce(),
) -> Result {
    let Client { bus, spans, .. } = client;
    let channel = client.channel().await?;
    declare(&channel, "last", &[]).await?;
    send(bus, &channel, "last", b"one teapot").await?;
    let sent = only(spans)?;
    let mut last = consumer(&channel, "last").await?;
    let delivery = next(&mut last).await?;
    end();
    let sending = send(bus, &channel, "last", b"canary");
    let sending = tokio::time::timeout(WITHIN, sending).await?;
    sending.expect_err("the broker is gone");
    let unsent = only(spans)?;
    assert_eq!(events(&unsent), ["error"]);
    assert!(!format!("{unsent:?}").contains("canary"), "{unsent:?}");
    let handling = handle(bus, &delivery, ready(Ok::<_, io::Error>(())));
    let handling = tokio::time::timeout(WITHIN, handling).await?;
    handling.expect_err("the broker is gone");
    let handled = only(spans)?;
    assert_eq!(events(&handled), ["error"]);
    assert_eq!(follows(&handled), [sent.span_id]);
    Ok(())
}

//! JetStream of a real server: batches, duplicates, refusals, and a server that goes away.

use std::time::Duration;

use async_nats::{
    Request,
    jetstream::{self, consumer::pull, message::PublishMessage, stream},
};
use futures_util::{StreamExt, TryStreamExt};
use tracehound::{
    middleware::{MessageBus, TracedJetStream, TracedNats},
    prelude::*,
};

use crate::{Result, events, in_memory, program::NatsServer, runtime};

#[test]
fn a_batch_that_is_fetched_is_handled_in_one_span_that_refers_to_all() -> Result {
    let Some(server) = NatsServer::start()? else {
        return Ok(());
    };
    let (tracer, spans) = in_memory()?;
    runtime()?.block_on(async {
        let client = async_nats::connect(server.url()).await?;
        let context = jetstream::new(client);
        let kept = stream::Config {
            name: "ORDERS".into(),
            subjects: vec!["orders".into()],
            ..Default::default()
        };
        let kept = context.create_stream(kept).await?;
        let consumer = kept.create_consumer(pull::Config::default()).await?;
        let bus = MessageBus::nats(tracer.clone());
        let orders = TracedJetStream::new(context, bus.clone());
        for id in ["1", "2", "3", "3"] {
            let message = PublishMessage::build().message_id(id).payload(id.into());
            let ack = orders.send_publish("orders", message).await?.await?;
            let is_second = spans.spans().len() == 4;
            assert_eq!(ack.duplicate, is_second);
        }
        let sent = spans.take();
        assert_eq!(sent[3].tag_text("message.duplicate"), "true");
        assert_eq!(sent[2].tag_text("offset"), "3");

        let batch = consumer.fetch().max_messages(3).messages().await?;
        let batch: Vec<_> = batch.try_collect().await?;
        let headers = batch.iter().filter_map(|message| message.headers.as_ref());
        let handling = bus.receive("orders").start_batch(headers);
        for message in &batch {
            handling.settle("ack", message.double_ack()).await?;
        }
        handling.finish();
        let handled = spans.take().remove(0);
        assert_eq!(handled.tag_text("message.count"), "3");
        assert_eq!(events(&handled), ["ack", "ack", "ack"]);
        let referred = handled.references.iter().map(|to| to.span_id);
        let senders = sent.iter().take(3).map(|span| span.span_id);
        assert!(referred.eq(senders));
        Ok(())
    })
}

#[test]
fn a_message_that_the_server_does_not_take_is_marked() -> Result {
    let Some(server) = NatsServer::start()? else {
        return Ok(());
    };
    let (tracer, spans) = in_memory()?;
    runtime()?.block_on(async {
        let client = async_nats::connect(server.url()).await?;
        let nats = TracedNats::new(client.clone(), MessageBus::nats(tracer.clone()));
        nats.request("nobody.listens", "canary".into())
            .await
            .expect_err("nobody listens");
        let orders = TracedJetStream::new(jetstream::new(client), MessageBus::nats(tracer.clone()));
        let ack = orders.publish("not.stored", "canary".into()).await?;
        ack.await.expect_err("no stream stores it");
        for span in spans.take() {
            assert_eq!(span.tag_text("error"), "true");
            assert_eq!(events(&span), ["error"]);
            assert!(!format!("{span:?}").contains("canary"), "{span:?}");
        }
        Ok(())
    })
}

#[test]
fn a_server_that_goes_away_leaves_one_marked_span_for_what_waits() -> Result {
    let Some(server) = NatsServer::start()? else {
        return Ok(());
    };
    let (tracer, spans) = in_memory()?;
    runtime()?.block_on(async {
        let client = async_nats::connect(server.url()).await?;
        let nats = TracedNats::new(client, MessageBus::nats(tracer.clone()));
        let mut service = nats.subscribe("price").await?;
        let soon = Request::new().timeout(Some(Duration::from_secs(1)));
        let asking = nats.send_request("price", soon);
        let asked = async {
            let request = service.next().await.ok_or("there is one")?;
            drop(server);
            drop(request);
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        };
        let (reply, asked) = tokio::join!(asking, asked);
        asked?;
        reply.expect_err("the server is gone");
        let mut spans = spans.take();
        spans.sort_by(|one, other| one.operation_name.cmp(&other.operation_name));
        let [handled, asked] = &spans[..] else {
            return Err(format!("two spans: {spans:#?}").into());
        };
        assert_eq!(handled.parent_id, Some(asked.span_id));
        assert_eq!(events(asked), ["error"]);
        assert_eq!(asked.tag_text("error"), "true");
        assert!(handled.logs.is_empty() && active_span().is_noop());
        Ok(())
    })
}

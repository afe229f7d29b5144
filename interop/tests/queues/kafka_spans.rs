//! The recipe for rdkafka, over the cluster of Kafka in memory that its library has.

use std::{
    future::{pending, ready},
    io,
    pin::pin,
    task::{Context, Waker},
    time::Duration,
};

use futures_util::StreamExt;
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{Consumer, StreamConsumer},
    message::{BorrowedMessage, Headers, OwnedMessage},
    mocking::MockCluster,
    producer::{DefaultProducerContext, FutureProducer, Producer, ThreadedProducer},
    types::{RDKafkaApiKey, RDKafkaRespErr},
};
use tracehound::{
    JaegerTracer,
    middleware::MessageBus,
    prelude::*,
    reporter::{InMemoryReporter, OwnedSpan},
};
use tracehound_interop::poll;

use crate::{
    Result, events, follows, in_memory,
    kafka_recipe::{EndSpans, enqueue, handle, handle_all, send},
    only, runtime,
};

const TOPIC: &str = "orders";
const WITHIN: Duration = Duration::from_secs(60);

/// A cluster with one empty topic of one partition.
struct Kafka {
    cluster: MockCluster<'static, DefaultProducerContext>,
    tracer: JaegerTracer,
    spans: InMemoryReporter,
    bus: MessageBus,
}

impl Kafka {
    fn start() -> Result<Self> {
        let cluster = MockCluster::new(1)?;
        cluster.create_topic(TOPIC, 1, 1)?;
        let (tracer, spans) = in_memory()?;
        let bus = MessageBus::new(tracer.clone(), "kafka");
        Ok(Self {
            cluster,
            tracer,
            spans,
            bus,
        })
    }

    fn settings(&self) -> ClientConfig {
        let mut settings = ClientConfig::new();
        settings.set("bootstrap.servers", self.cluster.bootstrap_servers());
        settings
    }

    /// Returns a member of the one group, which continues after the last message that the group has committed.
    fn consumer(&self) -> Result<StreamConsumer> {
        let consumer: StreamConsumer = self
            .settings()
            .set("group.id", "pack")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .create()?;
        let mut partition = TopicPartitionList::new();
        partition.add_partition_offset(TOPIC, 0, Offset::Stored)?;
        // Members that share partitions out would wait for others first.
        consumer.assign(&partition)?;
        Ok(consumer)
    }
}

async fn next(consumer: &StreamConsumer) -> Result<BorrowedMessage<'_>> {
    Ok(tokio::time::timeout(WITHIN, consumer.recv()).await??)
}

fn ship() -> impl Future<Output = io::Result<()>> {
    ready(Ok(()))
}

#[test]
fn a_message_carries_the_trace_in_one_header_of_bytes_for_each_format() -> Result {
    let kafka = Kafka::start()?;
    runtime()?.block_on(async {
        let producer: FutureProducer = kafka.settings().create()?;
        let page = kafka.tracer.start_span("page");
        send(&kafka.bus, &producer, TOPIC, b"one teapot")
            .in_span(page.downgrade())
            .await?;
        let sent = only(&kafka.spans)?;
        assert_eq!(sent.operation_name, "To_orders");
        assert_eq!(sent.parent_id, page.context().span_id());
        for (key, value) in [
            ("span.kind", "producer"),
            ("component", "kafka"),
            ("message_bus.destination", TOPIC),
            ("message.bytes", "10"),
            ("partition", "0"),
            ("offset", "0"),
        ] {
            assert_eq!(sent.tag_text(key), value, "{key}");
        }

        let consumer = kafka.consumer()?;
        let message = next(&consumer).await?;
        let headers = message.headers().ok_or("it has headers")?;
        let of = |name: &str| {
            let found: Vec<_> = headers.iter().filter(|header| header.key == name).collect();
            assert_eq!(found.len(), 1, "{name}");
            String::from_utf8_lossy(found[0].value.unwrap_or_default()).into_owned()
        };
        let id = sent.span_id.to_string();
        assert!(of("uber-trace-id").contains(&id) && of("traceparent").contains(&id));

        handle(&kafka.bus, &consumer, &message, ship()).await?;
        let handled = only(&kafka.spans)?;
        assert_eq!(handled.operation_name, "From_orders");
        assert_eq!(handled.tag_text("span.kind"), "consumer");
        assert_eq!(handled.tag_text("offset"), "0");
        assert_eq!(handled.trace_id, sent.trace_id);
        assert_eq!(follows(&handled), [sent.span_id]);
        assert_eq!(events(&handled), ["commit"]);
        let waited: u64 = handled.tag_text("queue.wait_us").parse()?;
        assert!(waited < 60_000_000, "{waited}");
        Ok(())
    })
}

#[test]
fn a_message_that_was_not_committed_comes_again_and_follows_from_the_same_sender() -> Result {
    let kafka = Kafka::start()?;
    runtime()?.block_on(async {
        let producer: FutureProducer = kafka.settings().create()?;
        for payload in [b"1", b"2"] {
            send(&kafka.bus, &producer, TOPIC, payload).await?;
        }
        let [first, second] = <[OwnedSpan; 2]>::try_from(kafka.spans.take())
            .map_err(|spans| format!("two spans: {spans:#?}"))?;

        let consumer = kafka.consumer()?;
        let message = next(&consumer).await?;
        let refused = ready(Err(io::Error::other("no box for 'canary'")));
        handle(&kafka.bus, &consumer, &message, refused).await?;
        let failed = only(&kafka.spans)?;
        assert_eq!(events(&failed), ["error"]);
        assert_eq!(failed.tag_text("error"), "true");
        assert!(!format!("{failed:?}").contains("canary"), "{failed:?}");
        assert_eq!(follows(&failed), [first.span_id]);
        drop(message);
        drop(consumer);

        let consumer = kafka.consumer()?;
        let message = next(&consumer).await?;
        assert_eq!(message.payload(), Some(&b"1"[..]));
        handle(&kafka.bus, &consumer, &message, ship()).await?;
        let handled = only(&kafka.spans)?;
        assert_eq!(follows(&handled), [first.span_id]);
        assert_ne!(handled.span_id, failed.span_id);
        drop(message);
        // The commit is under way.
        poll(WITHIN, Duration::from_millis(20), || {
            let committed = consumer.committed(WITHIN);
            let committed = committed.map_err(|error| error.to_string())?;
            let offset = committed.find_partition(TOPIC, 0).map(|one| one.offset());
            match offset {
                Some(Offset::Offset(1)) => Ok(()),
                other => Err(format!("committed: {other:?}")),
            }
        })?;
        drop(consumer);

        let consumer = kafka.consumer()?;
        let message = next(&consumer).await?;
        assert_eq!(message.payload(), Some(&b"2"[..]));
        handle(&kafka.bus, &consumer, &message, ship()).await?;
        assert_eq!(follows(&only(&kafka.spans)?), [second.span_id]);
        Ok(())
    })
}

#[test]
fn messages_that_are_handled_together_have_one_span_that_refers_to_all_senders() -> Result {
    let kafka = Kafka::start()?;
    runtime()?.block_on(async {
        let producer: FutureProducer = kafka.settings().create()?;
        let page = kafka.tracer.start_span("page");
        for payload in [b"1", b"2", b"3"] {
            let sending = send(&kafka.bus, &producer, TOPIC, payload);
            sending.in_span(page.downgrade()).await?;
        }
        let sent = kafka.spans.take();
        let consumer = kafka.consumer()?;
        let messages = consumer.stream().take(3);
        let messages = messages.map(|message| message.map(|message| message.detach()));
        let batch: Vec<_> = tokio::time::timeout(WITHIN, messages.collect()).await?;
        let batch: Vec<OwnedMessage> = batch.into_iter().collect::<std::result::Result<_, _>>()?;
        handle_all(&kafka.bus, TOPIC, &batch, ship()).await?;
        let handled = only(&kafka.spans)?;
        assert_eq!(handled.operation_name, "From_orders");
        assert_eq!(handled.tag_text("message.count"), "3");
        let senders: Vec<_> = sent.iter().map(|span| span.span_id).collect();
        assert_eq!(follows(&handled), senders);
        Ok(())
    })
}

#[test]
fn a_message_that_the_broker_refuses_is_marked_once() -> Result {
    let kafka = Kafka::start()?;
    runtime()?.block_on(async {
        let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_RECORD;
        let refuse = || {
            let errors = [refusal];
            kafka
                .cluster
                .request_errors(RDKafkaApiKey::Produce, &errors);
        };
        let check = |span: &OwnedSpan| {
            assert_eq!(span.operation_name, "To_orders");
            assert_eq!(span.tag_text("error"), "true");
            assert_eq!(events(span), ["error"]);
            assert!(span.tag("offset").is_none(), "{span:?}");
            assert!(!format!("{span:?}").contains("canary"), "{span:?}");
        };
        let producer: FutureProducer = kafka.settings().create()?;
        refuse();
        send(&kafka.bus, &producer, TOPIC, b"canary")
            .await
            .expect_err("it is refused");
        check(&only(&kafka.spans)?);

        let producer = kafka.settings();
        let producer: ThreadedProducer<EndSpans> = producer.create_with_context(EndSpans)?;
        refuse();
        enqueue(&kafka.bus, &producer, TOPIC, b"canary")?;
        producer.flush(WITHIN)?;
        check(&only(&kafka.spans)?);
        enqueue(&kafka.bus, &producer, TOPIC, b"one teapot")?;
        producer.flush(WITHIN)?;
        let stored = only(&kafka.spans)?;
        assert!(stored.logs.is_empty(), "{stored:?}");
        assert_eq!(stored.tag_text("offset"), "0");
        Ok(())
    })
}

#[test]
fn a_message_that_finds_no_room_or_no_broker_has_one_marked_span() -> Result {
    let kafka = Kafka::start()?;
    kafka.cluster.broker_down(1)?;
    let mut settings = kafka.settings();
    settings
        .set("message.timeout.ms", "300")
        .set("queue.buffering.max.messages", "1");
    let producer: ThreadedProducer<EndSpans> = settings.create_with_context(EndSpans)?;
    enqueue(&kafka.bus, &producer, TOPIC, b"1")?;
    enqueue(&kafka.bus, &producer, TOPIC, b"2").expect_err("the queue is full");
    let refused = only(&kafka.spans)?;
    assert_eq!(events(&refused), ["error"]);
    producer.flush(WITHIN)?;
    let late = only(&kafka.spans)?;
    assert_eq!(events(&late), ["error"]);

    // A producer that ends tells what becomes of its messages.
    let settings = settings.set("message.timeout.ms", "60000");
    let producer: ThreadedProducer<EndSpans> = settings.create_with_context(EndSpans)?;
    enqueue(&kafka.bus, &producer, TOPIC, b"3")?;
    drop(producer);
    assert_eq!(events(&only(&kafka.spans)?), ["error"]);
    Ok(())
}

#[test]
fn work_that_is_dropped_before_its_end_was_cancelled() -> Result {
    let kafka = Kafka::start()?;
    runtime()?.block_on(async {
        let producer: FutureProducer = kafka.settings().create()?;
        let poll_once = |work: &mut (dyn Future<Output = ()> + Unpin)| {
            let polled = pin!(work).poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
        };
        {
            let mut sending = Box::pin(async {
                let _ = send(&kafka.bus, &producer, TOPIC, b"one teapot").await;
            });
            poll_once(&mut sending);
        }
        assert_eq!(events(&only(&kafka.spans)?), ["cancelled"]);
        // The client sends it all the same.
        let consumer = kafka.consumer()?;
        let message = next(&consumer).await?;
        {
            let mut handling = Box::pin(async {
                let never = pending::<io::Result<()>>();
                let _ = handle(&kafka.bus, &consumer, &message, never).await;
            });
            poll_once(&mut handling);
        }
        assert_eq!(events(&only(&kafka.spans)?), ["cancelled"]);
        assert!(active_span().is_noop());
        Ok(())
    })
}

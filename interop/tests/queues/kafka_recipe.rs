use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, UNIX_EPOCH};

use rdkafka::ClientContext;
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, FutureProducer, FutureRecord};
use rdkafka::producer::{ProducerContext, ThreadedProducer};
use tracehound::middleware::{MessageBus, ProducerSpan};
use tracehound::propagation::{ExtractCarrier, HeaderScan, MessageHeaders};
use tracehound::propagation::{ReadFrom, TextMapReader};

/// Sends a message, and waits until a broker has stored it.
pub(crate) async fn send(
    bus: &MessageBus,
    producer: &FutureProducer,
    topic: &str,
    payload: &[u8],
) -> KafkaResult<()> {
    let (sending, headers) = start(bus, topic, payload);
    let record = FutureRecord::<[u8], _>::to(topic).payload(payload);
    let record = record.headers(headers);
    let stored = async {
        let sent = producer.send(record, Duration::from_secs(5)).await;
        sent.map_err(|(error, _)| error)
    };
    let stored = sending.run(stored).await?;
    sending.stored_at(stored.partition, stored.offset);
    Ok(())
}

/// Starts the span of a message. `OwnedHeaders` can only grow, so a list comes first.
fn start(bus: &MessageBus, topic: &str, payload: &[u8]) -> (ProducerSpan, OwnedHeaders) {
    let mut list: Vec<(String, Vec<u8>)> = Vec::new();
    let sending = bus.send(topic).payload(payload);
    let sending = sending.start(&mut MessageHeaders(&mut list));
    let headers = OwnedHeaders::new_with_capacity(list.len());
    let headers = list.iter().fold(headers, |headers, (key, value)| {
        let value = Some(value);
        headers.insert(Header { key, value })
    });
    (sending, headers)
}

/// Ends the spans of messages where a callback hears of them: `ThreadedProducer<EndSpans>`.
pub(crate) struct EndSpans;

impl ClientContext for EndSpans {}

impl ProducerContext for EndSpans {
    type DeliveryOpaque = Box<ProducerSpan>;

    fn delivery(&self, result: &DeliveryResult<'_>, sending: Box<ProducerSpan>) {
        match result {
            Ok(stored) => sending.stored_at(stored.partition(), stored.offset()),
            Err((error, _)) => sending.fail(error),
        };
        sending.finish();
    }
}

/// Puts a message into the queue of the producer, and waits for nothing.
pub(crate) fn enqueue(
    bus: &MessageBus,
    producer: &ThreadedProducer<EndSpans>,
    topic: &str,
    payload: &[u8],
) -> KafkaResult<()> {
    let (sending, headers) = start(bus, topic, payload);
    let record = BaseRecord::<[u8], _, _>::with_opaque_to(topic, Box::new(sending));
    let record = record.payload(payload).headers(headers);
    producer.send(record).map_err(|(error, refused)| {
        refused.delivery_opaque.fail(&error);
        error
    })
}

/// The headers of a message that was received.
struct KafkaHeaders<'a, H>(Option<&'a H>);

impl<H: Headers> TextMapReader for KafkaHeaders<'_, H> {
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        for header in self.0.into_iter().flat_map(Headers::iter) {
            scan.offer(header.key, header.value.unwrap_or_default());
        }
    }
}

impl<H: Headers> ExtractCarrier for KafkaHeaders<'_, H> {
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::TextMap(self)
    }
}

/// Runs `work` for a message, and commits the offset if that succeeds.
pub(crate) async fn handle<E: Display + 'static>(
    bus: &MessageBus,
    consumer: &StreamConsumer,
    message: &BorrowedMessage<'_>,
    work: impl Future<Output = Result<(), E>>,
) -> KafkaResult<()> {
    let mut received = bus
        .receive(message.topic())
        .partition(message.partition())
        .offset(message.offset())
        .payload(message.payload().unwrap_or_default());
    if let Some(Ok(sent_at)) = message.timestamp().to_millis().map(u64::try_from) {
        received = received.sent_at(UNIX_EPOCH + Duration::from_millis(sent_at));
    }
    let handling = received.start(&KafkaHeaders(message.headers()));
    if handling.run(work).await.is_ok() {
        let commit = async { consumer.commit_message(message, CommitMode::Async) };
        handling.settle("commit", commit).await?;
    }
    Ok(())
}

/// Runs `work` for messages of a topic in one span, which refers to each of their senders.
pub(crate) async fn handle_all<M: Message, E: Display + 'static>(
    bus: &MessageBus,
    topic: &str,
    messages: &[M],
    work: impl Future<Output = Result<(), E>>,
) -> Result<(), E> {
    let headers = messages
        .iter()
        .map(|message| KafkaHeaders(message.headers()));
    bus.receive(topic).start_batch(headers).run(work).await
}

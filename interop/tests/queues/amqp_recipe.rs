use std::fmt::Display;
use std::future::Future;
use std::io;

use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicNackOptions, BasicPublishOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel};
use tracehound::middleware::MessageBus;
use tracehound::propagation::{ExtractCarrier, HeaderScan, MessageHeaders};
use tracehound::propagation::{ReadFrom, TextMapReader};

/// Sends a message to a queue, and waits for the broker's confirmation, if the channel asks for it.
pub(crate) async fn send(
    bus: &MessageBus,
    channel: &Channel,
    queue: &str,
    payload: &[u8],
) -> lapin::Result<()> {
    let mut list: Vec<(String, Vec<u8>)> = Vec::new();
    let sending = bus.send(queue).payload(payload);
    let sending = sending.start(&mut MessageHeaders(&mut list));
    let mut headers = FieldTable::default();
    for (name, value) in list {
        // A name of more than 255 bytes does not fit.
        if let Ok(name) = ShortString::try_new(name) {
            headers.insert(name, AMQPValue::LongString(value.into()));
        }
    }
    let properties = BasicProperties::default().with_headers(headers);
    let options = BasicPublishOptions::default();
    let publish = async {
        let sent = channel.basic_publish("".into(), queue.into(), options, payload, properties);
        sent.await?.await
    };
    if sending.run(publish).await?.is_nack() {
        sending.fail(&"the broker refused the message");
    }
    Ok(())
}

/// The headers of a message that was received.
struct AmqpHeaders<'a>(Option<&'a FieldTable>);

impl TextMapReader for AmqpHeaders<'_> {
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
        for (name, value) in self.0.into_iter().flatten() {
            match value {
                AMQPValue::LongString(text) => scan.offer(name.as_str(), text.as_bytes()),
                AMQPValue::ShortString(text) => scan.offer(name.as_str(), text.as_str().as_bytes()),
                _ => {}
            }
        }
    }
}

impl ExtractCarrier for AmqpHeaders<'_> {
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::TextMap(self)
    }
}

/// Runs `work` for a message. One that fails comes again once. If it fails then, it goes to the dead letters.
pub(crate) async fn handle<E: Display + 'static>(
    bus: &MessageBus,
    delivery: &Delivery,
    work: impl Future<Output = Result<(), E>>,
) -> lapin::Result<()> {
    let handling = bus
        .receive(delivery.routing_key.as_str())
        .redeliveries(u64::from(delivery.redelivered))
        .payload(&delivery.data)
        .start(&AmqpHeaders(delivery.properties.headers().as_ref()));
    let acker = &delivery.acker;
    if handling.run(work).await.is_ok() {
        let ack = acker.ack(BasicAckOptions::default());
        handling.settle("ack", told(ack)).await
    } else {
        let requeue = !delivery.redelivered;
        let multiple = false;
        let nack = acker.nack(BasicNackOptions { multiple, requeue });
        handling.settle("nack", told(nack)).await
    }
}

/// Turns what lapin answers after the channel has ended, which is no error but `false`, into one.
async fn told(settled: impl Future<Output = lapin::Result<bool>>) -> lapin::Result<()> {
    match settled.await? {
        true => Ok(()),
        false => Err(io::Error::other("the channel has ended").into()),
    }
}

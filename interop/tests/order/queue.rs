//! The way from the shop to the packer.

use tokio::sync::mpsc;
use tracehound::{
    JaegerTracer,
    middleware::{ConsumerSpan, MessageBus},
    propagation::MessageHeaders,
};

use crate::Result;

const TOPIC: &str = "orders";

type Message = (Vec<(String, Vec<u8>)>, String);

#[derive(Clone)]
pub(crate) struct Queue {
    bus: MessageBus,
    sender: mpsc::Sender<Message>,
}

pub(crate) struct Orders {
    bus: MessageBus,
    receiver: mpsc::Receiver<Message>,
}

pub(crate) fn queue(producer: JaegerTracer, consumer: JaegerTracer) -> (Queue, Orders) {
    let (sender, receiver) = mpsc::channel(1);
    let bus = |tracer| MessageBus::new(tracer, "channel");
    let queue = Queue {
        bus: bus(producer),
        sender,
    };
    let orders = Orders {
        bus: bus(consumer),
        receiver,
    };
    (queue, orders)
}

impl Queue {
    pub(crate) async fn send(&self, item: &str) -> Result {
        let mut headers = Vec::new();
        let sending = self
            .bus
            .send(TOPIC)
            .start(&mut MessageHeaders(&mut headers));
        sending
            .run(self.sender.send((headers, item.to_owned())))
            .await?;
        sending.finish();
        Ok(())
    }
}

impl Orders {
    pub(crate) async fn next(&mut self) -> Option<(String, ConsumerSpan)> {
        let (headers, item) = self.receiver.recv().await?;
        let handling = self.bus.receive(TOPIC).start(&MessageHeaders(&headers[..]));
        Some((item, handling))
    }
}

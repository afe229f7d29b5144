//! The queue of rides: a channel in place of a broker. Messages have headers, as those of Kafka, NATS or AMQP.

use tokio::sync::mpsc;
use tracehound::propagation::MessageHeaders;

/// The topic.
pub(crate) const RIDES: &str = "rides";

/// The driver who is sent out.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) driver: String,
}

pub(crate) type Sender = mpsc::Sender<Message>;
pub(crate) type Receiver = mpsc::Receiver<Message>;

impl Message {
    pub(crate) fn new(driver: &str) -> Self {
        Self {
            headers: Vec::new(),
            driver: driver.to_owned(),
        }
    }

    /// Returns the headers as a carrier of a trace.
    pub(crate) fn carrier(&mut self) -> MessageHeaders<&mut Vec<(String, Vec<u8>)>> {
        MessageHeaders(&mut self.headers)
    }
}

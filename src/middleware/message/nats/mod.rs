//! Spans for the messages of the crate `async-nats`: see [`TracedNats`] and [`TracedJetStream`].

mod client;
mod delivery;
mod jetstream;
mod messages;

use async_nats::HeaderMap;

pub use client::TracedNats;
pub use delivery::{JetStreamMessage, JetStreamMessages};
pub use jetstream::{TracedAck, TracedJetStream};
pub use messages::{NatsMessage, NatsMessages};

use crate::middleware::{ConsumerSpan, IncomingMessage, MessageBus, ProducerSpan};
use crate::tracer::Tracer;

impl MessageBus {
    /// Names a NATS server, for [`TracedNats`] and [`TracedJetStream`].
    ///
    /// Subjects often hold data, as in `orders.1234.created`. Give [`patterns`](Self::patterns) for those that are
    /// published: a subscription needs none, because its messages are named after its own subject.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::MessageBus;
    ///
    /// let bus = MessageBus::nats(NoopTracer).patterns(["orders.*.created"]);
    /// # drop(bus);
    /// ```
    pub fn nats(tracer: impl Tracer + 'static) -> Self {
        Self::new(tracer, "nats").component("async-nats")
    }

    /// Starts the span of a message to a subject, and writes its context into the headers.
    fn publish(&self, subject: &str, headers: &mut HeaderMap, payload: &[u8]) -> ProducerSpan {
        let message = self.send(subject).payload(payload);
        let id = message_id(headers);
        let message = match &id {
            Some(id) => message.id(id),
            None => message,
        };
        let message = match is_inbox(subject) {
            true => message.name(INBOX),
            false => message,
        };
        message.start(headers)
    }
}

fn start_handling(message: IncomingMessage<'_>, headers: Option<&HeaderMap>) -> ConsumerSpan {
    match headers {
        Some(headers) => message.start(headers),
        None => message.start(&[("", ""); 0]),
    }
}

/// Returns the id by which JetStream finds duplicates.
fn message_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(async_nats::header::NATS_MESSAGE_ID)?;
    Some(id.as_str().to_owned())
}

/// Whether a subject is one of those that a client makes up for each reply.
fn is_inbox(subject: &str) -> bool {
    subject.starts_with("_INBOX.")
}

/// The name of all inboxes.
const INBOX: &str = "_INBOX";

/// The tag for the stream that holds a message.
const STREAM: &str = "nats.stream";

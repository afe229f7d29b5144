//! Spans for the messages of a queue or a broker: see [`MessageBus`].

mod bus;
mod handling;
mod incoming;
#[cfg(feature = "nats")]
mod nats;
mod outgoing;
mod sending;
mod settings;

pub use bus::MessageBus;
pub use handling::ConsumerSpan;
pub use incoming::IncomingMessage;
#[cfg(feature = "nats")]
pub use nats::{
    JetStreamMessage, JetStreamMessages, NatsMessage, NatsMessages, TracedAck, TracedJetStream,
    TracedNats,
};
pub use outgoing::OutgoingMessage;
pub use sending::ProducerSpan;

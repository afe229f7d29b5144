//! Spans for the messages of a queue or a broker: see [`MessageBus`].

mod bus;
mod handling;
mod incoming;
mod names;
mod outgoing;
mod sending;
mod settings;

pub use bus::MessageBus;
pub use handling::ConsumerSpan;
pub use incoming::IncomingMessage;
pub use outgoing::OutgoingMessage;
pub use sending::ProducerSpan;

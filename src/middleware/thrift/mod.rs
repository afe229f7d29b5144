//! Spans for the calls of Apache Thrift: see [`ThriftClient`] and [`ThriftProcessor`].

mod answer;
mod calls;
mod client;
mod context_field;
mod error;
mod forward;
mod input;
mod output;
mod processor;
mod server_call;
mod server_input;
mod server_output;
mod settings;

pub use client::ThriftClient;
pub use input::ThriftInput;
pub use output::ThriftOutput;
pub use processor::ThriftProcessor;

//! An agent, a collector and a viewer inside the program: see traces with nothing else installed.

mod collector;
mod http;
mod json;
mod listener;
mod open_spans;
mod options;
mod ports;
mod printer;
mod reporter;
#[cfg(test)]
mod sample;
mod sampler;
mod shared;
mod store;
mod text;
mod trace;
mod tree;
mod waterfall;

pub use collector::{DevError, DevServer};
pub use options::{DevOptions, Waterfall};
pub use store::DevTotals;
pub use trace::{OpenSpan, ReceivedSpan, Trace};

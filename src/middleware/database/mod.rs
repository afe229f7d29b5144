//! Spans for the calls to a database: see [`Database`].

mod call;
mod call_error;
mod client;
mod repeats;
#[cfg(feature = "stream")]
mod rows;
mod running;
mod settings;

pub use call::DatabaseCall;
pub use client::Database;
#[cfg(feature = "stream")]
pub use rows::TracedRows;
pub use running::DatabaseSpan;

//! Spans for the statements that the crate `sqlx` runs: see [`TracedExecutor`].

mod executor;
mod query;

pub use executor::TracedExecutor;

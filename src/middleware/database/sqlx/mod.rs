//! Spans for the statements that the crate `sqlx` runs: see [`TracedExecutor`].

mod executor;
mod pool;
mod query;
mod steps;

pub use executor::TracedExecutor;
pub use pool::WaitingPool;

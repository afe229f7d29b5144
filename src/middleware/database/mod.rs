//! Spans for the calls to a database: see [`Database`].

mod call;
mod client;
mod otel_call;
#[cfg(feature = "redis")]
mod redis;
mod repeats;
#[cfg(feature = "stream")]
mod rows;
mod running;
mod settings;
#[cfg(feature = "sqlx")]
mod sqlx;
mod vocabulary;

pub use call::DatabaseCall;
pub use client::Database;
#[cfg(feature = "redis")]
pub use redis::{RedisMessages, TracedRedis};
#[cfg(feature = "stream")]
pub use rows::TracedRows;
pub use running::DatabaseSpan;
pub(crate) use settings::shown_data;
#[cfg(feature = "sqlx")]
pub use sqlx::{TracedExecutor, WaitingPool};

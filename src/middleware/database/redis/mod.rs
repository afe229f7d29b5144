//! Spans for the commands of the crate `redis`: see [`TracedRedis`].

mod command;
mod commands;
mod connection;
mod messages;
mod packed;

pub use connection::TracedRedis;
pub use messages::RedisMessages;

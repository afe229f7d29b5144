//! Spans made with the library, sent by each of its senders of requests, read back from real backends.
//!
//! | module | it shows that |
//! |---|---|
//! | `as_made` | spans are read as they were made, over all parts of the API, from both Jaegers |
//! | `batches` | many spans arrive in as many batches as they need |
//! | `collector` | an OpenTelemetry Collector takes them as they were made |
//! | `zipkin` | a Zipkin server shows them as they were made |

mod as_made;
mod batches;
#[path = "../support/client.rs"]
mod client;
mod collector;
#[path = "../support/maker.rs"]
mod maker;
#[path = "../support/scenes.rs"]
mod scenes;
#[path = "../support/senders.rs"]
mod senders;
mod zipkin;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

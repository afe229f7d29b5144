//! Spans made with the library, sent by its own UDP sender, read back from real backends.
//!
//! | module | it shows that |
//! |---|---|
//! | `as_made` | spans are read as they were made, over all parts of the API |
//! | `values` | values are read as the library promises, in cases where "as made" says too little |
//! | `datagrams` | many spans, large spans and spans that are too large arrive as promised |
//! | `account` | agent and library agree on what was sent and what was lost |

mod account;
mod as_made;
#[path = "../support/client.rs"]
mod client;
mod datagrams;
#[path = "../support/maker.rs"]
mod maker;
mod protocol;
#[path = "../support/scenes.rs"]
mod scenes;
mod senders;
mod values;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

//! Spans made with the library, sent by its own UDP sender, read back from real backends.
//!
//! | module | what it shows |
//! |---|---|
//! | `as_made` | whatever a program does with spans is shown as it was made |
//! | `values` | what the library promises of values, where "as it was made" says too little |
//! | `datagrams` | many spans, large spans and spans that are too large |
//! | `account` | agent and library agree on what was sent and what was lost |

mod account;
mod as_made;
mod client;
mod datagrams;
mod scenes;
mod senders;
mod values;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

//! Spans made with the library, sent by each of its senders of requests, read back from real backends.
//!
//! | module | it shows that |
//! |---|---|
//! | `as_made` | spans are read as they were made, over all parts of the API, from both Jaegers |

mod as_made;
#[path = "../support/client.rs"]
mod client;
#[path = "../support/maker.rs"]
mod maker;
#[path = "../support/scenes.rs"]
mod scenes;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

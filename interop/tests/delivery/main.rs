//! Spans that the ledger calls sent are stored by a real backend, and the others are reported.
//!
//! | module | it shows what becomes of spans |
//! |---|---|
//! | `load` | at even rates and in bursts, from one thread, from several, from several programs |
//! | `absence` | when the agent is not there, or comes late |
//! | `restart` | when the agent is killed while spans flow, and started again |
//! | `requests` | when a collector that answers requests is killed while spans flow, or stands still |
//! | `standstill` | when the agent does not read for a while |
//! | `size` | and that the spans of all this have their stated size |
//!
//! The library has its default settings, except for a sampler that keeps every span. One test runs
//! at a time, because two loads at once would be a third load, which no test describes.

mod absence;
mod load;
#[path = "../../examples/load/produce.rs"]
mod produce;
mod requests;
mod restart;
mod scene;
#[path = "../support/senders.rs"]
mod senders;
mod size;
#[path = "../../examples/load/spans.rs"]
mod spans;
mod standstill;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

//! What the ledger calls sent is stored by a real backend, and what is not is told.
//!
//! | module | what it shows |
//! |---|---|
//! | `load` | at even rates and in bursts nothing is lost, by one thread, by several, by several programs |
//! | `absence` | an agent that is not there, or comes late |
//! | `restart` | an agent that is killed while spans flow, and started again |
//! | `standstill` | an agent that does not read for a while |
//! | `size` | the spans of all this are as large as they are said to be |
//!
//! The library has its default settings; only the sampler is another, which takes every span. One
//! test runs at a time: two loads beside each other would be a third one, of which nothing is said.

mod absence;
mod load;
#[path = "../../examples/load/produce.rs"]
mod produce;
mod restart;
mod scene;
mod size;
#[path = "../../examples/load/spans.rs"]
mod spans;
mod standstill;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

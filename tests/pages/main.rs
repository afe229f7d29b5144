//! The pages for readers: README, guide and the rest. What they list is complete, and what they refer to is there.
#![allow(clippy::panic, reason = "a test that fails says where")]

mod code_blocks;
mod columns;
mod compare;
mod features;
mod guide;
mod limits;
mod lines;
mod links;
mod markdown;
mod metrics;
mod sources;
mod tag_names;
mod variables;

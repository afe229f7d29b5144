//! The worker: takes finished spans from the queue and hands them to the reporter.

mod forked;
mod mailbox;
mod overflow;
mod schedule;
pub(crate) mod thread;
mod turn;

pub use mailbox::WorkerHandle;
pub(crate) use mailbox::{Worker, WorkerOptions};
pub(super) use turn::SHORTEST_PAUSE;

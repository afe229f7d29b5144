//! Finished spans on their way from the threads that finish them to the worker.

pub(crate) mod backlog;
pub(crate) mod budget;
pub(crate) mod finished_span;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod frame;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod frame_list;
pub(crate) mod owned_span;
pub(crate) mod span_queue;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod thread_queue;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod write_span;

//! A span while it is open.

pub(crate) mod buffer;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod field_list;
pub(crate) mod handle_count;
pub(crate) mod log_draft;
pub(crate) mod logs;
pub(crate) mod shared_decision;
pub(crate) mod slot;
pub(crate) mod status;
pub(crate) mod tags;
pub(crate) mod tracer;

//! Spans of the crate `tracing` in our traces, and the ids of traces in log lines of `tracing` and of the crate `log`.

#[cfg(feature = "tracing")]
mod json_members;
mod log_ids;
mod log_keys;
#[cfg(feature = "log")]
mod log_with_trace_ids;
#[cfg(feature = "tracing")]
mod with_trace_ids;

pub use log_keys::LogKeys;
#[cfg(feature = "log")]
pub use log_with_trace_ids::LogWithTraceIds;
#[cfg(feature = "tracing")]
pub use with_trace_ids::WithTraceIds;

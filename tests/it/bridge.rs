//! Spans and log lines of other crates.

mod log_scenario;
#[cfg(feature = "tracing")]
mod logs_fmt;
#[cfg(feature = "tracing")]
mod logs_hostile;
#[cfg(feature = "tracing")]
mod logs_inner_formats;
#[cfg(feature = "log")]
mod logs_log;
mod logs_own_lines;
#[cfg(feature = "tracing")]
mod logs_tracing_layer;
#[cfg(feature = "tracing")]
mod tracing;

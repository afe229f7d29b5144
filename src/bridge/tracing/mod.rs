//! Spans and events of the crate `tracing`.

mod deferred_span;
mod event_visitor;
mod fields;
mod layer;
mod own_work;
mod recorded;
mod setters;
mod settings;
mod span_ext;
mod span_visitor;

pub use layer::TracingLayer;
pub use span_ext::{SetParentError, TracingSpanExt};

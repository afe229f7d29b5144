//! Spans and events of the crate `tracing`.

mod deferred_span;
mod event_visitor;
mod fields;
mod layer;
mod left_out;
mod line_ids;
mod origin;
mod recorded;
mod setters;
mod settings;
mod span_ext;
mod span_visitor;

pub use layer::TracingLayer;
pub(super) use line_ids::ids_of_span;
pub use span_ext::{SetParentError, TracingSpanExt};

//! Spans and events of the crate `tracing`.

mod deferred_span;
mod event_visitor;
mod fields;
mod layer;
mod left_out;
mod line_ids;
mod origin;
mod recent;
mod recorded;
mod setters;
mod settings;
mod span_ext;
mod span_visitor;
mod spare;
mod wanted_ids;

pub use layer::TracingLayer;
pub(super) use line_ids::ids_of_span;
pub use span_ext::{SetParentError, TracingSpanExt};
pub(super) use wanted_ids::want_ids;

//! One unit of work.

mod context;

pub(crate) use context::Decision;
pub use context::{SpanContext, ToSpanContext};

//! The items that nearly every file with spans needs: `use tracehound::prelude::*;`.

pub use crate::model::field;
pub use crate::scope::{InSpan, active_span};
pub use crate::span::Span;
pub use crate::tracer::{JaegerTracer, Tracer, TracerExt};
